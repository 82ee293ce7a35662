#!/bin/bash
# A host gets another address while its containers talk: the new one before the
# old one goes, and after; over IPv4 and over IPv6.  Not one plaintext packet, the
# session comes back by itself, and nothing of the old address is left.
#
#    h1 ---- wire ---- h2        h1 dials; then either moves, and back
#    c1                c2        pings both ways all the time
#
# h2 is the one that h1 cannot find where it was told to look: h2 dials back.
#
# tier: uml
# timeout: 400
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/soak.sh"

new_first() { # H OLD NEW OPTION...
	ns "$1" ip addr add "$3" dev u0 "${@:4}"
	ns "$1" ip addr del "$2" dev u0
}
old_first() {
	ns "$1" ip addr del "$2" dev u0
	ns "$1" ip addr add "$3" dev u0 "${@:4}"
}

leads_to() { # H ADDRESS: do its policies?
	local policies

	policies=$(ns "$1" ip xfrm policy)
	grep -q "tmpl src .* dst $2\$" <<< "$policies" && grep -q "tmpl src $2 dst " <<< "$policies"
}
n_answers() { grep -ac 'icmp_seq=.* ttl' "$work/$1.ping"; }
served_again() {
	[ "$(n_answers there)" -gt $((had_there + 20)) ] && [ "$(n_answers back)" -gt $((had_back + 20)) ]
}

# The longest time without an answer, in either direction, of what lay after
# this moment.
silent() { # SECONDS
	awk -F '[][]' -v t="$1" '
		FNR == 1 { last = 0 }
		/icmp_seq=.* ttl/ {
			if (last && $2 > t && $2 - last > most) {
				most = $2 - last
			}
			last = $2
		}
		END { printf "%.1f", most }' "$work/there.ping" "$work/back.ping"
}

move() { # NAME OTHER NEW COMMAND...: OTHER is the host that stays
	local name=$1 other=$2 new=$3 begin=$EPOCHREALTIME

	"${@:4}"
	case_ok "$name: tunnel to the new address" soon leads_to "$other" "${new%/*}"
	had_there=$(n_answers there)
	had_back=$(n_answers back)
	case_ok "$name: service comes back by itself" soon served_again
	echo "# $name: silent for $(silent "$begin") s"
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

run() { # FAMILY PREFIX LENGTH OPTION...
	local family=$1 prefix=$2 h old new

	shift 2
	wire_record "readdress$family"
	fdpd h2 --password-file "$password"
	fdpd h1 --password-file "$password" --peer "${prefix}2"
	case_ok "IPv$family: connected" soon meshed h1 1
	box h1 c1 10.0.0.1/24
	box h2 c2 10.0.0.2/24
	case_ok "IPv$family: ping" soon ping_ok c1 10.0.0.2
	case_ok "IPv$family: on the first address" leads_to h2 "${prefix}1"
	ping_begin there c1 10.0.0.2 -D -i 0.05
	ping_begin back c2 10.0.0.1 -D -i 0.05
	for h in 1 2; do
		old=$prefix$h/$1 new=${prefix}1$h/$1
		move "IPv$family, h$h, new before old" h$((3 - h)) "$new" new_first h$h "$old" "$new" "${@:2}"
		move "IPv$family, h$h, old before new" h$((3 - h)) "$old" old_first h$h "$new" "$old" "${@:2}"
	done
	for h in 1 2; do
		case_ok "IPv$family, h$h: nothing of the other address is left" soon old_is_gone "${prefix}1$h"
	done
	case_ok "IPv$family: healthy" soon ctl h1 status
	traffic_end
	wire_stop
	case_ok "IPv$family: ESP is on the wire" wire_some "readdress$family" 20 'ip proto 50 or ip6 proto 50'
	case_ok "IPv$family: not one plaintext packet" wire_none "readdress$family" "$esp_only"
}

hosts 2
# The kernel removes secondary addresses along with the primary one, else.
for h in h1 h2; do ns $h sysctl -q -w net.ipv4.conf.u0.promote_secondaries=1; done
run 4 172.31.0. 24
plain_reset() {
	local h

	for h in h1 h2; do
		fdpd_kill $h TERM
		ctl $h reset > /dev/null
		# With the addresses that were dialled back.
		rm -rf /run/$h.state
	done
	ip netns del c1
	ip netns del c2
}
plain_reset
run 6 fd31:: 64 nodad
plain_control
finish
