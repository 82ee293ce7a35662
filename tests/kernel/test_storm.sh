#!/bin/bash
# New keys ten times a second, under all the traffic that a guest can do.
#
#    h1 ---- wire ---- h2        h1 dials, so h1 begins each rekey
#    c1                c2        floods of pings, datagrams, TCP, both ways
#
# FDP_TEST_SAS: SAs per peer.  The long form: tests/kernel/all --rounds 1000
# --timeout 600 storm; only that waits until the replaced SAs are gone.
#
# tier: uml
# timeout: 300
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/soak.sh"

rounds 60
options=(--password-file "$password")
[ -z "${FDP_TEST_SAS:-}" ] || options+=(--sas-per-peer "$FDP_TEST_SAS")
hosts 2
# All but ESP, of which there is too much to record.
wire_record storm 'not esp'
fdpd h1 "${options[@]}" --peer 172.31.0.2
fdpd h2 "${options[@]}"
case_ok 'connected' soon meshed h1 1
box h1 c1 10.0.0.1/24
box h2 c2 10.0.0.2/24
case_ok 'ping' soon ping_ok c1 10.0.0.2
case_ok 'ping back' soon ping_ok c2 10.0.0.1
xfrm_baseline h1 h2
sas=$(n_sas h1)
rss=$(rss_kib h1)

ping_begin flood c1 10.0.0.2 -i 0.005
ping_begin there c1 10.0.0.2 -i 0.02
ping_begin back c2 10.0.0.1 -i 0.02
stream_begin udp-there c1 c2 10.0.0.2 7001 100
stream_begin udp-back c2 c1 10.0.0.1 7002 100
tcp_begin tcp-there c1 c2 10.0.0.2 7003 50
tcp_begin tcp-back c2 c1 10.0.0.1 7004 50
sleep 1
case_ok 'every rekey was taken' eval '"$tool" rekey /run/h1 "$rounds" 100 > "$work/rekey.txt"'
echo "# $(cat "$work/rekey.txt")"
made() { grep -c '^src' "$work/keys.h1"; }
# Where they take long, several are done as one.
for ((i = 0; i < 20 && $(made) < rounds / 2; i++)); do
	"$tool" rekey /run/h1 10 300 > /dev/null
done
# Whatever was asked for last is done.
sleep 1
peak=$(n_sas h1)
echo "# SAs on h1: $sas before, $peak at the end; RSS $rss KiB before, $(rss_kib h1) KiB at the end"
traffic_end
traffic_report
echo "# $(made) SAs made on h1"
case_ok 'keys have changed' [ "$(made)" -ge $((rounds / 2)) ]
for name in udp-there udp-back tcp-there tcp-back; do
	case_ok "$name: nothing lost" stream_whole $name
done
case_ok 'pings there: none lost' pings_whole "$work/there.ping"
case_ok 'pings back: none lost' pings_whole "$work/back.ping"
case_ok 'flood: none lost' pings_whole "$work/flood.ping"
case_ok 'no XFRM error was counted on h1' xfrm_quiet h1
case_ok 'nor on h2' xfrm_quiet h2
case_ok 'one session all the time' [ "$(grep -c 'tunnel to .* is up' "$work/h1.log")" = 1 ]

sas_are() { [ "$(n_sas h1)" = "$1" ] && [ "$(n_sas h2)" = "$1" ]; }
if [ "$rounds" -ge 600 ]; then
	# What lingers is bounded by a minute's rekeys, and goes.
	case_ok 'at most a minute of SAs lingers' [ "$peak" -le $((sas + sas * 660)) ]
	sleep 60
	case_ok 'all of them go' soon sas_are "$sas"
	after=$(rss_kib h1)
	echo "# SAs on h1 later: $(n_sas h1), RSS $after KiB"
	case_ok 'and their memory with them' [ "$after" -le $((rss + 2048)) ]
fi
case_ok 'all is healthy' soon ctl h1 status
wire_stop
case_ok 'not one plaintext packet' wire_none storm "$esp_only"
case_ok 'the recording has the rest' wire_some storm 20 'tcp port 6783'
finish
