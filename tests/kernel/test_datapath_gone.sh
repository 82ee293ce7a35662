#!/bin/bash
# Somebody deletes our datapath, as a starting ovs-vswitchd does with every one
# that it has not made.  It is made again, and never is a packet in the clear.
#
#    h1 ---- wire ---- h2
#    c1                c2
#
# tier: uml
# timeout: 150
. "$(dirname "$0")/lib.sh"

hosts 2
wire_record gone
fdpd h1 --password-file "$password" --peer 172.31.0.2
fdpd h2 --password-file "$password"
box h1 c1 10.0.0.1/24
box h2 c2 10.0.0.2/24
case_ok 'ping' soon ping_ok c1 10.0.0.2
id=$(ask h1 .id status)

ns h1 ovs-dpctl del-dp fdp
case_ok 'it is made again' soon ping_ok c1 10.0.0.2
case_ok 'with our port' [ "$(ask h1 '.ports | length' ports)" = 1 ]
case_ok 'by the same daemon with the same id' [ "$(ask h1 .id status)" = "$id" ]
case_ok 'the log says so' grep -q 'deleted by somebody else' "$work/h1.log"

# Not in a tight loop, if somebody insists.
for _ in 1 2 3; do
	ns h1 ovs-dpctl del-dp fdp 2> /dev/null
	sleep 0.2
done
case_ok 'again and again' soon ping_ok c1 10.0.0.2
case_ok 'from the other side as well' soon ping_ok c2 10.0.0.1
wire_stop
case_ok 'not one plaintext packet in all this' wire_none gone "$esp_only"
case_ok 'ESP was there' wire_some gone 10 esp
finish
