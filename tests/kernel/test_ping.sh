#!/bin/bash
# Two hosts, one password, IPv4 underlay: the whole way of a packet.
#
#    h1 172.31.0.1 ---- wire ---- 172.31.0.2 h2        fdpd on both, h1 dials
#      |                                     |
#    c1 10.0.0.1 fd00::1          c2 10.0.0.2 fd00::2  one network, MTU 1416
#
# tier: uml
# timeout: 150
. "$(dirname "$0")/lib.sh"

hosts 2
wire_record ping
fdpd h1 --password-file "$password" --peer 172.31.0.2
fdpd h2 --password-file "$password"
case_ok 'connected, fastdp, on h1' soon meshed h1 1
case_ok 'connected, fastdp, on h2' soon meshed h2 1
xfrm_baseline h1 h2
box h1 c1 10.0.0.1/24 fd00::1/64
box h2 c2 10.0.0.2/24 fd00::2/64
sleep 0.5
case_ok 'ping' ping_ok c1 10.0.0.2
case_ok 'ping the other way' ping_ok c2 10.0.0.1
case_ok 'ping over IPv6' soon ping_ok c1 fd00::2

# 28 and 48 bytes are the headers of ICMP in IPv4 and IPv6.
case_ok 'the interface has MTU 1416' [ "$(ns c1 cat /sys/class/net/eth0/mtu)" = 1416 ]
case_ok 'a packet of 1416 bytes passes unfragmented' ping_ok c1 -M 'do' -s $((1416 - 28)) 10.0.0.2
ns c1 ip link set eth0 mtu 1417
case_ok 'one of 1417 bytes does not' not ping_ok c1 -M 'do' -s $((1417 - 28)) 10.0.0.2
ns c1 ip link set eth0 mtu 1416

case_ok 'fdpctl status says healthy' ctl h1 status
case_ok 'it says encrypted' [ "$(ask h1 '.connections[0].encrypted' connections)" = true ]
case_ok 'both directions are shown' [ "$(ask h1 '.connections[0].direction' connections)/$(ask h2 '.connections[0].direction' connections)" = out/in ]
case_ok 'the MTU is shown' [ "$(ask h1 '.connections[0].mtu' connections)" = 1416 ]

# ovs-dpctl sees what fdpctl sees; counters may move between the two looks.
plain() { sed -E 's/packets:[0-9]+, bytes:[0-9]+, used:[^,]*,( flags:[^,]*,)?//' | sort; }
same_flows() {
	ns h1 ping -n -q -c 1 -W 1 10.0.0.2 -I c1 > /dev/null 2>&1
	ns c1 ping -n -q -c 2 -i 0.2 -W 1 10.0.0.2 > /dev/null
	diff <(ns h1 ovs-dpctl dump-flows fdp | plain) \
		<(ctl h1 flows --datapath fdp | sed 's/  in=.*//' | plain)
}
case_ok 'fdpctl flows prints what ovs-dpctl prints' soon same_flows
some_flows() { [ "$(ctl h1 flows | wc -l)" -ge 2 ]; }
case_ok 'there are flows' some_flows
case_ok 'ovs-dpctl show names the ports' grep -q vxlan-6784 <(ns h1 ovs-dpctl show)
sleep 0.5
ns c1 ip neigh flush all
case_ok 'ping after ovs-dpctl show has switched the dispatch' soon ping_ok c1 10.0.0.2

wire_stop
case_ok 'ESP is on the wire' wire_some ping 20 esp
case_ok 'VXLAN is not' wire_none ping "$vxlan"
case_ok 'nothing else is' wire_none ping "$esp_only"

# The keys of the kernel open the recording: the inner ping is there.
sa_lines() { # HOST: its SAs as tshark's table wants them
	ns "$1" ip xfrm state | awk '
		/^src/ { src = $2; dst = $4 }
		/proto esp spi/ { spi = $4 }
		/aead/ { printf "\"IPv4\",\"%s\",\"%s\",\"%s\",\"AES-GCM with 16 octet ICV [RFC4106]\",\"%s\",\"NULL\",\"\"\n", src, dst, spi, $3 }'
}
export HOME=/run/tshark
mkdir -p /run/tshark/.config/wireshark
sa_lines h1 > /run/tshark/.config/wireshark/esp_sa
decrypt() {
	tshark -r "$work/ping.pcap" -o esp.enable_encryption_decode:TRUE \
		-d udp.port==6784,vxlan \
		-Y 'vxlan && icmp && ip.src == 10.0.0.1' 2> /dev/null | tee "$work/tshark.txt" | wc -l
}
opened() { [ "$(decrypt)" -ge 3 ]; }
case_ok 'tshark with the SA keys finds the inner ping' opened
sed -i 's/0x[0-9a-f]*","NULL/0x'"$(printf '%072d' 1)"'","NULL/' /run/tshark/.config/wireshark/esp_sa
nothing() { [ "$(decrypt)" -eq 0 ]; }
case_ok 'with other keys it does not' nothing
case_ok 'no XFRM error was counted on h1' xfrm_quiet h1
case_ok 'no XFRM error was counted on h2' xfrm_quiet h2
finish
