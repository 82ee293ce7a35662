#!/bin/bash
# The same as "expose" for hosts that do without the kernel's datapath: the TAP is
# the host's own.
#
#            r 192.168.77.2
#            |
#    h1 172.31.0.1, 10.0.0.101 ---- wire ---- h2 172.31.0.2, 10.0.0.102
#    c1 10.0.0.1 fd00::1                      c2 10.0.0.2 fd00::2
#
# tier: bare
# timeout: 150
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/sleeve.sh"
. "$(dirname "$0")/expose.sh"

# shellcheck disable=SC2034 # for lib.sh
overlay=sleeve
expose_all 'sleeved h1 1'
case_ok 'the sleeve is on the wire' wire_some expose 100 'udp port 6783'
case_ok 'nothing else is' wire_none expose "$sleeve_only"
case_ok 'nor the secret' secret_unseen expose
finish
