# Warnings, hardening and sanitizers of our own code: target `fdp-flags`.
include(CheckCCompilerFlag)

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
