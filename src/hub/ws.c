/* WebSocket connections: owns a struct ws per upgraded connection.
 *
 *   ws_check -> ws_open: 101 -> ws_input: ws_read -> message | pong | peer_close | peer_bad
 *   ws_close -> close frame … the peer's close frame, or the timer -> ws_ended: closed
 *
 * Once our close frame is out nothing else is sent; what comes is read for the peer's close frame
 * and otherwise dropped. The server ends the TCP connection, as section 7.1.1 wants it.
 *
 * Lifetime: from ws_open to ws_ended, from the sweep of the connection. To add what a frame can
 * mean: an enum ws_result in wire/ws.h and its case in message_take. */
#include "hub/ws.h"

#include <stdlib.h>

struct ws {
	struct conn *c;
	const struct ws_handler *h;
	void *data;
	struct ws_reader reader;
	uint16_t code; /* of who closed first */
	bool closing;  /* our close frame is out */
};

const struct str ws_version_header = {"Sec-WebSocket-Version: 13\r\n", 27};

/* ---- the opening handshake ---- */

static bool has_token(struct str list, struct str token)
{
	while (list.p)
		if (str_eq_nocase(str_trim(str_cut(&list, ',')), token))
			return true;
	return false;
}

enum ws_check ws_check(const struct http_request *r, struct ws_handshake *out)
{
	if (r->method != HTTP_GET || r->http10 || !r->upgrade ||
		!has_token(http_header(r, "Upgrade"), STR("websocket")))
		return WS_CHECK_BAD;
	if (!str_eq(http_header(r, "Sec-WebSocket-Version"), STR("13")))
		return WS_CHECK_VERSION;
	return ws_accept(http_header(r, "Sec-WebSocket-Key"), out->accept) ? WS_CHECK_OK
									   : WS_CHECK_BAD;
}

void ws_refuse(struct exchange *x, enum ws_check why)
{
	struct buf head = {0};

	buf_lit(&head, "Content-Type: text/plain\r\n");
	if (why == WS_CHECK_VERSION) {
		buf_str(&head, ws_version_header);
		http_reply(x, 426, buf_view(&head), STR("WebSocket version 13 is needed\n"), true);
	} else {
		http_reply(x, 400, buf_view(&head), STR("Not a WebSocket handshake\n"), true);
	}
	buf_free(&head);
}

/* ---- sending ---- */

static void frame_send(struct ws *w, enum ws_opcode op, struct str payload)
{
	char head[WS_HEADER_MAX];

	if (w->closing)
		return;
	conn_write(w->c, head, ws_header(head, op, payload.n));
	conn_write(w->c, payload.p, payload.n);
}

void ws_send_text(struct ws *w, struct str text)
{
	frame_send(w, WS_OP_TEXT, text);
}

void ws_send_binary(struct ws *w, struct str bytes)
{
	frame_send(w, WS_OP_BINARY, bytes);
}

struct frame *ws_frame(bool text, struct str payload)
{
	struct buf b = {0};
	struct frame *f;

	ws_put(&b, text ? WS_OP_TEXT : WS_OP_BINARY, payload);
	f = frame_new(buf_view(&b));
	buf_free(&b);
	return f;
}

void ws_send_frame(struct ws *w, struct frame *f)
{
	if (!w->closing)
		conn_write_frame(w->c, f);
}

void ws_expect(const struct ws *w)
{
	conn_expect(w->c);
}

/* The first to close decides the code. */
static void close_send(struct ws *w, uint16_t code, struct str reason)
{
	struct buf b = {0};

	if (w->closing)
		return;
	ws_put_close(&b, code, reason);
	conn_write(w->c, b.p, b.n);
	buf_free(&b);
	w->closing = true;
	w->code = code;
}

void ws_close(struct ws *w, uint16_t code, struct str reason)
{
	if (ws_closing(w))
		return;
	close_send(w, code, reason);
	conn_timeout(w->c, WS_CLOSE_MS, NULL);
}

bool ws_closing(const struct ws *w)
{
	return w->closing || conn_closing(w->c);
}

/* ---- input ---- */

static void message_take(struct ws *w, enum ws_result result, const struct ws_message *m)
{
	switch (result) {
	case WS_MORE:
	case WS_PONG:
		break;
	case WS_TEXT:
	case WS_BINARY:
		if (!w->closing)
			w->h->message(w, result == WS_TEXT, m->data);
		break;
	case WS_PING:
		frame_send(w, WS_OP_PONG, m->data);
		break;
	case WS_CLOSE:
		close_send(w, m->code, STR(""));
		conn_close(w->c, CONN_DONE);
		break;
	case WS_BAD:
		close_send(w, m->code, STR(""));
		conn_close(w->c, CONN_PROTOCOL);
		break;
	}
}

static size_t ws_input(struct conn *c, char *p, size_t n)
{
	struct ws *w = conn_data(c);
	enum ws_result result;
	size_t used = 0;

	do {
		struct ws_message m;
		size_t consumed;

		result = ws_read(&w->reader, p + used, n - used, &m, &consumed);
		used += consumed;
		message_take(w, result, &m);
	} while (result != WS_MORE && !conn_closing(c));
	return used;
}

/* ---- coming and going ---- */

static void ws_drained(struct conn *c)
{
	struct ws *w = conn_data(c);

	if (w->h->drained)
		w->h->drained(w);
}

static void ws_ended(struct conn *c, enum conn_reason r)
{
	struct ws *w = conn_data(c);

	w->h->closed(w, w->code, r);
	ws_reader_release(&w->reader);
	free(w);
}

static const struct conn_ops ws_ops = {
	.input = ws_input,
	.drained = ws_drained,
	.closed = ws_ended,
};

struct ws *ws_open(struct exchange *x, const struct ws_handshake *hs, const struct ws_handler *h,
	uint32_t max, void *data)
{
	struct ws *w = calloc(1, sizeof(*w));
	struct buf head = {0};

	if (!w)
		PANIC("out of memory");
	buf_lit(&head, "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ");
	buf_put(&head, hs->accept, WS_ACCEPT_LEN);
	buf_lit(&head, "\r\n");
	*w = (struct ws){
		.c = http_hijack(x, buf_view(&head)), .h = h, .data = data, .code = WS_ABNORMAL};
	buf_free(&head);
	ws_reader_init(&w->reader, max);
	conn_set_data(w->c, w);
	conn_set_ops(w->c, &ws_ops);
	return w;
}

void *ws_data(const struct ws *w)
{
	return w->data;
}

void ws_set_handler(struct ws *w, const struct ws_handler *h, void *data)
{
	w->h = h;
	w->data = data;
}

struct conn *ws_conn(const struct ws *w)
{
	return w->c;
}
