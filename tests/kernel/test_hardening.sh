#!/bin/bash
# What the processes of fdpd may do, and that all works with no more than that.
#
#    h1 ---- wire ---- h2
#    c1                c2
#
# tier: uml
# timeout: 300
. "$(dirname "$0")/lib.sh"

overlay=auto # So that there are threads.
umask 077
echo 'correct horse battery staple' > "$work/h1.password"
hosts 2
fdpd h1 --password-file "$work/h1.password" --peer 172.31.0.2 --log-file="$work/h1.file.log"
fdpd h2 --password-file "$password"
case_ok 'connected' soon meshed h1 1

# ---- privileges

field() { # PID FIELD
	awk -v key="$2:" '$1 == key { print $2 }' "/proc/$1/status"
}
all_of() { # PID: the five sets of capabilities
	for set in CapEff CapPrm CapInh CapBnd CapAmb; do
		printf '%s ' "$(field "$1" $set)"
	done
}
none=0000000000000000
net_admin=0000000000001000 # 1 << CAP_NET_ADMIN
agent_caps=0000000000283000 # with NET_RAW, SYS_PTRACE, SYS_ADMIN
main=${daemon[h1]}
agent=$(pgrep -P "$main")
case_ok 'the daemon has one child' [ "$(wc -w <<< "$agent")" = 1 ]
case_ok 'the daemon has CAP_NET_ADMIN alone' [ "$(all_of "$main")" = "$net_admin $net_admin $none $net_admin $none " ]
case_ok 'the agent has four' [ "$(all_of "$agent")" = "$agent_caps $agent_caps $none $agent_caps $none " ]
for pid in $main $agent; do
	case_ok "no new privileges ($(field "$pid" Name))" [ "$(field "$pid" NoNewPrivs)" = 1 ]
done
case_ok 'a filter of system calls' [ "$(field "$main" Seccomp)" = 2 ]
# Of the main thread, those of the sleeve, and RCU's.
threads() { # FIELD: of all, each value once
	sed -n "s/^$1:[[:space:]]*//p" "/proc/$main/task"/*/status | sort -u
}
case_ok 'there are threads' [ "$(field "$main" Threads)" -ge 3 ]
case_ok 'for every thread' [ "$(threads Seccomp)" = 2 ]
case_ok 'none of which has other capabilities' [ "$(threads CapPrm)" = "$net_admin" ]
case_ok 'not for the agent' [ "$(field "$agent" Seccomp)" = 0 ]
case_ok 'the filter refuses and kills' "$bin/tests/unit/test_syscall_filter"
if [ "$FDP_TIER" != native ]; then
	case_ok 'what is refused is in the log of the kernel' grep -q 'type=1326.*comm="test_syscall' <(dmesg)
fi
only_a_socket() {
	local target n=0

	for fd in "/proc/$agent/fd"/*; do
		target=$(readlink "$fd")
		[ "$target" = /dev/null ] || { n=$((n + 1)); echo "$target"; }
	done
	[ "$n" = 1 ]
}
case_ok 'the agent has one socket and no file' only_a_socket

# ---- everything works

appctl() { ns h1 ovs-appctl -t "/run/h1/fdpd.$main.ctl" "$@"; }

ip netns add c1
ip netns exec c1 sleep 1000 &
sleeper=$!
inside() { [ "$(readlink "/proc/$sleeper/ns/net")" != "$(readlink /proc/self/ns/net)" ]; }
soon inside
by_pid() { ctl h1 attach --netns "/proc/$sleeper/ns/net" --address 10.0.0.1/24; }
case_ok 'attach, by process id' by_pid
box h2 c2 10.0.0.2/24
case_ok 'ping' soon ping_ok c1 10.0.0.2
ifname_mtu() { # NS MTU
	[ "$(ip -n "$1" -o link show type veth | sed -n 's/.* mtu \([0-9]*\) .*/\1/p')" = "$2" ]
}
case_ok 'the MTU is that of an underlay of 1500' soon ifname_mtu c1 1416
ip link set w1 mtu 1400
ip -n h1 link set u0 mtu 1400
case_ok 'a smaller one is set inside the container' soon ifname_mtu c1 1316
case_ok 'ping' soon ping_ok c1 10.0.0.2

guarded() { ns h1 iptables-legacy -t mangle -S | grep -q -- '-A OUTPUT -j FDP-GUARD-OUT'; }
case_ok 'the guard is there' guarded
ns h1 iptables-legacy -t mangle -F
case_ok 'and is put back' soon guarded

echo 'one more password of ours' >> "$work/h1.password"
case_ok 'reload' soon ctl h1 reload
case_ok 'it is accepted as well' soon grep -q 'passwords have changed' "$work/h1.log"
spi=$(ask h1 '.peers[0].spi_out' peers)
other_spi() { [ "$(ask h1 '.peers[0].spi_out' peers)" != "$spi" ]; }
case_ok 'rekey' ctl h1 rekey
case_ok 'to other keys' soon other_spi
ns h1 ovs-dpctl del-dp fdp
case_ok 'a datapath that was deleted is made again' soon ping_ok c1 10.0.0.2
ip link set w1 mtu 1500
ip -n h1 link set u0 mtu 1500
case_ok 'then, too, the MTU follows' soon ifname_mtu c1 1416
mv "$work/h1.file.log" "$work/h1.file.log.1"
case_ok 'a new log file' appctl vlog/reopen
case_ok 'is there' [ -f "$work/h1.file.log" ]
case_ok 'other log levels' appctl vlog/set engine:dbg
case_ok 'coverage/show' appctl coverage/show
case_ok 'detach' ctl h1 detach --netns "/proc/$sleeper/ns/net"
box h1 c3 10.0.0.3/24
case_ok 'a new container' soon ping_ok c3 10.0.0.2

fdpd_kill h1
gone() { ! kill -0 "$agent" 2> /dev/null; }
case_ok 'the agent of a killed daemon ends' soon gone
fdpd h1 --password-file "$work/h1.password" --peer 172.31.0.2
case_ok 'restart' soon meshed h1 1
case_ok 'ping' soon ping_ok c3 10.0.0.2

# The agent dies: it is said, and traffic goes on.
agent=$(pgrep -P "${daemon[h1]}")
kill -KILL "$agent"
case_ok 'the death of the agent is in the log' soon grep -q 'restart fdpd to have MTUs' "$work/h1.log"
case_ok 'the daemon lives' ctl h1 ports
case_ok 'ping' soon ping_ok c3 10.0.0.2
agent=$(pgrep -P "${daemon[h2]}")
fdpd_kill h2 TERM
case_ok 'a stop ends both' soon gone

# Where its memory may not be locked it says so, and works.
mkdir "$work/limited"
ln -s "$bin/fdpctl" "$work/limited/fdpctl"
cat > "$work/limited/fdpd" << END
#!/bin/sh
exec prlimit --memlock=65536:65536 setpriv --bounding-set -sys_resource,-ipc_lock \
	"$bin/fdpd" "\$@"
END
chmod 755 "$work/limited/fdpd"
unlimited=$bin bin=$work/limited
fdpd h2 --password-file "$password"
bin=$unlimited
case_ok 'memory that may not be locked is in the log' grep -q 'cannot lock memory' "$work/h2.log"
case_ok 'it works without' soon meshed h1 1

# In the background, watched over.
background() {
	fdpd_kill h1 TERM
	fdpd_try h1 --detach --monitor --log-file="$work/monitored.log" \
		--password-file "$work/h1.password" --peer 172.31.0.2 | cat
	main=$(cat /run/h1/fdpd.pid)
}
case_ok 'starts in the background' background
main=$(cat /run/h1/fdpd.pid)
case_ok 'with CAP_NET_ADMIN alone' [ "$(field "$main" CapEff)" = $net_admin ]
kill -SEGV "$main"
monitored() { [ "$(cat /run/h1/fdpd.pid)" != "$main" ] && answers h1; }
case_ok 'is started again after a crash' soon monitored
main=$(cat /run/h1/fdpd.pid)
case_ok 'with CAP_NET_ADMIN alone' [ "$(field "$main" CapEff)" = $net_admin ]
case_ok 'ends by command' appctl exit
kill "$sleeper"
finish
