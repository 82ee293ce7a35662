#!/bin/bash
# The disk of the state directory is full, then read-only, then fine again; and
# what a damaged file leads to.
#
#    h1 ---- wire ---- h2        h1 keeps its state on a tiny tmpfs
#    c1, c3            c2
#
# tier: uml
# timeout: 500
. "$(dirname "$0")/lib.sh"

hosts 2
dir=/run/h1.state
mkdir -p $dir
mount -t tmpfs -o size=32k,mode=700 tiny $dir
fill() { dd if=/dev/zero of=$dir/filler bs=1k count=64 2> /dev/null; }
state() { ask h1 ".state.$1" status; }
written() { [ "$(state written)" = "$1" ]; }
log_has() { grep -qE "$1" "$work/h1.log"; }
# ip-netns(8) gives the daemon mounts of its own, which keep their flags.
remount() { # ro|rw
	mount -o "remount,$1" $dir && nsenter -t "${daemon[h1]}" -m mount -o "remount,$1" $dir
}
verdict() { [ "$(ask h1 .verdict status)" = "$1" ]; }

# Full before the first start: there is neither an id nor a key.
fill
fdpd h1 --password-file "$password"
case_ok 'it starts on a full disk' [ -n "$(ask h1 .id status)" ]
case_ok 'status says that the state is not written' grep -q 'not written: .*No space left' <(ctl h1 status)
case_ok 'so does JSON' written false
case_ok 'so does the log' log_has 'No space left.*lost at a restart'
fdpd h2 --password-file "$password" --peer 172.31.0.1
case_ok 'it connects' soon meshed h1 1
box h1 c1 10.0.0.1/24
box h2 c2 10.0.0.2/24
case_ok 'ping' soon ping_ok c1 10.0.0.2
case_ok 'the verdict is what the network deserves' verdict healthy
case_ok 'a key that cannot be kept is not shown' [ "$(ask h2 '.peers[0].identity' peers)" = none ]
sleep 12
case_ok 'the log is not flooded' [ "$(grep -c 'No space left' "$work/h1.log")" -eq 1 ]
case_ok 'nothing half-written lies around' [ "$(cd $dir && echo *)" = 'filler lock' ]
id=$(ask h1 .id status)
fdpd_kill h1
fdpd h1 --password-file "$password"
case_ok 'after kill -9 it is still the same host, by its datapath' [ "$(ask h1 .id status)" = "$id" ]
case_ok 'and connected' soon meshed h1 1

rm $dir/filler
case_ok 'with room again, all is written' soon written true
case_ok 'the log says so' log_has 'on disk again'
case_ok 'id, key and state are there' [ -s $dir/id -a -s $dir/key -a -s $dir/state ]

# c1 is not known any more, which was said; it is attached again.
ns h1 ip link show | sed -n 's/^[0-9]*: \(fdp[0-9a-f]*\)@.*/\1/p' > "$work/stale"
while read -r link; do ns h1 ip link del "$link"; done < "$work/stale"
ip netns del c1
box h1 c1 10.0.0.1/24
case_ok 'ping' soon ping_ok c1 10.0.0.2
content=$(cat $dir/state)

# Read-only while it runs.
case_ok 'the disk can be made read-only' remount ro
box h1 c3 10.0.0.3/24
case_ok 'status names the read-only disk' grep -q 'not written: .*Read-only' <(ctl h1 status)
case_ok 'the new container works' soon ping_ok c3 10.0.0.2
case_ok 'what is on disk is what was' [ "$(cat $dir/state)" = "$content" ]
case_ok 'a second daemon is still refused' grep -q 'another fdpd uses this state' <(ns h1 timeout 60 "$bin/fdpd" --name x --run-dir /run/x --state-dir $dir --password-file "$password" 2>&1)
fdpd_kill h1
fdpd h1 --password-file "$password"
case_ok 'it starts on a read-only disk, as the same host' [ "$(ask h1 .id status)" = "$id" ]
case_ok 'with what was written before' [ "$(ask h1 '.ports | length' ports)" -ge 1 ]
case_ok 'connected' soon meshed h1 1
ctl h1 detach --netns c1 > /dev/null
case_ok 'what changes is not written' soon written false
case_ok 'it can be made writable again' remount rw
case_ok 'fine again, it is' soon written true
case_ok 'on disk as it is' not grep -q '10\.0\.0\.1/' $dir/state

# A damaged file is neither believed nor lost.
fdpd_kill h1
size=$(stat -c %s $dir/state)
for cut in 1 $((size - 2)); do
	rm -f $dir/state.damaged
	head -c "$cut" $dir/state > "$work/torn"
	cp $dir/state "$work/whole"
	cp "$work/torn" $dir/state
	fdpd h1 --password-file "$password"
	case_ok "cut at $cut: set aside, and said" grep -q 'state.*damaged' <(ctl h1 status)
	case_ok "cut at $cut: the file is kept" cmp "$work/torn" $dir/state.damaged
	case_ok "cut at $cut: connected" soon meshed h1 1
	fdpd_kill h1
	cp "$work/whole" $dir/state
done
sed -i 's/"version": *1/"version":1 /; s/172/173/; s/10\.0\.0\./10.0.9./' $dir/state
sed -i 's/\("name": *"h\)2/\13/' $dir/state
fdpd h1 --password-file "$password"
case_ok 'changed: set aside' [ -s $dir/state.damaged ]
fdpd_kill h1
head -c 20 $dir/key > "$work/torn"
cp "$work/torn" $dir/key
case_ok 'a damaged key is refused with a line' grep -q 'not the key of a host' <(fdpd_try h1 --password-file "$password" 2>&1)
case_ok 'and left alone' cmp "$work/torn" $dir/key
finish
