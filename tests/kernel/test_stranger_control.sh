#!/bin/bash
# The positive control of test_stranger: where there is no password, the same
# forged frames do arrive, so the injection works.
#
#    h1 ---- wire ---- h2        plain
#    c1        |       c2
#             h3                 sends VXLAN as if it were h2
#
# tier: uml
. "$(dirname "$0")/lib.sh"

hosts 3
fdpd h1 --peer 172.31.0.2
fdpd h2
case_ok 'connected' soon meshed h1 1
box h1 c1 10.0.0.1/24
box h2 c2 10.0.0.2/24
case_ok 'ping' soon ping_ok c1 10.0.0.2
# shellcheck disable=SC2034 # inject() uses them
mac=$(ask h1 '.ports[0].mac' ports)
# shellcheck disable=SC2034
src=$(ask h2 '.ports[0].mac' ports)
eval "$(sed -n '/^inject()/,/^}/p' "$(dirname "$0")/test_stranger.sh")"
before=$(rx_echoes c1)
inject 172.31.0.2 172.31.0.1
arrived() { [ $(($(rx_echoes c1) - before)) -ge 10 ]; }
soon arrived
n=$(($(rx_echoes c1) - before))
case_ok "forged VXLAN is delivered without a password ($n of 10)" [ "$n" -ge 10 ]
before=$(rx_echoes c1)
inject 172.31.0.3 172.31.0.1
sleep 0.5
n=$(($(rx_echoes c1) - before))
case_ok "but not from an address that is no peer's ($n of 10)" [ "$n" -eq 0 ]
finish
