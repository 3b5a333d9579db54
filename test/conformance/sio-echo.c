/* sio-echo PORT: a Socket.IO echo at /socket.io/ on 127.0.0.1 from the protocol layer alone, for
 * suites to be pointed at. Namespaces / and /custom. On connect it emits `auth` with what the
 * client sent; `message` comes back as `message-back` with the same arguments, attachments too;
 * `message-with-ack` is acked with its arguments. See serve.h. */
#include <stdlib.h>

#include "serve.h"
#include "hub/sio.h"

#define MAX_PAYLOAD 1000000
#define GREETING_MS 50

static const struct str namespaces[] = {STR("/"), STR("/custom")};

static const struct sio_settings settings = {
	.eio = {.ping_interval = 300,
		.ping_timeout = 200,
		.max_payload = MAX_PAYLOAD,
		.soft = 1024 * 1024,
		.hard = 4 * 1024 * 1024,
		.slow_ms = 10000},
	.connect_timeout = 10000,
	.namespaces = namespaces,
	.namespace_count = 2,
	.attachments = true,
};

/* `auth`, due a moment after the answer to CONNECT: a client that listens for one message at a time
 * must not get both in one read. */
struct greeting {
	struct timer timer;
	sio_id s;
	struct buf auth;
};

static void on_greet(struct timer *t)
{
	struct greeting *g = LIST_ITEM(t, struct greeting, timer);
	struct str auth = buf_view(&g->auth);

	sio_emit(g->s, STR("auth"), &(struct sio_body){.args = &auth, .n = 1});
	buf_free(&g->auth);
	free(g);
}

static void on_connect(sio_id s, struct str nsp, struct str auth)
{
	struct greeting *g = calloc(1, sizeof(*g));

	(void)nsp;
	ASSERT(g && sio_accept(s, NULL));
	g->s = s;
	buf_str(&g->auth, auth);
	timer_init(&g->timer, on_greet);
	timer_set(&g->timer, GREETING_MS);
}

static void on_event(sio_id s, const struct sio_event *e)
{
	if (str_eq(e->name, STR("message")))
		sio_emit(s, STR("message-back"), &e->body);
	else if (str_eq(e->name, STR("message-with-ack")))
		sio_ack(s, e->ack, &e->body);
}

static void on_disconnected(sio_id s, void *data, enum eio_reason why)
{
	(void)s, (void)data, (void)why;
}

static const struct sio_handler echo = {
	.connect = on_connect, .event = on_event, .disconnected = on_disconnected};

static void on_request(struct exchange *x, const struct http_request *r)
{
	if (str_eq(r->path, STR("/socket.io/")))
		eio_request(x, r);
	else
		http_reply(x, 404, STR(""), STR(""), false);
}

static void start(void)
{
	http_body_max(MAX_PAYLOAD);
	sio_serve(&settings, &echo);
}

int main(int argc, char **argv)
{
	static const struct program sio_echo = {
		"sio-echo", on_request, start, sio_close_all, sio_teardown};

	return serve(argc, argv, &sio_echo);
}
