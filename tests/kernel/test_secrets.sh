#!/bin/bash
# Where the secrets are not: the password nowhere outside of its file, the keys
# of the SAs nowhere outside of the kernel.
#
#    h1 ---- wire ---- h2
#    c1                c2
#
# tier: uml
# timeout: 300
. "$(dirname "$0")/lib.sh"

umask 077
word='tangerine umbrella 4711 quicksand'
other='gooseberry parachute 0815 lighthouse'
echo "$word" > "$work/h1.password"
cp "$work/h1.password" "$work/h2.password"
hosts 2
fdpd h1 --password-file "$work/h1.password" --sas-per-peer 4 --peer 172.31.0.2 \
	-vdbg --log-file="$work/h1.file.log"
fdpd h2 --password-file "$work/h2.password" --sas-per-peer 4
case_ok 'connected' soon meshed h1 1
box h1 c1 10.0.0.1/24
box h2 c2 10.0.0.2/24
case_ok 'ping' soon ping_ok c1 10.0.0.2
main=${daemon[h1]}
agent=$(pgrep -P "$main")

# ---- the keys of the SAs

search=$(dirname "$0")/memory-search
hex() { printf '%s' "$1" | od -An -v -tx1 | tr -d ' \n'; }
all_keys=$work/all-keys
# Both halves of the key of each SA of h1, of now and of before.
collect_keys() {
	ns h1 ip xfrm state | awk '/aead/ {
		key = substr($3, 3)
		print "key-" ++n "a", substr(key, 1, 32)
		print "key-" n "b", substr(key, 33, 32)
	}' >> "$all_keys"
}
no_keys_in() { # PID
	"$search" "$1" < "$all_keys" && return 1
	[ -s "$all_keys" ]
}
collect_keys
case_ok 'there are keys of four SAs each way' [ "$(wc -l < "$all_keys")" -ge 16 ]
case_ok 'what is in the memory of the daemon is found' "$search" "$main" <<< "id $(ask h1 .id status)"
case_ok 'the keys are not in it' no_keys_in "$main"
spi_of() { ask h1 '.peers[0].spi_out' peers; }
other_spi() { [ "$(spi_of)" != "$spi" ]; }
rekeyed() {
	local i

	for i in 1 2 3; do
		spi=$(spi_of)
		ctl h1 rekey && soon other_spi || return
		collect_keys
	done
}
case_ok 'rekeyed three times' rekeyed
case_ok 'nor the old or new ones after that' no_keys_in "$main"
case_ok 'nor in the agent' no_keys_in "$agent"

# ---- the password

printf '%s\n' "$word" "$other" > "$work/h1.password"
lines() { grep -c 'passwords have changed' "$work/h1.log"; }
changed() { [ "$(lines)" -ge 1 ]; }
case_ok 'reload' soon ctl h1 reload
case_ok 'it was read' soon changed
words=$work/words
printf '%s\n' "first $(hex "$word")" "second $(hex "$other")" > "$words"
no_words_in() { # PID
	! "$search" "$1" < "$words"
}
# The shell has them, as they are in the text of this script.
case_ok 'what is in the memory of this shell is found' "$search" $$ < "$words"
case_ok 'no password in the memory of the daemon' no_words_in "$main"
case_ok 'nor of the agent' no_words_in "$agent"

said=$work/said
mkdir "$said"
for command in status connections ports peers flows sas; do
	ctl h1 $command > "$said/$command" 2>&1
	ctl h1 --json $command > "$said/$command.json" 2>&1
done
cat "/proc/$main/cmdline" "/proc/$main/environ" "/proc/$agent/cmdline" \
	"/proc/$agent/environ" > "$said/proc"
cp "$work/h1.log" "$work/h1.file.log" "$said"
cp -r /run/h1.state "$said/state"
cp -r /run/h1 "$said/run" 2> /dev/null # a socket
secrets=$work/secrets
{
	cut -d ' ' -f 2 "$all_keys" "$words"
	printf '%s\n' "$word" "$other"
} > "$secrets"
said_no_secret() {
	! grep -rlaiF -f "$secrets" "$said"
}
case_ok 'a search in files finds it' grep -rlaiF -f "$secrets" "$work/h1.password"
case_ok 'the log is at the level of debugging' grep -q 'DBG.*op sa-add' "$work/h1.file.log"
case_ok 'no secret in log, answers, /proc, state and run directory' said_no_secret

# ---- dumps

case_ok 'no core files' grep -qE '^Max core file size +0 +0 ' "/proc/$main/limits"
case_ok 'nobody but root looks into it' [ "$(stat -c %u "/proc/$main/mem")" = 0 ]
not_by_others() {
	! setpriv --reuid 65534 --regid 65534 --clear-groups cat "/proc/$main/environ"
}
case_ok 'no other user reads its environment' not_by_others
case_ok 'its memory is locked' [ "$(awk '/^VmLck:/ { print $2 }' "/proc/$main/status")" -gt 1000 ]
finish
