# libopenvswitch from Debian's openvswitch-source package: target `openvswitch`.
#
# Built once per machine and kept in ${XDG_CACHE_HOME:-~/.cache}/fdp, under a key
# made of everything that decides its contents; see openvswitch-build.sh.
set(FDP_OVS_TARBALL "/usr/src/openvswitch/openvswitch.tar.gz" CACHE FILEPATH
    "Open vSwitch source tarball (Debian: openvswitch-source)")
if(NOT "$ENV{XDG_CACHE_HOME}" STREQUAL "")
	set(_cache "$ENV{XDG_CACHE_HOME}/fdp")
else()
	set(_cache "$ENV{HOME}/.cache/fdp")
endif()
set(FDP_CACHE_DIR "${_cache}" CACHE PATH "Where built dependencies are kept")

if(NOT EXISTS "${FDP_OVS_TARBALL}")
	message(FATAL_ERROR "${FDP_OVS_TARBALL} is missing; run contrib/install-deps")
endif()

set(_cflags "-O2 -g -fPIC -ffunction-sections -fdata-sections")
string(APPEND _cflags " -fno-omit-frame-pointer -fstack-protector-strong")
string(APPEND _cflags " -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2")
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|amd64|AMD64")
	string(APPEND _cflags " -fcf-protection=full")
endif()

# What configure would pick up from whatever -dev packages happen to be there is
# pinned, so that every machine builds the same library.
set(_conf
    --prefix=/usr --sysconfdir=/etc --localstatedir=/var --disable-ssl
    --disable-libcapng --disable-afxdp --with-pic --disable-dependency-tracking
    ac_cv_lib_unbound_ub_ctx_create=no
    ac_cv_lib_unwind_unw_backtrace=no
    ac_cv_header_valgrind_valgrind_h=no
    ovs_cv_binutils_avx512_good=no)

# The library of a gcc build serves a clang build as well.
set(FDP_OVS_CC "" CACHE STRING "Compiler of libopenvswitch (default: ours)")
set(_cc "${CMAKE_C_COMPILER}")
set(_cc_id "${CMAKE_C_COMPILER_ID} ${CMAKE_C_COMPILER_VERSION}")
if(FDP_OVS_CC)
	set(_cc "${FDP_OVS_CC}")
	execute_process(COMMAND "${_cc}" -dumpfullversion
		OUTPUT_VARIABLE _cc_id OUTPUT_STRIP_TRAILING_WHITESPACE)
	string(PREPEND _cc_id "GNU ")
endif()

set(_script "${CMAKE_CURRENT_LIST_DIR}/openvswitch-build.sh")
file(SHA256 "${FDP_OVS_TARBALL}" _tarball_hash)
file(SHA256 "${_script}" _script_hash)
string(SHA256 _key
       "${_tarball_hash} ${_script_hash} ${_cc_id} ${CMAKE_SYSTEM_PROCESSOR} ${_cflags} ${_conf}")
string(SUBSTRING "${_key}" 0 16 _key)
set(_prefix "${FDP_CACHE_DIR}/openvswitch-${_key}")
# The key is in the name here too: with another key the old links are not taken.
set(_linkdir "${CMAKE_BINARY_DIR}/openvswitch-${_key}")

add_custom_command(
	OUTPUT "${_linkdir}/libopenvswitch.a"
	COMMAND sh "${_script}" "${FDP_OVS_TARBALL}" "${_prefix}" "${_linkdir}"
		"${_cc}" "${_cflags}" ${_conf}
	COMMENT "libopenvswitch in ${_prefix}"
	USES_TERMINAL VERBATIM)
add_custom_target(openvswitch-build DEPENDS "${_linkdir}/libopenvswitch.a")

# Layouts in the headers depend on the library's config.h, so every user of them
# must see it first.
add_library(openvswitch INTERFACE)
add_dependencies(openvswitch openvswitch-build)
target_include_directories(openvswitch SYSTEM INTERFACE
	"${_linkdir}/include" "${_linkdir}/lib-include")
target_compile_options(openvswitch INTERFACE
	"SHELL:-include ${_linkdir}/lib-include/ovs-config.h")
target_link_libraries(openvswitch INTERFACE
	"${_linkdir}/libopenvswitch.a" atomic pthread m)
