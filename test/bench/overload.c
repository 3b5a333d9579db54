/* The load of an overload: requests at a rate, whether those before are answered or not, or by so
 * many connections that each ask again and again. It shares a core with the stores, so it is as
 * thin as a load can be: bare epoll, requests that were put together before, a glance at the
 * answer.
 *
 *   main -> requests_read -> (each 2 ms) issue, answers -> (each second)
 * line_say
 *
 * open: an arrival is due every 1/RATE seconds by the clock, and takes the connection that became
 * idle last. Where none is idle and CONNECTIONS are open it is counted (`kept`) and goes no
 * further. closed: all connections ask, and again when answered; RATE is not looked at.
 *
 * Both look at what came, and is due, every other millisecond: to be woken by each answer would
 * take the stores' core from them at each.
 *
 * A line of JSON for each second, and one for the whole (with "total"); times in microseconds.
 *
 * usage: overload PORT REQUESTS open|closed CONNECTIONS SECONDS [RATE]
 * REQUESTS: a file of whole HTTP requests, each behind a line with its length.
 *
 * Lifetime: peers from the first request on to the end. One that got no answer within LOST_MS is
 * given up, and its connection closed. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "../load/hist.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/str.h"

#define EVENTS    512
#define READ_SIZE ((size_t)1 << 18)
#define LOST_MS   10000
#define REST_NS   2000000
#define SECOND_NS ((int64_t)1000000000)

struct peer {
	struct list node; /* asking: in the order of their questions; or idle */
	int fd;
	bool asking, connecting;
	int status;
	const struct str *request;
	size_t left; /* bytes of the body that are still to come */
	int64_t due_ns;
};

struct counts {
	uint64_t due, sent, kept, ok, refused, other, lost;
};

static struct {
	struct str *requests;
	size_t request_count, next;
	struct peer *peers;
	size_t most, made; /* connections */
	struct list idle, asking;
	int ep;
	uint16_t port;
	bool open;
	uint64_t rate, issued;
	int64_t begun_ns, end_ns;
	struct counts now, all;
	struct hist answered, turned_away, answered_all, turned_away_all; /* 200; 503 */
	int64_t late_us; /* most that an arrival was issued late */
	char buffer[READ_SIZE];
} run;

static _Noreturn void die(const char *what)
{
	perror(what);
	exit(2);
}

/* ---- requests ---- */

static void requests_read(const char *path)
{
	FILE *f = fopen(path, "r");
	size_t n;

	if (!f)
		die(path);
	while (fscanf(f, "%zu", &n) == 1 && fgetc(f) == '\n') {
		char *p = malloc(n);

		run.requests =
			realloc(run.requests, (run.request_count + 1) * sizeof(*run.requests));
		if (!p || !run.requests || fread(p, 1, n, f) != n)
			die(path);
		run.requests[run.request_count++] = str_make(p, n);
	}
	fclose(f);
	if (run.request_count == 0)
		die("no requests");
}

/* ---- peers ---- */

static void peer_open(struct peer *p)
{
	struct sockaddr_in at = {.sin_family = AF_INET,
		.sin_port = htons(run.port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct epoll_event e = {.events = EPOLLIN, .data.ptr = p};
	int on = 1;

	p->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (p->fd < 0)
		die("socket");
	setsockopt(p->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	/* On loopback it is there at once, unless too many wait to be accepted. */
	p->connecting = connect(p->fd, (struct sockaddr *)&at, sizeof(at)) != 0;
	if (p->connecting && errno != EINPROGRESS)
		die("connect");
	if (p->connecting)
		e.events = EPOLLOUT;
	if (epoll_ctl(run.ep, EPOLL_CTL_ADD, p->fd, &e) != 0)
		die("epoll_ctl");
}

static void peer_close(struct peer *p)
{
	close(p->fd);
	p->fd = -1;
	p->asking = false;
	p->left = 0;
	list_remove(&p->node);
	list_add_tail(&run.idle, &p->node); /* the last to be taken */
}

static void peer_lost(struct peer *p)
{
	run.now.lost++;
	peer_close(p);
}

static void peer_send(struct peer *p)
{
	const struct str *q = p->request;

	if (send(p->fd, q->p, q->n, MSG_NOSIGNAL) != (ssize_t)q->n)
		peer_lost(p);
}

static void peer_connected(struct peer *p)
{
	struct epoll_event e = {.events = EPOLLIN, .data.ptr = p};

	p->connecting = false;
	if (epoll_ctl(run.ep, EPOLL_CTL_MOD, p->fd, &e) != 0)
		die("epoll_ctl");
	peer_send(p);
}

static void peer_ask(struct peer *p, int64_t due_ns)
{
	p->request = &run.requests[run.next];
	run.next = (run.next + 1) % run.request_count;
	if (p->fd < 0)
		peer_open(p);
	p->asking = true;
	p->due_ns = due_ns;
	list_remove(&p->node);
	list_add_tail(&run.asking, &p->node);
	run.now.sent++;
	if (!p->connecting)
		peer_send(p);
}

/* The connection that became idle last, one that is not open yet, or NULL. */
static struct peer *peer_idle(void)
{
	if (!list_empty(&run.idle))
		return LIST_ITEM(run.idle.next, struct peer, node);
	return run.made < run.most ? &run.peers[run.made++] : NULL;
}

/* ---- answers ---- */

static void peer_answered(struct peer *p)
{
	int64_t ns = clock_ns(), us = (ns - p->due_ns) / 1000;

	p->asking = false;
	if (p->status == 200) {
		run.now.ok++;
		hist_add(&run.answered, us);
	} else if (p->status == 503) {
		run.now.refused++;
		hist_add(&run.turned_away, us);
	} else {
		run.now.other++;
	}
	list_remove(&p->node);
	list_add_tail(run.idle.next, &p->node); /* in front */
	if (!run.open && ns < run.end_ns)
		peer_ask(p, ns);
}

/* The head comes whole. */
static bool head_take(struct peer *p, const char *at, size_t n)
{
	const char *end = memmem(at, n, "\r\n\r\n", 4);
	const char *length = end ? memmem(at, (size_t)(end - at), "ontent-Length: ", 15) : NULL;
	size_t body;

	if (n < 13 || !length)
		return false;
	p->status = atoi(at + 9);
	body = strtoul(length + 15, NULL, 10);
	n -= (size_t)(end + 4 - at);
	if (n > body)
		return false;
	p->left = body - n;
	return true;
}

static void peer_readable(struct peer *p)
{
	ssize_t n = recv(p->fd, run.buffer, READ_SIZE, 0);

	if (n < 0 && errno == EAGAIN)
		return;
	if (!p->asking) {
		peer_close(p); /* an idle one that the server has closed */
	} else if (n <= 0) {
		peer_lost(p);
	} else if (p->left > 0 && (size_t)n > p->left) {
		peer_lost(p);
	} else {
		if (p->left > 0)
			p->left -= (size_t)n;
		else if (!head_take(p, run.buffer, (size_t)n)) {
			peer_lost(p);
			return;
		}
		if (p->left == 0)
			peer_answered(p);
	}
}

/* All there are. */
static void answers(void)
{
	struct epoll_event events[EVENTS];
	int n;

	do {
		n = epoll_wait(run.ep, events, EVENTS, 0);
		for (int i = 0; i < n; i++) {
			struct peer *p = events[i].data.ptr;

			if (p->fd >= 0 && p->connecting)
				peer_connected(p);
			else if (p->fd >= 0)
				peer_readable(p);
		}
	} while (n == EVENTS);
}

static void rest(void)
{
	const struct timespec t = {.tv_nsec = REST_NS};

	clock_nanosleep(CLOCK_MONOTONIC, 0, &t, NULL);
}

static void lost_look(int64_t ns)
{
	while (!list_empty(&run.asking)) {
		struct peer *p = LIST_ITEM(run.asking.next, struct peer, node);

		if (ns - p->due_ns < (int64_t)LOST_MS * 1000000)
			return;
		peer_lost(p);
	}
}

/* ---- arrivals ---- */

static int64_t arrival_ns(uint64_t i)
{
	return run.begun_ns +
	       (int64_t)(i / run.rate * SECOND_NS + i % run.rate * SECOND_NS / run.rate);
}

static void issue(int64_t ns)
{
	for (; arrival_ns(run.issued) <= ns; run.issued++) {
		int64_t due = arrival_ns(run.issued);
		struct peer *p = peer_idle();

		if ((ns - due) / 1000 > run.late_us)
			run.late_us = (ns - due) / 1000;
		run.now.due++;
		if (p)
			peer_ask(p, due);
		else
			run.now.kept++;
	}
}

/* ---- telling ---- */

static int64_t cpu_us(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000 + u.ru_utime.tv_usec +
	       u.ru_stime.tv_usec;
}

static void line_say(const char *what, int64_t value, const struct counts *c, const struct hist *ok,
	const struct hist *refused)
{
	printf("{\"%s\":%lld,\"due\":%llu,\"sent\":%llu,\"kept\":%llu,\"ok\":%llu,\"refused\":%llu,"
	       "\"other\":%llu,\"lost\":%llu,\"p50\":%llu,\"p99\":%llu,\"refused_p50\":%llu,"
	       "\"refused_p99\":%llu,\"connections\":%zu,\"late\":%lld,\"cpu\":%lld}\n",
		what, (long long)value, (unsigned long long)c->due, (unsigned long long)c->sent,
		(unsigned long long)c->kept, (unsigned long long)c->ok,
		(unsigned long long)c->refused, (unsigned long long)c->other,
		(unsigned long long)c->lost, (unsigned long long)hist_at(ok, 0.5),
		(unsigned long long)hist_at(ok, 0.99), (unsigned long long)hist_at(refused, 0.5),
		(unsigned long long)hist_at(refused, 0.99), run.made, (long long)run.late_us,
		(long long)cpu_us());
	fflush(stdout);
}

static void hist_move(struct hist *to, struct hist *from)
{
	for (int i = 0; from->count > 0 && i < HIST_BUCKETS; i++)
		to->buckets[i] += from->buckets[i];
	to->count += from->count;
	to->max = to->max > from->max ? to->max : from->max;
	hist_clear(from);
}

static void second_over(int64_t second)
{
	const uint64_t *from = (const uint64_t *)&run.now;
	uint64_t *to = (uint64_t *)&run.all;

	line_say("second", second, &run.now, &run.answered, &run.turned_away);
	for (size_t i = 0; i < sizeof(run.now) / sizeof(*from); i++)
		to[i] += from[i];
	run.now = (struct counts){0};
	run.late_us = 0;
	hist_move(&run.answered_all, &run.answered);
	hist_move(&run.turned_away_all, &run.turned_away);
}

/* ---- the run ---- */

static void setup(int argc, char **argv)
{
	if (argc < 6 || (strcmp(argv[3], "open") == 0 && argc != 7)) {
		fprintf(stderr,
			"usage: overload PORT REQUESTS open|closed CONNECTIONS SECONDS [RATE]\n");
		exit(2);
	}
	run.port = (uint16_t)atoi(argv[1]);
	requests_read(argv[2]);
	run.open = strcmp(argv[3], "open") == 0;
	run.most = strtoul(argv[4], NULL, 10);
	run.rate = run.open ? strtoull(argv[6], NULL, 10) : 1;
	run.peers = calloc(run.most, sizeof(*run.peers));
	run.ep = epoll_create1(EPOLL_CLOEXEC);
	if (!run.peers || run.ep < 0 || run.rate == 0)
		die("setup");
	hist_add(&run.answered_all, 0); /* so that it has buckets */
	hist_add(&run.turned_away_all, 0);
	list_init(&run.idle);
	list_init(&run.asking);
	for (size_t i = 0; i < run.most; i++) {
		run.peers[i].fd = -1;
		list_init(&run.peers[i].node);
	}
	run.begun_ns = clock_ns();
	run.end_ns = run.begun_ns + atoi(argv[5]) * SECOND_NS;
}

int main(int argc, char **argv)
{
	int64_t second = 1, ns;

	setup(argc, argv);
	for (size_t i = 0; !run.open && i < run.most; i++)
		peer_ask(peer_idle(), run.begun_ns);
	while ((ns = clock_ns()) < run.end_ns) {
		if (run.open)
			issue(ns);
		answers();
		rest();
		lost_look(ns);
		if (ns >= run.begun_ns + second * SECOND_NS)
			second_over(second++);
	}
	second_over(second);
	line_say("total", (ns - run.begun_ns) / 1000, &run.all, &run.answered_all,
		&run.turned_away_all);
	return 0;
}
