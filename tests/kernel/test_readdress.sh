#!/bin/bash
# A host gets another address while its containers talk: the new one before the
# old one goes, and after; over IPv4 and over IPv6.  Not one plaintext packet, the
# session comes back by itself, and nothing of the old address is left.
#
#    h1 ---- wire ---- h2        h1 dials and moves, so h2 has to be told nothing
#    c1                c2        pings both ways all the time
#
# tier: uml
# timeout: 400
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/soak.sh"

# The kernel removes secondary addresses along with the primary one, else.
new_first() { # OLD NEW OPTION...
	ns h1 ip addr add "$2" dev u0 "${@:3}"
	ns h1 ip addr del "$1" dev u0
}
old_first() {
	ns h1 ip addr del "$1" dev u0
	ns h1 ip addr add "$2" dev u0 "${@:3}"
}

moved() { # ADDRESS: do h2's policies lead there, and to no other?
	local policies

	policies=$(ns h2 ip xfrm policy)
	grep -q "tmpl src .* dst $1\$" <<< "$policies" && grep -q "tmpl src $1 dst " <<< "$policies"
}
n_answers() { grep -ac 'icmp_seq=.* ttl' "$work/$1.ping"; }
served_again() {
	[ "$(n_answers there)" -gt $((had_there + 20)) ] && [ "$(n_answers back)" -gt $((had_back + 20)) ]
}

move() { # NAME NEW COMMAND...
	local name=$1 new=$2 begin=$SECONDS

	"${@:3}"
	case_ok "$name: tunnel to the new address" soon moved "$new"
	had_there=$(n_answers there)
	had_back=$(n_answers back)
	case_ok "$name: service comes back by itself" soon served_again
	echo "# $name: $((SECONDS - begin)) s"
}
gone() { # ADDRESS
	not grep -qE "(src|dst) $1(/|\$| )" < <(ns "$2" ip xfrm policy; ns "$2" ip xfrm state)
}

# What is left of the old addresses lingers for a grace period of the peer.
old_is_gone() { # ADDRESS
	local h

	for h in h1 h2; do
		gone "$1" $h || return
	done
}

run() { # FAMILY OLD NEW PREFIX-LENGTH TARGET OPTION...
	local family=$1 old=$2 new=$3 length=$4 target=$5

	wire_record "readdress$family"
	fdpd h2 --password-file "$password"
	fdpd h1 --password-file "$password" --peer "$target"
	case_ok "IPv$family: connected" soon meshed h1 1
	box h1 c1 10.0.0.1/24
	box h2 c2 10.0.0.2/24
	case_ok "IPv$family: ping" soon ping_ok c1 10.0.0.2
	case_ok "IPv$family: on the first address" moved "$old"
	ping_begin there c1 10.0.0.2 -i 0.05
	ping_begin back c2 10.0.0.1 -i 0.05
	move "IPv$family, new before old" "$new" new_first "$old/$length" "$new/$length" "${@:6}"
	move "IPv$family, old before new" "$old" old_first "$new/$length" "$old/$length" "${@:6}"
	case_ok "IPv$family: nothing of the other address is left" soon old_is_gone "$new"
	case_ok "IPv$family: healthy" soon ctl h1 status
	traffic_end
	wire_stop
	case_ok "IPv$family: ESP is on the wire" wire_some "readdress$family" 20 'ip proto 50 or ip6 proto 50'
	case_ok "IPv$family: not one plaintext packet" wire_none "readdress$family" "$esp_only"
}

hosts 2
ns h1 sysctl -q -w net.ipv4.conf.u0.promote_secondaries=1
run 4 172.31.0.1 172.31.0.11 24 172.31.0.2
plain_reset() {
	local h

	for h in h1 h2; do
		fdpd_kill $h TERM
		ctl $h reset > /dev/null
	done
	ip netns del c1
	ip netns del c2
}
plain_reset
run 6 fd31::1 fd31::11 64 fd31::2 nodad
plain_control
finish
