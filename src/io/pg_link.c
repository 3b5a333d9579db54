/* One libpq connection and its place in the loop: connecting, readable for good, writable while
 * something waits, loss.
 *
 * Path: pg_link_open -> connect_step (PQconnectPoll; a poll handle a step, since libpq may change
 * its socket) -> up -> on_event -> ops->input. Every failure ends in pg_link_fail.
 *
 * Lifetime: the link is embedded; its PGconn lives from pg_link_open to pg_link_close. A poll
 * handle is closed before libpq may close the socket, and freed by its close callback. */
#include "io/pg_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

#define PG_CONNECT_MS 1000

static void connect_step(struct pg_link *l);

static void poll_freed(uv_handle_t *h)
{
	free(h);
}

static void poll_close(struct pg_link *l)
{
	if (!l->poll)
		return;
	uv_close((uv_handle_t *)l->poll, poll_freed);
	l->poll = NULL;
}

static void poll_open(struct pg_link *l, int events, uv_poll_cb fn)
{
	l->poll = malloc(sizeof(*l->poll));
	if (!l->poll)
		PANIC("out of memory");
	if (uv_poll_init(loop_uv(), l->poll, PQsocket(l->db)) != 0)
		PANIC("postgres: the loop refuses the socket");
	l->poll->data = l;
	uv_poll_start(l->poll, events, fn);
}

void pg_link_close(struct pg_link *l)
{
	timer_clear(&l->attempt);
	poll_close(l);
	if (l->db)
		PQfinish(l->db);
	l->db = NULL;
	l->up = l->writing = false;
}

void pg_link_fail(struct pg_link *l, const char *why)
{
	char text[256];

	snprintf(text, sizeof(text), "%.*s", (int)strcspn(why, "\n"), why);
	pg_link_close(l);
	l->ops->lost(l, text);
}

/* ---- up ---- */

static void on_event(uv_poll_t *poll, int status, int events)
{
	struct pg_link *l = poll->data;
	bool alive = true;

	loop_enter();
	if (status < 0 || (events & UV_READABLE)) {
		alive = PQconsumeInput(l->db);
		l->ops->input(l); /* also what came before the end */
	}
	if (!l->db)
		return;
	if (!alive || PQstatus(l->db) == CONNECTION_BAD) {
		pg_link_fail(l, PQerrorMessage(l->db));
	} else if (events & UV_WRITABLE) {
		pg_link_flush(l);
		if (l->db && !l->writing && l->ops->written)
			l->ops->written(l);
	}
}

void pg_link_flush(struct pg_link *l)
{
	int left = PQflush(l->db);

	if (left < 0) {
		pg_link_fail(l, PQerrorMessage(l->db));
	} else if (l->writing != (left > 0)) {
		l->writing = left > 0;
		uv_poll_start(l->poll, UV_READABLE | (l->writing ? UV_WRITABLE : 0), on_event);
	}
}

/* ---- connecting ---- */

static void on_connect(uv_poll_t *poll, int status, int events)
{
	struct pg_link *l = poll->data;

	(void)status;
	(void)events;
	loop_enter();
	connect_step(l);
}

static void connect_step(struct pg_link *l)
{
	poll_close(l);
	switch (PQconnectPoll(l->db)) {
	case PGRES_POLLING_READING:
		poll_open(l, UV_READABLE, on_connect);
		break;
	case PGRES_POLLING_WRITING:
		poll_open(l, UV_WRITABLE, on_connect);
		break;
	case PGRES_POLLING_OK:
		timer_clear(&l->attempt);
		if (PQsetnonblocking(l->db, 1) != 0)
			PANIC("postgres: no nonblocking mode");
		l->up = true;
		poll_open(l, UV_READABLE, on_event);
		l->ops->up(l);
		break;
	default:
		pg_link_fail(l, PQerrorMessage(l->db));
	}
}

static void on_attempt(struct timer *t)
{
	pg_link_fail(LIST_ITEM(t, struct pg_link, attempt), "no answer while connecting");
}

/* libpq would print notices; they may quote values. The end of a session shows as end of file. */
static void on_notice(void *unused, const PGresult *res)
{
	(void)unused;
	(void)res;
}

void pg_link_init(struct pg_link *l, const struct pg_link_ops *ops)
{
	*l = (struct pg_link){.ops = ops};
	timer_init(&l->attempt, on_attempt);
}

void pg_link_open(struct pg_link *l, const struct pg_params *p)
{
	l->db = PQconnectStartParams(
		(const char *const *)p->keys, (const char *const *)p->values, 0);
	if (!l->db)
		PANIC("out of memory");
	if (PQstatus(l->db) == CONNECTION_BAD) {
		pg_link_fail(l, PQerrorMessage(l->db));
		return;
	}
	PQsetNoticeReceiver(l->db, on_notice, NULL);
	timer_set(&l->attempt, PG_CONNECT_MS);
	/* As libpq demands: the first wait is for writing. */
	poll_open(l, UV_WRITABLE, on_connect);
}
