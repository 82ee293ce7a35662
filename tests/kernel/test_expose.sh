#!/bin/bash
# Hosts that are on the network themselves, `fdpctl expose` and `hide`, through the
# kernel's datapath.
#
#            r 192.168.77.2
#            |
#    h1 172.31.0.1, 10.0.0.101 ---- wire ---- h2 172.31.0.2, 10.0.0.102
#    c1 10.0.0.1 fd00::1                      c2 10.0.0.2 fd00::2
#
# tier: uml
# timeout: 200
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/sleeve.sh"
. "$(dirname "$0")/expose.sh"

expose_all 'meshed h1 1'
case_ok 'ESP is on the wire' wire_some expose 100 esp
case_ok 'nothing else is' wire_none expose "$esp_only"
case_ok 'nor the secret' secret_unseen expose
finish
