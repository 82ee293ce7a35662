#!/bin/bash
# Another password while everything runs: three hosts, any order of the steps,
# pings in all directions, not one lost, nobody outside, no plaintext.
#
#    h1 ---- h2        h2 dials h1, h3 dials both, h1 dials h3 as well
#      \    /          c1, c2, c3: a container on each
#       wire
#        |
#       h3
#
# tier: uml
# timeout: 600
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/rotate.sh"

n_hosts=3
hosts $n_hosts
wire_record rotate
rotor h1 --peer 172.31.0.3
rotor h2 --peer 172.31.0.1
rotor h3 --peer 172.31.0.1 --peer 172.31.0.2
for h in h1 h2 h3; do case_ok "$h is connected to both" soon meshed $h 2; done
for i in 1 2 3; do box h$i c$i 10.0.0.$i/24; done

rotate 'by the book, by signal' signal "$old" "$new" a1 a2 a3 s1 s2 s3 r1 r2 r3
rotate 'one host late, backwards' command "$new" "$old" a3 s3 a2 s2 a1 r3 r2 s1 r1
rotate 'ahead of the last' command "$old" "$new" a1 a3 s1 r1 s3 r3 a2 s2 r2

rotations_end
