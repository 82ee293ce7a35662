# shellcheck shell=bash
# What the scenarios "expose" and "expose_sleeve" do, over $overlay; source it
# after lib.sh and sleeve.sh.  The host itself is on the network, and whoever it
# forwards for.
#
#            r 192.168.77.2
#            |
#    h1 172.31.0.1, 10.0.0.101 ---- wire ---- h2 172.31.0.2, 10.0.0.102
#    c1 10.0.0.1 fd00::1                      c2 10.0.0.2 fd00::2
#
# shellcheck disable=SC2034,SC2154 # for and from lib.sh

refused() { # TEXT COMMAND...
	local text=$1 out status

	shift
	out=$("$@" 2>&1 > /dev/null)
	status=$?
	echo "$status: $out"
	[ $status -eq 1 ] && [[ $out == "fdpctl: "*"$text"* ]]
}

device() { # H: its exposed interface, as the daemon has it, and the kernel
	ask "$1" '[.ports[] | select(.netns == "/proc/self/ns/net")
		| "\(.ifname) \(.host_ifname) \(.mac) \(.state)"] | join(",")' ports
	ip -n "$1" -o addr show dev fdp-host | awk '{ print $4 }' | grep -v ^fe80
}

same() { # DEVICE
	device h1
	[ "$(device h1)" = "$1" ]
}

# Is ARP answered when the packet that needs it has a source of another interface?
asks_well() {
	ip -n h1 neigh flush dev fdp-host
	ns h1 ping -n -q -c 1 -W 1 -I 172.31.0.1 10.0.0.2 > /dev/null
	ip -n h1 neigh show 10.0.0.2 dev fdp-host
	ip -n h1 neigh show 10.0.0.2 dev fdp-host | grep -q lladdr
}

remote_access() {
	local table='table ip nat { chain post { type nat hook postrouting priority 100;
		oifname "fdp-host" masquerade; }; }'

	ip netns add r
	ip link add r0 netns h1 type veth peer name r0 netns r
	ip -n h1 link set r0 up
	ip -n r link set r0 up
	ip -n h1 addr add 192.168.77.1/24 dev r0
	ip -n r addr add 192.168.77.2/24 dev r0
	ip -n r route add 10.0.0.0/24 via 192.168.77.1
	ns h1 sysctl -qw net.ipv4.ip_forward=1
	# The guard knows the host's own addresses alone.
	case_ok 'what is forwarded as it is gets nowhere' not ping_ok r 10.0.0.2
	if ns h1 nft "$table" 2> "$work/nft" ||
		ns h1 iptables-legacy -t nat -A POSTROUTING -o fdp-host -j MASQUERADE 2>> "$work/nft"; then
		case_ok 'masqueraded, a remote host reaches c1' soon ping_ok r 10.0.0.1
		case_ok 'and c2' soon ping_ok r 10.0.0.2
	else
		case_skip 'remote access' "no masquerading: $(tail -n 1 "$work/nft")"
	fi
}

expose_all() { # MESHED: a command that says whether h1 is connected
	local meshed=$1 before i

	hosts 2
	fdpd h1 --password-file "$password" --peer 172.31.0.2
	fdpd h2 --password-file "$password"
	case_ok 'connected' soon $meshed
	box h1 c1 10.0.0.1/24 fd00::1/64
	box h2 c2 10.0.0.2/24 fd00::2/64
	links=$(ip -n h1 -o link | wc -l)

	# ---- what cannot be ------------------------------------------------------

	case_ok 'a subnet with the other host in it is refused' refused \
		'172.31.0.0/16 would take the route to the host at 172.31.0.2' ctl h1 expose 172.31.0.0/16
	# h2 has not named h1, and knows it by its connection.
	case_ok 'on the other side, too' refused 'host at 172.31.0.1' ctl h2 expose 172.31.0.99/24
	case_ok 'and of IPv6, with an own address' refused 'fd31::1/64 on u0' ctl h1 expose fd31::9:1/64
	case_ok 'an address that is in use is refused' refused '10.0.0.2 is attached already' ctl h1 expose 10.0.0.2/24
	case_ok 'nor is the host attached by its name' refused 'use fdpctl expose' \
		ctl h1 attach --pid "${daemon[h1]}" --address 10.0.0.9/24
	case_ok 'none of these left anything' [ "$(ip -n h1 -o link | wc -l)" = "$links" ]
	case_ok 'hide: nothing is' grep -q 'nothing of that is exposed' <(ctl h1 hide)

	# ---- expose --------------------------------------------------------------

	wire_record expose
	case_ok 'expose' ctl h1 expose 10.0.0.101/24 fd00::101/64
	before=$(device h1)
	echo "# $before"
	case_ok 'expose, again' ctl h1 expose 10.0.0.101/24 fd00::101/64
	case_ok 'that changed nothing' [ "$(device h1)" = "$before" ]
	case_ok 'something else is refused' refused 'fdp-host is exposed already' ctl h1 expose 10.0.0.103/24
	case_ok 'expose on h2' ctl h2 expose 10.0.0.102/24 fd00::102/64
	for i in 1 2 101 102; do
		[ $i = 101 ] || case_ok "h1 reaches 10.0.0.$i" soon ping_ok h1 10.0.0.$i
		[ $i = 101 ] || case_ok "h1 reaches fd00::$i" soon ping_ok h1 fd00::$i
	done
	for i in c1 c2; do
		case_ok "$i reaches h1" soon ping_ok $i 10.0.0.101
		case_ok "$i reaches h1 over IPv6" soon ping_ok $i fd00::101
		case_ok "$i reaches h2" soon ping_ok $i 10.0.0.102
	done
	case_ok 'a secret in a stream, h1 to c2' tell h1 c2 10.0.0.2
	case_ok 'a secret in a stream, c2 to h1' tell c2 h1 10.0.0.101
	case_ok 'h2 knows it as an endpoint of h1' [ "$(ask h2 '[.peers[].endpoints[] | select(.addresses | index("10.0.0.101"))] | length' peers)" = 1 ]
	case_ok 'another address of the host gets nowhere' not ping_ok h1 -I 172.31.0.1 10.0.0.2
	case_ok 'and does not spoil ARP' soon asks_well
	ns h1 sysctl -qw net.ipv4.conf.fdp-host.arp_announce=0
	case_ok 'without arp_announce it would' not asks_well
	ns h1 sysctl -qw net.ipv4.conf.fdp-host.arp_announce=2
	remote_access

	# ---- the daemon dies -----------------------------------------------------

	fdpd_kill h1
	fdpd h1 --password-file "$password" --peer 172.31.0.2
	case_ok 'after kill -9 it is there, the same' soon same "$before"
	case_ok 'h1 reaches c2' soon ping_ok h1 10.0.0.2
	case_ok 'c2 reaches h1' soon ping_ok c2 fd00::101
	case_ok 'expose, again, after that' ctl h1 expose 10.0.0.101/24 fd00::101/64
	case_ok 'it is the same' same "$before"
	wire_stop

	# ---- somebody takes it away ------------------------------------------------

	ip -n h1 link del fdp-host
	gone() { [ "$(ask h1 '.ports[] | select(.ifname == "fdp-host").state' ports)" = lost ]; }
	case_ok 'that it was deleted is noticed' soon gone
	case_ok 'expose makes it anew' ctl h1 expose 10.0.0.101/24 fd00::101/64
	case_ok 'h1 reaches c2 again' soon ping_ok h1 10.0.0.2
	before=$(device h1)

	# ---- hide ----------------------------------------------------------------

	case_ok 'half of it cannot be hidden' refused 'other addresses' ctl h1 hide 10.0.0.101/24
	case_ok 'hide of another address hides nothing' grep -q 'nothing of that' <(ctl h1 hide 10.0.0.77/24)
	case_ok 'it is the same' same "$before"
	case_ok 'hide' grep -q 'hidden 10.0.0.101/24 fd00::101/64, was on fdp-host' \
		<(ctl h1 hide fd00::101/64 10.0.0.101/24)
	case_ok 'it is gone' soon not ip -n h1 link show fdp-host
	case_ok 'hide, again' ctl h1 hide
	case_ok 'c2 does not reach h1 any more' soon not ping_ok c2 10.0.0.101
	case_ok 'h1 does not reach c2 any more' not ping_ok h1 10.0.0.2
	case_ok 'c2 reaches h2 all the same' ping_ok c2 10.0.0.102
	# Another host may have it now.
	case_ok 'two in one subnet are refused' refused '10.0.0.102/24 on fdp-host' \
		ctl h2 expose 10.0.0.101/24 --ifname fdp-second
	case_ok 'the address is free' soon ctl h2 expose 10.0.0.101/32 --ifname fdp-second
	case_ok 'two of them on one host' [ "$(ask h2 '[.ports[] | select(.netns == "/proc/self/ns/net").ifname] | sort | join(" ")' ports)" = 'fdp-host fdp-second' ]
	case_ok 'reset' ctl h2 reset
	wait "${daemon[h2]}"
	unset 'daemon[h2]'
	case_ok 'takes them away' [ "$(ip -n h2 -o link | awk -F': ' '{ sub(/@.*/, "", $2); print $2 }' | sort | tr '\n' ' ')" = 'lo u0 ' ]
}
