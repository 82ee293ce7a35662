#!/bin/bash
# The same as "mtu" for hosts that are connected by the sleeve alone: its datagrams
# shrink and grow with the link in the middle, and none becomes a fragment.
#
#    h1 172.30.1.1 --- r === middle === s --- 172.30.2.2 h2
#    |  fd30:1::1                             fd30:2::2  |
#    c1 10.0.0.1, fd00::1            fd00::2, 10.0.0.2 c2
#
# tier: bare
# timeout: 300
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/sleeve.sh"
. "$(dirname "$0")/soak.sh"
. "$(dirname "$0")/middle.sh"

# shellcheck disable=SC2034 # for lib.sh and middle.sh
overlay=sleeve connected='sleeved h1 1' carried='udp port 6783'
family ipv4 172.30.2.2 1416 1316 1380 1296
family ipv6 '[fd30:2::2]:6783' 1396 1296 1388 1284
finish
