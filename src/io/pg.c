/* PostgreSQL: the pool of connections, from queries to their answers.
 *
 * Path of a query: pg_query (slot waits) -> pg_turn (HOOK_STORES: sent; reads share a sync, up to
 * PG_BATCH of them; what changes something, or is sent again, has its own) -> conn_input ->
 * conn_step (results, in order) -> slot_done (ended, or sent again). Those of one statement that
 * may go as one pass through pg_share.c before they are sent. Path of a connection:
 * conn_open -> conn_up -> conn_lost -> `retry` -> conn_open.
 *
 * A query's op ends when its sync has been answered, not when its result comes: only then is it
 * committed.
 *
 * Lifetime: connections live from pg_start to pg_stop; slots are on one list, waiting or in flight,
 * until they end. A prepared statement belongs to a connection and is forgotten with it; one that
 * went bad gets another name there (struct plan). */
#include "io/pg_private.h"

#include "base/clock.h"
#include "base/log.h"
#include "io/backoff.h"

#include <stdio.h>
#include <stdlib.h>

#define PG_BATCH     16
#define PG_STEADY_MS 1000 /* up that long: the next loss is a new one */

/* A statement on a connection. `number` is part of its name there from 1 on. */
struct plan {
	unsigned number;
	bool prepared;
};

struct pg_conn {
	struct pg_link link; /* first: a link of the pool is its connection */
	struct list flight;
	size_t in_flight;
	struct plan *plans; /* by place in pg_statements */
	enum {
		STAGE_PREPARE,
		STAGE_QUERY,
		STAGE_SYNC
	} stage;           /* of the head of `flight` */
	bool seen;         /* the result of this stage; NULL is due */
	unsigned unsynced; /* reads sent since the last sync */
	struct timer retry, oldest;
	int64_t answered; /* clock_ms of the last answer */
	unsigned failures;
	int64_t up_since;
};

static struct {
	bool started;
	struct pg_setup setup;
	struct pg_params params, script_params;
	struct pg_conn *conns;
	int up;
	struct list reads, singles; /* wait for the turn's end */
	struct turn_hook turn;
	struct pg_stats stats;
	char logged[256];
} pg;

/* ---- the table of statements ---- */

extern const struct pg_stmt __start_pg_stmt_rows[] __attribute__((weak));
extern const struct pg_stmt __stop_pg_stmt_rows[] __attribute__((weak));

const struct pg_stmt *pg_statements(size_t *count)
{
	*count = ((uintptr_t)__stop_pg_stmt_rows - (uintptr_t)__start_pg_stmt_rows) /
		 sizeof(struct pg_stmt);
	return __start_pg_stmt_rows;
}

static void statements_check(void)
{
	size_t n;
	const struct pg_stmt *s = pg_statements(&n);

	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < i; k++)
			if (strcmp(s[i].name, s[k].name) == 0)
				PANIC("two statements are named %s", s[i].name);
}

static struct plan *plan_of(struct pg_conn *c, const struct pg_slot *q)
{
	return &c->plans[q->stmt - __start_pg_stmt_rows];
}

/* ---- sending ---- */

/* False: the connection is no good. */
static bool query_send(struct pg_conn *c, struct pg_slot *q)
{
	struct plan *plan = plan_of(c, q);
	char numbered[80];
	const char *name = q->stmt->name;

	if (q->stmt->planned)
		return PQsendQueryParams(
			c->link.db, q->stmt->sql, q->n, NULL, q->values, q->lengths, q->formats, 1);
	q->prepares = !plan->prepared;
	plan->prepared = true;
	if (plan->number > 0) {
		snprintf(numbered, sizeof(numbered), "%s.%u", name, plan->number);
		name = numbered;
	}
	return (!q->prepares || PQsendPrepare(c->link.db, name, q->stmt->sql, 0, NULL)) &&
	       PQsendQueryPrepared(c->link.db, name, q->n, q->values, q->lengths, q->formats, 1);
}

static void slot_send(struct pg_conn *c, struct pg_slot *q)
{
	list_add_tail(&c->flight, &q->node);
	c->in_flight++;
	q->sent = clock_ns();
	q->plan = plan_of(c, q)->number;
	q->prepares = q->last = q->again = q->unprepared = q->stale = false;
	if (!timer_is_set(&c->oldest))
		timer_set(&c->oldest, pg.setup.timeout_ms);
	if (!query_send(c, q)) {
		pg_link_fail(&c->link, PQerrorMessage(c->link.db));
		return;
	}
	c->unsynced++;
	pg.stats.queries++;
}

/* Also sends all that waits. */
static void conn_sync(struct pg_conn *c)
{
	if (c->unsynced == 0)
		return;
	c->unsynced = 0;
	LIST_ITEM(c->flight.prev, struct pg_slot, node)->last = true;
	pg.stats.syncs++;
	if (!PQpipelineSync(c->link.db))
		pg_link_fail(&c->link, PQerrorMessage(c->link.db));
	else
		pg_link_flush(&c->link);
}

/* The one with a batch begun, else the one with the least to do; NULL when none is up. */
static struct pg_conn *conn_pick(void)
{
	struct pg_conn *best = NULL;

	for (int i = 0; i < pg.setup.connections; i++) {
		struct pg_conn *c = &pg.conns[i];

		if (!c->link.up)
			continue;
		if (c->unsynced > 0)
			return c;
		if (!best || c->in_flight < best->in_flight)
			best = c;
	}
	return best;
}

static void list_send(struct list *waiting, unsigned batch)
{
	struct pg_conn *c;
	struct list *n;

	while ((n = list_pop(waiting))) {
		struct pg_slot *q = LIST_ITEM(n, struct pg_slot, node);

		c = conn_pick();
		if (!c) {
			pg_slot_end(q, ERR_UNAVAILABLE);
			continue;
		}
		slot_send(c, q);
		if (c->unsynced >= batch)
			conn_sync(c);
	}
	for (int i = 0; i < pg.setup.connections; i++)
		conn_sync(&pg.conns[i]);
}

static void slot_wait(struct pg_slot *q)
{
	list_add_tail(q->stmt->kind == OP_READ ? &pg.reads : &pg.singles, &q->node);
}

static void slot_wait_alone(struct pg_slot *q)
{
	list_add_tail(&pg.singles, &q->node);
}

static void pg_turn(struct turn_hook *h)
{
	(void)h;
	pg_share_turn(slot_wait);
	if (!list_empty(&pg.reads))
		list_send(&pg.reads, PG_BATCH);
	if (!list_empty(&pg.singles))
		list_send(&pg.singles, 1);
}

void pg_query(struct task *t, const struct pg_stmt *s, const struct pg_args *a, pg_decode *decode,
	void *out, task_fn *next)
{
	struct pg_slot *q = pg_slot_new(s, a, decode, out);

	op_begin(t, &q->op, s->kind, next);
	if (pg.up == 0 || q->err)
		pg_slot_end(q, q->err ? q->err : ERR_UNAVAILABLE);
	else if (s->many)
		pg_share_add(q);
	else
		slot_wait(q);
}

/* ---- answers ---- */

static void plan_forget(struct pg_conn *c, const struct pg_slot *q)
{
	struct plan *plan = plan_of(c, q);

	*plan = (struct plan){.number = plan->number + 1};
}

static void slot_done(struct pg_conn *c, struct pg_slot *q)
{
	/* Unless another query has done it since this one was sent. */
	if (plan_of(c, q)->number == q->plan) {
		if (q->stale)
			for (int i = 0; i < pg.setup.connections; i++)
				plan_forget(&pg.conns[i], q);
		else if (q->unprepared)
			plan_forget(c, q);
	}
	c->answered = clock_ms();
	pg.stats.latency_us += ((clock_ns() - q->sent) / 1000 - pg.stats.latency_us) / 16;
	list_remove(&q->node);
	c->in_flight--;
	c->stage = STAGE_PREPARE;
	pg.stats.errors += q->err != OK;
	if (q->again && !q->err && pg_slot_is_wanted(q))
		slot_wait_alone(q);
	else if (!list_empty(&q->members))
		pg_share_done(q, slot_wait_alone);
	else
		pg_slot_end(q, q->err);
}

/* NULL ends what a command had to say; a sync has no NULL, unless its commit failed. */
static bool conn_step_end(struct pg_conn *c, struct pg_slot *q)
{
	if (!c->seen)
		return false;
	c->seen = false;
	if (c->stage == STAGE_PREPARE)
		c->stage = STAGE_QUERY;
	else if (c->stage == STAGE_QUERY && q->last)
		c->stage = STAGE_SYNC;
	else if (c->stage == STAGE_QUERY)
		slot_done(c, q);
	return true;
}

/* One thing that PQgetResult gave. False: it was not its turn. */
static bool conn_step(struct pg_conn *c, PGresult *res)
{
	struct pg_slot *q = LIST_ITEM(c->flight.next, struct pg_slot, node);
	bool sync = res && PQresultStatus(res) == PGRES_PIPELINE_SYNC;

	if (!q->prepares && c->stage == STAGE_PREPARE)
		c->stage = STAGE_QUERY;
	if (!res)
		return conn_step_end(c, q);
	if (sync != (c->stage == STAGE_SYNC) && PQresultStatus(res) != PGRES_FATAL_ERROR)
		return false;
	if (sync) {
		c->seen = false;
		slot_done(c, q);
		return true;
	}
	c->seen = true;
	if (c->stage != STAGE_PREPARE || PQresultStatus(res) != PGRES_COMMAND_OK)
		pg_slot_result(q, res);
	return true;
}

static void conn_input(struct pg_link *l)
{
	struct pg_conn *c = (struct pg_conn *)l;

	/* PQisBusy first: it also reads what the server says unasked. */
	while (!PQisBusy(l->db) && !list_empty(&c->flight)) {
		PGresult *res = PQgetResult(l->db);
		bool expected = conn_step(c, res);

		PQclear(res);
		if (!expected) {
			pg_link_fail(l, PQstatus(l->db) == CONNECTION_BAD
						? PQerrorMessage(l->db)
						: "an answer out of turn");
			return;
		}
	}
}

/* Answers come in order: one look at the head is enough. While others are answered, the queue is
 * long but PostgreSQL is there. */
static void on_oldest(struct timer *t)
{
	struct pg_conn *c = LIST_ITEM(t, struct pg_conn, oldest);
	struct pg_slot *q;
	int64_t since, left;

	if (list_empty(&c->flight))
		return;
	q = LIST_ITEM(c->flight.next, struct pg_slot, node);
	since = q->started > c->answered ? q->started : c->answered;
	left = since + pg.setup.timeout_ms - clock_ms();
	if (left > 0)
		timer_set(t, left);
	else
		pg_link_fail(&c->link, "no answer in time");
}

/* ---- connections ---- */

static void conn_up(struct pg_link *l)
{
	struct pg_conn *c = (struct pg_conn *)l;
	size_t count;

	if (!PQenterPipelineMode(l->db))
		PANIC("postgres: no pipeline mode");
	pg_statements(&count);
	memset(c->plans, 0, count * sizeof(*c->plans));
	c->stage = STAGE_PREPARE;
	c->seen = false;
	c->unsynced = 0;
	c->answered = c->up_since = clock_ms();
	pg.logged[0] = 0;
	if (pg.up++ == 0)
		log_line(LOG_INFO, "postgres is here");
}

static void flight_end(struct pg_conn *c)
{
	struct list *n;

	while ((n = list_pop(&c->flight))) {
		pg.stats.errors++;
		pg_slot_end(LIST_ITEM(n, struct pg_slot, node), ERR_UNAVAILABLE);
	}
	c->in_flight = c->unsynced = 0;
	timer_clear(&c->oldest);
}

static void lost_log(bool last, const char *why)
{
	if (last || strcmp(why, pg.logged) != 0)
		log_line(LOG_WARN, pg.up ? "a postgres connection is away" : "postgres is away",
			LOG_Z("reason", why));
	snprintf(pg.logged, sizeof(pg.logged), "%s", why);
}

static void conn_lost(struct pg_link *l, const char *why)
{
	struct pg_conn *c = (struct pg_conn *)l;
	bool was_up = c->up_since != 0;
	int64_t wait = 0; /* a loss out of the blue: at once */

	if (!was_up || clock_ms() - c->up_since < PG_STEADY_MS)
		wait = backoff_ms(c->failures++);
	else
		c->failures = 0;
	c->up_since = 0;
	pg.up -= was_up;
	pg.stats.reconnects += was_up;
	flight_end(c);
	lost_log(was_up && pg.up == 0, why);
	timer_set(&c->retry, wait);
}

static void on_retry(struct timer *t)
{
	pg_link_open(&LIST_ITEM(t, struct pg_conn, retry)->link, &pg.params);
}

static const struct pg_link_ops conn_ops = {
	.up = conn_up,
	.input = conn_input,
	.lost = conn_lost,
};

static void conn_start(struct pg_conn *c, size_t statements)
{
	pg_link_init(&c->link, &conn_ops);
	list_init(&c->flight);
	timer_init(&c->retry, on_retry);
	timer_init(&c->oldest, on_oldest);
	c->plans = calloc(statements + 1, sizeof(*c->plans));
	if (!c->plans)
		PANIC("out of memory");
	pg_link_open(&c->link, &pg.params);
}

/* Shorter than ours, so that the server ends what is slow and the connection lives. */
static int64_t statement_ms(int64_t timeout_ms)
{
	return timeout_ms > 200 ? timeout_ms - 100 : timeout_ms / 2;
}

enum err pg_start(const struct pg_setup *s, struct str *why)
{
	size_t statements;
	enum err e;

	ASSERT(!pg.started && s->connections > 0);
	memset(&pg, 0, sizeof(pg));
	e = pg_params_make(&pg.params, s->url, statement_ms(s->timeout_ms), why);
	if (!e)
		e = pg_params_make(&pg.script_params, s->url, 0, why);
	if (e) {
		pg_params_free(&pg.params);
		return e;
	}
	pg.started = true;
	pg.setup = *s;
	list_init(&pg.reads);
	list_init(&pg.singles);
	turn_hook_add(&pg.turn, HOOK_STORES, pg_turn);
	statements_check();
	pg_statements(&statements);
	pg_share_start(statements);
	pg.conns = calloc((size_t)s->connections, sizeof(*pg.conns));
	if (!pg.conns)
		PANIC("out of memory");
	for (int i = 0; i < s->connections; i++)
		conn_start(&pg.conns[i], statements);
	return OK;
}

static void waiting_end(struct list *waiting)
{
	struct list *n;

	while ((n = list_pop(waiting)))
		pg_slot_end(LIST_ITEM(n, struct pg_slot, node), ERR_UNAVAILABLE);
}

void pg_stop(void)
{
	if (!pg.started)
		return;
	pg.started = false;
	pg_script_abort();
	for (int i = 0; i < pg.setup.connections; i++) {
		struct pg_conn *c = &pg.conns[i];

		pg_link_close(&c->link);
		flight_end(c);
		timer_clear(&c->retry);
		free(c->plans);
	}
	waiting_end(&pg.reads);
	waiting_end(&pg.singles);
	pg_share_stop();
	turn_hook_remove(&pg.turn);
	pg.up = 0;
	free(pg.conns);
	pg.conns = NULL;
	pg_params_free(&pg.params);
	pg_params_free(&pg.script_params);
}

bool pg_is_up(void)
{
	return pg.up > 0;
}

const struct pg_params *pg_script_params(void)
{
	return &pg.script_params;
}

struct pg_stats pg_stats(void)
{
	struct pg_stats s = pg.stats;

	s.up = pg.up;
	s.connections = pg.setup.connections;
	s.silent_ms = clock_ms();
	for (int i = 0; pg.conns && i < pg.setup.connections; i++) {
		const struct pg_conn *c = &pg.conns[i];

		s.in_flight += c->in_flight;
		if (clock_ms() - c->answered < s.silent_ms)
			s.silent_ms = clock_ms() - c->answered;
	}
	return s;
}
