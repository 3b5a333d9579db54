/* ws-echo PORT: a WebSocket echo on 127.0.0.1 from the protocol layer alone, for suites to be
 * pointed at. Text and binary come back as they came, on any path, up to 16 MiB. See serve.h. */
#include <stdlib.h>

#include "serve.h"
#include "hub/ws.h"

#define MESSAGE_MAX (16 * 1024 * 1024)

struct peer {
	struct list node;
	struct ws *w;
};

static struct list peers = {&peers, &peers};

static void on_message(struct ws *w, bool text, struct str data)
{
	if (text)
		ws_send_text(w, data);
	else
		ws_send_binary(w, data);
}

static void on_closed(struct ws *w, uint16_t code, enum conn_reason why)
{
	struct peer *p = ws_data(w);

	(void)code;
	(void)why;
	list_remove(&p->node);
	free(p);
}

static const struct ws_handler echo = {.message = on_message, .closed = on_closed};

static void on_request(struct exchange *x, const struct http_request *r)
{
	struct ws_handshake hs;
	enum ws_check check = ws_check(r, &hs);
	struct peer *p;

	if (check != WS_CHECK_OK) {
		ws_refuse(x, check);
		return;
	}
	p = malloc(sizeof(*p));
	ASSERT(p);
	p->w = ws_open(x, &hs, &echo, MESSAGE_MAX, p);
	conn_limits(ws_conn(p->w), MESSAGE_MAX, 3 * MESSAGE_MAX);
	list_add_tail(&peers, &p->node);
	if (stopping)
		ws_close(p->w, WS_GOING_AWAY, STR(""));
}

static void stop(void)
{
	LIST_FOREACH (n, &peers)
		ws_close(LIST_ITEM(n, struct peer, node)->w, WS_GOING_AWAY, STR(""));
}

int main(int argc, char **argv)
{
	static const struct program ws_echo = {"ws-echo", on_request, NULL, stop, NULL};

	return serve(argc, argv, &ws_echo);
}
