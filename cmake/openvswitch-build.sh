#!/bin/sh
# Builds libopenvswitch.a from the source tarball, or finds it in the cache.
#
#   openvswitch-build.sh TARBALL PREFIX LINKDIR CC "CFLAGS" [CONFIGURE-ARG...]
#
# PREFIX is the place in the cache.  It comes into being by one rename, so that
# it is either complete or absent, whoever else fills the cache at that moment.
# LINKDIR, in the build tree, receives symbolic links to it: cleaning a build
# tree never touches the cache.  Afterwards there are
#   LINKDIR/include              the library's public headers
#   LINKDIR/lib-include          its internal headers and its config.h
#   LINKDIR/libopenvswitch.a
set -eu
tarball=$1 prefix=$2 linkdir=$3 cc=$4 cflags=$5
shift 5

link() {
	mkdir -p "$linkdir"
	for name in include lib-include libopenvswitch.a; do
		ln -sfn "$prefix/$name" "$linkdir/$name"
	done
}

build() {
	work=$(mktemp -d "$linkdir-build.XXXXXX")
	out=$(mktemp -d "$prefix.XXXXXX")
	trap 'rm -rf "$work" "$out"' EXIT
	trap 'exit 1' HUP INT TERM
	# The times in the archive keep make from running autoconf again.
	tar -xzf "$tarball" -C "$work" --strip-components=1
	mkdir "$work/build"
	cd "$work/build"
	../configure -q "$@" CC="$cc" CFLAGS="$cflags"
	# The objects do not name the generated headers as prerequisites, hence
	# the order.  Our own make's job server is of no use to this one.
	unset MAKEFLAGS MFLAGS
	make -s include/odp-netlink.h
	make -s include/odp-netlink-macros.h
	make -s lib/vswitch-idl.h lib/ovsdb-server-idl.h
	make -s -j"$(nproc)" lib/libopenvswitch.la

	mkdir "$out/include" "$out/lib-include"
	cp -r ../include/openvswitch ../include/openflow "$out/include/"
	cp include/openvswitch/version.h "$out/include/openvswitch/"
	cp include/odp-netlink.h include/odp-netlink-macros.h "$out/include/"
	cp ../lib/*.h lib/vswitch-idl.h lib/ovsdb-server-idl.h \
		"$out/lib-include/"
	# Layouts depend on config.h, so users need it, less the name and
	# version of the package, which are not theirs.
	sed -E '/define (PACKAGE|VERSION)/d' config.h \
		> "$out/lib-include/ovs-config.h"
	echo '#include "ovs-config.h"' > "$out/lib-include/config.h"
	cp lib/.libs/libopenvswitch.a "$out/"
	chmod 755 "$out"
	cd /
	mv -T "$out" "$prefix"
}

mkdir -p "$(dirname "$prefix")" "$(dirname "$linkdir")"
if [ ! -e "$prefix/libopenvswitch.a" ]; then
	log=$linkdir.log
	# One builder at a time; those who waited find the work done.
	exec 9> "$prefix.lock"
	flock 9
	if [ ! -e "$prefix/libopenvswitch.a" ]; then
		echo "building libopenvswitch, once for this machine (a minute or two)"
		rm -rf "$prefix"
		# Not in a condition: set -e would not hold in there.
		set +e
		(set -e; build "$@") > "$log" 2>&1
		status=$?
		set -e
		if [ "$status" -ne 0 ]; then
			tail -n 40 "$log" >&2
			echo "libopenvswitch: build failed, see $log" >&2
			exit 1
		fi
	fi
fi
link
