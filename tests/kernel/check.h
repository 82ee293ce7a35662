/* What the check programs of this folder share: one line per case, as
 * tests/kernel/all reads them, and ways to set a scene. */
#ifndef FDP_TESTS_KERNEL_CHECK_H
#define FDP_TESTS_KERNEL_CHECK_H 1

#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int check_failures;

/* "ok NAME", or "not ok NAME: why" with the reason as for printf(). */
static inline bool __attribute__((format(printf, 3, 4)))
check(bool good, const char *name, const char *why, ...)
{
	va_list args;

	if (good) {
		printf("ok %s\n", name);
	} else {
		check_failures++;
		printf("not ok %s: ", name);
		va_start(args, why);
		vprintf(why, args);
		va_end(args);
		putchar('\n');
	}
	return good;
}

/* For calls that return an errno value. */
static inline bool check_errno(int got, int want, const char *name,
			       const char *detail)
{
	return check(got == want, name, "%s, not %s%s%s", strerror(got),
		     strerror(want), detail[0] ? ": " : "", detail);
}

/* A scene that cannot be set is no case: it ends the program. */
static inline void __attribute__((format(printf, 1, 2), noreturn))
die(const char *why, ...)
{
	va_list args;

	printf("not ok scene: ");
	va_start(args, why);
	vprintf(why, args);
	va_end(args);
	putchar('\n');
	exit(1);
}

static inline void must(int error, const char *what)
{
	if (error) {
		die("%s: %s", what, strerror(error));
	}
}

/* Runs a shell command of the tools that check us (ip, sysctl); its standard
 * output, at most 'size' - 1 bytes, and whether it succeeded. */
static inline bool shell(const char *command, char *out, size_t size)
{
	FILE *pipe = popen(command, "r");
	size_t n;

	if (!pipe) {
		die("popen: %s", strerror(errno));
	}
	n = fread(out, 1, size - 1, pipe);
	out[n] = '\0';
	while (fgetc(pipe) != EOF) {
		continue;
	}
	return pclose(pipe) == 0;
}

static inline int check_done(void)
{
	return check_failures ? 1 : 0;
}

#endif
