# shellcheck shell=bash
# What the scenarios of several SAs have in common: traffic whose packets are
# counted, and which SAs it takes; source it after lib.sh.
#
#   start H K        fdpd on h1 or h2 with K SAs a peer; h1 dials
#   begin            numbered datagrams on 16 ports and 8 TCP connections from
#                    c1 to c2, until
#   end NAME         all of it must have arrived, in the order of each flow
#   lanes H DIR      the SAs in use, "LANE SPI PACKETS" each
#   n_lanes H DIR N  are there so many?
#   all_grow H DIR N does every one of N count packets?
#   rekeyed SPIS     has h1 four SAs, none of them one of these?
#   counters H       are the kernel's XFRM error counters zero?

cat > "$work/flows.py" <<'END'
import json, random, selectors, signal, socket, struct, sys, time

N_UDP, N_TCP = 16, 8
end = False

def stop(*_):
    global end
    end = True

def receive():
    sel, udp, tcp = selectors.DefaultSelector(), {}, {}
    for i in range(N_UDP + N_TCP):
        kind = socket.SOCK_DGRAM if i < N_UDP else socket.SOCK_STREAM
        s = socket.socket(socket.AF_INET, kind)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(("", 7000 + i))
        if i >= N_UDP:
            s.listen()
        sel.register(s, selectors.EVENT_READ, i)
    swapped, quiet = 0, False
    # Those on their way when we are told to stop still come.
    while not (end and quiet):
        events = sel.select(0.2)
        quiet = not events
        for key, _ in events:
            if key.data is None:
                data = key.fileobj.recv(65536)
                tcp[key.fileobj] = tcp.get(key.fileobj, 0) + len(data)
                if not data:
                    sel.unregister(key.fileobj)
                    key.fileobj.close()
            elif key.data >= N_UDP:
                sel.register(key.fileobj.accept()[0], selectors.EVENT_READ)
            else:
                n = struct.unpack("!I", key.fileobj.recv(2000)[:4])[0]
                count, last = udp.get(key.data, (0, -1))
                swapped += n <= last
                udp[key.data] = (count + 1, max(n, last))
    print(json.dumps({"udp": sum(c for c, _ in udp.values()), "flows": len(udp),
                      "swapped": swapped, "tcp": sum(tcp.values())}))

def send(to):
    udp, tcp, n, sent = [], [], 0, 0
    for i in range(N_UDP + N_TCP):
        kind = socket.SOCK_DGRAM if i < N_UDP else socket.SOCK_STREAM
        s = socket.socket(socket.AF_INET, kind)
        if i < N_UDP:
            s.bind(("", 20000 + 6 * i))
        s.connect((to, 7000 + i))
        (udp if i < N_UDP else tcp).append(s)
    while not end:
        for s in udp:
            s.send(struct.pack("!I", n) + bytes(random.randrange(1200)))
        for s in tcp:
            s.sendall(bytes(1000))
            sent += 1000
        n += 1
        time.sleep(0.05)
    for s in tcp:
        s.shutdown(socket.SHUT_WR)
        s.settimeout(60)
        s.recv(1)  # the end: all has been read
    print(json.dumps({"udp": n * N_UDP, "tcp": sent}))

signal.signal(signal.SIGTERM, stop)
receive() if sys.argv[1] == "receive" else send(sys.argv[2])
END

begin() {
	ip netns exec c2 python3 "$work/flows.py" receive > "$work/rx.json" &
	rx=$!
	soon listening
	ip netns exec c1 python3 "$work/flows.py" send 10.0.0.2 > "$work/tx.json" &
	tx=$!
	soon connected
}
listening() { [ "$(ns c2 ss -Hltn | wc -l)" -ge 8 ]; }
connected() { [ "$(ns c1 ss -Htn state established | wc -l)" -ge 8 ]; }
end() { # NAME
	kill -TERM $tx
	wait $tx
	kill -TERM $rx
	wait $rx
	echo "# $1: sent $(cat "$work/tx.json"), received $(cat "$work/rx.json")"
	case_ok "$1: not one datagram lost" same udp
	case_ok "$1: none overtook another of its flow" \
		[ "$(jq .swapped "$work/rx.json")" = 0 ]
	case_ok "$1: TCP whole" same tcp
}
same() {
	[ "$(jq ".$1" "$work/tx.json")" -gt 0 ] &&
		[ "$(jq ".$1" "$work/tx.json")" = "$(jq ".$1" "$work/rx.json")" ]
}

# The SAs in use of H towards DIR, "LANE SPI PACKETS" each.
lanes() { # H DIR
	ask "$1" ".sas[] | select(.direction == \"$2\" and .lane >= 0) | \"\(.lane) \(.spi) \(.packets)\"" sas | sort -n
}
n_lanes() { [ "$(lanes "$1" "$2" | wc -l)" = "$3" ]; }
# Does every one of the N SAs in use count packets?
all_grow() { # H DIR N
	local before

	before=$(lanes "$1" "$2")
	sleep 1
	join <(echo "$before" | cut -d ' ' -f 2,3 | sort) \
		<(lanes "$1" "$2" | cut -d ' ' -f 2,3 | sort) |
		awk -v n="$3" '{ print } $3 > $2 { grown++ } END { exit grown != n }'
}
start() { # H K: h1 dials h2
	local peer=(--peer 172.31.0.2)

	[ "$1" = h1 ] || peer=()
	fdpd "$1" --password-file "$password" --sas-per-peer "$2" "${peer[@]}"
}

spis() { lanes h1 out | cut -d ' ' -f 2; }
rekeyed() { # OLD: four SAs, none of them an old one
	[ "$(spis | wc -l)" = 4 ] &&
		[ -z "$(comm -12 <(sort <<< "$1") <(spis | sort))" ]
}

# What an error counter may say: nothing at all, but of what the block policy
# refused (see test_rekey.sh) and of an SA that is just being replaced.
counters() { ns "$1" awk '$2 && $1 !~ /XfrmOutPolBlock|XfrmInNoPols/ { print; bad = 1 } END { exit bad }' /proc/net/xfrm_stat; }
