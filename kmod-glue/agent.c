#include "kmod-glue/agent.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "command-line.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/list.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "timeval.h"
#include "util.h"

#include "ipsec/netguard.h"
#include "kmod-glue/guard_iptables.h"
#include "kmod-glue/netns.h"
#include "kmod-glue/privilege.h"
#include "kmod-glue/tap.h"
#include "kmod-glue/veth.h"

VLOG_DEFINE_THIS_MODULE(agent)

enum {
	WHY_SIZE = 256,
	MIN_MTU = 68,	 /* RFC 791: the least of IPv4. */
	MAX_MTU = 65535, /* ETH_MAX_MTU. */
	/* iptables waits for its lock, 2 s a time. */
	GUARD_TIMEOUT_MS = 60000,
	GUARD_CHECK_MS = 1000,
	/* Of the answer that nobody asked for: the guard was changed. */
	NUMBER_CHANGED = 0
};

static const uint64_t AGENT_CAPS =
	UINT64_C(1) << CAP_NET_ADMIN | UINT64_C(1) << CAP_NET_RAW |
	UINT64_C(1) << CAP_SYS_ADMIN | UINT64_C(1) << CAP_SYS_PTRACE;

/* ---- what is said ----------------------------------------------------- */

enum request_type {
	REQUEST_GUARD_PUT,
	REQUEST_GUARD_DEL,
	REQUEST_GUARD_FIND,
	REQUEST_MTU,
	REQUEST_TAP,
	N_REQUESTS
};

/* One record each way.  REQUEST_GUARD_PUT is followed by 'n_peers' of struct
 * ip_endpoint and 'n_pairs' of struct guard_pair, all others are of this size
 * exactly. */
struct request {
	uint32_t type;
	uint32_t number; /* Of the request; returned. */
	uint32_t udp_port;
	uint32_t n_peers, n_pairs;
	union {
		struct agent_mtu mtu;
		struct agent_tap tap;
	};
};

/* That to REQUEST_TAP comes with the queues (SCM_RIGHTS). */
struct answer {
	uint32_t number; /* Of the request, or NUMBER_CHANGED. */
	int32_t error;
	uint32_t yes; /* REQUEST_GUARD_FIND. */
	char why[WHY_SIZE];
};

/* ---- the agent's side ------------------------------------------------- */

struct self {
	int fd;
	uint16_t udp_port;
	struct guard_iptables *iptables;
	bool watching;		/* The guard, */
	long long int check_ms; /* again then. */
	pid_t helper;		/* That is in a namespace, or 0. */
	uint32_t helper_number;
};

struct message {
	struct request r;
	/* Both lists, without a gap. */
	uint16_t tail[(AGENT_MAX_GUARD_PEERS * sizeof(struct ip_endpoint) +
		       GUARD_MAX_PAIRS * sizeof(struct guard_pair)) /
		      sizeof(uint16_t)];
};
_Static_assert(_Alignof(struct ip_endpoint) <= _Alignof(uint16_t) &&
		       _Alignof(struct guard_pair) <= _Alignof(uint16_t),
	       "lists in the tail");

static void rules_of(const struct self *self, struct message *m,
		     struct guard_rules *rules)
{
	uint8_t *tail = (uint8_t *)m->tail;

	memset(rules, 0, sizeof *rules);
	rules->udp_port = self->udp_port;
	rules->peers = ALIGNED_CAST(struct ip_endpoint *, tail);
	rules->n_peers = m->r.n_peers;
	tail += rules->n_peers * sizeof *rules->peers;
	rules->pairs = ALIGNED_CAST(struct guard_pair *, tail);
	rules->n_pairs = m->r.n_pairs;
}

static bool is_text(const char *text, size_t size)
{
	return text[0] && memchr(text, '\0', size);
}

/* May this be done for the daemon, even if it is no more what it was? */
static bool is_valid(const struct self *self, struct message *m, size_t size)
{
	const struct request *r = &m->r;
	struct guard_rules rules;

	if (size < sizeof *r || r->type >= N_REQUESTS ||
	    r->n_peers > AGENT_MAX_GUARD_PEERS ||
	    r->n_pairs > GUARD_MAX_PAIRS) {
		return false;
	}
	if (size != sizeof *r + r->n_peers * sizeof *rules.peers +
			    r->n_pairs * sizeof *rules.pairs ||
	    (size != sizeof *r && r->type != REQUEST_GUARD_PUT)) {
		return false;
	}
	rules_of(self, m, &rules);
	for (size_t i = 0; i < rules.n_peers; i++) {
		if (!rules.peers[i].port || ip_is_zero(&rules.peers[i].ip)) {
			return false;
		}
	}
	for (size_t i = 0; i < rules.n_pairs; i++) {
		/* Of two hosts, never of everybody. */
		if (!rules.pairs[i].port || ip_is_zero(&rules.pairs[i].local) ||
		    ip_is_zero(&rules.pairs[i].remote)) {
			return false;
		}
	}
	if (r->type == REQUEST_GUARD_PUT) {
		return r->udp_port == self->udp_port;
	}
	if (r->type == REQUEST_MTU) {
		return memchr(r->mtu.host_ifname, '\0',
			      sizeof r->mtu.host_ifname) &&
		       is_text(r->mtu.ifname, sizeof r->mtu.ifname) &&
		       is_text(r->mtu.netns, sizeof r->mtu.netns) &&
		       r->mtu.mtu >= MIN_MTU && r->mtu.mtu <= MAX_MTU;
	}
	if (r->type == REQUEST_TAP) {
		return is_text(r->tap.ifname, sizeof r->tap.ifname) &&
		       is_text(r->tap.netns, sizeof r->tap.netns) &&
		       r->tap.n_queues && r->tap.n_queues <= TAP_QUEUES_MAX;
	}
	return true;
}

/* Room for the queues of a TAP beside an answer. */
union passed {
	char bytes[CMSG_SPACE(TAP_QUEUES_MAX * sizeof(int))];
	struct cmsghdr align;
};

static void send_answer_with(const struct self *self,
			     const struct answer *answer, const int *fds,
			     size_t n_fds)
{
	struct answer copy = *answer;
	struct iovec iov = {&copy, sizeof copy};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	union passed passed;
	ssize_t n;

	if (n_fds) {
		struct cmsghdr *c;

		memset(&passed, 0, sizeof passed);
		msg.msg_control = passed.bytes;
		msg.msg_controllen = CMSG_SPACE(n_fds * sizeof *fds);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n_fds * sizeof *fds);
		memcpy(CMSG_DATA(c), fds, n_fds * sizeof *fds);
	}
	do {
		n = sendmsg(self->fd, &msg, MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	if (n < 0) {
		_exit(0); /* The daemon is gone. */
	}
}

static void send_answer(const struct self *self, const struct answer *answer)
{
	send_answer_with(self, answer, NULL, 0);
}

/* The rest is for a process of its own. */

static int open_netns(const char *netns, int *fd, struct answer *answer)
{
	int error = netns_open(netns, fd, answer->why, sizeof answer->why);

	/* The name stays for a moment when the namespace is gone: `ip netns
	 * delete` unmounts it and then removes the file. */
	return error == EINVAL ? ENOENT : error;
}

static void set_mtu(const struct agent_mtu *mtu, struct answer *answer)
{
	int fd;

	answer->error = open_netns(mtu->netns, &fd, answer);
	if (!answer->error) {
		answer->error = attachment_set_mtu(
			mtu->host_ifname[0] ? mtu->host_ifname : NULL, fd,
			mtu->ifname, mtu->mtu, answer->why, sizeof answer->why);
	}
}

/* Descriptors cannot come back from netns_run(), so we go there. */
static void open_tap(const struct agent_tap *tap, int *fds,
		     struct answer *answer)
{
	int fd;

	answer->error = open_netns(tap->netns, &fd, answer);
	if (answer->error) {
		return;
	}
	alarm(NETNS_RUN_SECONDS);
	if (setns(fd, CLONE_NEWNET)) {
		answer->error = errno;
		snprintf(answer->why, sizeof answer->why,
			 "cannot enter the network namespace: %s",
			 ovs_strerror(errno));
		return;
	}
	answer->error = attachment_open_tap(tap->ifname, tap->n_queues, fds,
					    answer->why, sizeof answer->why);
}

static void OVS_NO_RETURN help(const struct self *self, const struct request *r,
			       struct answer *answer)
{
	int fds[TAP_QUEUES_MAX];
	size_t n_fds = 0;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (r->type == REQUEST_TAP) {
		open_tap(&r->tap, fds, answer);
		n_fds = answer->error ? 0 : r->tap.n_queues;
	} else {
		set_mtu(&r->mtu, answer);
	}
	send_answer_with(self, answer, fds, n_fds);
	_exit(0);
}

/* 'options' as for waitpid(2). */
static void reap_helper(struct self *self, int options)
{
	struct answer answer;
	int status;

	if (!self->helper || waitpid(self->helper, &status, options) <= 0) {
		return;
	}
	self->helper = 0;
	if (!WIFEXITED(status)) {
		memset(&answer, 0, sizeof answer);
		answer.number = self->helper_number;
		answer.error = EIO;
		send_answer(self, &answer);
	}
}

/* Returns false if the helper answers, later. */
static bool do_inside(struct self *self, const struct request *r,
		      struct answer *answer)
{
	pid_t pid;

	/* The daemon sends the next one after the answer, so this one is at
	 * its end. */
	reap_helper(self, 0);
	pid = fork();
	if (!pid) {
		help(self, r, answer);
	} else if (pid < 0) {
		answer->error = errno;
		return true;
	}
	self->helper = pid;
	self->helper_number = r->number;
	return false;
}

static bool do_request(struct self *self, struct message *m,
		       struct answer *answer)
{
	struct guard_rules rules;
	struct ds why = DS_EMPTY_INITIALIZER;
	bool now = true;

	rules_of(self, m, &rules);
	switch ((enum request_type)m->r.type) {
	case REQUEST_GUARD_PUT:
		answer->error =
			guard_iptables_put(self->iptables, &rules, &why);
		self->watching = !answer->error;
		self->check_ms = time_msec() + GUARD_CHECK_MS;
		break;
	case REQUEST_GUARD_DEL:
		self->watching = false;
		answer->error = guard_iptables_del(self->iptables, &why);
		break;
	case REQUEST_GUARD_FIND:
		answer->yes = guard_iptables_find(self->iptables);
		break;
	case REQUEST_MTU:
	case REQUEST_TAP:
		now = do_inside(self, &m->r, answer);
		break;
	case N_REQUESTS:
		OVS_NOT_REACHED();
	}
	if (why.length) {
		ovs_strlcpy(answer->why, ds_cstr(&why), sizeof answer->why);
	}
	ds_destroy(&why);
	return now;
}

static void serve(struct self *self, struct message *m)
{
	struct answer answer;
	ssize_t n = recv(self->fd, m, sizeof *m, 0);

	if (n < 0 && errno == EINTR) {
		return;
	}
	if (n <= 0 || (size_t)n < sizeof m->r) {
		_exit(0); /* The daemon is gone, or out of its mind. */
	}
	memset(&answer, 0, sizeof answer);
	answer.number = m->r.number;
	if (!is_valid(self, m, (size_t)n)) {
		answer.error = EINVAL;
		ovs_strlcpy(answer.why, "the agent refuses to do this",
			    sizeof answer.why);
		send_answer(self, &answer);
	} else if (do_request(self, m, &answer)) {
		send_answer(self, &answer);
	}
}

static void watch_guard(struct self *self)
{
	const struct answer answer = {.number = NUMBER_CHANGED};

	if (!self->watching || time_msec() < self->check_ms) {
		return;
	}
	if (guard_iptables_changed(self->iptables)) {
		self->watching = false; /* Until it is put again. */
		send_answer(self, &answer);
	}
	self->check_ms = time_msec() + GUARD_CHECK_MS;
}

/* Until when there is nothing to do; NULL: for ever. */
static const struct timespec *idle_time(const struct self *self,
					struct timespec *time)
{
	long long int ms = MAX(self->check_ms - time_msec(), 0);

	time->tv_sec = ms / 1000;
	time->tv_nsec = ms % 1000 * 1000000;
	return self->watching ? time : NULL;
}

static void on_child(int number OVS_UNUSED)
{
	/* It is enough that ppoll() returns. */
}

/* The daemon's handlers are not for this process: it ends when the daemon
 * does, not before, so that its going is never taken for a crash. */
static void set_signals(sigset_t *unblocked)
{
	static const int ignored[] = {SIGTERM, SIGINT, SIGHUP, SIGPIPE};
	struct sigaction child = {.sa_handler = on_child};
	sigset_t block;

	for (size_t i = 0; i < ARRAY_SIZE(ignored); i++) {
		signal(ignored[i], SIG_IGN);
	}
	signal(SIGSEGV, SIG_DFL);
	signal(SIGALRM, SIG_DFL);
	sigaction(SIGCHLD, &child, NULL);
	sigemptyset(unblocked);
	sigemptyset(&block);
	sigaddset(&block, SIGCHLD);
	sigprocmask(SIG_SETMASK, &block, NULL);
}

/* Nothing of the daemon's stays open here, least of all the terminal or pipe
 * that somebody waits for. */
static void set_files(int fd)
{
	int null = open("/dev/null", O_RDWR);

	for (int i = 0; null >= 0 && i < 3; i++) {
		dup2(null, i);
	}
	(void)close_range(3, (unsigned int)fd - 1, 0);
	(void)close_range((unsigned int)fd + 1, ~0U, 0);
	(void)!chdir("/");
}

static void OVS_NO_RETURN agent_main(int fd, uint16_t udp_port, bool guard,
				     pid_t daemon)
{
	struct ds why = DS_EMPTY_INITIALIZER;
	struct self self = {.fd = fd, .udp_port = udp_port};
	struct message *m = xmalloc(sizeof *m);
	sigset_t unblocked;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != daemon) {
		_exit(0);
	}
	set_signals(&unblocked);
	set_files(fd);
	ovs_cmdl_proctitle_set("%s: agent", program_name);
	if (guard) {
		guard_iptables_load_modules();
	}
	/* The daemon has tried the same, and said so if it is impossible. */
	(void)!privilege_keep(AGENT_CAPS, &why);
	self.iptables = guard_iptables_new();
	for (;;) {
		struct pollfd pfd = {fd, POLLIN, 0};
		struct timespec time;

		if (ppoll(&pfd, 1, idle_time(&self, &time), &unblocked) > 0) {
			serve(&self, m);
		}
		watch_guard(&self);
		reap_helper(&self, WNOHANG);
	}
}

/* ---- the daemon's side ------------------------------------------------ */

struct job {
	struct ovs_list node;
	enum agent_work work;
	uint64_t cookie;
	uint32_t number;	  /* AGENT_GUARD_PUT, */
	long long int timeout_ms; /* it takes no longer. */
	union {
		struct agent_mtu mtu;
		struct agent_tap tap;
	};
	/* What came of it, in the list 'done'. */
	int error;
	char why[WHY_SIZE];
	int fds[TAP_QUEUES_MAX];
	size_t n_fds;
};

struct agent {
	pid_t pid;
	int fd; /* -1: it is gone. */
	uint32_t number;
	struct ovs_list guards; /* Being put, the oldest first. */
	/* MTUs and TAPs; the first is under way if 'busy'. */
	struct ovs_list waiting;
	struct ovs_list done;
	bool changed; /* The guard, by somebody else. */
	bool busy, forgotten;
	uint32_t busy_number;
};

int agent_start(uint16_t udp_port, bool guard, struct agent **agentp,
		struct ds *why)
{
	pid_t daemon = getpid();
	struct agent *agent;
	int fds[2], error;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds)) {
		error = errno;
		ds_put_format(why, "socketpair: %s", ovs_strerror(error));
		return error;
	}
	pid = fork();
	if (pid < 0) {
		error = errno;
		ds_put_format(why, "fork: %s", ovs_strerror(error));
		close(fds[0]);
		close(fds[1]);
		return error;
	}
	if (!pid) {
		agent_main(fds[1], udp_port, guard, daemon);
	}
	close(fds[1]);
	agent = xzalloc(sizeof *agent);
	agent->pid = pid;
	agent->fd = fds[0];
	ovs_list_init(&agent->guards);
	ovs_list_init(&agent->waiting);
	ovs_list_init(&agent->done);
	*agentp = agent;
	return 0;
}

static void reap(const struct agent *agent)
{
	while (waitpid(agent->pid, NULL, 0) < 0 && errno == EINTR) {
		continue;
	}
}

static struct job *first_of(struct ovs_list *jobs)
{
	return ovs_list_is_empty(jobs)
		       ? NULL
		       : CONTAINER_OF(ovs_list_front(jobs), struct job, node);
}

static void job_done(struct agent *agent, struct job *job, int error,
		     const char *why)
{
	ovs_list_remove(&job->node);
	job->error = error;
	ovs_strlcpy(job->why, why, sizeof job->why);
	ovs_list_push_back(&agent->done, &job->node);
}

static void job_free(struct job *job)
{
	tap_close(job->fds, job->n_fds);
	free(job);
}

/* 'fds' are taken over. */
static void finish_inside(struct agent *agent, int error, const char *why,
			  const int *fds, size_t n_fds)
{
	struct job *job = first_of(&agent->waiting);
	size_t n = job->work == AGENT_TAP ? job->tap.n_queues : 0;

	if (!error && n_fds != n) {
		/* We have no room for so many. */
		error = EMFILE;
		why = ovs_strerror(error);
	}
	if (error) {
		tap_close(fds, n_fds);
	} else {
		memcpy(job->fds, fds, n_fds * sizeof *fds);
		job->n_fds = n_fds;
	}

	agent->busy = false;
	if (agent->forgotten) {
		agent->forgotten = false;
		ovs_list_remove(&job->node);
		job_free(job);
		return;
	}
	job_done(agent, job, error, why);
}

static const char *gone_text = "the privileged part of fdpd died; restart fdpd";

/* It cannot be had again: we have no privileges to give. */
static void lose(struct agent *agent)
{
	VLOG_ERR("%s to have MTUs and a guard in iptables set again, and "
		 "containers attached by TAPs",
		 gone_text);
	close(agent->fd);
	agent->fd = -1;
	kill(agent->pid, SIGKILL);
	reap(agent);
	while (!ovs_list_is_empty(&agent->guards)) {
		job_done(agent, first_of(&agent->guards), ESHUTDOWN, gone_text);
	}
	while (!ovs_list_is_empty(&agent->waiting)) {
		finish_inside(agent, ESHUTDOWN, gone_text, NULL, 0);
	}
}

static void take_answer(struct agent *agent, const struct answer *answer,
			const int *fds, size_t n_fds)
{
	struct job *guard = first_of(&agent->guards);

	if (answer->number == NUMBER_CHANGED) {
		agent->changed = true;
	} else if (guard && answer->number == guard->number) {
		job_done(agent, guard, answer->error, answer->why);
	} else if (agent->busy && answer->number == agent->busy_number) {
		finish_inside(agent, answer->error, answer->why, fds, n_fds);
		return;
	}
	tap_close(fds, n_fds);
}

static size_t take_descriptors(struct msghdr *msg, int *fds)
{
	const struct cmsghdr *c = CMSG_FIRSTHDR(msg);
	size_t n;

	if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) {
		return 0;
	}
	n = (c->cmsg_len - CMSG_LEN(0)) / sizeof *fds;
	memcpy(fds, CMSG_DATA(c), n * sizeof *fds);
	return n;
}

/* Reads one answer; false if there is none within 'timeout_ms'. */
static bool receive(struct agent *agent, int timeout_ms, struct answer *answer)
{
	struct pollfd pfd = {agent->fd, POLLIN, 0};
	struct iovec iov = {answer, sizeof *answer};
	union passed passed;
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = passed.bytes,
			     .msg_controllen = sizeof passed.bytes};
	int ready, fds[TAP_QUEUES_MAX];
	size_t n_fds;
	ssize_t n;

	do {
		ready = poll(&pfd, 1, timeout_ms);
	} while (ready < 0 && errno == EINTR);
	if (!ready) {
		return false;
	}
	do {
		n = recvmsg(agent->fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	n_fds = n < 0 ? 0 : take_descriptors(&msg, fds);
	if (n != (ssize_t)sizeof *answer) {
		tap_close(fds, n_fds);
		lose(agent);
		return false;
	}
	answer->why[sizeof answer->why - 1] = '\0';
	take_answer(agent, answer, fds, n_fds);
	return true;
}

static bool send_request(struct agent *agent, struct request *r,
			 const struct guard_rules *rules)
{
	struct iovec iov[] = {{r, sizeof *r}, {NULL, 0}, {NULL, 0}};
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = ARRAY_SIZE(iov)};
	ssize_t n;

	if (agent->fd < 0) {
		return false;
	}
	if (++agent->number == NUMBER_CHANGED) {
		agent->number++;
	}
	r->number = agent->number;
	if (rules) {
		r->n_peers = (uint32_t)rules->n_peers;
		iov[1].iov_base = rules->peers;
		iov[1].iov_len = rules->n_peers * sizeof *rules->peers;
		r->n_pairs = (uint32_t)rules->n_pairs;
		iov[2].iov_base = rules->pairs;
		iov[2].iov_len = rules->n_pairs * sizeof *rules->pairs;
	}
	do {
		n = sendmsg(agent->fd, &msg, MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	if (n < 0) {
		lose(agent);
	}
	return n >= 0;
}

/* Asks and waits for the answer. */
static int ask(struct agent *agent, enum request_type type, bool *yes,
	       struct ds *why)
{
	struct request r = {.type = type};
	struct answer answer;

	if (send_request(agent, &r, NULL)) {
		while (receive(agent, GUARD_TIMEOUT_MS, &answer)) {
			if (answer.number == r.number) {
				if (why) {
					ds_put_cstr(why, answer.why);
				}
				if (yes) {
					*yes = answer.yes;
				}
				return answer.error;
			}
		}
	}
	if (agent->fd >= 0) {
		lose(agent); /* It is stuck. */
	}
	if (why) {
		ds_put_cstr(why, gone_text);
	}
	return ESHUTDOWN;
}

int agent_guard_del(struct agent *agent, struct ds *why)
{
	return ask(agent, REQUEST_GUARD_DEL, NULL, why);
}

bool agent_guard_find(struct agent *agent)
{
	bool yes = false;

	return !ask(agent, REQUEST_GUARD_FIND, &yes, NULL) && yes;
}

void agent_guard_put(struct agent *agent, uint64_t cookie,
		     const struct guard_rules *rules)
{
	struct request r = {.type = REQUEST_GUARD_PUT,
			    .udp_port = rules->udp_port};
	struct job *job = xzalloc(sizeof *job);
	char why[WHY_SIZE];

	job->work = AGENT_GUARD_PUT;
	job->cookie = cookie;
	ovs_list_push_back(&agent->guards, &job->node);
	if (rules->n_peers > AGENT_MAX_GUARD_PEERS ||
	    rules->n_pairs > GUARD_MAX_PAIRS) {
		snprintf(why, sizeof why, "more than %d peers on other ports",
			 AGENT_MAX_GUARD_PEERS);
		job_done(agent, job, E2BIG, why);
	} else if (agent->fd < 0) {
		job_done(agent, job, ESHUTDOWN, gone_text);
	} else if (send_request(agent, &r, rules)) {
		job->number = r.number;
		job->timeout_ms = time_msec() + GUARD_TIMEOUT_MS;
	}
}

bool agent_guard_changed(struct agent *agent)
{
	bool changed = agent->changed;

	agent->changed = false;
	return changed;
}

bool agent_guard_settle(struct agent *agent)
{
	struct answer answer;
	bool any = !ovs_list_is_empty(&agent->guards);

	while (!ovs_list_is_empty(&agent->guards)) {
		if (!receive(agent, GUARD_TIMEOUT_MS, &answer) &&
		    agent->fd >= 0) {
			lose(agent); /* It is stuck. */
		}
	}
	return any;
}

static void send_next(struct agent *agent)
{
	struct request r = {.type = REQUEST_MTU};
	const struct job *job;

	if (agent->busy || ovs_list_is_empty(&agent->waiting)) {
		return;
	}
	job = first_of(&agent->waiting);
	if (job->work == AGENT_TAP) {
		r.type = REQUEST_TAP;
		r.tap = job->tap;
	} else {
		r.mtu = job->mtu;
	}
	if (send_request(agent, &r, NULL)) {
		agent->busy = true;
		agent->busy_number = r.number;
	}
}

static void queue_inside(struct agent *agent, struct job *job)
{
	ovs_list_push_back(&agent->waiting, &job->node);
	if (agent->fd < 0) {
		finish_inside(agent, ESHUTDOWN, gone_text, NULL, 0);
	} else {
		send_next(agent);
	}
}

void agent_set_mtu(struct agent *agent, uint64_t cookie,
		   const struct agent_mtu *mtu)
{
	struct job *job = xzalloc(sizeof *job);

	job->work = AGENT_MTU;
	job->cookie = cookie;
	job->mtu = *mtu;
	queue_inside(agent, job);
}

void agent_open_tap(struct agent *agent, uint64_t cookie,
		    const struct agent_tap *tap)
{
	struct job *job = xzalloc(sizeof *job);

	job->work = AGENT_TAP;
	job->cookie = cookie;
	job->tap = *tap;
	queue_inside(agent, job);
}

bool agent_settle(struct agent *agent, long long int timeout_ms)
{
	long long int end_ms = time_msec() + timeout_ms;
	struct answer answer;

	while (agent->fd >= 0 && !ovs_list_is_empty(&agent->waiting)) {
		long long int left_ms = end_ms - time_msec();

		send_next(agent);
		if (left_ms < 0 || !receive(agent, (int)left_ms, &answer)) {
			break;
		}
	}
	return ovs_list_is_empty(&agent->waiting);
}

static void free_jobs(struct ovs_list *jobs)
{
	struct job *job;

	LIST_FOR_EACH_POP (job, node, jobs) {
		job_free(job);
	}
}

void agent_forget(struct agent *agent)
{
	struct job *job = NULL;

	(void)agent_guard_settle(agent);
	if (agent->busy) {
		job = CONTAINER_OF(ovs_list_pop_front(&agent->waiting),
				   struct job, node);
		agent->forgotten = true;
	}
	free_jobs(&agent->waiting);
	free_jobs(&agent->done);
	if (job) {
		ovs_list_push_back(&agent->waiting, &job->node);
	}
}

void agent_run(struct agent *agent, agent_result_cb *cb, void *aux)
{
	struct answer answer;
	struct job *job;

	while (agent->fd >= 0 && receive(agent, 0, &answer)) {
		send_next(agent);
	}
	job = first_of(&agent->guards);
	if (job && time_msec() >= job->timeout_ms) {
		lose(agent); /* It is stuck. */
	}
	/* After a synchronous question has read the answer. */
	send_next(agent);
	LIST_FOR_EACH_POP (job, node, &agent->done) {
		struct agent_result result = {.work = job->work,
					      .cookie = job->cookie,
					      .error = job->error,
					      .text = job->why,
					      .fds = job->fds,
					      .n_fds = job->n_fds};

		cb(aux, &result);
		free(job);
	}
}

void agent_wait(struct agent *agent)
{
	const struct job *guard = first_of(&agent->guards);

	if (!ovs_list_is_empty(&agent->done) || agent->changed) {
		poll_immediate_wake();
	}
	if (guard) {
		poll_timer_wait_until(guard->timeout_ms);
	}
	if (agent->fd >= 0) {
		poll_fd_wait(agent->fd, POLLIN);
	}
}

void agent_stop(struct agent *agent)
{
	if (!agent) {
		return;
	}
	if (agent->fd >= 0) {
		close(agent->fd);
		kill(agent->pid, SIGKILL);
		reap(agent);
	}
	free_jobs(&agent->guards);
	free_jobs(&agent->waiting);
	free_jobs(&agent->done);
	free(agent);
}
