#!/bin/bash
# A host with many peers, all of them by the sleeve: what it takes in memory.
#
#    h1 172.31.0.1 ---- wire ---- 172.31.0.2 h2, 172.31.0.3 h3, ...  all dial h1
#      |                            |               |                and no other
#    c1 10.0.0.1                  c2 10.0.0.2     c3 10.0.0.3
#
# The long form: tests/kernel/all --rounds 100 --timeout 1800 sleeve_many
#
# tier: bare
# timeout: 150
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/sleeve.sh"
. "$(dirname "$0")/soak.sh"

overlay=sleeve
rounds 6
n=$((rounds + 1))
hosts $n
join() { # N: one more host, with a container that talks to c1
	fdpd "h$1" --password-file "$password" --no-discovery --peer 172.31.0.1 &&
		box "h$1" "c$1" "10.0.0.$1/24" &&
		soon ping_ok "c$1" -s 4000 10.0.0.1
}
fdpd h1 --password-file "$password" --no-discovery
box h1 c1 10.0.0.1/24
for i in 2 3; do
	case_ok "h$i joins" join $i
done
case_ok 'two peers' soon sleeved h1 2
case_ok 'TCP' transfer c2 c1 10.0.0.1 20M
case_ok 'and the other way' transfer c1 c3 10.0.0.3 20M
rss=$(rss_kib h1)
echo "# 2 peers: RSS $rss KiB"
case_ok 'less than 16 MiB with two' [ "$rss" -lt 16384 ]

all_join() {
	local i

	for ((i = 4; i <= n; i++)); do
		join $i || return
	done
}
case_ok 'the others join' all_join
case_ok "$rounds peers" soon sleeved h1 "$rounds"
all_reached() {
	local i

	for ((i = 2; i <= n; i++)); do
		soon ns c1 ping -n -q -c 1 -W 1 -s 4000 "10.0.0.$i" || return
	done
}
case_ok 'and each is reached' all_reached
more=$(rss_kib h1)
echo "# $rounds peers: RSS $more KiB, $(((more - rss) / (rounds - 2))) KiB a peer"
# The windows and the parts of what is joined are a peer's own.
case_ok 'a peer takes less than 512 KiB' [ $(((more - rss) / (rounds - 2))) -lt 512 ]
finish
