/* eio-echo PORT: an Engine.IO echo at /engine.io/ on 127.0.0.1 from the protocol layer alone, for
 * suites to be pointed at: long-polling, WebSocket and the upgrade between them. See serve.h. */
#include "serve.h"
#include "hub/eio.h"

#define MAX_PAYLOAD 1000000

static const struct eio_settings settings = {
	.ping_interval = 300,
	.ping_timeout = 200,
	.max_payload = MAX_PAYLOAD,
	.soft = 1024 * 1024,
	.hard = 4 * 1024 * 1024,
	.slow_ms = 10000,
};

static void on_opened(struct eio *e, const struct http_request *r, const struct addr *peer)
{
	(void)e, (void)r, (void)peer;
}

static void on_message(struct eio *e, bool text, struct str data)
{
	if (text)
		eio_send_text(e, data);
	else
		eio_send_binary(e, data);
}

static void on_closed(struct eio *e, enum eio_reason why)
{
	(void)e, (void)why;
}

static const struct eio_handler echo = {
	.opened = on_opened, .message = on_message, .closed = on_closed};

static void on_request(struct exchange *x, const struct http_request *r)
{
	if (str_eq(r->path, STR("/engine.io/")))
		eio_request(x, r);
	else
		http_reply(x, 404, STR(""), STR(""), false);
}

static void start(void)
{
	http_body_max(MAX_PAYLOAD);
	eio_serve(&settings, &echo);
}

int main(int argc, char **argv)
{
	static const struct program eio_echo = {
		"eio-echo", on_request, start, eio_close_all, eio_teardown};

	return serve(argc, argv, &eio_echo);
}
