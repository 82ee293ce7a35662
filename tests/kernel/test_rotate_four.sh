#!/bin/bash
# As test_rotate.sh with four hosts: each step of a change of password in every
# order of the hosts, and steps of all hosts mixed at random, as long as each host
# takes its own in order.
#
#    h1 ---- h2        each dials those with a smaller number, h1 dials h4 as well
#     | \  / |
#     | /  \ |
#    h4 ---- h3
#
# FDP_TEST_ORDERS: how many of the 24 orders of each step (1);
# FDP_TEST_MIXED: how many mixtures (1); FDP_TEST_SEED: of those (by the clock).
#
# tier: uml
# timeout: 600
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/rotate.sh"

seed=${FDP_TEST_SEED:-$((EPOCHSECONDS % 100000))}
n_hosts=4
hosts $n_hosts
wire_record rotate
rotor h1 --peer 172.31.0.4
rotor h2 --peer 172.31.0.1
rotor h3 --peer 172.31.0.1 --peer 172.31.0.2
rotor h4 --peer 172.31.0.1 --peer 172.31.0.2 --peer 172.31.0.3
for h in h1 h2 h3 h4; do case_ok "$h is connected to all" soon meshed $h 3; done
for i in 1 2 3 4; do box h$i c$i 10.0.0.$i/24; done

# A line for each rotation.  5 and 11 are coprime to 24: each step goes through
# all orders, and not always the same beside each other.
plan() {
	python3 - "${FDP_TEST_ORDERS:-1}" "${FDP_TEST_MIXED:-1}" "$seed" << 'END'
import itertools, random, sys
orders, mixed, seed = map(int, sys.argv[1:])
random.seed(seed)
p = list(itertools.permutations('1234'))
for k in range(orders):
    print(*(step + host for step, order in zip(
        'asr', (p[k % 24], p[(5 * k + 7) % 24], p[(11 * k + 13) % 24]))
        for host in order))
for _ in range(mixed):
    turns = list('1234' * 3)
    random.shuffle(turns)
    steps = {host: iter('asr') for host in '1234'}
    print(*(next(steps[host]) + host for host in turns))
END
}
echo "# seed $seed"
from=$old to=$new how=signal n=0
while read -r -u 3 -a steps; do
	n=$((n + 1))
	echo "# $n: ${steps[*]}"
	rotate "rotation $n" $how "$from" "$to" "${steps[@]}"
	last=$from from=$to to=$last
	[ $how = signal ] && how='command' || how=signal
done 3< <(plan)
rotations_end
