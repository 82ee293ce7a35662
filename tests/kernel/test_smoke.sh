#!/bin/bash
# The shortest whole run, with the address and undefined behaviour sanitizers in
# fdpd and fdpctl, on Debian's stock kernel with two CPUs.
#
#    h1 ---- wire ---- h2
#    c1                c2
#
# tier: qemu
# build: asan
# timeout: 400
. "$(dirname "$0")/lib.sh"

export ASAN_OPTIONS=abort_on_error=1:detect_leaks=1 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
hosts 2
wire_record smoke
fdpd h1 --password-file "$password" --peer 172.31.0.2
fdpd h2 --password-file "$password" --peer 172.31.0.1
case_ok 'connected' soon meshed h1 1
box h1 c1 10.0.0.1/24 fd00::1/64
box h2 c2 10.0.0.2/24 fd00::2/64
case_ok 'ping' soon ping_ok c1 10.0.0.2
case_ok 'ping over IPv6' soon ping_ok c1 fd00::2
case_ok 'status' ctl h1 status
case_ok 'flows' ctl h1 flows
case_ok 'trace' ctl h1 trace --port "$(ask h1 '.ports[0].host_ifname' ports)" --src "$(ask h1 '.ports[0].mac' ports)" --dst ff:ff:ff:ff:ff:ff --ip-src 10.0.0.1 --ip-dst 10.0.0.255
flood() { ns c1 ping -n -q -f -c 500 -W 2 10.0.0.2 | grep -q ' 0% packet loss'; }
case_ok 'a flood of pings, none lost' flood
fdpd_kill h1
fdpd h1 --password-file "$password" --peer 172.31.0.2
case_ok 'after kill -9 it comes back' soon meshed h1 1
case_ok 'ping' soon ping_ok c1 10.0.0.2
case_ok 'detach' ctl h1 detach --netns c1
for h in h1 h2; do
	pid=${daemon[$h]}
	kill -TERM "$pid"
	wait "$pid"
	case_ok "$h stops with exit status 0, no leaks" [ $? -eq 0 ]
	unset "daemon[$h]"
	case_ok "the sanitizers found nothing on $h" not grep -E 'ERROR: |runtime error' "$work/$h.log"
done
wire_stop
case_ok 'ESP is on the wire' wire_some smoke 10 esp
case_ok 'nothing else is' wire_none smoke "$esp_only"
finish
