/* Listeners: own the listening descriptors, the path of a Unix socket, and the spare descriptor.
 *
 *   listener_open -> on_readable: accept4 -> conn_accept;   no descriptors left: shed -> rest ->
 * on_rested
 *
 * The descriptors are ours and only watched by libuv (uv_poll), not uv_listen's: libuv answers
 * "too many open files" by taking and closing all who wait, in a loop, without telling. Here one
 * newcomer is turned away with the spare descriptor, and accepting rests, so that the process
 * neither spins nor leaves the newcomer hanging. accept4 also names the peer, and the sockets
 * inherit TCP_NODELAY: one system call a connection instead of three.
 *
 * Lifetime: listener_open to listener_close; freed by libuv's close callback. The spare descriptor
 * is there while any listener is. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <uv.h>

#include "base/clock.h"
#include "base/log.h"
#include "io/accept.h"
#include "io/conn.h"
#include "io/loop.h"

#define BACKLOG      4096
#define ACCEPT_BATCH 64 /* a turn, so that those connected are served in a flood of newcomers */
#define REST_MS      100
#define WARN_MS      10000
#define WHY_SIZE     200

struct listener {
	uv_poll_t poll;
	int fd;
	int port;
	const struct conn_ops *ops;
	bool secure;
	struct timer rest;
	char *path; /* to unlink; NULL for TCP */
};

union any_addr {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct sockaddr_un path;
};

static int spare = -1;
static unsigned listeners;
static int64_t warned_at = -WARN_MS;

/* ---- accepting ---- */

static struct addr addr_of(const union any_addr *a)
{
	struct addr out = {.ip = {[10] = 0xff, [11] = 0xff}};

	if (a->any.sa_family == AF_INET)
		memcpy(out.ip + 12, &a->v4.sin_addr, 4);
	else if (a->any.sa_family == AF_INET6)
		memcpy(out.ip, &a->v6.sin6_addr, 16);
	else
		out = (struct addr){.unix_peer = true};
	return out;
}

static int newcomer_take(const struct listener *l, union any_addr *from)
{
	socklen_t size = sizeof(*from);

	from->any.sa_family = AF_UNSPEC;
	return accept4(l->fd, &from->any, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

static void on_readable(uv_poll_t *poll, int status, int events);

static void on_rested(struct timer *t)
{
	struct listener *l = LIST_ITEM(t, struct listener, rest);

	uv_poll_start(&l->poll, UV_READABLE, on_readable);
}

static void spare_open(void)
{
	if (spare < 0)
		spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* Out of descriptors or memory: the first who waits is turned away, the others wait a little. */
static void shed(struct listener *l, int e)
{
	if (spare >= 0) {
		union any_addr from;
		int fd;

		close(spare);
		spare = -1;
		fd = newcomer_take(l, &from);
		if (fd >= 0)
			conn_refuse(fd);
		spare_open();
	}
	if (clock_ms() - warned_at >= WARN_MS) {
		warned_at = clock_ms();
		log_line(LOG_WARN, "connections are turned away", LOG_Z("reason", strerror(e)));
	}
	uv_poll_stop(&l->poll);
	timer_set(&l->rest, REST_MS);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct listener *l = poll->data;

	(void)status;
	(void)events;
	loop_enter();
	spare_open();
	for (int i = 0; i < ACCEPT_BATCH; i++) {
		union any_addr from;
		int fd = newcomer_take(l, &from);
		struct addr peer;

		if (fd >= 0) {
			peer = addr_of(&from);
			conn_accept(fd, &peer, l->ops, l->secure);
		} else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
			   errno == ENOMEM) {
			shed(l, errno);
			return;
		} else if (errno == EAGAIN) {
			return;
		} /* the rest is the newcomer's: aborted, refused by a firewall, … */
	}
}

/* ---- opening ---- */

static enum err refused(char why[WHY_SIZE], struct str where, const char *what, int e)
{
	snprintf(why, WHY_SIZE, "Cannot listen on " STR_FMT ": %s%s%s.", STR_ARG(where), what,
		e ? ": " : "", e ? strerror(e) : "");
	return ERR_UNAVAILABLE;
}

/* A socket file that nobody listens on is left over from a process that died. */
static bool path_is_stale(const union any_addr *a)
{
	struct stat st;
	bool stale;
	int fd;

	if (stat(a->path.sun_path, &st) != 0 || !S_ISSOCK(st.st_mode))
		return false;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	stale = connect(fd, &a->any, sizeof(a->path)) != 0 && errno == ECONNREFUSED;
	close(fd);
	return stale;
}

static int bind_path(int fd, const union any_addr *a)
{
	mode_t mask;
	int r;

	if (path_is_stale(a))
		unlink(a->path.sun_path);
	mask = umask(0117); /* 0660 from the first moment */
	r = bind(fd, &a->any, sizeof(a->path));
	umask(mask);
	return r;
}

static bool where_parse_path(struct str path, union any_addr *a)
{
	if (path.n == 0 || path.n >= sizeof(a->path.sun_path))
		return false;
	a->path.sun_family = AF_UNIX;
	memcpy(a->path.sun_path, path.p, path.n);
	return true;
}

static bool where_parse_host(struct str where, union any_addr *a)
{
	struct str host = where, digits;
	char text[64];
	int64_t port;

	while (host.n > 0 && host.p[host.n - 1] != ':')
		host.n--;
	if (host.n == 0)
		return false;
	digits = str_from(where, host.n);
	host.n--;
	if (!str_to_i64(digits, &port) || port < 0 || port > 65535 || host.n >= sizeof(text))
		return false;
	memcpy(text, host.p, host.n);
	text[host.n] = '\0';
	if (host.n > 2 && text[0] == '[' && text[host.n - 1] == ']') {
		text[host.n - 1] = '\0';
		return uv_ip6_addr(text + 1, (int)port, &a->v6) == 0;
	}
	return uv_ip4_addr(text, (int)port, &a->v4) == 0;
}

static int bind_tcp(int fd, const union any_addr *a)
{
	int on = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); /* accepted sockets inherit it */
	return bind(fd, &a->any, a->any.sa_family == AF_INET ? sizeof(a->v4) : sizeof(a->v6));
}

static int port_of(int fd)
{
	union any_addr a = {.any.sa_family = AF_UNSPEC};
	socklen_t size = sizeof(a);

	if (getsockname(fd, &a.any, &size) != 0)
		return 0;
	return ntohs(a.any.sa_family == AF_INET ? a.v4.sin_port : a.v6.sin6_port);
}

static struct listener *listener_new(int fd, const union any_addr *a, const struct conn_ops *ops)
{
	struct listener *l = calloc(1, sizeof(*l));

	if (!l)
		PANIC("out of memory");
	l->fd = fd;
	l->ops = ops;
	timer_init(&l->rest, on_rested);
	if (a->any.sa_family != AF_UNIX) {
		l->port = port_of(fd);
	} else {
		l->path = strdup(a->path.sun_path);
		if (!l->path)
			PANIC("out of memory");
	}
	if (uv_poll_init(loop_uv(), &l->poll, fd) != 0)
		PANIC("a listening socket cannot be watched");
	l->poll.data = l;
	uv_poll_start(&l->poll, UV_READABLE, on_readable);
	listeners++;
	spare_open();
	return l;
}

enum err listener_open(
	struct listener **out, struct str where, const struct conn_ops *ops, char why[WHY_SIZE])
{
	union any_addr a;
	bool local = str_starts(where, STR("unix:")), bound;
	int fd, e;

	memset(&a, 0, sizeof(a));
	if (local ? !where_parse_path(str_from(where, 5), &a) : !where_parse_host(where, &a))
		return refused(why, where,
			"use host:port with a numeric host, or unix: and a path of up to 107 bytes",
			0);
	fd = socket(a.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return refused(why, where, "no socket", errno);
	bound = (local ? bind_path(fd, &a) : bind_tcp(fd, &a)) == 0;
	if (bound && listen(fd, BACKLOG) == 0) {
		*out = listener_new(fd, &a, ops);
		return OK;
	}
	e = errno;
	close(fd);
	if (bound && local)
		unlink(a.path.sun_path);
	return refused(why, where, bound ? "it does not listen" : "the address cannot be had", e);
}

void listener_secure(struct listener *l)
{
	l->secure = true;
}

int listener_port(const struct listener *l)
{
	return l->port;
}

static void on_closed(uv_handle_t *h)
{
	struct listener *l = h->data;

	free(l->path);
	free(l);
}

void listener_close(struct listener *l)
{
	timer_clear(&l->rest);
	uv_close((uv_handle_t *)&l->poll, on_closed);
	if (l->path)
		unlink(l->path); /* before the descriptor: nobody else's file can stand there yet */
	close(l->fd);
	if (--listeners == 0 && spare >= 0) {
		close(spare);
		spare = -1;
	}
}
