/* A query's slot: one block of memory with a copy of its parameters, so that it can be sent again
 * and outlive its task; and what a result does to it.
 *
 * To treat another SQLSTATE apart: slot_error. Codes: the manual's appendix A. */
#include "io/pg_private.h"

#include "base/clock.h"
#include "base/log.h"

#include <stdlib.h>

static size_t args_size(const struct pg_args *a)
{
	size_t size = 0;

	for (int i = 0; i < a->n; i++)
		size += sizeof(char *) + 2 * sizeof(int) + (size_t)a->v[i].n + 1;
	return size;
}

/* False when a text holds a NUL: it would be cut there. */
static bool args_copy(struct pg_slot *q, const struct pg_args *a)
{
	char *at;

	q->n = a->n;
	q->values = (const char **)(void *)(q + 1);
	q->lengths = (int *)(void *)(q->values + a->n);
	q->formats = q->lengths + a->n;
	at = (char *)(q->formats + a->n);
	for (int i = 0; i < a->n; i++) {
		size_t n = (size_t)a->v[i].n;

		q->lengths[i] = a->v[i].n;
		q->formats[i] = a->v[i].binary;
		q->values[i] = NULL;
		if (!a->v[i].p)
			continue;
		if (!a->v[i].binary && memchr(a->v[i].p, 0, n))
			return false;
		q->values[i] = at;
		memcpy(at, a->v[i].p, n);
		at[n] = 0;
		at += n + 1;
	}
	return true;
}

struct pg_slot *pg_slot_new(
	const struct pg_stmt *s, const struct pg_args *a, pg_decode *decode, void *out)
{
	struct pg_slot *q = malloc(sizeof(*q) + (a ? args_size(a) : 0));

	if (!q)
		PANIC("out of memory");
	*q = (struct pg_slot){.stmt = s, .decode = decode, .out = out, .started = clock_ms()};
	list_init(&q->node);
	list_init(&q->members);
	if (a && !args_copy(q, a))
		q->err = ERR_INVALID_REQUEST;
	return q;
}

bool pg_slot_is_wanted(const struct pg_slot *q)
{
	return q->op.task || q->stmt->kind == OP_WRITE || !list_empty(&q->members);
}

void pg_slot_end(struct pg_slot *q, enum err e)
{
	pg_share_end(q, e);
	list_remove(&q->node);
	op_end(&q->op, e);
	free(q);
}

static bool state_is(const char *state, const char *prefix)
{
	return strncmp(state, prefix, strlen(prefix)) == 0;
}

static bool state_in(const char *state, const char *const *list)
{
	while (*list && !state_is(state, *list))
		list++;
	return *list != NULL;
}

/* Never the message: it may quote values. */
static void error_log(const struct pg_slot *q, const char *state, const PGresult *res)
{
	const char *at = PQresultErrorField(res, PG_DIAG_STATEMENT_POSITION);

	log_line(LOG_ERROR, "postgres refused a statement", LOG_Z("statement", q->stmt->name),
		LOG_Z("sqlstate", state), LOG_I("position", at ? strtol(at, NULL, 10) : 0));
}

static void slot_error(struct pg_slot *q, const PGresult *res)
{
	/* No connection, out of resources, cancelled, shutting down, read-only, lock not had. */
	static const char *const away[] = {"08", "53", "57", "25006", "55P03", NULL};
	/* Deadlock, serialization. */
	static const char *const clash[] = {"40P01", "40001", NULL};
	/* The prepared statement is gone, stale, or there twice. */
	static const char *const stale[] = {"26000", "0A000", "42P05", NULL};
	const char *state = PQresultErrorField(res, PG_DIAG_SQLSTATE);

	q->unprepared = q->prepares;
	if (!state || state_in(state, away)) {
		q->err = ERR_UNAVAILABLE;
	} else if (state_is(state, "23505")) {
		q->err = ERR_CONFLICT;
	} else if (!q->retried && (state_in(state, clash) || state_in(state, stale))) {
		q->again = q->retried = q->alone = true;
		q->err = OK;
		q->stale = state_in(state, stale);
	} else if (state_in(state, clash)) {
		q->err = ERR_UNAVAILABLE;
	} else {
		error_log(q, state, res);
		q->err = ERR_INTERNAL;
	}
}

void pg_slot_result(struct pg_slot *q, PGresult *res)
{
	switch (PQresultStatus(res)) {
	case PGRES_TUPLES_OK:
	case PGRES_COMMAND_OK:
		if (!list_empty(&q->members))
			pg_share_result(q, res);
		else if (q->decode && q->op.task)
			q->err = q->decode(q->op.task,
				&(struct pg_rows){
					.res = res, .stmt = q->stmt, .count = PQntuples(res)},
				q->out);
		break;
	case PGRES_PIPELINE_ABORTED:
		if (q->err || q->again)
			break; /* its own failure, when it was prepared */
		ASSERT(!q->alone);
		q->again = q->alone = true;
		q->unprepared = q->prepares;
		break;
	default:
		slot_error(q, res);
	}
}
