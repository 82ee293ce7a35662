# shellcheck shell=bash
# What scenarios share; source it first.  A host is a network namespace hN on
# the bridge "wire", which records all that hosts say to each other; a container
# is a namespace of its own.
#
#   hosts N [MTU]       hosts h1..hN: 172.31.0.i/24 and fd31::i/64 on device u0
#   fdpd H ARG...       starts fdpd on host H and waits until it is ready
#   fdpd_try H ARG...   the same in the foreground, for three minutes at most, as a
#                       user sees it
#   listens NS PORT [-u]  does somebody there, by TCP or UDP?
#   fdpd_kill H [SIG]   ends it (KILL) and waits until it is gone
#   ctl H ARG...        fdpctl on host H
#   box H NAME CIDR...  container NAME on host H with these addresses
#   ns NS COMMAND...    runs COMMAND in a namespace
#   wire_record NAME [FILTER]  begins to record the wire into $work/NAME.pcap
#   wire_stop           ends that
#   wire_count NAME FILTER   packets in a recording that match a pcap filter
#   keys_ok             no key or salt in more than one SA since hosts()?
#   keys_stop           no more of them are noted
#   case_ok NAME COMMAND...  the case passes if COMMAND succeeds
#   soon COMMAND...     tries for two minutes until COMMAND succeeds
#   within S COMMAND... tries for S seconds
#   not COMMAND...      succeeds if COMMAND fails
#   pings_whole FILE [N]     N (20) or more were answered, and none missed
#   xfrm_baseline H...  from here on no XFRM counter of these hosts may grow:
#   xfrm_quiet H        says which did
#   finish              ends what was started; the last line of a scenario
set -u

bin=${FDP_BUILD:?}
work=${FDP_OUT:?}
vxlan='udp port 6784'
password=$work/password
declare -A daemon=()
failed=0

if [ ! -f "$password" ]; then
	(umask 077 && echo 'correct horse battery staple' > "$password")
fi

ns() {
	ip netns exec "$@"
}

not() {
	! "$@"
}

# A process costs tens of milliseconds under User-mode Linux, most of what there is
# to save in a scenario.  So this is sleep(1) without one,
nap=/run/nap
[ -p $nap ] || mkfifo $nap
sleep() { # SECONDS
	read -rt "$1" <> $nap || :
}

# this asks less often what takes its time,
within() { # SECONDS COMMAND...
	local end=$((SECONDS + $1)) tenths=1

	shift
	until "$@" > /dev/null 2>&1; do
		[ $SECONDS -lt $end ] || { "$@"; return; }
		sleep 0.$tenths
		[ $tenths -ge 4 ] || tenths=$((tenths + 1))
	done
}

# and what is asked most often, below, is read without grep and jq.
soon() {
	# Interpreted, under sanitizers and on a busy machine a start takes long.
	within 120 "$@"
}

case_ok() { # NAME COMMAND...
	local name=$1 why

	shift
	if why=$("$@" 2>&1); then
		echo "ok $name"
	else
		why=$(printf '%s' "$why" | tail -n 3 | tr '\n' ';')
		echo "not ok $name: ${why:-"'$*' failed"}"
		failed=1
	fi
}

case_skip() { # NAME WHY
	echo "skip $1: $2"
}

# Ends the scenario: everything that we started goes.
finish() {
	local h

	wire_stop
	for h in "${!daemon[@]}"; do
		fdpd_kill "$h"
	done
	if [ ${#key_pids[@]} -gt 0 ]; then
		case_ok 'no key and no salt was in two SAs' keys_ok
		keys_stop
	fi
	if grep -hs 'flow refused: Invalid argument' "$work"/*.log >&2; then
		echo 'not ok a flow made no sense to the kernel'
		failed=1
	fi
	# clone3 (435) is told not to exist: who makes a thread then takes clone.
	if ! own_kernel &&
		dmesg | grep 'type=1326.*exe="[^"]*/fdpd"' | grep -v ' syscall=435 ' >&2; then
		echo 'not ok fdpd made a system call that is not on its list'
		failed=1
	fi
	exit $failed
}

# Is this the host's own kernel, which others use, too?
own_kernel() {
	[ "${FDP_TIER:-}" = native ] || [ "${FDP_TIER:-}" = bare ]
}

# ---- hosts -------------------------------------------------------------------

hosts() { # N [MTU]
	local i mtu=${2:-1500}

	# For the monitors, whose own option is cut to this.
	own_kernel || sysctl -qw net.core.rmem_max=33554432
	ip link add wire type bridge mcast_snooping 0
	ip link set wire mtu 9000 addrgenmode none up
	for ((i = 1; i <= $1; i++)); do
		ip netns add "h$i"
		ip link add "w$i" mtu "$mtu" type veth peer name u0 netns "h$i" \
			mtu "$mtu"
		ip link set "w$i" addrgenmode none master wire up
		ip -n "h$i" link set lo up
		ip -n "h$i" link set u0 up
		ip -n "h$i" addr add "172.31.0.$i/24" dev u0
		ip -n "h$i" addr add "fd31::$i/64" dev u0 nodad
		[ "${FDP_TIER:-}" != bare ] || continue
		# Only SAs: who listens for acquisitions changes what the kernel
		# does where there is none.
		ip netns exec "h$i" ip -rcvbuf 33554432 xfrm monitor SA > "$work/keys.h$i" 2>&1 &
		key_pids+=($!)
	done
}

# ---- keys ---------------------------------------------------------------------

key_pids=()
keys_ok() {
	local text

	sleep 0.2
	text=$("$(dirname "${BASH_SOURCE[0]}")/keys" "$work"/keys.*) && return
	echo "$text"
	# Not every scenario has SAs; one whose hosts had a password and were
	# connected has.
	[ "$text" = '0 SAs' ] && [ ! -e "$work/encrypted" ]
}
keys_stop() {
	kill "${key_pids[@]}" 2> /dev/null
	key_pids=()
}

# ---- fdpd and fdpctl ----------------------------------------------------------

# What most scenarios are about is the kernel's way: whatever blocks it is to be
# seen, not gone round.  Who is about the sleeve sets $overlay.
dirs() { # H: the options that keep hosts apart; and nothing forbidden passes
	echo "--name $1 --run-dir /run/$1 --state-dir /run/$1.state --seccomp=kill --overlay ${overlay:-fastdp}"
}

fdpd_try() { # H ARG...
	local h=$1

	shift
	# shellcheck disable=SC2046 # a list of options
	ns "$h" timeout 180 "$bin/fdpd" $(dirs "$h") "$@"
}

fdpd() { # H ARG...
	local h=$1 n n_ready

	shift
	: >> "$work/$h.log"
	n_ready "$h"
	n=$n_ready
	# Not through ns(): the process id has to be the daemon's own.
	# shellcheck disable=SC2046 # a list of options
	ip netns exec "$h" "$bin/fdpd" $(dirs "$h") "$@" >> "$work/$h.log" 2>&1 &
	daemon[$h]=$!
	# Passwords take some seconds, in User-mode Linux, and far more where a
	# guest hardly gets a turn.
	within 240 was_ready "$h" $((n + 1)) || never "$h" 'is ready'
	within 120 answers "$h" || never "$h" answers
}

never() { # H WHAT
	echo "not ok fdpd on $1 $2: $(tail -n 3 "$work/$1.log" | tr '\n' ';')"
	failed=1
	finish
}

was_ready() { # H N: so often?
	n_ready "$1"
	[ "$n_ready" -ge "$2" ]
}

n_ready=0
n_ready() { # H: how often it was, in $n_ready
	local said_lines line

	n_ready=0
	mapfile -t said_lines < "$work/$1.log"
	for line in "${said_lines[@]}"; do
		[[ $line != *'ready after '* ]] || n_ready=$((n_ready + 1))
	done
}

# Whatever its verdict, it speaks.
answers() {
	ctl "$1" status
	[ $? -ne 3 ]
}

fdpd_kill() { # H [SIGNAL]
	local pid=${daemon[$1]:-}

	[ -n "$pid" ] || return 0
	kill "-${2:-KILL}" "$pid" 2> /dev/null
	wait "$pid" 2> /dev/null
	unset "daemon[$1]"
}

# To enter a namespace takes as long as the rest, and what only speaks with the
# daemon works from anywhere.
ctl() { # H ARG...
	local h=$1

	shift
	case " $* " in
	*' status '* | *' connections '* | *' why '* | *' ports '* | *' peers '*)
		"$bin/fdpctl" --run-dir "/run/$h" "$@" ;;
	*)
		ns "$h" "$bin/fdpctl" --run-dir "/run/$h" "$@" ;;
	esac
}

# The value that jq's filter finds in a command's JSON.
ask() { # H FILTER COMMAND...
	local h=$1 filter=$2

	shift 2
	ctl "$h" --json "$@" | jq -r "$filter"
}

# Is every connection of host H established, with N of them on fastdp?
meshed() { # H N
	local file=/run/connections.$BASHPID said_lines line overlay='' reason='' n=0 encrypted=''

	ctl "$1" --json connections > "$file"
	mapfile -t said_lines < "$file"
	[[ ${said_lines[1]:-} = *'"connections"'* ]] || return
	# Of each connection in the order of the alphabet.
	for line in "${said_lines[@]}"; do
		case $line in
		*' "encrypted": true,') encrypted=1 ;;
		*' "overlay": '*) overlay=$line ;;
		*' "reason": '*) reason=$line ;;
		*' "state": "established",')
			[[ $overlay != *' "fastdp",' || $reason != *' "",' ]] || n=$((n + 1)) ;;
		esac
	done
	echo "$1: $n connections by fastdp"
	[ "$n" -eq "$2" ] || return
	# Read by keys_ok.
	[ -z "$encrypted" ] || : > "$work/encrypted"
}

box() { # H NAME CIDR...
	local h=$1 name=$2 options=()

	shift 2
	for cidr in "$@"; do
		options+=(--address "$cidr")
	done
	ip netns add "$name"
	ip -n "$name" link set lo up
	ctl "$h" attach --netns "$name" "${options[@]}" > /dev/null
}

# Of the output of a ping that was interrupted: every sequence number up to the
# highest that was answered; those after it were under way.
pings_whole() { # FILE [N]
	sed -nE 's/.*icmp_seq=([0-9]+) ttl.*/\1/p' "$1" | sort -nu |
		awk -v least="${2:-20}" '$1 != ++n { print "no answer to " n; n = $1; bad = 1 }
			END { print n + 0 " answered"; exit bad || n < least }'
}

listens() { # NS PORT [-u]
	[ -n "$(ns "$1" ss -Hln "${3:--t}" "sport = :$2")" ]
}

# Three answers in a row; -6 and so on may come first.
ping_ok() { # NS ARG...
	local from=$1

	shift
	ns "$from" ping -n -q -c 3 -i 0.2 -W 2 "$@"
}

# ---- the wire ------------------------------------------------------------------

wire_pid=
wire_record() { # NAME [FILTER]
	wire_name=$1
	# In immediate mode every packet takes a slot of the snapshot's length.
	tcpdump -i wire -nn -U --immediate-mode -B 32768 -s 2048 \
		-w "$work/$1.pcap" "${2:-}" 2> "$work/$1.tcpdump" &
	wire_pid=$!
	soon grep -q 'listening on' "$work/$1.tcpdump"
}

wire_stop() {
	[ -n "$wire_pid" ] || return 0
	sleep 0.3
	kill "$wire_pid"
	wait "$wire_pid" 2> /dev/null
	wire_pid=
	# What tcpdump itself missed would be a hole in the evidence.
	if ! grep -q '^0 packets dropped by kernel' "$work/$wire_name.tcpdump"; then
		echo "not ok wire $wire_name: $(grep dropped "$work/$wire_name.tcpdump")"
		failed=1
	fi
}

wire_count() { # NAME FILTER
	tcpdump -nn -r "$work/$1.pcap" "$2" 2> /dev/null | wc -l
}

# At least N packets match?  none: not one?
wire_some() { # NAME N FILTER
	local n

	n=$(wire_count "$1" "$3")
	echo "$n packets match '$3'"
	[ "$n" -ge "$2" ]
}

wire_none() { # NAME FILTER
	local n

	n=$(wire_count "$1" "$2")
	echo "$n packets match '$2': $(tcpdump -nn -r "$work/$1.pcap" -c 2 "$2" 2> /dev/null | tr '\n' '/')"
	[ "$n" -eq 0 ]
}

# All that may pass between hosts with a password is ESP; beside it the control
# connection and the hosts' own neighbour discovery, pings and multicast reports.
esp_only='not esp and not (ip6 and ip6[6] == 50) and not tcp port 6783
	and not arp and not icmp6 and not icmp
	and not (ip6 and ip6[6] == 0 and ip6[40] == 58)'

# ---- IPsec ------------------------------------------------------------------------

# Starts refuse something: packets that come before there is an SA, and
# (XfrmOutPolBlock) iptables: it looks the guard's port up by name, for which libc
# connects (and sends nothing) to it, and the block policy refuses even that.
xfrm_baseline() { # H...
	local h

	for h in "$@"; do
		ns "$h" cat /proc/net/xfrm_stat > "$work/$h.xfrm_stat"
	done
}

xfrm_quiet() { # H
	ns "$1" awk 'FNR == NR { before[$1] = $2; next }
		$2 != before[$1] { print $1, before[$1], "to", $2; bad = 1 }
		$2 && $1 !~ /XfrmOutNoStates|XfrmInNoPols|XfrmOutPolBlock/ { print; bad = 1 }
		END { exit bad }' "$work/$1.xfrm_stat" /proc/net/xfrm_stat
}

# ---- packets ---------------------------------------------------------------------

# Echo requests that a container has received: what neighbours say by themselves
# (IPv6, mostly) does not count.
rx_echoes() { # NS
	ns "$1" awk '$1 == "Icmp:" && $2 ~ /^[0-9]/ { print $10 }' /proc/net/snmp
}
