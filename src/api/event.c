/* Events of clients: from a packet to a task, and what a handler's answer becomes.
 *
 *   event_serve -> flood -> row -> task: event_begin -> (its turn) -> event_turn -> (admission)
 *     -> gate_fields -> row->begin
 *   reply.c -> event_answer -> sio_ack;  task ended -> event_ended -> the next one's turn
 *
 * Lifetime: a struct request of an event lives as its task; `socket` is NULL once the socket has
 * gone. To change how events wait for each other: event_begin and event_ended. */
#include "api/event.h"

#include "api/serve.h"
#include "api/socket.h"
#include "base/clock.h"
#include "base/config.h"

#define FLOOD_MS 5000

static const struct route *event_find(struct str name)
{
	for (size_t i = 0; i < event_count; i++)
		if (str_eq(name, str_of(events[i].path)))
			return &events[i];
	return NULL;
}

bool event_is(const struct route *r)
{
	return r->method == HTTP_OTHER;
}

/* ---- one after the other ---- */

static void event_turn(struct task *t)
{
	task_admit(t, TASK_LINE_REQUESTS, gate_fields);
}

static void event_begin(struct task *t)
{
	struct request *q = request_of(t);

	if (q->socket && q->socket->events.next != &q->turn)
		op_begin(t, &q->waits, OP_READ, event_turn);
	else
		event_turn(t);
}

void event_ended(struct request *q)
{
	struct socket *s = q->socket;

	if (!s)
		return;
	list_remove(&q->turn);
	if (!list_empty(&s->events))
		op_end(&LIST_ITEM(s->events.next, struct request, turn)->waits, OK);
}

void events_orphan(struct socket *s)
{
	struct list *n;

	while ((n = list_pop(&s->events))) {
		struct request *q = LIST_ITEM(n, struct request, turn);

		q->socket = NULL;
		task_orphan(q->task);
	}
}

/* ---- in ---- */

/* 0: within the limit, 1: to be refused, 2: to be dropped. */
static int event_flood(struct socket *s)
{
	if (config.rate_events == 0)
		return 0;
	if (clock_ms() >= s->window_until) {
		s->window_until = clock_ms() + FLOOD_MS;
		s->window_hits = 0;
	}
	s->window_hits++;
	return s->window_hits <= config.rate_events       ? 0
	       : s->window_hits <= 2 * config.rate_events ? 1
							  : 2;
}

#ifdef PORTAL_FAULTS
static void fault_drop(struct task *t)
{
	struct request *q = request_of(t);

	if (q->socket)
		sio_close(q->socket->id);
}

static void event_inject(struct request *q)
{
	const struct json *data = json_parse(task_arena(q->task), q->body);

	fault_inject(q->task, json_to_str(json_get(data, FAULT_MEMBER)), fault_drop);
}
#endif

static void event_refuse(struct request *q, struct fault f)
{
	reply_now(q, &f);
}

static struct caller socket_caller(const struct socket *s)
{
	struct caller c = {.who = WHO_SESSION,
		.addr = s->caller.addr,
		.user_id = s->caller.user_id,
		.level = -1};

	(void)addr_bind_key(&c.addr, c.addr_key);
	memcpy(c.token_hash, s->caller.token_hash, sizeof(c.token_hash));
	return c;
}

void event_serve(struct socket *s, const struct sio_event *e)
{
	int flood = event_flood(s);
	struct request *q;

	if (flood == 2) {
		sio_close(s->id);
		return;
	}
	q = request_new();
	q->event = true;
	q->socket = s;
	q->ack = e->ack;
	q->method = HTTP_OTHER;
	q->started_ns = clock_turn_ns();
	q->caller = socket_caller(s);
	q->route = event_find(e->name);
	correlation_make(q->correlation);
	list_init(&q->turn);
	if (flood == 1) {
		int64_t left = (s->window_until - clock_ms() + 999) / 1000;

		event_refuse(q, (struct fault){.err = ERR_RATE_LIMITED, .retry_after = left});
	} else if (!q->route) {
		event_refuse(
			q, (struct fault){.err = ERR_NOT_FOUND, .sentence = STR("Unknown event")});
	} else if (e->body.attachment_count > 0) {
		event_refuse(q, (struct fault){.err = ERR_INVALID_REQUEST,
					.sentence = STR("Attachments are not taken")});
	} else {
		q->task = task_new(q->route->path, &request_ops, q, 0, event_begin);
		q->body =
			arena_str(task_arena(q->task), e->body.n > 0 ? e->body.args[0] : STR("{}"));
		list_add_tail(&s->events, &q->turn);
#ifdef PORTAL_FAULTS
		event_inject(q);
#endif
	}
}

/* ---- out ---- */

void event_answer(struct request *q, struct str body)
{
	if (q->socket)
		sio_ack(q->socket->id, q->ack, &(struct sio_body){.args = &body, .n = 1});
}

/* ---- for handlers ---- */

struct live *caller_live(const struct task *t)
{
	const struct request *q = request_of(t);

	return q->socket ? live_by_sio(q->socket->id) : NULL;
}

void caller_session(const struct task *t, char out[SESSION_ID_LEN])
{
	session_public_id(caller(t)->token_hash, out);
}
