/* Scripts: a text of several statements, sent as one simple query (so it is one transaction) on a
 * connection of its own. For portalctl; one at a time.
 *
 * Path: pg_script -> script_up (sent) -> script_input (results, the first error kept) ->
 * script_end. Lifetime: one static run, whose link outlasts the callbacks that close it. The
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

static void script_input(struct pg_link *l)
{
	while (!PQisBusy(l->db)) {
		PGresult *res = PQgetResult(l->db);
		ExecStatusType status = PQresultStatus(res);

		if (!res) {
			script_end(script.err);
			return;
		}
		if (!script.err && status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK &&
			status != PGRES_EMPTY_QUERY) {
			script.err = ERR_INTERNAL;
			buf_str(&script.error, str_of(PQresultErrorMessage(res)));
		}
		PQclear(res);
	}
}

static void script_lost(struct pg_link *l, const char *why)
{
	(void)l;
	if (script.error.n == 0)
		buf_str(&script.error, str_of(why));
	script_end(ERR_UNAVAILABLE);
}

void pg_script(struct task *t, struct str sql, task_fn *next)
{
	static const struct pg_link_ops ops = {
		.up = script_up,
		.input = script_input,
		.lost = script_lost,
	};

	ASSERT(!script.sql);
	script.sql = malloc(sql.n + 1);
	if (!script.sql)
		PANIC("out of memory");
	memcpy(script.sql, sql.p, sql.n);
	script.sql[sql.n] = 0;
	script.err = OK;
	script.error.n = 0;
	op_begin(t, &script.op, OP_WRITE, next);
	pg_link_init(&script.link, &ops);
	pg_link_open(&script.link, pg_script_params());
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
