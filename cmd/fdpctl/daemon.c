#include "daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "jsonrpc.h"
#include "openvswitch/json.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/util.h"
#include "stream.h"
#include "timeval.h"
#include "util.h"

#include "kmod-glue/netns.h"

enum {
	STOP_POLL_NS = 20 * 1000 * 1000,
	QUEUE_PAUSE_MS = 50
};

/* The pid file is locked by its owner for as long as that lives, so a file
 * that a crash left behind does not mislead. */
static enum health is_held(int fd, const char *path, char **error)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	if (fcntl(fd, F_GETLK, &lock)) {
		*error = xasprintf("%s: %s", path, ovs_strerror(errno));
		return HEALTH_REFUSED;
	}
	if (lock.l_type == F_UNLCK) {
		*error = xasprintf("fdpd is not running (it left %s behind); "
				   "start it, and look into its log",
				   path);
		return HEALTH_DOWN;
	}
	return HEALTH_GOOD;
}

static enum health read_pid(int fd, const char *path, pid_t *pid, char **error)
{
	char text[32];
	ssize_t n = read(fd, text, sizeof text - 1);
	int number = 0;

	text[n > 0 ? n : 0] = '\0';
	if (n > 0) {
		text[strcspn(text, "\n")] = '\0';
	}
	if (!str_to_int(text, 10, &number) || number <= 0) {
		*error = xasprintf("%s does not hold a process id", path);
		return HEALTH_DOWN;
	}
	*pid = number;
	return HEALTH_GOOD;
}

enum health daemon_find(const char *run_dir, pid_t *pid, char **error)
{
	char *path = xasprintf("%s/fdpd.pid", run_dir);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	enum health health;

	if (fd >= 0) {
		health = is_held(fd, path, error);
		if (!health) {
			health = read_pid(fd, path, pid, error);
		}
		close(fd);
	} else if (errno == ENOENT || errno == ENOTDIR) {
		*error = xasprintf("fdpd is not running (there is no %s); "
				   "start it, or name its directory with "
				   "--run-dir",
				   path);
		health = HEALTH_DOWN;
	} else {
		*error = xasprintf("%s: %s; run fdpctl as root", path,
				   ovs_strerror(errno));
		health = HEALTH_REFUSED;
	}
	free(path);
	return health;
}

static enum health unreachable(pid_t pid, const char *path, int error_number,
			       int patience_ms, char **error)
{
	if (error_number == EACCES || error_number == EPERM) {
		*error = xasprintf("%s: %s; run fdpctl as root", path,
				   ovs_strerror(error_number));
		return HEALTH_REFUSED;
	}
	if (error_number == ETIMEDOUT) {
		*error = xasprintf("fdpd (process %ld) does not answer within "
				   "%d s; look into its log, or restart it",
				   (long)pid, patience_ms / 1000);
	} else {
		*error = xasprintf("fdpd (process %ld) does not answer at %s: "
				   "%s",
				   (long)pid, path,
				   ovs_retval_to_string(error_number));
	}
	return HEALTH_DOWN;
}

/* Waits for the answer to 'id'.  0, EOF or an errno value. */
static int receive(struct jsonrpc *rpc, const struct json *id,
		   long long int deadline, struct jsonrpc_msg **reply)
{
	for (;;) {
		struct jsonrpc_msg *msg;
		int error;

		jsonrpc_run(rpc);
		error = jsonrpc_recv(rpc, &msg);
		if (!error) {
			if ((msg->type == JSONRPC_REPLY ||
			     msg->type == JSONRPC_ERROR) &&
			    json_equal(id, msg->id)) {
				*reply = msg;
				return 0;
			}
			jsonrpc_msg_destroy(msg);
			continue;
		}
		if (error != EAGAIN) {
			return error;
		}
		if (time_msec() >= deadline) {
			return ETIMEDOUT;
		}
		jsonrpc_wait(rpc);
		jsonrpc_recv_wait(rpc);
		poll_timer_wait_until(deadline);
		poll_block();
	}
}

/* The daemon's queue of connections is short, and a connect(2) that finds it
 * full fails with EAGAIN, of which stream_open() makes EPROTO.  Nothing is sent
 * yet: it is tried again.  0 or an errno value. */
static int open_stream(const char *name, long long int deadline,
		       struct stream **stream)
{
	for (;;) {
		int error = stream_open_block(stream_open(name, stream, 0),
					      DAEMON_PATIENCE_MS, stream);

		if (error != EPROTO) {
			return error;
		}
		if (time_msec() >= deadline) {
			return ETIMEDOUT;
		}
		poll_timer_wait(QUEUE_PAUSE_MS);
		poll_block();
	}
}

/* 0 with '*reply' or '*refusal', else EOF or an errno value. */
static int transact(const char *path, const char *command, const char *arg,
		    int patience_ms, char **reply, char **refusal)
{
	long long int deadline = time_msec() + patience_ms;
	char *name = xasprintf("unix:%s", path);
	struct jsonrpc_msg *request, *answer;
	struct json *params, *id;
	struct stream *stream;
	struct jsonrpc *rpc;
	int error;

	error = open_stream(name, deadline, &stream);
	free(name);
	if (error) {
		return error;
	}
	rpc = jsonrpc_open(stream);
	params = json_array_create_empty();
	if (arg) {
		json_array_add(params, json_string_create(arg));
	}
	request = jsonrpc_create_request(command, params, &id);
	error = jsonrpc_send(rpc, request);
	if (!error) {
		error = receive(rpc, id, deadline, &answer);
	}
	json_destroy(id);
	if (!error) {
		const struct json *text =
			answer->error ? answer->error : answer->result;

		if (!text || text->type != JSON_STRING) {
			error = EPROTO;
		} else if (answer->error) {
			*refusal = xstrdup(json_string(text));
		} else {
			*reply = xstrdup(json_string(text));
		}
		jsonrpc_msg_destroy(answer);
	}
	jsonrpc_close(rpc);
	return error;
}

/* libopenvswitch catches these to clean up; a tool shall simply end, and not
 * only when it waits the next time. */
static void release_signals(void)
{
	static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGALRM};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(signals); i++) {
		signal(signals[i], SIG_DFL);
	}
}

static enum health ask(const char *run_dir, const char *command,
		       const char *arg, int patience_ms, char **reply,
		       char **error)
{
	char *path, *refusal = NULL;
	enum health health;
	int error_number;
	pid_t pid;

	health = daemon_find(run_dir, &pid, error);
	if (health) {
		return health;
	}
	path = xasprintf("%s/fdpd.%ld.ctl", run_dir, (long)pid);
	error_number =
		transact(path, command, arg, patience_ms, reply, &refusal);
	release_signals();
	if (error_number) {
		health = unreachable(pid, path, error_number, patience_ms,
				     error);
	} else if (refusal) {
		/* One line, whatever came. */
		refusal[strcspn(refusal, "\n")] = '\0';
		*error = refusal;
		health = HEALTH_REFUSED;
	}
	free(path);
	return health;
}

enum health daemon_call(const char *run_dir, enum control_command command,
			struct json *args, struct json **reply, char **error)
{
	char *method = xasprintf("fdp/%s", control_name(command));
	char *arg = args ? json_to_string(args, JSSF_SORT) : NULL;
	char *text = NULL;
	struct json *object;
	enum health health;

	json_destroy(args);
	health = ask(run_dir, method, arg,
		     command == CONTROL_RELOAD ? DAEMON_PASSWORD_PATIENCE_MS
					       : DAEMON_PATIENCE_MS,
		     &text, error);
	if (!health) {
		object = json_from_string(text);
		if (object->type == JSON_OBJECT) {
			*reply = object;
		} else {
			json_destroy(object);
			*error = xasprintf("fdpd's answer to %s is not "
					   "understood; are fdpd and fdpctl "
					   "of one version?",
					   method);
			health = HEALTH_REFUSED;
		}
	}
	free(text);
	free(arg);
	free(method);
	return health;
}

enum health daemon_stop(const char *run_dir, char **error)
{
	long long int deadline = time_msec() + DAEMON_PATIENCE_MS;
	enum health health;
	char *reply = NULL;
	pid_t pid, now;

	health = daemon_find(run_dir, &pid, error);
	if (health) {
		return health;
	}
	health = ask(run_dir, "exit", NULL, DAEMON_PATIENCE_MS, &reply, error);
	free(reply);
	/* It may be gone before its answer is out. */
	if (health == HEALTH_DOWN) {
		free(*error);
	} else if (health) {
		return health;
	}
	for (;;) {
		health = daemon_find(run_dir, &now, error);
		if (health == HEALTH_DOWN) {
			free(*error);
			return HEALTH_GOOD;
		}
		if (health) {
			return health;
		}
		if (now != pid) {
			*error = xasprintf("fdpd was restarted as process %ld; "
					   "stop what restarts it (systemctl "
					   "stop fdpd)",
					   (long)now);
			return HEALTH_REFUSED;
		}
		if (time_msec() >= deadline) {
			*error = xasprintf("fdpd (process %ld) was asked to "
					   "exit and did not; end it and try "
					   "again",
					   (long)pid);
			return HEALTH_REFUSED;
		}
		xnanosleep(STOP_POLL_NS);
	}
}

enum health daemon_enter_netns(pid_t pid, char **error)
{
	int ours = -1, theirs = -1;
	char why[256] = "";
	enum health health = HEALTH_GOOD;

	if (netns_open_pid(0, &ours, why, sizeof why) ||
	    netns_open_pid(pid, &theirs, why, sizeof why)) {
		*error = xasprintf("the daemon's network namespace: %s; run "
				   "fdpctl as root, where the daemon runs",
				   why);
		health = HEALTH_REFUSED;
	} else if (!netns_same(ours, theirs) && setns(theirs, CLONE_NEWNET)) {
		*error = xasprintf("the daemon runs in another network "
				   "namespace, which cannot be entered: %s; "
				   "run fdpctl as root",
				   ovs_strerror(errno));
		health = HEALTH_REFUSED;
	}
	if (ours >= 0) {
		close(ours);
	}
	if (theirs >= 0) {
		close(theirs);
	}
	return health;
}

enum health daemon_enter_netns_if_any(const char *run_dir, char **error)
{
	enum health health;
	pid_t pid;

	health = daemon_find(run_dir, &pid, error);
	if (health == HEALTH_DOWN) {
		free(*error);
		return HEALTH_GOOD;
	}
	return health ? health : daemon_enter_netns(pid, error);
}
