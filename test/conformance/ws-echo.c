/* ws-echo PORT: a WebSocket echo on 127.0.0.1 from the protocol layer alone, for suites to be
 * pointed at. Text and binary come back as they came, on any path, up to 16 MiB.
 *
 * PORT 0: one that is free, told in the first line. SIGTERM closes every socket with 1001; the
 * exit status is 0 when the loop is then empty. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "hub/ws.h"
#include "io/loop.h"

#define MESSAGE_MAX (16 * 1024 * 1024)

struct peer {
	struct list node;
	struct ws *w;
};

static struct list peers = {&peers, &peers};
static struct listener *listener;
static bool stopping;

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

/* Requests are answered before they can be left. */
static void on_gone(struct exchange *x)
{
	(void)x;
}

static void on_broken(enum err e, const struct addr *peer, struct buf *head, struct buf *body)
{
	(void)peer;
	buf_lit(head, "Content-Type: text/plain\r\n");
	buf_str(body, str_of(err_sentence(e)));
}

static void on_stop(int signum)
{
	(void)signum;
	if (stopping)
		return;
	stopping = true;
	listener_close(listener);
	http_drain();
	LIST_FOREACH (n, &peers)
		ws_close(LIST_ITEM(n, struct peer, node)->w, WS_GOING_AWAY, STR(""));
}

int main(int argc, char **argv)
{
	static const struct http_handler handler = {on_request, on_gone, on_broken};
	char where[32], why[200];

	if (argc != 2) {
		fprintf(stderr, "usage: ws-echo PORT\n");
		return 2;
	}
	snprintf(where, sizeof(where), "127.0.0.1:%s", argv[1]);
	loop_init();
	conn_setup(0);
	http_serve(&handler);
	if (listener_open(&listener, str_of(where), &http_conn_ops, why) != OK) {
		fprintf(stderr, "ws-echo: %s\n", why);
		return 1;
	}
	loop_on_signal(SIGTERM, on_stop);
	loop_on_signal(SIGINT, on_stop);
	printf("listening on 127.0.0.1:%d\n", listener_port(listener));
	fflush(stdout);
	loop_run();
	conn_teardown();
	return loop_close() ? 0 : 1;
}
