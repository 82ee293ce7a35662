#!/bin/bash
# Three hosts on a kernel that has no openvswitch, by the default --overlay auto:
# the sleeve alone, and why; broadcast, relay, and all that one has to see of it.
#
#    h1 172.31.0.1 ---- wire ---- 172.31.0.2 h2, 172.31.0.3 h3     all dial h1
#      |                            |             |
#    c1 10.0.0.1 fd00::1          c2 10.0.0.2   c3 10.0.0.3
#
# tier: bare
# timeout: 300
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/sleeve.sh"

if ovs-dpctl show > /dev/null 2>&1; then
	case_skip auto 'this kernel has openvswitch'
	exit 0
fi
overlay=auto
hosts 3
fdpd h1 --password-file "$password"
for h in h2 h3; do
	fdpd $h --password-file "$password" --peer 172.31.0.1
done
for h in h1 h2 h3; do
	case_ok "$h reaches both others, by sleeve, and why" soon sleeved $h 2 no-datapath
	case_ok "$h has said so" grep -q 'WARN|without the kernel datapath, by the sleeve alone: ' "$work/$h.log"
done
case_ok 'status is healthy all the same' ctl h1 status
ctl h1 status connections > "$work/connections"
case_ok 'connections: sleeve, and why' grep -qE 'sleeve, as no-datapath' "$work/connections"
ctl h1 why h2 > "$work/why"
case_ok 'so says why' grep -qE '^overlay +sleeve, .* as no-datapath: ' "$work/why"
case_ok 'and that it works' grep -qE '^verdict +good' "$work/why"

for i in 1 2 3; do
	box h$i c$i 10.0.0.$i/24 fd00::$i/64
done
for from in 1 2 3; do
	for to in 1 2 3; do
		[ $from = $to ] || case_ok "c$from reaches c$to" soon ping_ok c$from 10.0.0.$to
		[ $from = $to ] || case_ok "over IPv6" soon ping_ok c$from fd00::$to
	done
done

# ---- broadcast, multicast ------------------------------------------------------

heard() { # NS: of the broadcasts that were told
	grep -c "told to all" "$work/$1.all"
}
listeners=()
for i in 2 3; do
	ip netns exec c$i python3 -c '
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("", 5005))
print("ready", flush=True)
while True: print(s.recv(100).decode(), flush=True)' > "$work/c$i.all" &
	listeners+=($!)
	soon grep -q ready "$work/c$i.all"
done
shout() { # N, of so many in ALL that are heard then
	ns c1 python3 -c '
import socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
for i in range(int(sys.argv[1])):
    s.sendto(b"told to all", ("10.0.0.255", 5005))
    time.sleep(0.02)' "$1"
	soon all_heard "$2"
	# None of them comes again.
	sleep 0.5
}
all_heard() { # N
	[ "$(heard c2)" -ge "$1" ] && [ "$(heard c3)" -ge "$1" ]
}
each_once() { # N: so often in all
	echo "c2 $(heard c2), c3 $(heard c3)"
	[ "$(heard c2)/$(heard c3)" = "$1/$1" ]
}
shout 20 20
case_ok 'a broadcast gets to everybody, once' each_once 20
asked() { # ARP anew
	ns "$1" ip neigh flush dev eth0 && ping_ok "$1" "$2" &&
		ns "$1" ip neigh show "$2" | grep -q "$(ask "$3" '.ports[0].mac' ports)"
}
case_ok 'ARP finds the container itself' asked c2 10.0.0.3 h3
case_ok 'TCP' transfer c2 c3 10.0.0.3 5M

# ---- relay -----------------------------------------------------------------------

row() { # H PEER FILTER
	ask "$1" ".peers[] | select(.name == \"$2\") | $3" peers
}
via() { # h2's to h3 and back
	[ "$(row h2 h3 .via)/$(row h3 h2 .via)" = "$1/$1" ]
}
wall h2 'ip saddr 172.31.0.3 drop'
wall h3 'ip saddr 172.31.0.2 drop'
case_ok 'h2 and h3 do not reach each other: h1 passes on' soon via h1
wire_record relay
case_ok 'c2 reaches c3 through h1' soon ping_ok c2 10.0.0.3
case_ok 'c3 reaches c2, over IPv6' soon ping_ok c3 fd00::2
case_ok 'ARP through it' asked c3 10.0.0.2 h2
case_ok 'TCP through it' transfer c3 c2 10.0.0.2 2M
case_ok 'a secret is told through it' tell c2 c3 10.0.0.3
shout 20 40
case_ok 'a broadcast gets to everybody, once, still' each_once 40
lost() { ctl h2 why h3 > "$work/why" && grep -q 'the peer has not answered' "$work/why"; }
soon lost
case_ok 'why says how it is reached' grep -qE '^reached via +h1' "$work/why"
case_ok 'and what happened' grep -q 'the peer has not answered' "$work/why"
wire_stop
case_ok 'sleeve is on the wire' wire_some relay 100 'udp port 6783'
case_ok 'nothing else is' wire_none relay "$sleeve_only"
case_ok 'the secret is not' secret_unseen relay
wall_down h2
wall_down h3
case_ok 'and no more when they do' soon via ''
case_ok 'c2 reaches c3 itself' soon ping_ok c2 10.0.0.3
kill "${listeners[@]}"
finish
