#!/bin/bash
# Somebody takes away what keeps plaintext in: SAs, policies, netfilter's rules,
# addresses, all packets that an SA may carry.  Not one plaintext packet, and the
# service comes back; how fast is printed.
#
#    h1 ---- wire ---- h2        h1 dials
#    c1                c2        pings both ways all the time
#
# FDP_TEST_ROUNDS: how often every attack on either host; by default one of each
# kind once.
#
# tier: uml
# timeout: 240
. "$(dirname "$0")/lib.sh"

rounds=${FDP_TEST_ROUNDS:-0}
esp=$(dirname "$0")/esp.py

hosts 2
wire_record attack 'not esp'
fdpd h2 --password-file "$password"
fdpd h1 --password-file "$password" --peer 172.31.0.2
case_ok 'connected' soon meshed h1 1
box h1 c1 10.0.0.1/24
box h2 c2 10.0.0.2/24
case_ok 'ping' soon ping_ok c1 10.0.0.2

# ---- traffic, and how long it was silent ------------------------------------

traffic=()
traffic_start() {
	ip netns exec c1 ping -D -n -i 0.01 10.0.0.2 > "$work/there.txt" &
	traffic+=($!)
	ip netns exec c2 ping -D -n -i 0.01 10.0.0.1 > "$work/back.txt" &
	traffic+=($!)
}
traffic_stop() {
	kill -INT "${traffic[@]}"
	wait "${traffic[@]}"
	traffic=()
}

# Were the last answers in both directions given after this moment?
served_since() { # SECONDS
	tail -q -n 10 "$work/there.txt" "$work/back.txt" |
		awk -F '[][]' -v t="$1" '$2 <= t { exit 1 } END { exit NR < 20 }'
}

# The longest time without an answer, in ms, in either direction, of that which
# lay after this moment.
silent() { # SECONDS
	awk -F '[][]' -v t="$1" '
		FNR == 1 { last = 0 }
		/icmp_seq/ {
			from = last > t ? last : t
			if (last && $2 > t && $2 - from > most) {
				most = $2 - from
			}
			last = $2
		}
		END { printf "%.0f", most * 1000 }' "$work/there.txt" "$work/back.txt"
}

# What is demanded of traffic; SPIs change.
policies() { # H
	ns "$1" ip xfrm policy | awk '
		/^src/ { if (p) print p; p = "" }
		{ sub(/ spi 0x[0-9a-f]*/, ""); p = p $0 }
		END { print p }' | sort
}
intact() { # as before the first attack?
	local h

	for h in h1 h2; do
		[ "$(policies $h)" = "${demanded[$h]}" ] || return
	done
}
declare -A demanded=()

attack() { # NAME COMMAND...
	local name=$1 begin=$EPOCHREALTIME end

	shift
	since=$begin
	"$@"
	end=$EPOCHREALTIME
	case_ok "$name: service comes back" soon served_since "$end"
	case_ok "$name: policies are as before" soon intact
	echo "# $name: silent for $(silent "$since") ms"
}

# ---- attacks ------------------------------------------------------------------

both() { # COMMAND...
	ns h1 "$@"
	ns h2 "$@"
}
flush_rules() { # H
	ns "$1" iptables-legacy -t mangle -F
	ns "$1" ip6tables-legacy -t mangle -F
	ns "$1" iptables-legacy -t raw -F
}
# Both locks within a moment.  Until fdpd has read the kernel's notice nothing
# is there that could hold a packet back, so some may get out: the one thing here
# that is not promised.  What is: that it ends with the repair of the policies,
# and does not wait for netfilter's.
everything() {
	flush_rules h1
	flush_rules h2
	echo "$EPOCHREALTIME" >> "$work/both"
	both ip xfrm policy flush
	both ip xfrm state flush
}
: > "$work/both"
# Plaintext packets, as "SECONDS after both locks were taken".
plain_after_both() {
	tcpdump -tt -nn -r "$work/attack.pcap" "$vxlan" 2> /dev/null | awk '
		FNR == NR { taken[++n] = $1; next }
		{
			for (i = n; i > 0 && taken[i] > $1; i--);
			print i ? $1 - taken[i] : "before"
		}' "$work/both" -
}
none_but_then() {
	plain_after_both | awk '{ print } $1 == "before" || $1 > 1 { bad = 1 } END { exit bad }'
}
has_rules() { # H
	ns "$1" iptables-legacy -t mangle -S | grep -q -- '-A OUTPUT -j FDP-GUARD-OUT' &&
		ns "$1" ip6tables-legacy -t mangle -S | grep -q -- '-A INPUT -j FDP-GUARD-IN'
}
# One lock after the other, as who takes both at once wants plaintext.
everything_in_turn() {
	flush_rules h1
	flush_rules h2
	soon has_rules h1
	soon has_rules h2
	both ip xfrm policy flush
	both ip xfrm state flush
}
# The SPI in use from host A to host B.
spi() { # A B
	ns "h$1" ip xfrm policy |
		awk -v t="src 172.31.0.$1 dst 172.31.0.$2" '
			$0 ~ "tmpl " t { mine = 1; next }
			mine && /spi/ { print $4; exit }
			{ mine = 0 }'
}
delete_sa() { # H A B: that from host A to host B, on H
	ns "$1" ip xfrm state delete src "172.31.0.$2" dst "172.31.0.$3" \
		proto esp spi "$(spi "$2" "$3")"
}
delete_policy() { # H A B DIR
	ns "$1" ip xfrm policy delete src "172.31.0.$2/32" \
		dst "172.31.0.$3/32" proto udp dport 6784 dir "$4"
}
delete_block() { # H DIR
	ns "$1" ip xfrm policy delete src 0.0.0.0/0 dst 0.0.0.0/0 proto udp \
		dport 6784 dir "$2"
}
# All packets that it may carry are used up: the next one meets the hard limit.
exhaust() { # H A B
	ns "$1" python3 "$esp" counters "172.31.0.$3" "$(spi "$2" "$3")" \
		packets=0x100000000
}
lose_address() {
	ns h1 ip addr del 172.31.0.1/24 dev u0
	sleep 0.5
	ns h1 ip addr add 172.31.0.1/24 dev u0
	since=$EPOCHREALTIME
}
# Somebody who listens for acquisitions, as every IKE daemon does: the kernel
# makes larval SAs then.
flush_with_listener() {
	ip netns exec h1 ip xfrm monitor acquire > "$work/acquire.txt" &
	local pid=$!

	sleep 0.2
	ns h1 ip xfrm state flush
	sleep 0.5
	kill $pid
}
in_a_row() {
	local n

	for ((n = 0; n < 10; n++)); do
		ns h1 ip xfrm state flush
		ns h2 ip xfrm state flush
		ns h1 ip xfrm policy flush
	done
}

for h in h1 h2; do demanded[$h]=$(policies $h); done
traffic_start
sleep 0.5
if [ "$rounds" -eq 0 ]; then
	attack 'all SAs of h1' ns h1 ip xfrm state flush
	attack 'all SAs of both' both ip xfrm state flush
	attack 'all policies of both' both ip xfrm policy flush
	attack 'the outbound SA of h1' delete_sa h1 1 2
	attack 'the inbound SA of h1' delete_sa h1 2 1
	attack 'the out policy of h2' delete_policy h2 2 1 out
	attack 'the in policy of h1' delete_policy h1 2 1 in
	attack 'the block policies of h1' delete_block h1 out
	attack 'everything on both, in turn' everything_in_turn
	attack 'both locks of both' everything
	attack 'all SAs, somebody listening' flush_with_listener
	attack 'the outbound SA of h2 exhausted' exhaust h2 2 1
	attack 'the address of h1' lose_address
fi
for ((round = 1; round <= rounds; round++)); do
	for h in h1 h2; do
		attack "all SAs of $h" ns $h ip xfrm state flush
		attack "all policies of $h" ns $h ip xfrm policy flush
	done
	attack 'all SAs of both' both ip xfrm state flush
	attack 'all policies of both' both ip xfrm policy flush
	for way in '1 2' '2 1'; do
		a=${way% *} b=${way#* }
		attack "the outbound SA of h$a" delete_sa "h$a" "$a" "$b"
		attack "the inbound SA of h$a" delete_sa "h$a" "$b" "$a"
		attack "the out policy of h$a" delete_policy "h$a" "$a" "$b" out
		attack "the in policy of h$a" delete_policy "h$a" "$b" "$a" in
		attack "the outbound SA of h$a exhausted" exhaust "h$a" "$a" "$b"
		attack "the inbound SA of h$a exhausted" exhaust "h$a" "$b" "$a"
		attack "the out block policy of h$a" delete_block "h$a" out
		attack "the in block policy of h$a" delete_block "h$a" in
		attack "netfilter of h$a" flush_rules "h$a"
	done
	attack 'everything on both, in turn' everything_in_turn
	attack 'both locks of both' everything
	attack 'SAs and policies ten times in a row' in_a_row
	attack 'all SAs, somebody listening' flush_with_listener
	attack 'the address of h1' lose_address
done
case_ok 'the log says what happened' grep -q 'somebody else' "$work/h1.log"
case_ok 'all is healthy' soon ctl h1 status
case_ok 'on h2, too' soon ctl h2 status

# The daemon is dead: what is used up or gone stays so.
fdpd_kill h1
exhaust h1 1 2
sleep 0.5
case_ok 'exhausted while the daemon is dead: nothing passes' not ping_ok c1 10.0.0.2
both ip xfrm state flush
sleep 0.5
attack 'a new daemon' fdpd h1 --password-file "$password" --peer 172.31.0.2
wire_stop
case_ok 'the recording has the rest' wire_some attack 20 'tcp port 6783'
echo "# both locks taken $(wc -l < "$work/both") times: $(plain_after_both | awk '
	$1 > most { most = $1 } END { printf "%d plaintext packets, the last after %.0f ms", NR, most * 1000 }')"
case_ok 'not one plaintext packet, but in the second in which both locks were gone' none_but_then
case_ok 'nor anything else' wire_none attack "($esp_only) and not $vxlan"

# The control: the same flushes where nobody repairs and nothing guards.
wire_record control
fdpd_kill h1
fdpd_kill h2
everything
leaks() { [ "$(wire_count control "$vxlan")" -ge 1 ]; }
case_ok 'control: without daemon and guard it leaks' soon leaks
traffic_stop
finish
