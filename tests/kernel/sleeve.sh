# shellcheck shell=bash
# What scenarios with sleeve share; source it after lib.sh.
#
#   sleeved H N [REASON]   are N connections of host H on sleeve (for that reason)?
#   transfer FROM TO ADDRESS [BYTES]   TCP through the network, sums compared
#   tell FROM TO ADDRESS   says $secret, in pings and a stream
#   secret_seen NAME       has a recording of the wire got it?  secret_unseen: not?
#   sleeve_only            filter: all but what may be on the wire between hosts
#
# A wire that has something against sleeve, by nftables on host H:
#
#   wall H RULE...         one more rule for what comes in
#   wall_down H            none any more

secret='do-not-tell-what-is-in-here'

# All that may pass between hosts with a password is one UDP port; beside it the
# control connection and the hosts' own neighbour discovery and pings.
# shellcheck disable=SC2034 # for those who source this
sleeve_only='not udp port 6783 and not tcp port 6783 and not arp and not icmp6
	and not icmp and not (ip6 and ip6[6] == 0 and ip6[40] == 58)'

sleeved() { # H N [REASON]
	local n

	n=$(ask "$1" "[.connections[] | select(.state == \"established\" and
		.overlay == \"sleeve\" and (\"${3:-}\" == \"\" or .overlay_reason == \"${3:-}\"))] | length" connections)
	echo "$1: $n by sleeve"
	[ "$n" = "$2" ]
}

# A way that loses packets takes its time.
transfer() { # FROM TO ADDRESS [BYTES]
	local bytes=${4:-20M} sum got

	head -c "$bytes" /dev/urandom > "/run/bulk.$1"
	sum=$(sha256sum < "/run/bulk.$1")
	rm -f "/run/got.$1"
	ns "$2" timeout 150 nc -l "$3" 5001 > "/run/got.$1" &
	soon listens "$2" 5001
	timeout 150 ip netns exec "$1" nc -N "$3" 5001 < "/run/bulk.$1" || return
	wait $!
	got=$(sha256sum < "/run/got.$1")
	echo "$(stat -c %s "/run/got.$1") bytes"
	rm -f "/run/got.$1" "/run/bulk.$1"
	[ "$got" = "$sum" ]
}

# Small and large packets, from one container to another.
tell() { # FROM TO ADDRESS
	local pattern

	pattern=$(printf %s "$secret" | head -c 16 | od -An -tx1 | tr -d ' \n')
	ns "$1" ping -n -q -c 5 -i 0.1 -p "$pattern" "$3" > /dev/null
	ns "$1" ping -n -q -c 5 -i 0.1 -s 1300 -p "$pattern" "$3" > /dev/null
	ns "$2" timeout 120 nc -l "$3" 5002 > /run/told &
	soon listens "$2" 5002
	yes "$secret" | head -c 2M | timeout 90 ip netns exec "$1" nc -N "$3" 5002
	wait $!
	[ "$(stat -c %s /run/told)" = 2097152 ]
}

# The first half of it is what a ping has.
secret_seen() { # NAME
	grep -a -q -e "${secret:0:16}" "$work/$1.pcap"
}
secret_unseen() { # NAME
	not secret_seen "$1"
}

wall() { # H RULE...
	local h=$1

	shift
	ns "$h" nft 'add table inet wall; add chain inet wall in { type filter hook input priority -10; }'
	ns "$h" nft "add rule inet wall in $*"
}
wall_down() { # H
	ns "$1" nft delete table inet wall
}
