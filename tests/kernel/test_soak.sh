#!/bin/bash
# Random faults on five hosts under traffic from each container to each other one.
# What a fault cannot help losing is lost between the hosts that it hits, and
# while it lasts; nothing else is, no daemon's death loses anything, nothing is in
# the clear, and when it is quiet again the hosts are what they were.
#
#    h1 ---- h2 ---- h3 ---- h4 ---- h5      each is told of the next one alone;
#    c1      c2      c3      c4      c5      a container on each, and one, m,
#    m -> ...                                that moves about
#
# tests/kernel/all --rounds 1800 --timeout 4000 soak is half an hour; --seed takes
# the same faults again.  FDP_TEST_FAULTS="kill cable" takes these alone.
#
# tier: uml
# timeout: 700
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/soak.sh"

overlay=auto
n=5
rounds 60 # seconds
all=$(seq $n)

each() { # COMMAND...: with each host's number behind it
	local i

	for i in $all; do
		"$@" "$i" || return
	done
}

# ---- hosts and containers ------------------------------------------------------

# Without waiting.  Each has its own password file, as it is changed.
start() { # I
	# shellcheck disable=SC2046 # a list of options
	ip netns exec "h$1" "$bin/fdpd" $(dirs "h$1") --password-file "$work/password.$1" \
		--peer 172.31.0.$(($1 % n + 1)) >> "$work/h$1.log" 2>&1 &
	daemon[h$1]=$!
}
attach() { # I NETNS ADDRESS
	# Refused while the daemon starts, and while others have not heard that
	# it is gone where it was.
	soon ctl "h$1" attach --netns "$2" --address "$3/24" > "$work/attach.txt" 2>&1
}
detach() { # I NETNS
	soon ctl "h$1" detach --netns "$2" > "$work/attach.txt" 2>&1
}
container() { # I
	attach "$1" "c$1" "10.0.0.$1"
}
guest=0 # where m is
move() { # TO
	[ $guest = 0 ] || detach $guest m
	guest=$1
	attach $guest m 10.0.0.100 && soon ping_ok "c$((guest % n + 1))" 10.0.0.100
}

# ---- what must be right ----------------------------------------------------------

connected() { # I
	meshed "h$1" $((n - 1))
}
connections() { # I
	ctl "h$1" status
	ctl "h$1" connections
} 2>&1
flowing() {
	[ "$(cat "$work/run" 2> /dev/null)" -ge 10 ]
}
settled() {
	flowing && each connected && flowing
}
settle() {
	local end=$((SECONDS + 150))

	until settled; do
		[ $SECONDS -lt $end ] || return
		sleep 0.2
	done 2> /dev/null
}
# What is to be as it was, of one host; there are flows while there is traffic,
# beside those ahead of it, and neighbours that ask for each other now and then.
counts() { # I
	local h=h$1 flows

	flows=$(ctl "$h" flows | grep -vc ' ahead$')
	[ "$flows" -gt 30 ] || flows=few
	echo "$h: $(ns "$h" ip xfrm state | grep -c '^src') SAs," \
		"$(ns "$h" ip xfrm policy | grep -c '^src') policies," \
		"$flows flows," \
		"$(find "/proc/${daemon[$h]}/fd" -type l | wc -l) descriptors," \
		"$(find "/proc/${daemon[$h]}/task" -mindepth 1 -maxdepth 1 | wc -l) threads," \
		"$(ip -n "$h" -o link show | wc -l) links," \
		"$(ns "$h" iptables-legacy-save -t mangle | grep -c '^-A') rules," \
		"$(ask "$h" '"\(.ports) ports, \(.peers) peers, \(.endpoints.remote) remote"' status)"
}
as_before() {
	each counts > "$work/counts"
	diff "$work/counts.before" "$work/counts"
}
rss() { # I
	echo "h$1 $(rss_kib "h$1")"
}
bounded() { # KIB: how much they may have grown
	each rss | paste -d ' ' "$work/rss.before" - |
		awk -v most="$1" '{ print "# RSS of " $1 ": " $2 " KiB before, " $4 " KiB after" }
			$4 - $2 > most { bad = 1 }
			END { exit bad }'
}

# ---- faults ------------------------------------------------------------------------

# Those that may lose nothing, at all; then those that may lose what is sent by or
# to the host, and forget, which is between two hosts.  A daemon may die while
# another one does.
free='kill stop kills rekey reload guests move'
costly='cable lossy esp udp state policy datapath address container reset forget'
kinds=${FDP_TEST_FAULTS:-$free $costly}

rule() { # I RULE...
	local h=h$1

	shift
	ns "$h" iptables-legacy -I INPUT "$@" -j DROP
	moment 8000
	ns "$h" iptables-legacy -D INPUT "$@" -j DROP
}
fault() { # KIND I J
	local h=h$2

	case $1 in
	kill) fdpd_kill $h; moment 2000; start "$2" ;;
	stop) fdpd_kill $h TERM; moment 2000; start "$2" ;;
	kills) fdpd_kill $h; moment 500; fdpd_kill "h$3"; moment 1000
		start "$3"; moment 500; start "$2" ;;
	rekey) ctl $h rekey; moment 500; ctl $h rekey ;;
	reload) if [ "$(wc -l < "$work/password.$2")" = 1 ]; then
			echo 'another password, the second' >> "$work/password.$2"
		else
			cp "$password" "$work/password.$2"
		fi
		kill -HUP "${daemon[$h]}" ;;
	guests) ip netns add guest && attach "$2" guest 10.0.0.200 &&
			soon ping_ok guest "10.0.0.$3" && detach "$2" guest
		ip netns del guest ;;
	move) move "$2" ;;
	cable) ip link set "w$2" down; moment 12000; ip link set "w$2" up ;;
	lossy) tc qdisc add dev "w$2" root netem loss 30%; moment 8000
		tc qdisc del dev "w$2" root ;;
	esp) rule "$2" -p esp ;;
	udp) rule "$2" -p udp ;;
	state) ns $h ip xfrm state flush ;;
	policy) ns $h ip xfrm policy flush ;;
	datapath) ns $h ovs-dpctl del-dp fdp ;;
	address) ip -n $h addr del "172.31.0.$2/24" dev u0; moment 3000
		ip -n $h addr add "172.31.0.$2/24" dev u0 ;;
	container) detach "$2" "c$2"; container "$2" ;;
	reset) ctl $h reset; fdpd_kill $h; start "$2"; container "$2"
		[ $guest != "$2" ] || attach "$2" m 10.0.0.100 ;;
	forget) ctl $h forget "172.31.0.$3"; moment 2000
		soon ctl $h connect "172.31.0.$3" ;;
	esac
}
hit() { # KIND I J: whose traffic it may cost
	case " $free " in
	*" $1 "*) ;;
	*) echo "c$2"; [ "$1" != forget ] || echo "c$3" ;;
	esac
}
# Dealt like cards: none comes again before all have come.
deck=()
draw() {
	local i

	[ ${#deck[@]} -gt 0 ] || read -ra deck <<< "$kinds"
	i=$((RANDOM % ${#deck[@]}))
	kind=${deck[i]}
	deck=("${deck[@]:0:i}" "${deck[@]:i + 1}")
}
# One fault, and until all is well again.
turn() {
	local i=$((RANDOM % n + 1)) j begin

	j=$(((i + RANDOM % (n - 1)) % n + 1))
	draw
	echo "# $((SECONDS - began)) s: $kind h$i h$j"
	begin=$EPOCHREALTIME
	fault "$kind" $i $j > "$work/fault.txt" 2>&1
	if ! settle; then
		echo "# all is not well after $kind of h$i, h$j: $(cat "$work/run") in a row"
		cat "$work/fault.txt"
		each connections
		return 1
	fi
	echo "$begin $EPOCHREALTIME $kind $(hit "$kind" $i $j | paste -sd ' ')" >> "$work/faults"
	# When all is well nothing is lost, whatever was there before.
	moment 2000
}
turns() {
	until [ $((SECONDS - began)) -ge "$rounds" ]; do
		turn || return
	done
}

# ---- the run -------------------------------------------------------------------------

hosts $n
wire_record soak
for i in $all; do
	cp "$password" "$work/password.$i"
	start "$i"
	ip netns add "c$i"
	ip -n "c$i" link set lo up
done
ip netns add m
ip -n m link set lo up
case_ok 'full mesh' soon each connected
case_ok 'a container on each' each container
case_ok 'and one that moves' move 1
guest=1
members=()
for i in $all; do
	members+=("c$i=10.0.0.$i")
done
mesh_begin() {
	rm -f "$work/run"
	"$tool" mesh "$work" 10 "$@" > "$work/mesh.txt" 2>&1 &
	mesh=$!
}
mesh_end() {
	kill $mesh
	wait $mesh
}
mesh_begin "${members[@]}"
case_ok 'all reach all' settle
mesh_end
# Until flows of traffic have gone, and SAs of sessions that crossed.
quiet() {
	each counts > "$work/counts.before"
	not grep -E '[0-9] flows' "$work/counts.before" &&
		not grep -v ": $((2 * (n - 1))) SAs" "$work/counts.before"
}
case_ok 'it is quiet' within 240 quiet
sed 's/^/# /' "$work/counts.before"
each rss > "$work/rss.before"

mesh_begin "${members[@]}"
case_ok 'all reach all again' settle
began=$SECONDS
echo "$EPOCHREALTIME $EPOCHREALTIME begin" > "$work/faults"
turns > "$work/turns.txt" 2>&1
status=$?
cat "$work/turns.txt"
case_ok 'all was well again each time' [ $status = 0 ]
case_ok 'it is at the end' settle
mesh_end
case_ok 'nothing came twice' grep 'again=0$' "$work/mesh.txt"
case_ok 'nothing was lost but between hosts in trouble' "$tool" excused "$work"
echo "# $(tail -n 1 "$work/mesh.txt"); $("$tool" excused "$work" | tail -n 1)"
[ $guest = 1 ] || move 1 > "$work/move.txt" 2>&1
case_ok 'the one that moves is reached' ping_ok c2 10.0.0.100
wire_stop

# Replaced SAs stay for a minute, those that nobody claims for two.
end=$((SECONDS + 200))
until as_before > "$work/diff"; do
	[ $SECONDS -lt $end ] || break
	sleep 2
done
case_ok 'SAs, policies, flows, descriptors and the rest are as before' as_before
bounded 2048 > "$work/grown"
status=$?
cat "$work/grown"
case_ok 'memory has not grown' [ $status = 0 ]

sealed="$esp_only and not udp port 6783"
said() { # NAME
	grep -aq 'this is said in the clear' "$work/$1.pcap"
}
case_ok 'not one plaintext packet' wire_none soak "$sealed"
case_ok 'nor plaintext in one' not said soak
case_ok 'ESP was there' wire_some soak 1000 esp
case_ok 'no sequence number was used twice' "$tool" esp "$work/soak.pcap"
echo "# $("$tool" esp "$work/soak.pcap")"

# What both checks see without a password.
for i in 1 2; do
	fdpd_kill h$i
	ctl h$i reset > /dev/null
done
wire_record control
overlay=fastdp
fdpd h2
fdpd h1 --peer 172.31.0.2
attach 1 c1 10.0.0.1
attach 2 c2 10.0.0.2
mesh_begin c1=10.0.0.1 c2=10.0.0.2
case_ok 'control: without a password they reach each other' soon flowing
mesh_end
wire_stop
case_ok 'control: and plaintext is seen' wire_some control 10 "$sealed"
case_ok 'control: as is what it says' said control
finish
