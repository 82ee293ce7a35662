#!/bin/bash
# What is wrong with the way to a peer, and `fdpctl why`: each failure with its
# reason at both ends, and none where all is well.
#
#    h1 172.31.0.1 ---- wire ---- 172.31.0.2 h2        fdpd on both, h1 dials
#      |                                     |
#    c1 10.0.0.1  ping, all the time  c2 10.0.0.2
#
# tier: uml
# timeout: 500
. "$(dirname "$0")/lib.sh"

hosts 2
fdpd h1 --password-file "$password" --peer 172.31.0.2
fdpd h2 --password-file "$password"
case_ok 'connected' soon meshed h1 1
box h1 c1 10.0.0.1/24
box h2 c2 10.0.0.2/24

why() { # H PEER WHAT: what `why` has to say
	ask "$1" ".$3" why "$2"
}
is() { # H PEER WHAT VALUE
	local got

	got=$(why "$1" "$2" "$3")
	echo "$1 on $2: $3 is $got"
	[ "$got" = "$4" ]
}
well() {
	is h1 h2 verdict good && is h2 h1 verdict good &&
		ctl h1 why h2 > /dev/null && ctl h1 status > /dev/null && ctl h1 status connections > /dev/null
}
# The way from h1 to h2 is dead for that reason, both know it, and say so.
dead() { # REASON
	is h1 h2 reason "$1" && is h1 h2 path.there dead && is h1 h2 path.back good &&
		is h2 h1 reason "$1" && is h2 h1 path.back dead && is h2 h1 path.there good
}
exits() { # STATUS COMMAND...: with that status
	local want=$1 got

	shift
	"$@"
	got=$?
	echo "exit status $got"
	[ $got = "$want" ]
}

ip netns exec c1 ping -n -q -i 0.2 10.0.0.2 > "$work/ping" &
ping=$!
case_ok 'all is well' soon well
case_ok 'and remains so' eval 'sleep 8; well; is h1 h2 "tests | length" 0'

# ESP does not get there.
ns h2 iptables-legacy -I INPUT -p esp -s 172.31.0.1 -j DROP
case_ok 'ESP filtered one way: both know, and why' soon dead esp-filtered
ctl h1 why h2 | sed 's/^/h1: /' >&2
ctl h2 why h1 | sed 's/^/h2: /' >&2
case_ok 'in words' eval 'ctl h1 why h2 | grep "let IP protocol 50 pass"'
case_ok 'by address as well' is h1 172.31.0.2 reason esp-filtered
case_ok 'why tells by its exit status' exits 2 ctl h1 why h2
case_ok 'so does status' exits 2 ctl h1 status
case_ok 'status names it' eval 'ctl h1 status | grep "fdpctl why h2"'
case_ok 'so do connections' exits 2 ctl h2 status connections
ns h1 iptables-legacy -I INPUT -p esp -s 172.31.0.2 -j DROP
case_ok 'the other way as well' soon is h2 h1 path.there dead
case_ok 'it has the same reason' soon is h2 h1 reason esp-filtered
ns h1 iptables-legacy -D INPUT -p esp -s 172.31.0.2 -j DROP
ns h2 iptables-legacy -D INPUT -p esp -s 172.31.0.1 -j DROP
case_ok 'well again' soon well
remembers() { ask h1 '[.history[].reason] | join(" ")' why h2 | grep esp-filtered; }
case_ok 'and remembered' remembers

# Netfilter of either host.
ns h1 iptables-legacy -I OUTPUT -p esp -j DROP
case_ok 'ESP blocked here' soon dead esp-blocked
ns h1 iptables-legacy -D OUTPUT -p esp -j DROP
ns h1 iptables-legacy -I OUTPUT -p udp --dport 6784 -j REJECT
case_ok 'VXLAN blocked here' soon is h1 h2 reason vxlan-blocked
ns h1 iptables-legacy -D OUTPUT -p udp --dport 6784 -j REJECT
ns h2 iptables-legacy -I INPUT -p udp --dport 6784 -s 172.31.0.1 -j DROP
case_ok 'VXLAN refused there' soon dead vxlan-refused
ns h2 iptables-legacy -D INPUT -p udp --dport 6784 -s 172.31.0.1 -j DROP
case_ok 'well after netfilter' soon well

# An SA that somebody deletes is made again at once...
spi() { ask "$1" '.sas[] | select(.direction == "out" and .lane == 0) | .spi' sas; }
lost=$(printf '0x%08x' "$(spi h1)")
ip -n h2 xfrm state delete dst 172.31.0.2 proto esp spi "$lost"
renewed() { [ "$(printf '0x%08x' "$(spi h1)")" != "$lost" ]; }
case_ok 'a deleted SA is replaced' soon renewed
case_ok 'and nothing is wrong' soon well
# ...but a policy that leads to somebody's SA stays.
reqid=$(ask h1 '.peers[0].reqid' peers)
ip -n h1 xfrm state add src 172.31.0.1 dst 172.31.0.2 proto esp spi 0x12345678 \
	reqid "$reqid" mode transport \
	aead 'rfc4106(gcm(aes))' "0x$(head -c 36 /dev/urandom | od -An -tx1 | tr -d ' \n')" 128
ip -n h1 xfrm policy update dir out src 172.31.0.1/32 dst 172.31.0.2/32 proto udp dport 6784 \
	priority 0xfd00 tmpl src 172.31.0.1 dst 172.31.0.2 proto esp spi 0x12345678 reqid "$reqid" mode transport
case_ok 'SAs that do not fit together' soon dead sa-mismatch
ctl h1 why h2 | sed 's/^/h1: /' >&2
ip -n h1 xfrm state delete dst 172.31.0.2 proto esp spi 0x12345678
ctl h1 rekey h2
case_ok 'rekey helps, as it says' soon well

# What routes say counts at once.
ip -n h1 route add blackhole 172.31.0.2/32
case_ok 'blackhole route' soon is h1 h2 reason no-route
case_ok 'by its name' is h1 h2 detail 'the route is a blackhole'
ip -n h1 route del blackhole 172.31.0.2/32
case_ok 'well after the blackhole' soon well
ip -n h1 link set u0 down
case_ok 'interface down' soon is h1 h2 reason no-route
case_ok 'h2 hears nothing' soon is h2 h1 reason silent
ip -n h1 link set u0 up
case_ok 'well after that' soon well

# Hosts that are not there, and not let in.
ctl h1 connect 172.31.0.9 > /dev/null
case_ok 'nobody there' soon is h1 172.31.0.9 reason dial-failed
ctl h1 forget 172.31.0.9 > /dev/null
fdpd_kill h2
(umask 077; echo 'another one altogether' > "$work/other")
fdpd h2 --password-file "$work/other"
case_ok 'another password, here' soon is h1 h2 reason wrong-password
case_ok 'and there' soon is h2 172.31.0.1 reason wrong-password
case_ok 'a stranger is not known' exits 1 ctl h1 why 192.0.2.1
kill $ping
finish
