/* Engine.IO sessions: owns them, their table by sid, their heartbeats, and WebSocket as a
 * transport.
 *
 *   eio_request.c: handshake -> eio_new -> opened
 *   WebSocket:     on_message -> eio_packet -> message     eio_send_* -> ws_send_*
 *   long-polling:  eio_poll.c -> eio_packet -> message     eio_send_* -> poll_send*
 *   eio_end marks -> (ready queue) closed -> freed, or EIO_ST_LAST until the last poll or a while
 *
 * Lifetime: from eio_new to eio_free, which only the ready queue and the session's own timer call:
 * whoever holds a session in a callback may end it and go on.
 *
 * To add a reason to end: enum eio_reason, eio_reason_name, and what its WebSocket is told in
 * ws_end. */
#include "hub/eio_private.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/map.h"
#include "base/secret.h"

#define SCRATCH_KEEP 65536

const struct eio_settings *eio_settings;
const struct eio_handler *eio_handler;
struct eio_stats eio_counts;

static struct map sessions;  /* by key */
static struct map slow_ones; /* by key: struct slow */
static struct eio *ending;   /* a stack */
static struct ready ending_ready;
static struct buf scratch; /* a packet while it is put together */

/* Output has been above the soft limit since the timer was set. */
struct slow {
	struct timer timer;
	struct eio *e;
};

static void *must(void *p)
{
	if (!p)
		PANIC("out of memory");
	return p;
}

const char *eio_reason_name(enum eio_reason why)
{
	static const char *const names[] = {
		[EIO_CLIENT] = "client",
		[EIO_TRANSPORT] = "transport",
		[EIO_TIMEOUT] = "timeout",
		[EIO_PROTOCOL] = "protocol",
		[EIO_SLOW] = "slow",
		[EIO_SERVER] = "server",
	};

	return names[why];
}

/* ---- slow clients ---- */

static void slow_end(struct eio *e)
{
	struct slow *s = map_remove(&slow_ones, e->key);

	timer_clear(&s->timer);
	free(s);
	e->slow = false;
}

static void on_slow(struct timer *t)
{
	struct eio *e = LIST_ITEM(t, struct slow, timer)->e;

	if (eio_queued(e) > eio_settings->soft)
		eio_end(e, EIO_SLOW);
	else
		slow_end(e);
}

static void slow_begin(struct eio *e)
{
	struct slow *s = must(calloc(1, sizeof(*s)));

	s->e = e;
	timer_init(&s->timer, on_slow);
	timer_set(&s->timer, eio_settings->slow_ms);
	map_put(&slow_ones, e->key, s);
	e->slow = true;
}

size_t eio_queued(const struct eio *e)
{
	if (e->ws)
		return conn_queued(ws_conn(e->ws));
	return e->poll ? poll_queued(e) : 0;
}

void eio_gauge(struct eio *e)
{
	size_t queued = eio_queued(e);

	if (queued > eio_settings->hard)
		eio_end(e, EIO_SLOW);
	else if (queued > eio_settings->soft && !e->slow)
		slow_begin(e);
	else if (queued <= eio_settings->soft && e->slow)
		slow_end(e);
}

/* ---- heartbeat: one timer, in turn for the next ping and for its pong ---- */

static void send_packet(struct eio *e, struct str packet)
{
	if (e->ws)
		ws_send_text(e->ws, packet);
	else
		poll_send(e, packet);
	eio_gauge(e);
}

static void on_heartbeat(struct timer *t)
{
	struct eio *e = LIST_ITEM(t, struct eio, timer);
	int64_t late = clock_ms() - t->due;

	if (e->awaits_pong) {
		eio_end(e, EIO_TIMEOUT);
		return;
	}
	e->awaits_pong = true;
	timer_set(&e->timer,
		late < eio_settings->ping_timeout ? eio_settings->ping_timeout - late : 0);
	send_packet(e, STR("2"));
}

static void pong(struct eio *e)
{
	if (!e->awaits_pong)
		return;
	e->awaits_pong = false;
	timer_set(&e->timer, eio_settings->ping_interval);
}

void eio_packet(struct eio *e, const struct eio_packet *p)
{
	switch (p->type) {
	case EIO_PONG:
		pong(e);
		break;
	case EIO_MESSAGE:
		eio_handler->message(e, !p->binary, p->data);
		break;
	case EIO_CLOSE:
		eio_end(e, EIO_CLIENT);
		break;
	case EIO_PING: /* in this version of the protocol the server pings */
		eio_end(e, EIO_PROTOCOL);
		break;
	case EIO_OPEN:
	case EIO_UPGRADE:
	case EIO_NOOP:
		break;
	}
}

/* ---- WebSocket as the transport ---- */

static void on_message(struct ws *w, bool text, struct str data)
{
	struct eio_packet p = {EIO_MESSAGE, true, data};
	struct buf binary = {0};

	if (text && !eio_decode(data, &binary, &p))
		eio_end(ws_data(w), EIO_PROTOCOL);
	else
		eio_packet(ws_data(w), &p);
	buf_free(&binary);
}

static void on_closed(struct ws *w, uint16_t code, enum conn_reason why)
{
	struct eio *e = ws_data(w);

	e->ws = NULL;
	if (code == WS_PROTOCOL_ERROR || code == WS_BAD_DATA || code == WS_TOO_BIG)
		eio_end(e, EIO_PROTOCOL);
	else
		eio_end(e, why == CONN_OVERFLOW ? EIO_SLOW : EIO_TRANSPORT);
}

static void ignore_message(struct ws *w, bool text, struct str data)
{
	(void)w, (void)text, (void)data;
}

static void ignore_closed(struct ws *w, uint16_t code, enum conn_reason why)
{
	(void)w, (void)code, (void)why;
}

static const struct ws_handler session_ws = {.message = on_message, .closed = on_closed};
static const struct ws_handler nobodys_ws = {.message = ignore_message, .closed = ignore_closed};

void eio_take_ws(struct eio *e, struct ws *w)
{
	e->ws = w;
	ws_set_handler(w, &session_ws, e);
	conn_limits(ws_conn(w), eio_settings->soft, eio_settings->hard);
}

void eio_ws_detach(struct ws *w)
{
	ws_set_handler(w, &nobodys_ws, NULL);
}

static void ws_end(struct ws *w, enum eio_reason why)
{
	eio_ws_detach(w);
	switch (why) {
	case EIO_TIMEOUT:
		conn_close(ws_conn(w), CONN_TIMEOUT);
		break;
	case EIO_SLOW:
		conn_close(ws_conn(w), CONN_OVERFLOW);
		break;
	case EIO_PROTOCOL:
		ws_close(w, WS_PROTOCOL_ERROR, STR(""));
		break;
	case EIO_CLIENT:
	case EIO_SERVER:
	case EIO_TRANSPORT:
		ws_close(w, WS_NORMAL, STR(""));
		break;
	}
}

/* ---- sessions ---- */

struct eio *eio_new(void)
{
	struct eio *e = must(calloc(1, sizeof(*e) + eio_settings->extra));

	do
		secret_random(&e->key, sizeof(e->key));
	while (map_get(&sessions, e->key));
	secret_random(&e->secret, sizeof(e->secret));
	map_put(&sessions, e->key, e);
	timer_init(&e->timer, on_heartbeat);
	timer_set(&e->timer, eio_settings->ping_interval);
	eio_counts.opened++;
	eio_counts.open++;
	return e;
}

void eio_sid(const struct eio *e, char out[EIO_SID_TEXT])
{
	uint64_t raw[2] = {e->key, e->secret};

	base64url_encode((const uint8_t *)raw, sizeof(raw), out);
}

/* A deadline that has passed counts, also when its timer is a tick late. */
static bool overdue(const struct eio *e)
{
	return e->state == EIO_ST_OPEN && e->awaits_pong && e->timer.due <= clock_ms();
}

struct eio *eio_by_sid(struct str sid)
{
	uint64_t raw[2];
	struct eio *e;

	if (sid.n != EIO_SID_TEXT || !base64url_decode(sid, (uint8_t *)raw, sizeof(raw)))
		return NULL;
	e = map_get(&sessions, raw[0]);
	if (!e || !secret_eq(&e->secret, &raw[1], sizeof(raw[1])))
		return NULL;
	if (overdue(e))
		eio_end(e, EIO_TIMEOUT);
	return e->state == EIO_ST_ENDING ? NULL : e;
}

void eio_free(struct eio *e)
{
	timer_clear(&e->timer);
	map_remove(&sessions, e->key);
	if (e->poll)
		poll_free(e);
	eio_counts.open--;
	free(e);
}

static void on_last(struct timer *t)
{
	eio_free(LIST_ITEM(t, struct eio, timer));
}

static void tell_closed(struct ready *r)
{
	struct eio *e;

	(void)r;
	while ((e = ending)) {
		ending = e->next;
		eio_handler->closed(e, (enum eio_reason)e->why);
		if (e->state == EIO_ST_LAST) {
			timer_init(&e->timer, on_last);
			timer_set(&e->timer, eio_settings->ping_timeout);
		} else {
			eio_free(e);
		}
	}
}

void eio_end(struct eio *e, enum eio_reason why)
{
	if (e->state != EIO_ST_OPEN)
		return;
	e->state = EIO_ST_ENDING;
	e->why = (uint8_t)why;
	eio_counts.slow += why == EIO_SLOW;
	eio_counts.timed_out += why == EIO_TIMEOUT;
	timer_clear(&e->timer);
	if (e->slow)
		slow_end(e);
	if (e->ws)
		ws_end(e->ws, why);
	e->ws = NULL;
	e->next = ending;
	ending = e;
	if (e->poll && poll_end(e, why))
		e->state = EIO_ST_LAST;
	ready_add(&ending_ready);
}

void eio_close(struct eio *e)
{
	eio_end(e, EIO_SERVER);
}

void eio_fail(struct eio *e)
{
	eio_end(e, EIO_PROTOCOL);
}

void *eio_extra(struct eio *e)
{
	return e->extra;
}

struct eio *eio_of(void *extra)
{
	return LIST_ITEM(extra, struct eio, extra);
}

bool eio_ending(const struct eio *e)
{
	return e->state != EIO_ST_OPEN;
}

bool eio_is_polling(const struct eio *e)
{
	return e->poll;
}

/* ---- sending ---- */

void eio_send_text(struct eio *e, struct str data)
{
	if (eio_ending(e))
		return;
	scratch.n = 0;
	eio_put(&scratch, EIO_MESSAGE, data);
	send_packet(e, buf_view(&scratch));
	if (scratch.cap > SCRATCH_KEEP)
		buf_free(&scratch);
}

void eio_send_binary(struct eio *e, struct str data)
{
	if (eio_ending(e))
		return;
	if (e->ws)
		ws_send_binary(e->ws, data);
	else
		poll_send_binary(e, data);
	eio_gauge(e);
}

struct buf *eio_share_begin(struct eio_shared *m)
{
	eio_put(&m->packet, EIO_MESSAGE, STR(""));
	return &m->packet;
}

void eio_share_end(struct eio_shared *m)
{
	m->frame = ws_frame(true, buf_view(&m->packet));
}

void eio_send_shared(struct eio *e, const struct eio_shared *m)
{
	if (eio_ending(e))
		return;
	if (e->ws)
		ws_send_frame(e->ws, m->frame);
	else
		poll_send(e, buf_view(&m->packet));
	eio_gauge(e);
}

void eio_expect(const struct eio *e)
{
	if (!eio_ending(e) && e->ws)
		ws_expect(e->ws);
}

void eio_shared_free(struct eio_shared *m)
{
	if (m->frame)
		frame_unref(m->frame);
	buf_free(&m->packet);
	m->frame = NULL;
}

/* ---- all of them ---- */

void eio_serve(const struct eio_settings *s, const struct eio_handler *h)
{
	eio_settings = s;
	eio_handler = h;
	ready_init(&ending_ready, tell_closed);
}

struct eio_stats eio_stats(void)
{
	return eio_counts;
}

void eio_close_all(void)
{
	void *value = NULL;

	for (size_t i = 0; map_next(&sessions, &i, &(uint64_t){0}, &value);)
		eio_close(value);
}

void eio_teardown(void)
{
	void *value = NULL;

	eio_close_all();
	tell_closed(&ending_ready);
	for (size_t i = 0; map_next(&sessions, &i, &(uint64_t){0}, &value); i = 0)
		eio_free(value);
	ready_cancel(&ending_ready);
	map_free(&sessions);
	map_free(&slow_ones);
	buf_free(&scratch);
	eio_counts = (struct eio_stats){0};
}
