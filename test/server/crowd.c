/* A crowd in a chat, for slow.test.js: sockets that read and throw away what comes, and deaf ones,
 * that join and never read again. Node could do it, but not with small kernel buffers, and not so
 * many.
 *
 *   crowd PORT CHAT READERS DEAF     tokens of sessions on stdin, one a line, then an empty line
 *
 *   socket -> upgrade -> CONNECT with the token -> room:join -> in;  all in: "joined" on stdout
 *   the server ends one: "dropped N" (deaf ones so far), or "lost N" (readers). stdin ends: over.
 *
 * Frames are masked with zeros, so that they can be written as they are. What comes is not parsed:
 * each answer is told by its first characters. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define TOKENS_MAX 1000
#define TOKEN_SIZE 64
#define AT_ONCE    64 /* on their way in */
#define SEEN_SIZE  16384
#define TEXT_MAX   125

struct peer {
	int fd;
	bool deaf;
	const char *token;
	char *seen; /* what has come since it sent something; NULL: it is in */
	size_t n;
	int asked; /* 0 nothing, 1 the upgrade, 2 CONNECT, 3 room:join */
};

static struct {
	int epoll, port;
	const char *chat;
	struct peer *peers;
	size_t count, begun, in;
	size_t dropped, lost;
	char tokens[TOKENS_MAX][TOKEN_SIZE];
	size_t token_count;
} crowd;

static const char upgrade[] =
	"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: localhost\r\n"
	"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
	"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";

static void fail(const char *what)
{
	fprintf(stderr, "crowd: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void *must(void *p)
{
	if (!p)
		fail("memory");
	return p;
}

static void watch(struct peer *p, int op, uint32_t events)
{
	struct epoll_event e = {.events = events, .data.ptr = p};

	if (epoll_ctl(crowd.epoll, op, p->fd, &e) != 0)
		fail("epoll_ctl");
}

/* What is sent is small: the kernel takes it at once. */
static void put(struct peer *p, const void *bytes, size_t n)
{
	if (send(p->fd, bytes, n, MSG_NOSIGNAL) != (ssize_t)n)
		fail("send");
	p->n = 0;
	p->asked++;
}

/* One text frame of less than 126 bytes, masked with zeros. */
static void put_text(struct peer *p, const char *text)
{
	char frame[6 + TEXT_MAX] = {(char)0x81, (char)(0x80 | strlen(text))};

	memcpy(frame + 6, text, strlen(text));
	put(p, frame, 6 + strlen(text));
}

static void begin(struct peer *p)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
		.sin_port = htons((uint16_t)crowd.port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int small = 4096, segment = 536;

	p->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (p->fd < 0)
		fail("socket");
	/* Small windows and segments keep the kernel's buffers small, on both sides. */
	if (p->deaf &&
		(setsockopt(p->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)) != 0 ||
			setsockopt(p->fd, IPPROTO_TCP, TCP_MAXSEG, &segment, sizeof(segment)) != 0))
		fail("setsockopt");
	if (connect(p->fd, (struct sockaddr *)&to, sizeof(to)) != 0 ||
		fcntl(p->fd, F_SETFL, O_NONBLOCK) != 0)
		fail("connect");
	p->seen = must(malloc(SEEN_SIZE));
	watch(p, EPOLL_CTL_ADD, EPOLLIN);
	put(p, upgrade, sizeof(upgrade) - 1);
}

static bool has(const struct peer *p, const char *what)
{
	return memmem(p->seen, p->n, what, strlen(what));
}

static void joined(struct peer *p)
{
	free(p->seen);
	p->seen = NULL;
	if (p->deaf)
		watch(p, EPOLL_CTL_MOD, 0); /* its end is told all the same */
	if (++crowd.in == crowd.count)
		puts("joined");
}

static void answer(struct peer *p)
{
	char text[TEXT_MAX + 1];

	if (p->asked == 1 && has(p, "\r\n\r\n")) {
		snprintf(text, sizeof(text), "40{\"session\":\"%s\"}", p->token);
		put_text(p, text);
	} else if (p->asked == 2 && has(p, "40{\"sid\"")) {
		snprintf(text, sizeof(text), "420[\"room:join\",{\"chat_id\":%s}]", crowd.chat);
		put_text(p, text);
	} else if (p->asked == 3 && has(p, "430[{\"ok\":true")) {
		joined(p);
	} else if (has(p, "44{") || p->n == SEEN_SIZE) {
		errno = EPROTO;
		fail("refused");
	}
}

static void ended(struct peer *p)
{
	if (p->seen) {
		fprintf(stderr, "crowd: step %d, %zu in, seen: %.*s\n", p->asked, crowd.in,
			(int)p->n, p->seen);
		fail("lost on the way in");
	}
	close(p->fd);
	p->fd = -1;
	if (p->deaf)
		printf("dropped %zu\n", ++crowd.dropped);
	else
		printf("lost %zu\n", ++crowd.lost);
}

static void serve(struct peer *p)
{
	static char waste[1 << 18];
	char *to = p->seen ? p->seen + p->n : waste;
	ssize_t n = recv(p->fd, to, p->seen ? SEEN_SIZE - p->n : sizeof(waste), 0);

	if (n == 0 || (n < 0 && errno != EAGAIN)) {
		ended(p);
	} else if (n > 0 && p->seen) {
		p->n += (size_t)n;
		answer(p);
	}
}

static void read_tokens(void)
{
	char line[TOKEN_SIZE];

	while (fgets(line, sizeof(line), stdin) && line[0] != '\n') {
		line[strcspn(line, "\n")] = 0;
		if (crowd.token_count < TOKENS_MAX)
			strcpy(crowd.tokens[crowd.token_count++], line);
	}
}

static void make_peers(size_t readers, size_t deaf)
{
	crowd.count = readers + deaf;
	crowd.peers = must(calloc(crowd.count, sizeof(*crowd.peers)));
	for (size_t i = 0; i < crowd.count; i++)
		crowd.peers[i] = (struct peer){
			.deaf = i >= readers, .token = crowd.tokens[i % crowd.token_count]};
}

int main(int argc, char **argv)
{
	struct epoll_event events[256], control = {.events = EPOLLIN};

	if (argc != 5) {
		fputs("usage: crowd PORT CHAT READERS DEAF\n", stderr);
		return 2;
	}
	setvbuf(stdin, NULL, _IONBF, 0);
	setvbuf(stdout, NULL, _IOLBF, 0);
	crowd.port = atoi(argv[1]);
	crowd.chat = argv[2];
	read_tokens();
	make_peers((size_t)atol(argv[3]), (size_t)atol(argv[4]));
	crowd.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (crowd.epoll < 0 || epoll_ctl(crowd.epoll, EPOLL_CTL_ADD, 0, &control) != 0)
		fail("epoll");
	for (;;) {
		int n;

		while (crowd.begun < crowd.count && crowd.begun - crowd.in < AT_ONCE)
			begin(&crowd.peers[crowd.begun++]);
		n = epoll_wait(crowd.epoll, events, 256, -1);
		for (int i = 0; i < n; i++) {
			if (!events[i].data.ptr)
				return 0;
			serve(events[i].data.ptr);
		}
	}
}
