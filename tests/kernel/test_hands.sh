#!/bin/bash
# Somebody else's hands on a host: ovs-vswitchd is started (it deletes every
# datapath that is not its own), datapath and ports are deleted, links renamed,
# set down, moved and deleted, the UDP port is taken.  Everything is there again
# by itself, with the same sessions and SAs, or it is said what to do; and never
# is a packet in the clear.
#
#    h1 ---- wire ---- h2
#    c1, c3            c2
#
# tier: uml
# timeout: 300
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/soak.sh"

now_ms() {
	echo $(($(date +%s%N) / 1000000))
}
# Not the verdict: probes were lost, and that is said for a while.
healthy() {
	[ "$(ask h1 '[.ports[], .others[] | select(.state != "up")] | length' ports)" = 0 ]
}
serves() {
	ns c1 ping -n -q -c 1 -W 1 10.0.0.2 && ns c2 ping -n -q -c 1 -W 1 10.0.0.1
}
# What was done to h1 is noticed and repaired.  The times are upper bounds: they
# have the start of `ping` and `fdpctl` in them.
repaired() { # NAME COMMAND...
	local name=$1 t0

	shift
	t0=$(now_ms)
	ns h1 "$@" > "$work/hands.log" 2>&1 || echo "# $name: $(tail -n 1 "$work/hands.log")"
	case_ok "$name: traffic again" soon serves
	echo "# $name: traffic after $(($(now_ms) - t0)) ms"
	case_ok "$name: healthy" soon healthy
}
link_of() { # NETNS: its host end
	ask h1 ".ports[] | select(.netns == \"/run/netns/$1\") | .host_ifname" ports
}
state_of() { # NETNS
	ask h1 ".ports[] | select(.netns == \"/run/netns/$1\") | .state" ports
}
is_lost() { # NETNS
	[ "$(state_of "$1")" = lost ]
}
is_forgotten() { # NETNS
	[ -z "$(link_of "$1")" ]
}

hosts 2
wire_record hands
fdpd h2 --password-file "$password"
fdpd h1 --password-file "$password" --peer 172.31.0.2
box h1 c1 10.0.0.1/24
box h1 c3 10.0.0.3/24
box h2 c2 10.0.0.2/24
case_ok 'ping' soon serves
spis=$(ns h1 ip xfrm state | grep -c 'proto esp')
c1=$(link_of c1)

# A starting ovs-vswitchd, with a bridge of its own.
mkdir -p /run/openvswitch /var/log/openvswitch
ovsdb-tool create "$work/conf.db" /usr/share/openvswitch/vswitch.ovsschema
ip netns exec h1 ovsdb-server "$work/conf.db" --remote=punix:/run/openvswitch/db.sock 2> /dev/null &
ovsdb=$!
soon test -S /run/openvswitch/db.sock
ovs-vsctl --no-wait add-br br-theirs
ip netns exec h1 ovs-vswitchd 2> "$work/vswitchd.log" &
vswitchd=$!
case_ok 'ovs-vswitchd has its bridge' soon ns h1 ovs-dpctl dump-flows ovs-system
case_ok 'ovs-vswitchd started: traffic again' soon serves
case_ok 'ovs-vswitchd started: all is in service' soon healthy
case_ok 'and it is there still' ns h1 ovs-dpctl dump-flows ovs-system
case_ok 'the log says who does that' grep -q 'a starting ovs-vswitchd does that' "$work/h1.log"
kill $vswitchd $ovsdb
wait $vswitchd $ovsdb 2> /dev/null

repaired 'datapath deleted' ovs-dpctl del-dp fdp
repaired 'datapath deleted again and again' sh -c \
	'for i in 1 2 3 4; do ovs-dpctl del-dp fdp; sleep 0.2; done'
repaired 'tunnel port deleted' ovs-dpctl del-if fdp vxlan-6784
repaired 'port deleted' ovs-dpctl del-if fdp "$c1"
repaired 'tunnel link deleted' ip link del vxlan-6784
repaired 'tunnel link down' ip link set vxlan-6784 down
repaired 'link down' ip link set "$c1" down
# Only what is down can be renamed; and that would not last.
pid=${daemon[h1]}
repaired 'link renamed' sh -c "kill -STOP $pid; ip link set $c1 down
	ip link set $c1 name other; kill -CONT $pid"
case_ok 'link renamed: it has its name' soon ip -n h1 link show dev "$c1" up
repaired 'datapath renamed' ip link set fdp name other
ip netns add elsewhere
repaired 'tunnel link moved' ip link set vxlan-6784 netns elsewhere
case_ok 'nobody connected again' [ "$(grep -c 'connected to' "$work/h1.log")" = 1 ]
case_ok 'the SAs are the same' [ "$(ns h1 ip xfrm state | grep -c 'proto esp')" = "$spis" ]

# The tunnel's UDP port is taken as soon as it is free.
ip netns exec h1 python3 -c '
import socket, time
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
while True:
    try:
        s.bind(("::", 6784))
        break
    except OSError:
        pass
print("taken", flush=True)
time.sleep(3600)' > "$work/taker" &
taker=$!
sleep 1
while ! grep -q taken "$work/taker"; do
	ns h1 ip link set vxlan-6784 down
done
status_down() {
	ctl h1 status > "$work/status.txt"
	[ $? -eq 3 ] && grep -q 'UDP port.* is taken' "$work/status.txt"
}
case_ok 'UDP port taken: status is down and says why' soon status_down
case_ok 'UDP port taken: nothing passes' not serves
kill $taker
wait $taker 2> /dev/null
case_ok 'UDP port free again: traffic again' soon serves
case_ok 'UDP port free again: all is in service' soon healthy

# What fdp cannot repair it says.
lost() { # NAME COMMAND...
	local name=$1

	shift
	"$@"
	case_ok "$name: shown as lost" soon is_lost c3
	ctl h1 ports > "$work/ports.txt"
	case_ok "$name: exit status" [ $? -eq 2 ]
	case_ok "$name: with the remedy" grep -q 'attach it again' "$work/ports.txt"
	case_ok "$name: status says so" [ "$(ask h1 .verdict status)" = degraded ]
	case_ok "$name: h2 knows it no more" soon h2_has_endpoints 1
}
h2_has_endpoints() { # N
	[ "$(ask h2 '[.peers[].endpoints[]] | length' peers)" = "$1" ]
}
c3=$(link_of c3)
lost 'link moved' ip -n h1 link set "$c3" netns elsewhere
ip -n elsewhere link set "$c3" netns h1
case_ok 'link moved back: reached' soon ping_ok c2 10.0.0.3
case_ok 'link moved back: all is in service' soon healthy
lost 'link deleted' ip -n h1 link del "$c3"
case_ok 'attached again' ctl h1 attach --netns c3 --address 10.0.0.3/24
case_ok 'attached again: reached' soon ping_ok c2 10.0.0.3
case_ok 'attached again: all is in service' soon healthy
ip netns del c3
case_ok 'netns deleted: forgotten' soon is_forgotten c3
case_ok 'netns deleted: h2 knows it no more' soon h2_has_endpoints 1
case_ok 'netns deleted: all is in service' healthy
# `ip netns delete` unmounts it, and then removes the file.
ip netns add c4
ctl h1 attach --netns c4 --address 10.0.0.4/24 > /dev/null
case_ok 'another one' soon ping_ok c2 10.0.0.4
umount -l /run/netns/c4
case_ok 'netns gone, but for its name: forgotten' soon is_forgotten c4
rm /run/netns/c4

wire_stop
case_ok 'not one plaintext packet in all this' wire_none hands "$esp_only"
case_ok 'nor an error that quotes one' wire_none hands \
	'icmp[0] == 3 and icmp[17] == 17 and icmp[30:2] == 6784'
case_ok 'ESP was there' wire_some hands 50 esp
plain_control
finish
