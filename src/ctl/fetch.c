/* One GET (fetch.h): resolve -> connect -> send -> receive to the end -> status and body. */
#include "ctl/fetch.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"

#define ANSWER_MAX (8 << 20)

struct fetching {
	struct arena *arena;
	int fd;
	int64_t until; /* clock_ns */
	struct str *why;
};

static bool fail(struct fetching *f, const char *what)
{
	*f->why = arena_printf(f->arena, "%s", what);
	return false;
}

/* False: a signal came, or there is no time left. */
static bool ready(struct fetching *f, short events)
{
	struct pollfd p = {f->fd, events, 0};
	int64_t left = (f->until - clock_ns()) / 1000000;
	int n = poll(&p, 1, left > 0 ? (int)left : 0);

	if (n == 0)
		errno = ETIMEDOUT;
	return n > 0 || fail(f, strerror(errno));
}

static bool dial(struct fetching *f, const struct sockaddr *to, socklen_t n)
{
	int error = 0;
	socklen_t size = sizeof(error);

	f->fd = socket(to->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (f->fd < 0)
		return fail(f, strerror(errno));
	if (connect(f->fd, to, n) == 0)
		return true;
	if (errno != EINPROGRESS || !ready(f, POLLOUT))
		return fail(f, strerror(errno));
	getsockopt(f->fd, SOL_SOCKET, SO_ERROR, &error, &size);
	return error == 0 || fail(f, strerror(error));
}

static bool dial_unix(struct fetching *f, struct str path)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};

	if (path.n >= sizeof(to.sun_path))
		return fail(f, "the path of the socket is too long");
	memcpy(to.sun_path, path.p, path.n);
	return dial(f, (const struct sockaddr *)&to, sizeof(to));
}

static bool dial_host(struct fetching *f, struct str host, struct str port)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *list = NULL;
	bool done = false;

	if (str_starts(host, STR("[")) && str_ends(host, STR("]")))
		host = str_make(host.p + 1, host.n - 2);
	if (getaddrinfo(arena_str(f->arena, host).p, arena_str(f->arena, port).p, &hints, &list) !=
		0)
		return fail(f, "the host name has no address");
	for (const struct addrinfo *i = list; i && !done; i = i->ai_next) {
		if (f->fd >= 0)
			close(f->fd);
		done = dial(f, i->ai_addr, i->ai_addrlen);
	}
	freeaddrinfo(list);
	return done;
}

/* "http://host:port/path": *host gets "host:port" for the header. */
static bool dial_url(struct fetching *f, struct str url, struct str *host)
{
	struct str name, port;
	size_t colon;

	*host = STR("localhost");
	if (str_starts(url, STR("unix:")))
		return dial_unix(f, str_from(url, 5));
	if (!str_starts(url, STR("http://")))
		return fail(f, "the URL must begin with http:// or unix: (portald's own port, not "
			       "the proxy's)");
	url = str_from(url, 7);
	*host = str_cut(&url, '/');
	for (colon = host->n; colon > 0 && host->p[colon - 1] != ':' && host->p[colon - 1] != ']';)
		colon--;
	if (colon == 0 || host->p[colon - 1] == ']')
		return dial_host(f, *host, STR("80"));
	name = str_make(host->p, colon - 1);
	port = str_from(*host, colon);
	return dial_host(f, name, port);
}

static bool talk(struct fetching *f, struct str request, struct buf *answer)
{
	while (request.n > 0) {
		ssize_t n = send(f->fd, request.p, request.n, MSG_NOSIGNAL);

		if (n < 0 && (errno != EAGAIN || !ready(f, POLLOUT)))
			return fail(f, strerror(errno));
		request = str_from(request, n > 0 ? (size_t)n : 0);
	}
	for (;;) {
		ssize_t n = recv(f->fd, buf_reserve(answer, 16384), 16384, 0);

		if (n == 0)
			return true;
		if (n > 0)
			answer->n += (size_t)n;
		else if (errno != EAGAIN || !ready(f, POLLIN))
			return fail(f, strerror(errno));
		if (answer->n > ANSWER_MAX)
			return fail(f, "the answer is too long");
	}
}

/* The status; leaves the body of a 200. */
static int status_of(struct fetching *f, struct buf *answer)
{
	const char *end = memmem(answer->p, answer->n, "\r\n\r\n", 4);
	struct str rest = buf_view(answer), line = str_cut(&rest, '\r');
	int64_t status;

	if (!end || !str_starts(line, STR("HTTP/1.1 ")) || line.n < 12) {
		fail(f, "what answers there is no web server");
		return 0;
	}
	if (!str_starts(line, STR("HTTP/1.1 200 "))) {
		*f->why = arena_printf(f->arena, "it answers " STR_FMT, STR_ARG(str_from(line, 9)));
		return str_to_i64(str_make(line.p + 9, 3), &status) ? (int)status : 0;
	}
	buf_drop(answer, (size_t)(end - answer->p) + 4);
	return 200;
}

int fetch(struct arena *a, struct str url, const char *path, struct buf *body, struct str *why)
{
	struct fetching f = {a, -1, clock_ns() + FETCH_MS * INT64_C(1000000), why};
	struct str host, request;
	int error, status = 0;

	body->n = 0;
	errno = 0;
	if (dial_url(&f, url, &host)) {
		request = arena_printf(a,
			"GET %s HTTP/1.1\r\nHost: " STR_FMT "\r\nConnection: close\r\n\r\n", path,
			STR_ARG(host));
		if (talk(&f, request, body))
			status = status_of(&f, body);
	}
	error = errno;
	if (f.fd >= 0)
		close(f.fd);
	errno = error;
	return status;
}
