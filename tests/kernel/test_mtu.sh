#!/bin/bash
# A link in the middle whose MTU shrinks and grows, with routers that say so and
# with routers that say nothing, over IPv4 and over IPv6.
#
#    h1 172.30.1.1 --- r === middle === s --- 172.30.2.2 h2
#    |  fd30:1::1                             fd30:2::2  |
#    c1 10.0.0.1, fd00::1            fd00::2, 10.0.0.2 c2
#
# tier: uml
# timeout: 500
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/soak.sh"
. "$(dirname "$0")/middle.sh"

# shellcheck disable=SC2034 # for middle.sh
connected='meshed h1 1' carried='esp or (ip6 and ip6[6] == 50)'
family ipv4 172.30.2.2 1416 1316 1380 1296
family ipv6 '[fd30:2::2]:6783' 1396 1296 1388 1284
finish
