# Warnings, hardening and sanitizers of our own code: target `fdp-flags`.
include(CheckCCompilerFlag)
include(CheckIPOSupported)

option(FDP_WERROR "Treat warnings as errors" OFF)
set(FDP_SANITIZE "" CACHE STRING
    "Sanitizers for our code, comma separated (address,undefined)")

add_library(fdp-flags INTERFACE)
target_compile_options(fdp-flags INTERFACE
	-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes
	-Wmissing-prototypes -Wcast-qual -Wwrite-strings -Wvla -Wformat=2 -Wundef
	-ffunction-sections -fdata-sections -fno-omit-frame-pointer)
target_link_options(fdp-flags INTERFACE -Wl,--gc-sections -Wl,--as-needed)
if(FDP_FUZZ)
	# clang is stricter about libopenvswitch's headers.
	target_compile_options(fdp-flags INTERFACE -Wno-pedantic
		-Wno-sign-conversion -Werror=implicit-function-declaration)
endif()
if(FDP_WERROR)
	target_compile_options(fdp-flags INTERFACE -Werror)
endif()

# Link-time optimization: a packet that opens a flow goes through many small
# functions of many files.  The objects are whole ("fat"), as the many tests link
# their ordinary code, as fast as before.
option(FDP_LTO "Optimize fdpd and fdpctl across files (gcc)" ON)
set(_lto OFF)
if(FDP_LTO AND NOT FDP_SANITIZE AND NOT CMAKE_BUILD_TYPE STREQUAL "Debug"
   AND CMAKE_C_COMPILER_ID STREQUAL "GNU")
	check_ipo_supported(RESULT _lto OUTPUT _why LANGUAGES C)
endif()
function(fdp_lto target)
	if(NOT _lto)
		return()
	endif()
	target_compile_options(${target} PRIVATE -flto=auto -ffat-lto-objects)
	get_target_property(_type ${target} TYPE)
	if(_type STREQUAL "EXECUTABLE")
		set_target_properties(${target} PROPERTIES FDP_LTO ON)
		target_link_options(${target} PRIVATE -flto=auto)
	endif()
endfunction()
if(_lto)
	target_link_options(fdp-flags INTERFACE
		$<$<NOT:$<BOOL:$<TARGET_PROPERTY:FDP_LTO>>>:-fno-lto>)
endif()

set(CMAKE_POSITION_INDEPENDENT_CODE ON)
if(FDP_SANITIZE)
	target_compile_definitions(fdp-flags INTERFACE FDP_SANITIZED)
	target_compile_options(fdp-flags INTERFACE
		-fsanitize=${FDP_SANITIZE} -fno-sanitize-recover=all)
	target_link_options(fdp-flags INTERFACE -fsanitize=${FDP_SANITIZE})
	return()
endif()

# Hardening.  A compiler that lacks one of these goes without it.
foreach(_flag
	-fstack-protector-strong -fstack-clash-protection -fcf-protection=full
	-ftrivial-auto-var-init=zero -fzero-call-used-regs=used-gpr
	-fno-delete-null-pointer-checks -fno-strict-overflow
	-fno-strict-aliasing)
	string(MAKE_C_IDENTIFIER "HAVE${_flag}" _have)
	check_c_compiler_flag("${_flag}" ${_have})
	if(${_have})
		target_compile_options(fdp-flags INTERFACE "${_flag}")
	endif()
endforeach()
target_compile_options(fdp-flags INTERFACE -Werror=format-security
	# glibc's checks need an optimizing build.
	$<$<NOT:$<CONFIG:Debug>>:-U_FORTIFY_SOURCE$<SEMICOLON>-D_FORTIFY_SOURCE=3>)
target_link_options(fdp-flags INTERFACE
	-Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack -Wl,-z,separate-code
	$<$<STREQUAL:$<TARGET_PROPERTY:TYPE>,EXECUTABLE>:-pie>)
