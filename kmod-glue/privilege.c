#include "kmod-glue/privilege.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <linux/capability.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "openvswitch/dynamic-string.h"
#include "util.h"

/* Bounding and ambient sets.  Taking from the former needs CAP_SETPCAP, which
 * a service manager may have withheld; no_new_privs says the same. */
static void shrink_other_sets(uint64_t keep)
{
	for (unsigned int cap = 0;
	     cap < 64 && prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++) {
		if (!(keep >> cap & 1)) {
			(void)prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
		}
	}
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
}

int privilege_keep(uint64_t keep, struct ds *why)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	shrink_other_sets(keep);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    syscall(SYS_capget, &header, data)) {
		goto error;
	}
	for (size_t i = 0; i < ARRAY_SIZE(data); i++) {
		data[i].permitted &= (uint32_t)(keep >> 32 * i);
		data[i].effective = data[i].permitted;
		data[i].inheritable = 0;
	}
	if (!syscall(SYS_capset, &header, data)) {
		return 0;
	}
error:;
	int error = errno;

	ds_put_format(why, "cannot give up capabilities (%s)",
		      ovs_strerror(error));
	return error;
}

int privilege_lock_memory(struct ds *why)
{
	struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};
	int error = 0;

	if (setrlimit(RLIMIT_MEMLOCK, &limit) &&
	    !getrlimit(RLIMIT_MEMLOCK, &limit) &&
	    limit.rlim_cur != RLIM_INFINITY) {
		error = EPERM;
	} else if (mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT)) {
		error = errno;
	}
	if (error) {
		ds_put_format(why,
			      "cannot lock memory, so keys may be written to "
			      "swap (%s); start fdpd as root or with an "
			      "unlimited `ulimit -l`",
			      ovs_strerror(error));
	}
	return error;
}
