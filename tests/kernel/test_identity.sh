#!/bin/bash
# Whoever has the password may join, but not as somebody else.
#
#    h1 ---- wire ---- h2        one network, one password
#    c1        |       c2
#             h3                 as h2 with another key, without one, by its id
#
# tier: uml
# timeout: 500
. "$(dirname "$0")/lib.sh"

hosts 3
fdpd h1 --password-file "$password" --peer 172.31.0.2
fdpd h2 --password-file "$password" --peer 172.31.0.1
case_ok 'connected' soon meshed h1 1
box h1 c1 10.0.0.1/24
box h2 c2 10.0.0.2/24
case_ok 'ping' soon ping_ok c1 10.0.0.2

identity() { # H PEER WHAT
	[ "$(ask "$1" ".peers[] | select(.name == \"$2\") | .identity" peers)" = "$3" ]
}
row() { # H JQ-CONDITION: a row of `status connections` on host H
	[ "$(ask "$1" "[.connections[] | select($2)] | length" connections)" -ge 1 ]
}
reason() { # H REGEX: why host H is not healthy
	ask "$1" '.verdict, .reasons[]' status | grep -qE "$2"
}
still() { # nothing else is disturbed
	meshed h1 1 && ping_ok c1 10.0.0.2
}

case_ok 'the key file is private' [ "$(stat -c %a /run/h1.state/key)" = 600 ]
case_ok 'a key that was never seen is new' identity h1 h2 new
key=$(ask h2 .identity_key status)
case_ok 'both ends show the same fingerprint' [ "$(ask h1 '.peers[0].identity_key' peers)" = "$key" ]
case_ok 'fdpctl peers shows it' grep -q "identity key $key, new" <(ctl h1 peers)
fdpd_kill h1
fdpd h1 --password-file "$password" --peer 172.31.0.2
case_ok 'connected again' soon meshed h1 1
case_ok 'after a restart it is pinned' identity h1 h2 pinned

# The right password, another's name.
fdpd h3 --name h2 --password-file "$password" --peer 172.31.0.1
case_ok 'another key: the listener refuses' soon row h1 '.direction == "in" and .reason == "identity-changed" and (.address | startswith("172.31.0.3"))'
case_ok 'another key: the dialler says so' soon row h3 '.state == "failed" and .reason == "identity-refused"'
case_ok 'another key: status is degraded and says what to do' reason h1 'ALARM.*172.31.0.3.*forget-key h2'
case_ok 'another key: an alarm in the log' grep -q 'ALARM.*172.31.0.3' "$work/h1.log"
sleep 3
case_ok 'another key: one line of it' [ "$(grep -c 'ALARM' "$work/h1.log")" -eq 1 ]
status=0
ctl h1 status > /dev/null || status=$?
case_ok 'another key: exit status 2' [ $status -eq 2 ]
case_ok 'another key: the real one is not disturbed' soon still
case_ok 'another key: no tunnel to h3' not grep -q 172.31.0.3 <(ctl h1 sas)
fdpd_kill h3 TERM
ns h3 "$bin/fdpctl" --run-dir /run/h3 reset > /dev/null

# The real one loses its key: an operator says so.
before=$(ask h2 .id status)
fdpd_kill h2 TERM
rm /run/h2.state/key
fdpd h2 --password-file "$password" --peer 172.31.0.1
case_ok 'a lost key is refused' soon row h2 '.reason == "identity-refused" or .reason == "identity-changed"'
case_ok 'the host is the same but for its key' [ "$(ask h2 .id status)" = "$before" ]
case_ok 'fdpctl forgets no key that it does not know' not ctl h1 peers --forget-key nobody
case_ok 'fdpctl peers --forget-key' ctl h1 peers --forget-key h2
case_ok 'after it the new key gets in' soon meshed h1 1
case_ok 'it is another key' [ "$(ask h1 '.peers[0].identity_key' peers)" != "$key" ]
case_ok 'ping' soon ping_ok c1 10.0.0.2
healthy() { [ "$(ask "$1" .verdict status)" = healthy ]; }
case_ok 'all is well again' soon healthy h1

# No secret is where it should not be.
case_ok 'no key in a log' not grep -qFf <(cat /run/h?.state/key) "$work"/h?.log
finish
