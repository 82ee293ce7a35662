#!/bin/bash
# The sockets of the datapath (kmod-glue/odp_socket.h) on a real kernel:
#
#     a0 --- a1 [ datapath chk ] b1 --- b0       c0 --- c1, d0 --- d1 spare
#
# timeout: 180
set -u

# ovs-dpctl finds no CPUs during the first ten seconds after boot.
while [ "$(cut -d. -f1 /proc/uptime)" -lt 11 ]; do
	sleep 0.2
done
ip link set lo up
for pair in a b c d; do
	ip link add ${pair}0 type veth peer name ${pair}1
	for end in 0 1; do
		ip link set $pair$end addrgenmode none
		ip link set $pair$end up
	done
done
"$FDP_BUILD/tests/kernel/odp_check"
