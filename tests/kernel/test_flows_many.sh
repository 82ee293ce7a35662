#!/bin/bash
# fdpctl flows with 100,000 flows, which no daemon has made: every line is there,
# as ovs-dpctl has it, and memory does not grow with their number.
#
#    h1, a datapath of ovs-dpctl with two dummies
#
# tier: uml
# timeout: 300
. "$(dirname "$0")/lib.sh"

n=100000
hosts 1
ns h1 ovs-dpctl add-dp big
for dev in p1 p2; do
	ip -n h1 link add $dev type dummy
	ns h1 ovs-dpctl add-if big $dev
done
awk -v n=$n 'BEGIN {
	for (i = 0; i < n; i++)
		printf "recirc_id(0),in_port(%d),eth(src=02:00:00:00:00:01,dst=02:00:00:%02x:%02x:%02x),eth_type(0x0800),ipv4(proto=0/0) %d\n",
			i % 2 + 1, i / 65536, i / 256 % 256, i % 256, 2 - i % 2
}' > /tmp/flows
ns h1 ovs-dpctl add-flows big /tmp/flows
look() { ctl h1 flows --datapath big "$@" 2> /dev/null; }
case_ok 'the kernel has them all' [ "$(ns h1 ovs-dpctl dump-flows big | sort > /tmp/theirs; wc -l < /tmp/theirs)" = $n ]
case_ok 'fdpctl prints them all' [ "$(look | sort > /tmp/ours; wc -l < /tmp/ours)" = $n ]
case_ok 'and the same' cmp /tmp/ours /tmp/theirs
case_ok 'one port has half of them' [ "$(look --port p2 | wc -l)" = $((n / 2)) ]
case_ok 'one MAC has one' [ "$(look --mac 02:00:00:00:01:00 | wc -l)" = 1 ]
case_ok 'as JSON, too' [ "$(look --json | jq length)" = $n ]
# The text alone is more.
modest() { (ulimit -v 16000 && look | wc -l); }
case_ok 'in 16 MB of address space' [ "$(modest)" = $n ]
finish
