#!/bin/bash
# The data plane of the sleeve between two namespaces, with keys that are known
# beforehand; the picture is in sleeve_check.c.
#
# tier: bare
# timeout: 240
set -u
failed=0
for cipher in aes-gcm xsalsa; do
	unshare --net --mount \
		"${FDP_BUILD:?}/tests/kernel/sleeve_check" "$cipher" \
		< /dev/null > /tmp/out
	status=$?
	sed -E "s/^(ok|not ok|skip) /&${cipher}_/" /tmp/out
	if [ $status -ne 0 ]; then
		failed=1
		grep -q '^not ok' /tmp/out || echo "not ok $cipher: exit status $status"
	fi
done
exit $failed
