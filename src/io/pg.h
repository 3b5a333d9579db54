/* PostgreSQL: a few connections in pipeline mode, prepared statements, results in binary.
 *
 * Statements are declared with PG_STMT next to the function that uses them (store/ only); each is
 * prepared on a connection the first time it is used there (PG_STMT_PLANNED: never). The reads of
 * one loop turn on one connection share one sync and one flush; when one fails, its neighbours are
 * sent again one by one. A write has a sync of its own: it is a transaction by itself. What checks
 * and then acts is one statement (CTE) or one SQL function. Those of one statement that come
 * together may go as one (PG_STMT_SHARED).
 *
 * Away: as in io/redis.h, but a connection that was up for a second is tried again at once.
 * statement_timeout is STORE_TIMEOUT_MS minus 100 (half of it up to 200). A connection that
 * answers nothing for STORE_TIMEOUT_MS is closed and made anew. */
#ifndef IO_PG_H
#define IO_PG_H

#include "io/task.h"

struct pg_stmt {
	const char *name; /* also the prepared statement's name */
	const char *sql;
	enum op_kind kind;
	bool planned;
	const struct pg_stmt *many; /* NULL: each goes by itself */
};
/* static const statement, listed in one table of the program so that a test can EXPLAIN them all.
 * The section's name is no function's: to the assembler they would be the same symbol. gcc and
 * clang put no red zones into it. */
#define PG_STMT(ident, kind_, sql_) PG_ROW(ident, kind_, sql_, false, NULL)
/* One whose filters may be left out ("$1 IS NULL OR …"): it is planned at each call, with its
 * values. A plan that is right for all values would read all rows. */
#define PG_STMT_PLANNED(ident, kind_, sql_) PG_ROW(ident, kind_, sql_, true, NULL)
/* One that several may share: those that wait at a turn's end go as one, `many_`, another
 * statement. Its parameters are arrays of the single's ($1: the first parameter of each who waits,
 * in their order); its rows are those of the single behind a bigint, the number of whom they are
 * for, from 1 and ascending. While one is under way the next wait for its end, PG_SHARE_MS at most;
 * a lone one goes at once, as it is. Who gets no row is sent by itself; so are all when it fails.
 * It is a transaction of all: what it changes is committed for all of them, or for none.
 *
 * Read an array as "unnest((SELECT $1::bigint[]))". PostgreSQL cannot look into the SELECT and
 * takes any for ten long; without it short ones would look cheaper than the plan that is kept, and
 * be planned each time, for ten times what running them takes. */
#define PG_STMT_SHARED(ident, kind_, many_, sql_) PG_ROW(ident, kind_, sql_, false, &(many_))
#define PG_SHARE_MS                               20
#define PG_SHARE_MOST                             32 /* in one; more go as several */
#define PG_ROW(ident, kind_, sql_, planned_, many_)                                                \
	static const struct pg_stmt ident                                                          \
		__attribute__((section("pg_stmt_rows"), used, aligned(8))) = {.name = #ident,      \
			.sql = (sql_),                                                             \
			.kind = (kind_),                                                           \
			.planned = (planned_),                                                     \
			.many = (many_)}
const struct pg_stmt *pg_statements(size_t *count);

struct pg_setup {
	struct str url;
	int connections;
	int64_t timeout_ms;
};
/* `url`: what libpq takes. Host names are resolved here, once: a changed address needs a restart.
 * ERR_INVALID_REQUEST and a sentence in *why when the URL is bad or a name has no address; a server
 * that is away is no error. */
enum err pg_start(const struct pg_setup *s, struct str *why) MUST_CHECK;
void pg_stop(void);  /* closes; slots end with ERR_UNAVAILABLE */
bool pg_is_up(void); /* at least one connection is usable */

/* Parameters, in order of $1…; text format, types are the statement's. */
#define PG_ARGS 24
struct pg_args {
	struct {
		const char *p;
		int n;
		bool binary;
	} v[PG_ARGS];
	int n;
};
/* Parameters need to live until pg_query returns only. NULL p: NULL. A string with a NUL inside,
 * which PostgreSQL cannot hold, ends the query with ERR_INVALID_REQUEST. */
void pg_arg_str(struct task *t, struct pg_args *a, struct str s);
void pg_arg_i64(struct task *t, struct pg_args *a, int64_t v);
void pg_arg_bool(struct pg_args *a, bool v);
void pg_arg_null(struct pg_args *a);
void pg_arg_bytes(struct pg_args *a, const void *p, size_t n);   /* bytea, binary; NULL p: NULL */
void pg_arg_time(struct task *t, struct pg_args *a, int64_t us); /* timestamptz; 0: NULL */
/* text[] / bigint[]; p == NULL is NULL */
void pg_arg_strs(struct task *t, struct pg_args *a, const struct str *p, size_t n);
void pg_arg_i64s(struct task *t, struct pg_args *a, const int64_t *p, size_t n);

/* Rows, valid only inside the decoder. Columns by position. A column of a type that the accessor
 * does not take (numeric as pg_i64, uuid as pg_text: cast them in the statement) is a bug and stops
 * the process. */
struct pg_rows;
int pg_count(const struct pg_rows *r);
int64_t pg_affected(const struct pg_rows *r);
bool pg_null(const struct pg_rows *r, int row, int col);
int64_t pg_i64(const struct pg_rows *r, int row, int col); /* int2, int4, int8; NULL is 0 */
bool pg_bool(const struct pg_rows *r, int row, int col);
int64_t pg_time(const struct pg_rows *r, int row, int col); /* timestamptz -> us; NULL is 0 */
/* text, json, jsonb, enum, bytea; NULL p for NULL */
struct str pg_text(const struct pg_rows *r, int row, int col);
struct str pg_text_copy(struct task *t, const struct pg_rows *r, int row, int col);

/* As redis_decode. SQL errors never get here: unique_violation becomes ERR_CONFLICT, a lost
 * connection or a timeout ERR_UNAVAILABLE, a deadlock is retried once, the rest is logged with the
 * statement's name and becomes ERR_INTERNAL. NULL: the rows do not matter. */
typedef enum err pg_decode(struct task *t, const struct pg_rows *r, void *out);

void pg_query(struct task *t, const struct pg_stmt *s, const struct pg_args *a, pg_decode *decode,
	void *out, task_fn *next);

/* Runs a text of several statements as one transaction (migrations; portalctl only) on a connection
 * of its own, without a statement timeout; one at a time. Needs pg_start. Give the task no
 * deadline. */
void pg_script(struct task *t, struct str sql, task_fn *next);
/* The same with COPY … TO STDOUT and COPY … FROM STDIN in it: `n` counts them from 0. Called
 * straight from the connection, not as steps of the task. */
struct pg_copy {
	/* A row with its end of line. False ends the script (ERR_INTERNAL): it could not be kept.
	 */
	bool (*out)(void *arg, int n, struct str row);
	/* The next piece, whole rows or not; empty: that was all. */
	struct str (*in)(void *arg, int n);
	void *arg;
};
void pg_script_copy(struct task *t, struct str sql, const struct pg_copy *copy, task_fn *next);
/* Why the last script failed, in the server's words (they may hold values: for the operator's
 * terminal, never for a log); STR_NULL when it did not. A copy in the task's arena. */
struct str pg_script_error(struct task *t);

struct pg_stats {
	uint64_t queries, errors, reconnects, syncs;
	size_t in_flight;
	int up, connections;
	int64_t latency_us; /* moving average */
	int64_t silent_ms;  /* since anything was answered */
};
struct pg_stats pg_stats(void);

#endif
