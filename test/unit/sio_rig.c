/* See sio_rig.h. */
#include "sio_rig.h"

#include <errno.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <sys/socket.h>

#include "hub/http.h"

struct sio_rig sio_rig;

static struct listener *listener;
static struct peer *waiting;
static const char *wanted;

/* ---- the server's side ---- */

static void on_request(struct exchange *x, const struct http_request *r)
{
	eio_request(x, r);
}

static void on_gone(struct exchange *x)
{
	(void)x;
}

static void on_broken(enum err e, const struct addr *peer, struct buf *head, struct buf *body)
{
	(void)peer;
	(void)head;
	(void)body;
	fail_msg("%s", err_code(e));
}

static void on_connect(sio_id s, struct str nsp, struct str auth)
{
	(void)nsp;
	(void)auth;
	sio_rig.newest = s;
}

static void on_event(sio_id s, const struct sio_event *e)
{
	(void)s;
	(void)e;
}

static void on_disconnected(sio_id s, void *data, enum eio_reason why)
{
	(void)data;
	(void)why;
	if (sio_rig.disconnected)
		sio_rig.disconnected(s);
}

void sio_rig_begin(void)
{
	static const struct http_handler http = {on_request, on_gone, on_broken};
	static const struct str namespaces[] = {STR("/")};
	static const struct sio_settings settings = {.eio = {.ping_interval = 25000,
							     .ping_timeout = 20000,
							     .max_payload = 65536,
							     .soft = 1 << 20,
							     .hard = 4 << 20,
							     .slow_ms = 10000},
		.connect_timeout = 10000,
		.namespaces = namespaces,
		.namespace_count = 1};
	static const struct sio_handler handler = {
		.connect = on_connect, .event = on_event, .disconnected = on_disconnected};
	char why[200];

	redis_rig_begin();
	conn_setup(0);
	http_serve(&http);
	sio_serve(&settings, &handler);
	assert_int_equal(listener_open(&listener, STR("127.0.0.1:0"), &http_conn_ops, why), OK);
}

static bool none_left(void)
{
	return sio_stats().sockets == 0 && conn_stats().open == 0;
}

void sio_rig_end(void)
{
	listener_close(listener);
	sio_close_all();
	conn_close_all(CONN_SHUTDOWN);
	wait_until(none_left);
	sio_teardown();
	conn_teardown();
	sio_rig = (struct sio_rig){0};
	redis_rig_end();
}

/* ---- the client's side ---- */

static void peer_read(struct peer *p)
{
	ssize_t n;

	while (!p->ended) {
		n = recv(p->fd, buf_reserve(&p->received, 65536), 65536, MSG_DONTWAIT);
		if (n > 0)
			p->received.n += (size_t)n;
		else if (n < 0 && errno == EAGAIN)
			return;
		else
			p->ended = true;
	}
}

static void packet_log(struct peer *p, struct str text)
{
	if (str_starts(text, STR("42")))
		buf_printf(&p->log, STR_FMT ";", STR_ARG(str_from(text, 2)));
	else if (str_eq(text, STR("41")))
		buf_lit(&p->log, "bye;");
}

/* Takes whole frames off what was received; none of ours is longer than 64 KiB. */
static void peer_take(struct peer *p)
{
	bool ended = p->ended;

	peer_read(p);
	for (;;) {
		const unsigned char *b = (const unsigned char *)p->received.p;
		size_t head = 2, n;

		if (p->received.n < 4)
			break;
		n = b[1];
		if (n == 126) {
			head = 4;
			n = (size_t)(b[2] << 8 | b[3]);
		}
		if (p->received.n < head + n)
			break;
		if ((b[0] & 15) == 1)
			packet_log(p, str_make(p->received.p + head, n));
		else if ((b[0] & 15) == 8 && !p->ended)
			send(p->fd, "\x88\x80\0\0\0\0", 6, MSG_NOSIGNAL);
		buf_drop(&p->received, head + n);
	}
	if (p->ended && !ended)
		buf_lit(&p->log, "end;");
}

static bool head_received(void)
{
	peer_read(waiting);
	return memmem(waiting->received.p, waiting->received.n, "\r\n\r\n", 4) != NULL;
}

static bool asked(void)
{
	return sio_rig.newest != 0;
}

void peer_connect(struct peer *p)
{
	static const char hello[] =
		"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\n"
		"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
	struct sockaddr_in a = {.sin_family = AF_INET,
		.sin_port = htons((uint16_t)listener_port(listener)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	char *end;

	*p = (struct peer){.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
	assert_int_equal(connect(p->fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(send(p->fd, hello, sizeof(hello) - 1, 0), sizeof(hello) - 1);
	waiting = p;
	wait_until(head_received);
	end = memmem(p->received.p, p->received.n, "\r\n\r\n", 4);
	buf_drop(&p->received, (size_t)(end + 4 - p->received.p));
	sio_rig.newest = 0;
	/* "40", masked with zeros */
	assert_int_equal(send(p->fd,
				 "\x81\x82\0\0\0\0"
				 "40",
				 8, 0),
		8);
	wait_until(asked);
	p->sio = sio_rig.newest;
}

static bool have_wanted(void)
{
	peer_take(waiting);
	return waiting->log.n >= strlen(wanted);
}

void peer_expect(struct peer *p, const char *log)
{
	waiting = p;
	wanted = log;
	wait_until(have_wanted);
	buf_char(&p->log, 0);
	assert_string_equal(p->log.p, log);
	p->log.n = 0;
}

static bool is_gone(void)
{
	return !sio_alive(waiting->sio);
}

void peer_close(struct peer *p)
{
	close(p->fd);
	p->fd = -1;
	waiting = p;
	wait_until(is_gone);
	peer_free(p);
}

void peer_free(struct peer *p)
{
	if (p->fd >= 0)
		close(p->fd);
	p->fd = -1;
	buf_free(&p->received);
	buf_free(&p->log);
}
