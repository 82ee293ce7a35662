#!/bin/bash
# As test_guard.sh, on a kernel with nftables, and with parallel CPUs.
#
#    h1 ---- wire ---- h2        pings both ways all the time
#    c1                c2
#
# tier: qemu
# timeout: 900
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/guard.sh"

kind=nftables
flush_rules() { # H
	ns "$1" nft flush ruleset
}
has_rules() { # H
	ns "$1" nft list table inet fdp_guard | grep -q 'rt ipsec missing .*drop' &&
		ns "$1" nft list table inet fdp_guard | grep -q 'meta ipsec missing .*drop'
}
has_no_rules() { # H
	not ns "$1" nft list table inet fdp_guard
}

guard_scenario
ns h1 nft list ruleset > "$work/nft.txt" 2>&1
finish
