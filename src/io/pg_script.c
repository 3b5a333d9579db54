/* Scripts: a text of several statements, sent as one simple query (so it is one transaction) on a
 * connection of its own. For portalctl; one at a time.
 *
 * Path: pg_script -> script_up (sent) -> script_input (results, the first error kept; rows of a
 * COPY in copy_out) -> script_end. A COPY that wants rows gets them in copy_in, as fast as the
 * server takes them. Lifetime: one static run, whose link outlasts the callbacks that close it. The
 * error's text stays until the next script or pg_stop. */
#include "io/pg_private.h"

#include "base/buf.h"

#include <stdlib.h>

static struct {
	struct pg_link link;
	struct op op;
	char *sql; /* NULL: none runs */
	enum err err;
	struct buf error; /* empty: none */
	struct pg_copy copy;
	int copies; /* begun so far */
	enum {
		NO_COPY,
		COPY_OUT,
		COPY_IN
	} copying;
} script;

static void script_end(enum err e)
{
	pg_link_close(&script.link);
	free(script.sql);
	script.sql = NULL;
	op_end(&script.op, e);
}

static void script_up(struct pg_link *l)
{
	if (PQsendQuery(l->db, script.sql))
		pg_link_flush(l);
	else
		pg_link_fail(l, PQerrorMessage(l->db));
}

/* ---- COPY ---- */

/* False: there is no more for now, or the script has ended. */
static bool copy_out(struct pg_link *l)
{
	char *row;
	int n = PQgetCopyData(l->db, &row, 1);
	bool kept;

	if (n == 0)
		return false;
	if (n < 0) { /* its result comes next, also of a failure */
		script.copying = NO_COPY;
		return true;
	}
	kept = script.copy.out(script.copy.arg, script.copies - 1, str_make(row, (size_t)n));
	PQfreemem(row);
	if (!kept)
		script_end(ERR_INTERNAL);
	return kept;
}

/* Until the socket is full: then script_written goes on. */
static void copy_in(struct pg_link *l)
{
	while (l->db && script.copying == COPY_IN && !l->writing) {
		struct str piece = script.copy.in(script.copy.arg, script.copies - 1);
		int sent = piece.n > 0 ? PQputCopyData(l->db, piece.p, (int)piece.n)
				       : PQputCopyEnd(l->db, NULL);

		if (piece.n == 0)
			script.copying = NO_COPY;
		if (sent < 1)
			pg_link_fail(l, PQerrorMessage(l->db));
		else
			pg_link_flush(l);
	}
}

static void script_written(struct pg_link *l)
{
	copy_in(l);
}

/* ---- results ---- */

static void script_result(struct pg_link *l, PGresult *res)
{
	ExecStatusType status = PQresultStatus(res);

	if (status == PGRES_COPY_OUT || status == PGRES_COPY_IN) {
		script.copies++;
		script.copying = status == PGRES_COPY_OUT ? COPY_OUT : COPY_IN;
	} else if (!script.err && status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK &&
		   status != PGRES_EMPTY_QUERY) {
		script.err = ERR_INTERNAL;
		buf_str(&script.error, str_of(PQresultErrorMessage(res)));
	}
	PQclear(res);
	copy_in(l);
}

static void script_input(struct pg_link *l)
{
	while (l->db && script.copying != COPY_IN && !PQisBusy(l->db)) {
		PGresult *res;

		if (script.copying == COPY_OUT) {
			if (!copy_out(l))
				return;
			continue;
		}
		res = PQgetResult(l->db);
		if (!res) {
			script_end(script.err);
			return;
		}
		script_result(l, res);
	}
}

static void script_lost(struct pg_link *l, const char *why)
{
	(void)l;
	if (script.error.n == 0)
		buf_str(&script.error, str_of(why));
	script_end(ERR_UNAVAILABLE);
}

void pg_script_copy(struct task *t, struct str sql, const struct pg_copy *copy, task_fn *next)
{
	static const struct pg_link_ops ops = {
		.up = script_up,
		.input = script_input,
		.lost = script_lost,
		.written = script_written,
	};

	ASSERT(!script.sql);
	script.sql = malloc(sql.n + 1);
	if (!script.sql)
		PANIC("out of memory");
	memcpy(script.sql, sql.p, sql.n);
	script.sql[sql.n] = 0;
	script.err = OK;
	script.error.n = 0;
	script.copy = *copy;
	script.copies = 0;
	script.copying = NO_COPY;
	op_begin(t, &script.op, OP_WRITE, next);
	pg_link_init(&script.link, &ops);
	pg_link_open(&script.link, pg_script_params());
}

void pg_script(struct task *t, struct str sql, task_fn *next)
{
	pg_script_copy(t, sql, &(struct pg_copy){0}, next);
}

struct str pg_script_error(struct task *t)
{
	return script.error.n > 0 ? arena_str(task_arena(t), buf_view(&script.error)) : STR_NULL;
}

void pg_script_abort(void)
{
	if (script.sql)
		script_end(ERR_UNAVAILABLE);
	buf_free(&script.error);
}
