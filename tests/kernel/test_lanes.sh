#!/bin/bash
# Several SAs to one peer: flows spread over all of them, each stays in order,
# and neither new keys nor another daemon loses a packet.
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
case_ok 'four SAs out' n_lanes h1 out 4
case_ok 'four SAs in' n_lanes h1 in 4
case_ok 'their replay windows are wide' \
	[ "$(ask h1 '[.sas[].replay] | unique | .[]' sas)" = 4096 ]
case_ok 'fdpctl sas shows the marks' grep -q 0x30/0xf0 <(ctl h1 sas)

begin
case_ok 'every SA from h1 is in use' soon all_grow h1 out 4
case_ok 'every SA to h2 is in use' soon all_grow h2 in 4
case_ok 'flows set marks' grep -q 'skb_mark(0x30/0xf0)' <(ctl h1 flows)
trace=$(ctl h1 trace --port 2 --src "$(ask h1 '.ports[0].mac' ports)" --dst "$(ask h2 '.ports[0].mac' ports)" \
	--ip-src 10.0.0.1 --ip-dst 10.0.0.2 --ip-proto 6)
case_ok 'trace names the lane' grep -q 'lane [0-3] of 4' <<< "$trace"

many() {
	local n old

	for ((n = 0; n < 5; n++)); do
		old=$(spis)
		ctl h1 rekey > /dev/null || return
		soon rekeyed "$old" || return
	done
}
case_ok 'five rekeys, all four SAs each time' many
end 'rekeys'

begin
old=$(spis)
fdpd_kill h1
case_ok 'every SA is in use while the daemon is dead' soon all_grow h1 out 4
start h1 4
case_ok 'the next one connects' soon meshed h1 1
case_ok 'and changes all four SAs' soon rekeyed "$old"
case_ok 'every SA is in use' soon all_grow h1 out 4
end 'kill -9'

case_ok 'no XFRM error was counted on h1' counters h1
case_ok 'no XFRM error was counted on h2' counters h2

wire_stop
case_ok 'not one plaintext packet' wire_none lanes "$esp_only"
case_ok 'ESP was there' wire_some lanes 1000 esp
finish
