#!/bin/bash
# An address comes back on another host, with its MAC and with another one:
# traffic follows everywhere, and neighbours that would go on believing in the
# old MAC for an hour are told.
#
#    h1 ---- h2 ---- h3      m, 10.0.0.77, is on h2, then on h3, then on h1;
#    c1      c2      c3      c1, c2 and c3 ping it all the time
#
# tier: uml
# timeout: 200
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/soak.sh"

# Its last answer before and its first after are how far apart?
gap_ms() { # NAME
	awk -F'[][ ]' '/icmp_seq/ { if (last && $2 - last > gap) gap = $2 - last; last = $2 }
		END { printf "%d\n", gap * 1000 }' "$work/$1.ping"
}
everybody_reaches() {
	local i

	for i in 1 2 3; do
		ns c$i ping -n -q -c 1 -W 1 10.0.0.77 && ns c$i ping -n -q -c 1 -W 1 fd00::77 || return
	done
}
mac_of() { # NETNS
	ip -n "$1" -j link show eth0 | jq -r '.[0].address'
}
attach_m() { # H ARG...
	local h=$1

	shift
	ip netns add m
	ctl "$h" attach --netns m --address 10.0.0.77/24 --address fd00::77/64 "$@"
}
move() { # NAME FROM TO ARG...
	local name=$1 from=$2 to=$3 i

	shift 3
	for i in 1 2 3; do
		ping_begin "$name.c$i" c$i 10.0.0.77 -D -i 0.05
	done
	sleep 1
	# The container ends, with all that was its own.
	ip netns del m
	# The other host refuses until it has heard of that.
	soon attach_m "$to" "$@" > "$work/attach.log" 2>&1
	case_ok "$name: everybody reaches it" soon everybody_reaches
	sleep 1
	traffic_end
	for i in 1 2 3; do
		echo "# $name: c$i heard nothing for $(gap_ms "$name.c$i") ms"
	done
	echo "# of which making it took most; $from had it before, $to has it now"
}

hosts 3
wire_record moves 'not esp'
fdpd h1 --password-file "$password"
fdpd h2 --password-file "$password" --peer 172.31.0.1
fdpd h3 --password-file "$password" --peer 172.31.0.1
for i in 1 2 3; do
	box h$i c$i 10.0.0.$i/24 fd00::$i/64
	# Linux itself would not notice.
	for family in ipv4 ipv6; do
		ns c$i sysctl -q -w net.$family.neigh.eth0.base_reachable_time_ms=36000000
	done
done
case_ok 'meshed' soon meshed h3 2
attach_m h2 > /dev/null
case_ok 'everybody reaches it' soon everybody_reaches
mac=$(mac_of m)
move 'to h3, with its MAC' h2 h3 --mac "$mac"
case_ok 'it has its MAC' [ "$(mac_of m)" = "$mac" ]
move 'to h1, with another MAC' h3 h1
case_ok 'it has another MAC' [ "$(mac_of m)" != "$mac" ]
move 'on h1, with another MAC' h1 h1

# The control: who believes in an old MAC reaches nobody.
ip -n c2 neigh replace 10.0.0.77 lladdr "$mac" nud permanent dev eth0
case_ok 'control: with the old MAC it is not reached' not ping_ok c2 10.0.0.77
wire_stop
case_ok 'not one plaintext packet' wire_none moves "$esp_only"
case_ok 'the recording has the rest' wire_some moves 10 'tcp port 6783'
finish
