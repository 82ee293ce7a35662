#!/bin/bash
# Everything that was ever on the wire is put there again, and again with other
# addresses, in every state of the hosts: nothing of it is accepted.  And a host
# that has the password cannot speak for another one.
#
#    h1 ---- wire ---- h2        h1 dials both; what is injected comes out of
#    c1        |       c2        the bridge's ports, so the recording of the
#             h3                 wire has only what hosts have sent
#             c3
#
# FDP_TEST_PINGS: how many each way before each state (8).
#
# tier: uml
# timeout: 700
. "$(dirname "$0")/lib.sh"

pings=${FDP_TEST_PINGS:-8}
esp=$(dirname "$0")/esp.py

hosts 3
wire_record wire esp
for h in h2 h3; do fdpd $h --password-file "$password"; done
fdpd h1 --password-file "$password" --peer 172.31.0.2 --peer 172.31.0.3
case_ok 'connected' soon meshed h1 2
for i in 1 2 3; do
	# Nothing is said in containers but what this scenario has them say.
	ip netns add c$i
	ns c$i sysctl -qw net.ipv6.conf.default.disable_ipv6=1
	ctl h$i attach --netns c$i --address 10.0.0.$i/24 > /dev/null
done

mac_of() { ns "$1" cat "/sys/class/net/$2/address"; }
everybody=()
for i in 1 2 3; do everybody+=("172.31.0.$i,w$i,$(mac_of h$i u0)"); done
inject() { # RECORDING HOW...
	python3 "$esp" send "$work/$1.pcap" "${everybody[@]}" -- "${@:2}"
}

# ---- what was delivered, what was refused -----------------------------------

# What comes out of a tunnel is recorded there.  Hosts probe each other all the
# time, so probes count only if they come a second time: no two are the same.
out_pids=()
for h in h1 h2 h3; do
	ns $h tcpdump -i vxlan-6784 -Q in -nn -U --immediate-mode \
		-w "$work/out.$h.pcap" 2> "$work/out.$h.tcpdump" &
	out_pids+=($!)
	soon grep -q 'listening on' "$work/out.$h.tcpdump"
done
probe='ether proto 0x88b5'
out_of() { # H FILTER ARGUMENT...
	tcpdump -nn -t -r "$work/out.$1.pcap" "${@:3}" "$2" 2> /dev/null
}
# All that came out of the tunnels of host H, and what XFRM refused before that.
counts() { # H
	local out again

	out=$(out_of "$1" "not $probe" | wc -l)
	again=$(out_of "$1" "$probe" -xx | awk '/^\t/ { all = all $0; next }
		{ print all; all = "" } END { print all }' | sort | uniq -d | wc -l)
	ns "$1" awk -v out=$((out + again)) '/^XfrmIn/ { n += $2 }
		END { print out, n }' /proc/net/xfrm_stat
}
look() {
	local h

	for h in h1 h2 h3; do
		read -r "before[$h]" "counted[$h]" < <(counts $h)
	done
}
declare -A before=() counted=()
# The answers of inject() are in a file: nothing was decapsulated, and everything
# was counted as refused.
none_accepted() { # FILE
	local h address sent out no bad=0

	sleep 0.2
	while read -r address sent; do
		h=h${address##*.}
		read -r out no < <(counts "$h")
		out=$((out - before[$h])) no=$((no - counted[$h]))
		echo "$h: $sent sent, $no refused, $out accepted"
		[ "$out" -eq 0 ] && [ "$no" -ge "$sent" ] && [ "$sent" -gt 20 ] || bad=1
	done < "$1"
	return $bad
}
total=0
replay() { # STATE: all that was recorded
	look
	inject wire same src=others src=172.31.0.9 dst=others swap > "$work/sent.txt"
	judge "$1"
}
judge() { # STATE
	local n

	n=$(awk '{ n += $2 } END { print n }' "$work/sent.txt")
	total=$((total + n))
	case_ok "$1: nothing is accepted" soon none_accepted "$work/sent.txt"
	echo "# $1: $n frames"
}
talk() {
	local i j

	for i in 1 2 3; do
		for j in 1 2 3; do
			[ $i = $j ] || ns c$i ping -n -q -c "$pings" -i 0.01 -W 2 10.0.0.$j
		done
	done > /dev/null
	# Answers and refreshed neighbours, so that silence is silence.
	sleep 0.3
}
spis() { ns h1 ip xfrm policy | awk '/spi 0x/ { print $4 }'; }
rekeyed() { [ "$(spis | grep -cxF "$1")" -eq 0 ]; }
rekey() {
	local old

	old=$(spis)
	ctl h1 rekey > /dev/null
	soon rekeyed "$old"
}
both_up() { soon meshed h1 2 && soon ping_ok c1 10.0.0.2 && soon ping_ok c1 10.0.0.3; }

# ---- states --------------------------------------------------------------------

case_ok 'ping' both_up
talk
# Nor do they look after their neighbours.
for i in 1 2 3; do
	ns c$i ip neigh | awk '$5 ~ /:/ { print $1, $5 }' | while read -r ip mac; do
		ns c$i ip neigh replace "$ip" lladdr "$mac" nud permanent dev eth0
	done
done
replay 'first keys'

# New keys are being made all the time while the old frames come in.
look
inject wire same src=others src=172.31.0.9 dst=others swap > "$work/sent.txt" &
injection=$!
n=0
while kill -0 $injection 2> /dev/null || [ $n -lt 2 ]; do
	rekey || break
	n=$((n + 1))
done
wait $injection
judge 'during rekeys'
echo "# $n rekeys meanwhile"
replay 'old SAs linger'
talk
replay 'old and new ones used'

# Those SAs that no policy points to are removed before their time.
remove_old() {
	local h used src dst spi

	used=$(for h in h1 h2 h3; do ns $h ip xfrm policy; done | awk '/spi 0x/ { print $4 }')
	for h in h1 h2 h3; do
		ns $h ip xfrm state |
			awk '/^src/ { ends = $2 " " $4 } /proto esp/ { print ends, $4 }' |
			grep -vF "$used" |
			while read -r src dst spi; do
				echo "xfrm state delete src $src dst $dst proto esp spi $spi"
			done | ns $h ip -batch -
	done
}
remove_old
replay 'old SAs removed'

fdpd_kill h1
replay 'daemon dead'
fdpd h1 --password-file "$password" --peer 172.31.0.2 --peer 172.31.0.3
case_ok 'a new daemon serves' both_up
replay 'after a restart'
ns h2 ip xfrm state flush
case_ok 'repaired' both_up
talk
replay 'after a flush'

# ---- frames that nobody has received yet -----------------------------------------

held() { [ "$(wire_count "$1" esp)" -ge 30 ]; }
# Takes a host from the wire and records what it sends.
withhold() { # I NAME
	local pid

	ip link set "w$1" nomaster
	# Pings alone: probes are smaller or larger.
	tcpdump -i "w$1" -Q in -nn -U --immediate-mode -w "$work/$2.pcap" \
		'esp and greater 300 and less 600' \
		2> "$work/$2.tcpdump" &
	pid=$!
	soon grep -q 'listening on' "$work/$2.tcpdump"
	ns "c$1" ping -n -q -c 30 -s 250 -i 0.01 -W 0.1 10.0.0.1 > /dev/null
	soon held "$2"
	kill $pid
	wait $pid
	ip link set "w$1" master wire
}
accepted() { # by h1 since look()
	local out no

	sleep 0.3
	read -r out no < <(counts h1)
	echo $((out - before[h1]))
}
came() { [ "$(accepted)" -ge "$1" ]; }
fresh() { # NAME RECORDING N HOW...: N and no more come in at h1
	local name=$1 want=$3 n

	look
	inject "$2" "${@:4}" > "$work/sent.txt"
	soon came "$want"
	n=$(accepted)
	case_ok "$name: $n of $(awk '$1 == "172.31.0.1" { print $2 }' "$work/sent.txt") accepted" \
		[ "$n" -eq "$want" ]
}
withhold 2 held2
withhold 3 held3
# ESP covers no address: this is what a host with keys of its own can send, too.
fresh 'h3 in the name of h2' held3 0 from=0 n=5 src=172.31.0.2
fresh 'h3 in the name of h1 itself' held3 0 from=5 n=5 src=172.31.0.1
fresh 'h3 in the name of a stranger' held3 0 from=10 n=5 src=172.31.0.9
fresh 'h2 in the name of h3' held2 0 from=0 n=5 src=172.31.0.3
# That in the name of h1 itself went no farther than the routing of h1.
mismatches() { ns h1 awk '$1 == "XfrmInStateMismatch" { print $2 " mismatches"; exit $2 < 15 }' /proc/net/xfrm_stat; }
case_ok "the SA's selector refused them" mismatches
fresh 'control: h3 in its own name' held3 5 from=15 n=5 same
fresh 'control: h2 in its own name' held2 5 from=15 n=5 same
fresh 'the same again' held3 0 from=15 n=5 same
fresh 'what had come in another name' held3 0 from=0 n=5 same

# VXLAN that h3 makes by hand; its own kernel seals it.
by_hand() { # INNER-MAC INNER-IP VNI
	ns h3 python3 - "$(mac_of c1 eth0)" "$@" << 'PYTHON'
import socket, struct, sys
to, mac, src, vni = sys.argv[1:]
def csum(b):
    s = sum(struct.unpack('!%dH' % (len(b) // 2), b))
    s = (s >> 16) + (s & 0xffff)
    return ~(s + (s >> 16)) & 0xffff
def m(s): return bytes.fromhex(s.replace(':', ''))
icmp = struct.pack('!BBHHH', 8, 0, 0, 7, 7) + b'x' * 56
icmp = icmp[:2] + struct.pack('!H', csum(icmp)) + icmp[4:]
ip = struct.pack('!BBHHHBBH4s4s', 0x45, 0, 20 + len(icmp), 1, 0, 64, 1, 0,
                 socket.inet_aton(src), socket.inet_aton('10.0.0.1'))
ip = ip[:10] + struct.pack('!H', csum(ip)) + ip[12:]
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for _ in range(10):
    s.sendto(struct.pack('!II', 0x08000000, int(vni) << 8) + m(to) + m(mac) +
             b'\x08\0' + ip + icmp, ('172.31.0.1', 6784))
PYTHON
}
heard() { [ $(($(rx_echoes c1) - was)) -ge "$1" ]; }
echoes() { # NAME N ARGUMENT...: N of 10 reach the container
	local name=$1 want=$2 was n

	was=$(rx_echoes c1)
	by_hand "${@:3}"
	soon heard "$want"
	sleep 0.5
	n=$(($(rx_echoes c1) - was))
	case_ok "$name: $n of 10 delivered" [ "$n" -eq "$want" ]
}
echoes "control: h3 for its own container" 10 "$(mac_of c3 eth0)" 10.0.0.3 1
echoes "h3 for the container of h2" 0 "$(mac_of c2 eth0)" 10.0.0.2 1
echoes "h3 for its container with h2's address" 0 "$(mac_of c3 eth0)" 10.0.0.2 1
echoes "h3 for the container of h1" 0 "$(mac_of c1 eth0)" 10.0.0.1 1
echoes "h3 in another network" 0 "$(mac_of c3 eth0)" 10.0.0.3 2
case_ok 'everybody is served' both_up

# ---- the control: an SA that is installed again remembers nothing -----------------

wire_stop
case_ok 'no key and no salt was in two SAs' keys_ok
fdpd_kill h1
again() { # the inbound SA from h2, as it is
	local spi key reqid

	spi=$(ns h2 ip xfrm policy | awk '/tmpl src 172.31.0.2 dst 172.31.0.1/ { mine = 1; next } mine && /spi/ { print $4; exit }')
	read -r reqid key < <(ns h1 ip xfrm state get src 172.31.0.2 dst 172.31.0.1 \
		proto esp spi "$spi" | awk '/reqid/ { r = $6 } /aead/ { print r, $3 }')
	ns h1 ip xfrm state delete src 172.31.0.2 dst 172.31.0.1 proto esp spi "$spi"
	ns h1 ip xfrm state add src 172.31.0.2 dst 172.31.0.1 proto esp \
		spi "$spi" reqid "$reqid" mode transport flag esn \
		replay-window 1024 aead 'rfc4106(gcm(aes))' "$key" 128 \
		sel src 172.31.0.2/32 dst 172.31.0.1/32 proto udp dport 6784
}
case_ok 'an SA is installed a second time' again
look
inject wire same > "$work/sent.txt"
soon came "$pings"
n=$(accepted)
case_ok "control: then the same frames are accepted ($n)" [ "$n" -ge "$pings" ]
case_ok 'control: the check of keys finds it' soon not keys_ok
echo "# $total frames were injected in all"
keys_stop
rm -f "$work"/keys.*
kill "${out_pids[@]}"
finish
