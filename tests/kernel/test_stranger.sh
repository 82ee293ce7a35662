#!/bin/bash
# What people without the password can do: nothing.
#
#    h1 ---- wire ---- h2        one network, one password
#    c1        |       c2
#             h3                 in turn: wrong password, no password, raw VXLAN
#
# tier: uml
# timeout: 200
. "$(dirname "$0")/lib.sh"

hosts 3
fdpd h1 --password-file "$password" --peer 172.31.0.2
fdpd h2 --password-file "$password"
case_ok 'connected' soon meshed h1 1
box h1 c1 10.0.0.1/24
box h2 c2 10.0.0.2/24
case_ok 'ping' soon ping_ok c1 10.0.0.2

row() { # H JQ-CONDITION: a row of `status connections` on host H
	[ "$(ask "$1" "[.connections[] | select($2)] | length" connections)" -ge 1 ]
}
still() { # nothing else is disturbed
	meshed h2 1 && ping_ok c1 10.0.0.2
}

# Another password.
(umask 077 && echo 'another password altogether' > "$work/wrong")
fdpd h3 --password-file "$work/wrong" --peer 172.31.0.1
case_ok 'wrong password: the dialler says so' soon row h3 '.state == "failed" and (.detail | test("password"))'
case_ok 'wrong password: the listener says so' soon row h1 '.direction == "in" and .reason == "wrong-password"'
case_ok 'wrong password: one clear line in its log' soon grep -q '172.31.0.3.*passwords differ' "$work/h1.log"
case_ok 'wrong password: status is degraded' [ "$(ask h3 .verdict status)" = degraded ]
few() { [ "$(grep -c '172.31.0.3' "$work/h1.log")" -le 3 ]; }
case_ok 'wrong password: the log is not flooded' few
case_ok 'wrong password: nothing else is disturbed' soon still
fdpd_kill h3 TERM

# No password at all.
ns h3 "$bin/fdpctl" --run-dir /run/h3 reset > /dev/null
fdpd h3 --peer 172.31.0.1
case_ok 'no password: the dialler says so' soon row h3 '.state == "failed" and (.detail | test("password"))'
case_ok 'no password: the listener says so' soon row h1 '.direction == "in" and .reason == "plain-peer"'
case_ok 'no password: nothing else is disturbed' soon still
fdpd_kill h3 TERM
ns h3 "$bin/fdpctl" --run-dir /run/h3 reset > /dev/null

# VXLAN by hand, from its own address and from that of a peer.  The control is
# that the very same frames are delivered where there is no policy.
before=$(rx_echoes c1)
mac=$(ask h1 '.ports[0].mac' ports)
src=$(ask h2 '.ports[0].mac' ports)
inject() { # SOURCE DESTINATION
	ns h3 python3 - "$1" "$2" "$mac" "$src" << 'END'
import socket, struct, sys
src, dst, mac, peer = sys.argv[1:]
def m(s): return bytes.fromhex(s.replace(':', ''))
def csum(b):
    s = sum(struct.unpack('!%dH' % (len(b) // 2), b))
    s = (s >> 16) + (s & 0xffff)
    return ~(s + (s >> 16)) & 0xffff
def ip(proto, s, d, body):
    h = struct.pack('!BBHHHBBH4s4s', 0x45, 0, 20 + len(body), 1, 0, 64, proto, 0,
                    socket.inet_aton(s), socket.inet_aton(d))
    return h[:10] + struct.pack('!H', csum(h)) + h[12:] + body
icmp = struct.pack('!BBHHH', 8, 0, 0, 7, 7) + b'x' * 56
icmp = icmp[:2] + struct.pack('!H', csum(icmp)) + icmp[4:]
frame = m(mac) + m(peer) + b'\x08\x00' + ip(1, '10.0.0.2', '10.0.0.1', icmp)
vxlan = struct.pack('!II', 0x08000000, 1 << 8) + frame
udp = struct.pack('!HHHH', 40000, 6784, 8 + len(vxlan), 0) + vxlan
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
for i in range(10):
    s.sendto(ip(17, src, dst, udp), (dst, 0))
END
}
delivered() { # how many more than 'before' and the pings of nobody
	sleep 0.5
	echo $(($(rx_echoes c1) - before))
}
before=$(rx_echoes c1)
inject 172.31.0.3 172.31.0.1
inject 172.31.0.2 172.31.0.1
n=$(delivered)
case_ok "plain VXLAN from a stranger is not delivered ($n of 20)" [ "$n" -eq 0 ]
# By the guard, which comes first where netfilter is to be had, or by XFRM.
blocked() {
	{
		ns h1 iptables-legacy -t mangle -nvxL
		ns h1 nft -a list ruleset | sed -n 's/.*counter packets \([0-9]*\).*drop.*/\1 DROP/p'
		ns h1 awk '/XfrmInTmplMismatch|XfrmInPolBlock/ { print $2, "DROP" }' /proc/net/xfrm_stat
	} 2> /dev/null | awk '/DROP/ { n += $1 } END { print n + 0 " refused"; exit n < 20 }'
}
case_ok 'the kernel counted the refusals' blocked
case_ok 'nothing else was disturbed' soon still
finish
