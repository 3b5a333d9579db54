/* The floor of broadcasts: what one thread on bare epoll costs that puts each WebSocket message in
 * a frame once and gives it to every connection, its sender too. The yardstick for message:send;
 * it checks nothing, stores nothing and acks nothing, so no server that fans out can be expected
 * below it.
 *
 *   main -> accept_all -> conn_readable -> handshake | frames_take -> (turn) fan_out: one write a
 *           connection, with all that this turn has brought
 *
 * A connection is its descriptor and a struct conn in a table; what could not be written or is not
 * a whole frame yet is copied aside. A handshake comes in one piece, or is none. Anything else that
 * looks like HTTP is answered with a fixed text, so that one can see that it is up.
 *
 * usage: floor_fanout PORT */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_FD     65536
#define MAX_EVENTS 256
#define READ_BYTES 65536
#define TURN_BYTES (4 * 1024 * 1024)

struct bytes { /* of its own; NULL when there are none */
	char *p;
	size_t n;
};

struct conn {
	bool open;   /* the handshake is over */
	uint32_t at; /* its place among all */
	struct bytes in, out;
};

static struct conn conns[MAX_FD]; /* by descriptor */
static int open_fds[MAX_FD];
static uint32_t open_count;
static char turn[TURN_BYTES]; /* the frames of this turn */
static size_t turn_n;
static int ep;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void keep(struct bytes *b, const char *p, size_t n)
{
	b->p = realloc(b->p, b->n + n);
	if (!b->p)
		die("floor_fanout: realloc");
	memcpy(b->p + b->n, p, n);
	b->n += n;
}

static void drop(struct bytes *b)
{
	free(b->p);
	*b = (struct bytes){0};
}

static void epoll_set(int op, int fd, uint32_t events)
{
	struct epoll_event e = {.events = events, .data.fd = fd};

	if (epoll_ctl(ep, op, fd, &e))
		die("floor_fanout: epoll_ctl");
}

static void conn_end(int fd)
{
	struct conn *c = &conns[fd];

	if (c->open) {
		open_fds[c->at] = open_fds[--open_count];
		conns[open_fds[c->at]].at = c->at;
	}
	drop(&c->in);
	drop(&c->out);
	*c = (struct conn){0};
	close(fd);
}

/* ---- the handshake (RFC 6455, 4.2.2; SHA-1 of less than 120 bytes) ---- */

static uint32_t rol(uint32_t v, int n)
{
	return v << n | v >> (32 - n);
}

static void sha1_block(uint32_t h[5], const uint8_t *p)
{
	static const uint32_t k[] = {0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6};
	uint32_t w[80], v[5];

	for (int i = 0; i < 16; i++)
		w[i] = (uint32_t)p[4 * i] << 24 | (uint32_t)p[4 * i + 1] << 16 |
		       (uint32_t)p[4 * i + 2] << 8 | p[4 * i + 3];
	for (int i = 16; i < 80; i++)
		w[i] = rol(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
	memcpy(v, h, sizeof(v));
	for (int i = 0; i < 80; i++) {
		uint32_t f = i < 20   ? (v[1] & v[2]) | (~v[1] & v[3])
			     : i < 40 ? v[1] ^ v[2] ^ v[3]
			     : i < 60 ? (v[1] & v[2]) | (v[1] & v[3]) | (v[2] & v[3])
				      : v[1] ^ v[2] ^ v[3];
		uint32_t next = rol(v[0], 5) + f + v[4] + k[i / 20] + w[i];

		v[4] = v[3];
		v[3] = v[2];
		v[2] = rol(v[1], 30);
		v[1] = v[0];
		v[0] = next;
	}
	for (int i = 0; i < 5; i++)
		h[i] += v[i];
}

static void accept_key(const char key[24], char out[29])
{
	static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	uint32_t h[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
	uint8_t text[128] = {0}, digest[21] = {0};

	memcpy(text, key, 24);
	memcpy(text + 24, guid, 36);
	text[60] = 0x80;
	text[126] = 60 * 8 >> 8;
	text[127] = 60 * 8 & 0xff;
	sha1_block(h, text);
	sha1_block(h, text + 64);
	for (int i = 0; i < 20; i++)
		digest[i] = (uint8_t)(h[i / 4] >> (24 - 8 * (i % 4)));
	for (int i = 0; i < 7; i++) {
		uint32_t v = (uint32_t)digest[3 * i] << 16 | (uint32_t)digest[3 * i + 1] << 8 |
			     digest[3 * i + 2];

		for (int k = 0; k < 4; k++)
			out[4 * i + k] = digits[v >> (18 - 6 * k) & 63];
	}
	out[27] = '=';
	out[28] = 0;
}

/* False: it is no handshake, and answered as HTTP. */
static bool handshake(int fd, char *p, size_t n)
{
	static const char name[] = "\r\nSec-WebSocket-Key: ";
	static const char plain[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"
				    "Connection: close\r\n\r\nok";
	const char *key;
	char accept[29], answer[160];
	int len;

	p[n] = 0;
	key = strcasestr(p, name);
	if (!key || strlen(key) < sizeof(name) + 24) {
		if (send(fd, plain, sizeof(plain) - 1, MSG_NOSIGNAL) < 0)
			perror("floor_fanout: write");
		return false;
	}
	accept_key(key + sizeof(name) - 1, accept);
	len = snprintf(answer, sizeof(answer),
		"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
		"Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
		accept);
	if (send(fd, answer, (size_t)len, MSG_NOSIGNAL) != len)
		return false;
	conns[fd].open = true;
	conns[fd].at = open_count;
	open_fds[open_count++] = fd;
	return true;
}

/* ---- frames ---- */

static void frame_put(const uint8_t *mask, const uint8_t *payload, size_t n)
{
	uint8_t *to = (uint8_t *)turn + turn_n;
	size_t head = n < 126 ? 2 : 4;

	if (turn_n + head + n > sizeof(turn))
		die("floor_fanout: too much in a turn");
	to[0] = 0x81;
	if (n < 126) {
		to[1] = (uint8_t)n;
	} else {
		to[1] = 126;
		to[2] = (uint8_t)(n >> 8);
		to[3] = (uint8_t)n;
	}
	for (size_t i = 0; i < n; i++)
		to[head + i] = payload[i] ^ mask[i & 3];
	turn_n += head + n;
}

/* Masked frames below 64 KiB; text goes to all, a close frame ends. Answers how much was used, or
 * -1: the connection is over. */
static ssize_t frames_take(const uint8_t *p, size_t n)
{
	size_t used = 0;

	while (n - used >= 6) {
		const uint8_t *f = p + used;
		size_t len = f[1] & 127, head = len == 126 ? 8 : 6;

		if (len == 127 || (f[0] & 15) == 8)
			return -1;
		if (n - used < head)
			break;
		if (len == 126)
			len = (size_t)f[2] << 8 | f[3];
		if (n - used < head + len)
			break;
		if ((f[0] & 15) == 1)
			frame_put(f + head - 4, f + head, len);
		used += head + len;
	}
	return (ssize_t)used;
}

static void conn_readable(int fd)
{
	static char in[READ_BYTES + 1];
	struct conn *c = &conns[fd];
	ssize_t n = read(fd, in, READ_BYTES), used;

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0 || (!c->open && !handshake(fd, in, (size_t)n))) {
		conn_end(fd);
		return;
	}
	if (!c->in.p && in[0] == 'G')
		return; /* the handshake; a frame begins with another byte */
	if (c->in.p)
		keep(&c->in, in, (size_t)n);
	used = c->in.p ? frames_take((uint8_t *)c->in.p, c->in.n)
		       : frames_take((uint8_t *)in, (size_t)n);
	if (used < 0) {
		conn_end(fd);
	} else if (c->in.p) {
		c->in.n -= (size_t)used;
		memmove(c->in.p, c->in.p + used, c->in.n);
		if (c->in.n == 0)
			drop(&c->in);
	} else if (used < n) {
		keep(&c->in, in + used, (size_t)(n - used));
	}
}

/* ---- out ---- */

static void conn_send(int fd, const char *p, size_t n)
{
	struct conn *c = &conns[fd];
	ssize_t sent = c->out.p ? 0 : send(fd, p, n, MSG_NOSIGNAL);

	if (sent < 0 && errno != EAGAIN)
		return; /* its end is read later */
	if (sent < 0)
		sent = 0;
	if ((size_t)sent == n)
		return;
	if (!c->out.p)
		epoll_set(EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLOUT);
	keep(&c->out, p + sent, n - (size_t)sent);
}

static void conn_writable(int fd)
{
	struct conn *c = &conns[fd];
	ssize_t sent = c->out.p ? send(fd, c->out.p, c->out.n, MSG_NOSIGNAL) : 0;

	if (sent <= 0)
		return;
	c->out.n -= (size_t)sent;
	memmove(c->out.p, c->out.p + sent, c->out.n);
	if (c->out.n > 0)
		return;
	drop(&c->out);
	epoll_set(EPOLL_CTL_MOD, fd, EPOLLIN);
}

static void fan_out(void)
{
	for (uint32_t i = 0; turn_n > 0 && i < open_count; i++)
		conn_send(open_fds[i], turn, turn_n);
	turn_n = 0;
}

/* ---- coming ---- */

static int listen_on(uint16_t port)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int on = 1;
	struct sockaddr_in at = {.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
		bind(fd, (struct sockaddr *)&at, sizeof(at)) || listen(fd, 4096))
		die("floor_fanout: listen");
	return fd;
}

static void accept_all(int listener)
{
	int fd, on = 1;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		if (fd >= MAX_FD) {
			close(fd);
			continue;
		}
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		epoll_set(EPOLL_CTL_ADD, fd, EPOLLIN);
	}
}

int main(int argc, char **argv)
{
	struct epoll_event events[MAX_EVENTS];
	int listener;

	ep = epoll_create1(EPOLL_CLOEXEC);
	if (argc != 2 || ep < 0) {
		fprintf(stderr, "usage: floor_fanout PORT\n");
		return 2;
	}
	listener = listen_on((uint16_t)strtoul(argv[1], NULL, 10));
	epoll_set(EPOLL_CTL_ADD, listener, EPOLLIN);
	for (;;) {
		int n = epoll_wait(ep, events, MAX_EVENTS, -1);

		for (int i = 0; i < n; i++) {
			int fd = events[i].data.fd;

			if (fd == listener)
				accept_all(listener);
			else if (events[i].events & EPOLLOUT)
				conn_writable(fd);
			if (fd != listener && events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
				conn_readable(fd);
		}
		fan_out();
	}
}
