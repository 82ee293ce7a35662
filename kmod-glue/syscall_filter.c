#include "kmod-glue/syscall_filter.h"

#include <errno.h>
#include <sched.h>
#include <string.h>

#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "openvswitch/dynamic-string.h"
#include "util.h"

/* Whatever their arguments. */
static const int calls[] = {
	/* The loop. */
	SCMP_SYS(poll),
	SCMP_SYS(ppoll),
	SCMP_SYS(select),
	SCMP_SYS(pselect6),
	SCMP_SYS(epoll_create1),
	SCMP_SYS(epoll_ctl),
	SCMP_SYS(epoll_wait),
	SCMP_SYS(epoll_pwait),
	SCMP_SYS(eventfd2),
	SCMP_SYS(restart_syscall),
	/* Descriptors. */
	SCMP_SYS(read),
	SCMP_SYS(readv),
	SCMP_SYS(pread64),
	SCMP_SYS(write),
	SCMP_SYS(writev),
	SCMP_SYS(close),
	SCMP_SYS(close_range),
	SCMP_SYS(dup),
	SCMP_SYS(dup2),
	SCMP_SYS(dup3),
	SCMP_SYS(fcntl),
	SCMP_SYS(lseek),
	SCMP_SYS(pipe),
	SCMP_SYS(pipe2),
	/* Sockets; which: below. */
	SCMP_SYS(bind),
	SCMP_SYS(connect),
	SCMP_SYS(listen),
	SCMP_SYS(accept),
	SCMP_SYS(accept4),
	SCMP_SYS(shutdown),
	SCMP_SYS(getsockname),
	SCMP_SYS(getpeername),
	SCMP_SYS(getsockopt),
	SCMP_SYS(setsockopt),
	SCMP_SYS(sendto),
	SCMP_SYS(sendmsg),
	SCMP_SYS(sendmmsg),
	SCMP_SYS(recvfrom),
	SCMP_SYS(recvmsg),
	SCMP_SYS(recvmmsg),
	/* Files: state, log, pidfile, control socket, password. */
	SCMP_SYS(open),
	SCMP_SYS(openat),
	SCMP_SYS(access),
	SCMP_SYS(faccessat),
	SCMP_SYS(faccessat2),
	SCMP_SYS(stat),
	SCMP_SYS(lstat),
	SCMP_SYS(fstat),
	SCMP_SYS(newfstatat),
	SCMP_SYS(statx),
	SCMP_SYS(readlink),
	SCMP_SYS(readlinkat),
	SCMP_SYS(getcwd),
	SCMP_SYS(chdir),
	SCMP_SYS(umask),
	SCMP_SYS(fchmod),
	SCMP_SYS(mkdir),
	SCMP_SYS(mkdirat),
	SCMP_SYS(unlink),
	SCMP_SYS(unlinkat),
	SCMP_SYS(rename),
	SCMP_SYS(renameat),
	SCMP_SYS(renameat2),
	SCMP_SYS(flock),
	SCMP_SYS(fsync),
	SCMP_SYS(ftruncate),
	SCMP_SYS(getdents64),
	/* Memory; not as code, see below. */
	SCMP_SYS(brk),
	SCMP_SYS(munmap),
	SCMP_SYS(mremap),
	SCMP_SYS(madvise),
	SCMP_SYS(mlock),
	SCMP_SYS(mlockall),
	SCMP_SYS(munlock),
	/* Time, chance, and who we are. */
	SCMP_SYS(clock_gettime),
	SCMP_SYS(clock_getres),
	SCMP_SYS(clock_nanosleep),
	SCMP_SYS(nanosleep),
	SCMP_SYS(gettimeofday),
	SCMP_SYS(time),
	SCMP_SYS(getrandom),
	SCMP_SYS(getrusage),
	SCMP_SYS(uname),
	SCMP_SYS(sysinfo),
	SCMP_SYS(getpid),
	SCMP_SYS(getppid),
	SCMP_SYS(gettid),
	SCMP_SYS(getuid),
	SCMP_SYS(geteuid),
	SCMP_SYS(getgid),
	SCMP_SYS(getegid),
	/* Signals, threads, and the child that reads the password; clone:
	 * below. */
	SCMP_SYS(rt_sigaction),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(sigaltstack),
	SCMP_SYS(kill),
	SCMP_SYS(tgkill),
	SCMP_SYS(futex),
	SCMP_SYS(set_robust_list),
	SCMP_SYS(rseq),
	SCMP_SYS(sched_yield),
	SCMP_SYS(sched_getaffinity),
	SCMP_SYS(wait4),
	SCMP_SYS(waitid),
	SCMP_SYS(setrlimit),
	SCMP_SYS(setpriority),
	SCMP_SYS(getrlimit),
	SCMP_SYS(prlimit64),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
};

/* With one argument: it has to be 'value' in the bits of 'mask'. */
static const struct partial_call {
	int call;
	unsigned int arg;
	uint64_t mask, value;
} partial_calls[] = {
	{SCMP_SYS(socket), 0, UINT32_MAX, AF_UNIX},
	{SCMP_SYS(socket), 0, UINT32_MAX, AF_INET},
	{SCMP_SYS(socket), 0, UINT32_MAX, AF_INET6},
	{SCMP_SYS(socket), 0, UINT32_MAX, AF_NETLINK},
	{SCMP_SYS(mmap), 2, PROT_EXEC, 0},
	{SCMP_SYS(mprotect), 2, PROT_EXEC, 0},
	/* A process, in no namespace of its own. */
	{SCMP_SYS(clone), 0,
	 CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |
		 CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET,
	 0},
	{SCMP_SYS(prctl), 0, UINT32_MAX, PR_SET_DUMPABLE},
	{SCMP_SYS(prctl), 0, UINT32_MAX, PR_SET_NAME},
	/* Is it a terminal?  (stdio) */
	{SCMP_SYS(ioctl), 1, UINT32_MAX, TCGETS},
	{SCMP_SYS(ioctl), 1, UINT32_MAX, SIOCGIFINDEX},
	{SCMP_SYS(ioctl), 1, UINT32_MAX, SIOCGIFNAME},
	{SCMP_SYS(ioctl), 1, UINT32_MAX, SIOCGIFFLAGS},
	/* TAPs. */
	{SCMP_SYS(ioctl), 1, UINT32_MAX, TUNSETIFF},
	{SCMP_SYS(ioctl), 1, UINT32_MAX, TUNSETVNETHDRSZ},
	{SCMP_SYS(ioctl), 1, UINT32_MAX, TUNSETOFFLOAD},
	{SCMP_SYS(ioctl), 1, UINT32_MAX, TUNSETPERSIST},
};

int syscall_filter_parse(const char *text, enum syscall_filter *filter)
{
	static const char *const names[] = {[SYSCALL_FILTER_OFF] = "off",
					    [SYSCALL_FILTER_REFUSE] = "on",
					    [SYSCALL_FILTER_KILL] = "kill"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (!strcmp(text, names[i])) {
			*filter = (enum syscall_filter)i;
			return 0;
		}
	}
	return EINVAL;
}

/* Not every architecture has every call. */
static int allow(scmp_filter_ctx ctx, int call, unsigned int n_args,
		 const struct scmp_arg_cmp *args)
{
	int error = -seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, call, n_args,
					    args);

	return error == EDOM ? 0 : error;
}

static int add_rules(scmp_filter_ctx ctx)
{
	int error = 0;

	for (size_t i = 0; i < ARRAY_SIZE(calls) && !error; i++) {
		error = allow(ctx, calls[i], 0, NULL);
	}
	for (size_t i = 0; i < ARRAY_SIZE(partial_calls) && !error; i++) {
		const struct partial_call *p = &partial_calls[i];
		const struct scmp_arg_cmp arg = {.arg = p->arg,
						 .op = SCMP_CMP_MASKED_EQ,
						 .datum_a = p->mask,
						 .datum_b = p->value};

		error = allow(ctx, p->call, 1, &arg);
	}
	/* Its arguments cannot be looked at; whoever calls it falls back. */
	if (!error) {
		error = -seccomp_rule_add_array(ctx, SCMP_ACT_ERRNO(ENOSYS),
						SCMP_SYS(clone3), 0, NULL);
	}
	return error;
}

int syscall_filter_install(enum syscall_filter filter, struct ds *why)
{
	scmp_filter_ctx ctx;
	int error;

	if (filter == SYSCALL_FILTER_OFF) {
		return 0;
	}
#ifdef FDP_SANITIZED
	ds_put_cstr(why, "no filter of system calls: this is a build with "
			 "sanitizers");
	return ENOTSUP;
#endif
	ctx = seccomp_init(filter == SYSCALL_FILTER_KILL
				   ? SCMP_ACT_KILL_PROCESS
				   : SCMP_ACT_ERRNO(EPERM));
	if (!ctx) {
		error = ENOMEM;
	} else {
		/* Nice to have, and not on every kernel: what is refused is
		 * logged; the filter is a tree instead of a list. */
		(void)seccomp_attr_set(ctx, SCMP_FLTATR_CTL_LOG, 1);
		(void)seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
		error = add_rules(ctx);
		if (!error) {
			error = -seccomp_load(ctx);
		}
		seccomp_release(ctx);
	}
	if (error) {
		ds_put_format(why, "cannot filter system calls (%s)",
			      ovs_strerror(error));
	}
	return error;
}
