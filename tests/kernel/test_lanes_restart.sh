#!/bin/bash
# Daemons that come back with another number of SAs than before: what an earlier
# run left over goes, and nothing is lost.
#
#    h1 ---- wire ---- h2        four SAs each way; numbered datagrams on 16
#    c1                c2        ports and 8 TCP connections, all the time
#
# tier: uml
# timeout: 280
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/kernel/lanes.sh
. "$(dirname "$0")/lanes.sh"

hosts 2
wire_record lanes
start h1 4
start h2 4
case_ok 'connected' soon meshed h1 1
box h1 c1 10.0.0.1/24
box h2 c2 10.0.0.2/24
case_ok 'ping' soon ping_ok c1 10.0.0.2

n_out() { [ "$(ns h1 ip xfrm policy | grep -A 2 '^src 172.31.0.1/32 dst 172.31.0.2/32' | grep -c 'dir out')" = "$1" ]; }
begin
for k in 1 3 4; do
	fdpd_kill h1
	start h1 $k
	case_ok "restarted with $k: connected" soon meshed h1 1
	case_ok "restarted with $k: so many policies" soon n_out $k
	case_ok "restarted with $k: so many SAs" soon n_lanes h1 out $k
	case_ok "restarted with $k: all in use" soon all_grow h1 out $k
done
end 'other numbers'

case_ok 'no XFRM error was counted on h1' counters h1
case_ok 'no XFRM error was counted on h2' counters h2

wire_stop
case_ok 'not one plaintext packet' wire_none lanes "$esp_only"
case_ok 'ESP was there' wire_some lanes 1000 esp
finish
