#!/bin/bash
# A container that does what it likes: others keep their service, tables stay
# bounded, what is forged is dropped and counted, and the operator sees who it was.
#
#    h1 ---- wire ---- h2
#    c1 bad            c3
#    c2, c4
#
# tier: uml
# timeout: 300
. "$(dirname "$0")/lib.sh"
tool=$bin/tests/bench/flow_setup

hosts 2
wire_record flood 'not esp'
fdpd h1 --password-file "$password" --peer 172.31.0.2
fdpd h2 --password-file "$password"
case_ok 'connected' soon meshed h1 1
box h1 c1 10.0.0.1/24 fd00::1/64
box h1 c2 10.0.0.2/24 fd00::2/64
box h2 c3 10.0.0.3/24 fd00::3/64
box h1 c4 10.0.0.4/24
case_ok 'before: over the wire' soon ping_ok c2 10.0.0.3

of() { # NETNS FIELD
	ask h1 ".ports[] | select(.netns == \"/run/netns/$1\") | .$2" ports
}
dropped() { # REASON
	ask h1 ".drops[\"$1\"] // 0" status
}

# ---- forged frames ----------------------------------------------------------------

# What c1 says in the name of others: frames to everybody, by python's AF_PACKET.
forge() { # KIND
	ns c1 python3 - "$1" << 'END'
import socket, struct, sys
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(("eth0", 0))
me = s.getsockname()[4]
all_of_us, c2 = b"\xff" * 6, socket.inet_aton("10.0.0.2")
def arp(op, ip):
	return all_of_us + me + b"\x08\x06" + struct.pack("!HHBBH", 1, 0x800, 6, 4, op) + \
		me + ip + b"\0" * 6 + socket.inet_aton("10.0.0.9")
def udp4(src, dst):
	u = struct.pack("!HHHH", src, dst, 16, 0) + b"8 bytes."
	h = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(u), 0, 0, 64, 17, 0,
		socket.inet_aton("10.0.0.1"), socket.inet_aton("255.255.255.255"))
	n = sum(struct.unpack("!10H", h))
	n = ~((n >> 16) + (n & 0xffff)) & 0xffff
	return all_of_us + me + b"\x08\x00" + h[:10] + struct.pack("!H", n) + h[12:] + u
def icmp6(body):
	src = bytes.fromhex("fe80000000000000") + bytes([me[0] ^ 2]) + me[1:3] + b"\xff\xfe" + me[3:]
	dst = bytes.fromhex("ff020000000000000000000000000001")
	p = src + dst + struct.pack("!II", len(body), 58)
	n = sum(struct.unpack("!%dH" % (len(p + body) // 2), p + body))
	n = (n >> 16) + (n & 0xffff)
	body = body[:2] + struct.pack("!H", ~((n >> 16) + n) & 0xffff) + body[4:]
	return b"\x33\x33\0\0\0\1" + me + b"\x86\xdd" + struct.pack("!IHBB", 6 << 28, len(body), 58, 255) + \
		src + dst + body
frames = {
	"own": arp(2, socket.inet_aton("10.0.0.1")),
	"arp": arp(2, c2),
	"dhcp": udp4(67, 68),
	"ra": icmp6(struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0)),
	"na": icmp6(struct.pack("!BBHI", 136, 0, 0, 0x20000000) +
		socket.inet_pton(socket.AF_INET6, "fd00::2") + b"\2\1" + me),
}
s.send(frames[sys.argv[1]])
END
}
counted() { # REASON BEFORE
	[ "$(dropped "$1")" -gt "$2" ]
}
# Does one of them come up, is it counted, and does nobody hear it?
refused() { # KIND REASON FILTER
	local before

	before=$(dropped "$2")
	# Not what c2 says itself, which is asked now and then.
	ip netns exec c2 timeout 120 tcpdump -i eth0 -Q in -nn -l --immediate-mode -c 1 "$3" > "$work/$1.heard" 2> "$work/$1.tcpdump" &
	soon grep -q 'listening on' "$work/$1.tcpdump"
	forge "$1"
	if [ "$2" = none ]; then
		soon grep . "$work/$1.heard"
		return
	fi
	soon counted "$2" "$before"
	sleep 0.5
	kill $! 2> /dev/null
	wait $! 2> /dev/null
	echo "heard: $(cat "$work/$1.heard"), dropped: $(dropped "$2"), before: $before"
	! grep -q . "$work/$1.heard" && counted "$2" "$before"
}
case_ok 'control: what is true is heard' refused own none 'arp src host 10.0.0.1'
case_ok 'a claim of an IPv4 address is dropped' refused arp spoofed-arp 'arp src host 10.0.0.2'
case_ok 'a claim of an IPv6 address is dropped' refused na spoofed-arp 'icmp6 and ip6[40] == 136 and ip6[48:4] == 0xfd000000'
case_ok 'a router advertisement is dropped' refused ra rogue-ra 'icmp6 and ip6[40] == 134'
case_ok 'a DHCP reply is dropped' refused dhcp rogue-dhcp 'udp src port 67'

# What is for all goes the same way, whatever group it is for.
groups() {
	local before arrived

	before=$(of c1 flows)
	read -r arrived _ <<< "$("$tool" burst c1 c2 mac 2000)"
	echo "$arrived of 2000 arrived, $before flows before, now $(of c1 flows)"
	[ "$arrived" = 2000 ] && [ $(($(of c1 flows) - before)) -lt 10 ]
}
case_ok 'two thousand groups take a few flows' groups

# ---- a flood -------------------------------------------------------------------------

# Each frame is for a station that there is not.  At first as many as can be sent,
# until it had to wait; then enough for that to go on.
touch "$work/flooding" "$work/hard"
(
	while [ -e "$work/flooding" ]; do
		if [ -e "$work/hard" ]; then
			"$tool" burst c1 c2 nobody 20000
		else
			"$tool" burst c1 c2 nobody 3000
			sleep 0.5
		fi
	done
) > /dev/null &
flooder=$!
flood_begin=$SECONDS flood_before=$(of c1 upcalls)
# Where CPU is so short that fewer come up than are granted, nobody has to.
starved() {
	local took=$((SECONDS - flood_begin))

	[ $took -gt 30 ] && [ $(($(of c1 upcalls) - flood_before)) -lt $((took * 3000)) ] &&
		echo "# $(($(of c1 upcalls) - flood_before)) upcalls in $took s: too slow to be made to wait"
}
too_fast() {
	[ "$(of c1 lost)" -gt 0 ] && { [ "$(of c1 waited)" -gt 0 ] || starved; }
}
case_ok 'the one that floods has to wait' soon too_fast
starved || :
rm "$work/hard"
echo "# $(of c1 flows) flows of c1, $(of c1 refused) refused, $(of c1 evicted) evicted"
case_ok 'its flows are bounded' [ "$(of c1 flows)" -le 20000 ]
case_ok 'so is the table' [ "$(ask h1 .flows.installed status)" -le 20200 ]
case_ok 'status names it' [ "$(ask h1 '.upcalls.lost_by[0].netns' status)" = /run/netns/c1 ]
# Flows to each of them are new: they have been idle for ten seconds, or have
# never been.
case_ok 'another one on its host is served' ping_ok c2 -W 5 10.0.0.4
case_ok 'and over the wire' ping_ok c2 -W 5 10.0.0.3
case_ok 'and back' ping_ok c3 -W 5 10.0.0.2
case_ok 'over IPv6, too' ping_ok c2 -6 -W 5 fd00::3
case_ok 'another container is attached' box h1 c5 10.0.0.5/24
case_ok 'and served' ping_ok c5 -W 5 10.0.0.3
# However long it takes here: a share at once, then so many a second.
begin=${EPOCHREALTIME/./}
before=$(of c1 upcalls)
sleep 3
after=$(of c1 upcalls)
took=$((${EPOCHREALTIME/./} - begin))
echo "# $((after - before)) upcalls of c1 in $((took / 1000)) ms"
case_ok 'what it costs is bounded' [ $((after - before)) -le $((took / 500 + 1000)) ]
rm "$work/flooding"
wait $flooder
echo "# c1 has lost $(of c1 lost), c2 $(of c2 lost)"
case_ok 'nobody else has lost anything' [ "$(of c2 lost) $(of c4 lost) $(of c5 lost)" = '0 0 0' ]
gone() { [ "$(ask h1 '.flows.installed - .flows.ahead' status)" -lt 200 ]; }
case_ok 'its flows go when it is quiet' soon gone
case_ok 'it is served again itself' soon ping_ok c1 10.0.0.3
wire_stop
case_ok 'nothing in plaintext' wire_none flood "$esp_only"
finish
