/* HTTP long-polling as a transport, and the way from it to WebSocket.
 *
 * Owns a struct poll per session that polls: what waits for the client as one payload, the GET
 * that waits for something, and the WebSocket that probes.
 *
 *   GET  -> poll_get: waits -> poll_send… -> (ready queue) flush: all that the turn produced
 *   POST -> poll_post -> eio_packet…  -> "ok"
 *   probe -> poll_upgrade -> "2probe": "3probe", the GET ends with a noop -> "5": poll_finish
 *
 * A POST is served when it is complete and answered in the same call, so two are never under way at
 * once; a second GET ends the session. A GET whose client leaves ends it too.
 *
 * Lifetime: from poll_open to poll_free, with the session or at the end of an upgrade. */
#include "hub/eio_private.h"

#include <stdlib.h>

#define UPGRADE_MS 10000

struct poll {
	struct eio *e;
	struct exchange *get; /* waits; NULL: none */
	struct buf headers;   /* for its answer */
	struct buf out;       /* a payload */
	struct ready ready;   /* to answer it */
	struct ws *probe;     /* NULL: no upgrade under way */
	bool probed;          /* "2probe" has come */
	struct timer timer;   /* until the upgrade is given up */
};

/* ---- answering the GET ---- */

static void get_answer(struct poll *p)
{
	struct exchange *x = p->get;

	p->get = NULL;
	ready_cancel(&p->ready);
	http_reply(x, 200, buf_view(&p->headers), buf_view(&p->out), false);
	buf_free(&p->headers);
	buf_free(&p->out);
}

static void on_ready(struct ready *r)
{
	get_answer(LIST_ITEM(r, struct poll, ready));
}

/* Something waits: a GET is answered at the end of the ready queue, with all that came by then. */
static void wake(struct poll *p)
{
	if (p->get && p->out.n > 0)
		ready_add(&p->ready);
}

static void put(struct poll *p, struct str packet)
{
	eio_payload_put(&p->out, packet);
}

static void on_gone(struct exchange *x)
{
	struct eio *e = exchange_data(x);

	e->poll->get = NULL;
	ready_cancel(&e->poll->ready);
	buf_free(&e->poll->headers);
	eio_end(e, EIO_TRANSPORT);
}

static void get_keep(struct poll *p, struct exchange *x, const struct http_request *r)
{
	p->get = x;
	p->headers.n = 0;
	eio_headers(&p->headers, r, "text/plain; charset=UTF-8");
	exchange_set_data(x, p->e);
	exchange_watch(x, on_gone);
}

void poll_get(struct eio *e, struct exchange *x, const struct http_request *r)
{
	struct poll *p = e->poll;

	if (p->get) {
		eio_end(e, EIO_PROTOCOL);
		eio_refuse(x, r, EIO_BAD_REQUEST, STR_NULL);
		return;
	}
	get_keep(p, x, r);
	if (e->state == EIO_ST_LAST && p->out.n > 0) {
		get_answer(p);
		return;
	}
	if (e->state == EIO_ST_LAST) {
		put(p, STR("1"));
		get_answer(p);
		e->state = EIO_ST_ENDING;
		if (timer_is_set(&e->timer)) /* its owner was told: nothing keeps it */
			timer_set(&e->timer, 0);
		return;
	}
	if (p->probed && p->out.n == 0) /* the client shall leave this transport */
		put(p, STR("6"));
	wake(p);
}

/* ---- sending ---- */

void poll_send(struct eio *e, struct str packet)
{
	put(e->poll, packet);
	wake(e->poll);
}

void poll_send_binary(struct eio *e, struct str data)
{
	eio_payload_put_binary(&e->poll->out, data);
	wake(e->poll);
}

size_t poll_queued(const struct eio *e)
{
	return e->poll->out.n;
}

/* ---- receiving ---- */

/* False: the body is no payload. */
static bool payload_serve(struct eio *e, struct str rest)
{
	struct buf binary = {0};
	struct eio_packet packet;
	bool bad = false;

	while (!eio_ending(e) && eio_payload_next(&rest, &binary, &packet, &bad))
		eio_packet(e, &packet);
	buf_free(&binary);
	return !bad;
}

void poll_post(struct eio *e, struct exchange *x, const struct http_request *r)
{
	if (eio_ending(e)) {
		eio_refuse(x, r, EIO_UNKNOWN_SID, STR_NULL);
		return;
	}
	if (r->body.n > eio_settings->max_payload) {
		eio_answer(x, r, 413, "text/plain", STR(""));
		return;
	}
	if (media_type_is(r->content_type, STR("application/octet-stream")) || r->body.n == 0 ||
		!utf8_valid(r->body) || !payload_serve(e, r->body)) {
		eio_end(e, EIO_PROTOCOL);
		eio_refuse(x, r, EIO_BAD_REQUEST, STR_NULL);
		return;
	}
	eio_answer(x, r, 200, "text/html", STR("ok"));
}

/* ---- the upgrade ---- */

static void probe_end(struct poll *p)
{
	struct ws *w = p->probe;

	if (!w)
		return;
	p->probe = NULL;
	p->probed = false;
	timer_clear(&p->timer);
	eio_ws_detach(w);
	ws_close(w, WS_NORMAL, STR(""));
}

static void on_upgrade_late(struct timer *t)
{
	probe_end(LIST_ITEM(t, struct poll, timer));
}

static void packets_move(struct str rest, struct ws *w)
{
	struct buf binary = {0};
	struct eio_packet packet;

	while (rest.p && rest.n > 0) {
		struct str text = str_cut(&rest, EIO_SEPARATOR);

		if (!eio_decode(text, &binary, &packet))
			PANIC("a queued packet is none");
		if (packet.binary)
			ws_send_binary(w, packet.data);
		else
			ws_send_text(w, text);
	}
	buf_free(&binary);
}

/* The WebSocket is the transport from now on. */
static void poll_finish(struct poll *p)
{
	struct eio *e = p->e;
	struct ws *w = p->probe;
	struct buf out = p->out;

	p->out = (struct buf){0};
	p->probe = NULL;
	if (p->get) {
		put(p, STR("6"));
		get_answer(p);
	}
	poll_free(e);
	eio_take_ws(e, w);
	packets_move(buf_view(&out), w);
	buf_free(&out);
	eio_counts.upgraded++;
	eio_gauge(e);
}

static void on_probe(struct ws *w, bool text, struct str data)
{
	struct poll *p = ws_data(w);

	if (text && !p->probed && str_eq(data, STR("2probe"))) {
		p->probed = true;
		ws_send_text(w, STR("3probe"));
		if (p->get && p->out.n == 0)
			put(p, STR("6"));
		wake(p);
	} else if (text && p->probed && str_eq(data, STR("5"))) {
		poll_finish(p);
	} else {
		probe_end(p);
	}
}

static void on_probe_closed(struct ws *w, uint16_t code, enum conn_reason why)
{
	struct poll *p = ws_data(w);

	(void)code, (void)why;
	p->probe = NULL;
	p->probed = false;
	timer_clear(&p->timer);
}

static const struct ws_handler probe_ws = {.message = on_probe, .closed = on_probe_closed};

void poll_upgrade(struct eio *e, struct exchange *x, const struct ws_handshake *hs)
{
	struct poll *p = e->poll;
	struct ws *w = ws_open(x, hs, &probe_ws, eio_settings->max_payload, p);

	/* As the reference server: clients that try twice see a close, not a failed handshake. */
	if (!p || p->probe || eio_ending(e)) {
		eio_ws_detach(w);
		ws_close(w, WS_POLICY, STR(""));
		return;
	}
	p->probe = w;
	timer_set(&p->timer, UPGRADE_MS);
}

/* ---- lifetime ---- */

bool poll_end(struct eio *e, enum eio_reason why)
{
	struct poll *p = e->poll;

	probe_end(p);
	/* What waits goes first, in an answer of its own: clients drop what comes with a close
	 * packet. */
	if (why == EIO_SERVER && !(p->get && p->out.n == 0)) {
		if (p->get)
			get_answer(p);
		return true;
	}
	if (why == EIO_CLIENT && p->out.n == 0)
		put(p, STR("6"));
	else if (why != EIO_CLIENT)
		put(p, STR("1"));
	if (p->get)
		get_answer(p);
	return false;
}

void poll_open(struct eio *e)
{
	struct poll *p = calloc(1, sizeof(*p));

	if (!p)
		PANIC("out of memory");
	p->e = e;
	ready_init(&p->ready, on_ready);
	timer_init(&p->timer, on_upgrade_late);
	e->poll = p;
	eio_counts.polling++;
}

void poll_free(struct eio *e)
{
	struct poll *p = e->poll;

	ready_cancel(&p->ready);
	timer_clear(&p->timer);
	buf_free(&p->headers);
	buf_free(&p->out);
	free(p);
	e->poll = NULL;
	eio_counts.polling--;
}
