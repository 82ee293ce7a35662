#!/bin/bash
# Every tests/kernel/*_check program: one part of kmod-glue/ against the kernel.
# Each draws its own topology.
#
# tier: uml
# timeout: 200
set -u
failed=0
for program in "${FDP_BUILD:?}"/tests/kernel/*_check; do
	name=$(basename "$program" _check)
	# What else it does is in test_sleeve_plane.sh.
	arguments=()
	[ "$name" != sleeve ] || arguments=(trunk)
	# In a network and mount namespace of its own, so that each starts afresh.
	unshare --net --mount "$program" "${arguments[@]}" < /dev/null > /tmp/out
	status=$?
	sed -E "s/^(ok|not ok|skip) /&$name: /" /tmp/out
	if [ $status -ne 0 ]; then
		failed=1
		grep -q '^not ok' /tmp/out || echo "not ok $name: exit status $status"
	fi
done
exit $failed
