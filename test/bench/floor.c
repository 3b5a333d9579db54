/* The floor of `GET`: what one thread on bare epoll costs that keeps connections alive, reads up to
 * the blank line and answers a fixed small JSON, whatever was asked. The yardstick for GET /livez;
 * it checks nothing, so nothing that serves HTTP can be expected below it.
 *
 *   main -> accept_all -> conn_readable -> conn_answer, for ever
 *
 * A connection is its descriptor and the bytes of a blank line seen so far: no buffer stays with
 * it.
 *
 * usage: floor PORT */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_FD     65536
#define MAX_EVENTS 256
#define BATCH      16 /* most requests answered by one write */

static const char answer[] = "HTTP/1.1 200 OK\r\n"
			     "Content-Type: application/json; charset=utf-8\r\n"
			     "Content-Length: 18\r\n"
			     "\r\n"
			     "{\"status\":\"alive\"}";
#define ANSWER_LEN (sizeof(answer) - 1)

static char answers[BATCH * ANSWER_LEN];
static uint8_t seen[MAX_FD]; /* by descriptor: how much of "\r\n\r\n" has come */

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static int listen_on(uint16_t port)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int on = 1;
	struct sockaddr_in at = {.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
		bind(fd, (struct sockaddr *)&at, sizeof(at)) || listen(fd, 4096))
		die("floor: listen");
	return fd;
}

static void epoll_add(int ep, int fd)
{
	struct epoll_event e = {.events = EPOLLIN, .data.fd = fd};

	if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e))
		die("floor: epoll_ctl");
}

static void accept_all(int ep, int listener)
{
	int fd;
	int on = 1;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		if (fd >= MAX_FD) {
			close(fd);
			continue;
		}
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		seen[fd] = 0;
		epoll_add(ep, fd);
	}
}

/* The blank lines that end in these bytes. */
static size_t conn_requests(int fd, const char *p, size_t n)
{
	static const char blank[] = "\r\n\r\n";
	size_t count = 0;
	uint8_t at = seen[fd];

	for (size_t i = 0; i < n; i++) {
		if (p[i] == blank[at])
			at++;
		else
			at = p[i] == '\r';
		if (at == 4) {
			count++;
			at = 0;
		}
	}
	seen[fd] = at;
	return count;
}

/* Answers are small and the client waits for them: a full socket is a client that does not read. */
static int conn_answer(int fd, size_t count)
{
	while (count > 0) {
		size_t k = count < BATCH ? count : BATCH;

		if (send(fd, answers, k * ANSWER_LEN, MSG_NOSIGNAL) != (ssize_t)(k * ANSWER_LEN))
			return -1;
		count -= k;
	}
	return 0;
}

static void conn_readable(int fd)
{
	char in[16384];
	ssize_t n = read(fd, in, sizeof(in));

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0 || conn_answer(fd, conn_requests(fd, in, (size_t)n)))
		close(fd);
}

int main(int argc, char **argv)
{
	struct epoll_event events[MAX_EVENTS];
	int listener;
	int ep = epoll_create1(EPOLL_CLOEXEC);

	if (argc != 2 || ep < 0) {
		fprintf(stderr, "usage: floor PORT\n");
		return 2;
	}
	for (size_t i = 0; i < BATCH; i++)
		memcpy(answers + i * ANSWER_LEN, answer, ANSWER_LEN);
	listener = listen_on((uint16_t)strtoul(argv[1], NULL, 10));
	epoll_add(ep, listener);
	for (;;) {
		int n = epoll_wait(ep, events, MAX_EVENTS, -1);

		for (int i = 0; i < n; i++) {
			if (events[i].data.fd == listener)
				accept_all(ep, listener);
			else
				conn_readable(events[i].data.fd);
		}
	}
}
