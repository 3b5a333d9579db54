/* io/pg against the server of DATABASE_URL: types, errors, neighbours, commit, loss, time. Every
 * test ends with pg_stop and an empty loop. What it makes lies in a schema of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "base/clock.h"
#include "io/pg.h"

#define TIMEOUT_MS  400  /* where it is to be reached */
#define PATIENT_MS  4000 /* elsewhere: also on a busy machine */
#define MANY        1000
#define BIG         400000
#define CONNECTIONS 3

PG_STMT(q_one, OP_READ, "SELECT $1::bigint");
PG_STMT(q_divide, OP_READ, "SELECT 100 / $1::bigint");
PG_STMT(q_length, OP_READ, "SELECT length($1::text)");
PG_STMT(q_no_table, OP_READ, "SELECT * FROM no_such_table");
PG_STMT(q_types, OP_READ,
	"SELECT $1::bigint, $2::int, $3::smallint, $4::boolean, $5::text, $6::bytea, "
	"$7::timestamptz,"
	" $8::text[] = ARRAY['a', '', 'b\"c\\d,{}', NULL], $9::bigint[] = ARRAY[1, -2]::bigint[],"
	" $10::jsonb, $11::text, $8::text[] = '{}'");
PG_STMT(q_insert, OP_WRITE, "INSERT INTO test_pg.t (id, once) VALUES ($1, $1)");
PG_STMT(q_count, OP_READ, "SELECT count(*) FROM test_pg.t WHERE id = $1");
PG_STMT(q_late, OP_WRITE, "INSERT INTO test_pg.late (id) VALUES ($1) RETURNING id");
PG_STMT(q_clash, OP_WRITE, "SELECT test_pg.clash()");
PG_STMT(q_star, OP_READ, "SELECT * FROM test_pg.wide");
PG_STMT(q_forget, OP_WRITE, "DEALLOCATE ALL");
PG_STMT(q_sleep, OP_READ, "SELECT 1::bigint FROM pg_sleep(5)");
PG_STMT(q_prepared, OP_READ,
	"SELECT count(*) FROM pg_prepared_statements WHERE name IN ('q_prepared', 'q_planned')"
	" AND $1::bigint = 7");
PG_STMT_PLANNED(q_planned, OP_READ,
	"SELECT count(*) FROM pg_prepared_statements WHERE name = 'q_planned' AND $1::bigint = 7");
PG_STMT(q_kill_self, OP_WRITE, "SELECT pg_terminate_backend(pg_backend_pid())");
PG_STMT(q_kill_others, OP_WRITE,
	"SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
	" WHERE application_name = 'portald' AND pid <> pg_backend_pid()"
	" AND datname = current_database()");

/* Alone it answers 1000 / $1, with others 100 / $1: so each tells how it went. */
PG_STMT(q_shared_many, OP_READ,
	"SELECT nr, 100 / v FROM unnest($1::bigint[]) WITH ORDINALITY AS a (v, nr)"
	" WHERE v <> 7 ORDER BY nr");
PG_STMT_SHARED(q_shared, OP_READ, q_shared_many, "SELECT 1000 / $1::bigint");
PG_STMT(q_types_many, OP_READ,
	"SELECT nr, i, t, b, h FROM unnest($1::bigint[], $2::text[], $3::boolean[], $4::bytea[])"
	" WITH ORDINALITY AS a (i, t, b, h, nr), generate_series(1, 2) ORDER BY nr");
PG_STMT_SHARED(q_types_one, OP_READ, q_types_many,
	"SELECT $1::bigint, $2::text, $3::boolean, $4::bytea FROM generate_series(1, 2)");
PG_STMT(q_nap_many, OP_WRITE,
	"SELECT nr, v FROM unnest($1::bigint[]) WITH ORDINALITY AS a (v, nr)");
PG_STMT_SHARED(q_nap, OP_WRITE, q_nap_many, "SELECT pg_sleep($1::bigint)");
PG_STMT(q_lost_many, OP_WRITE,
	"SELECT nr, pg_terminate_backend(pg_backend_pid()) FROM unnest($1::bigint[])"
	" WITH ORDINALITY AS a (v, nr)");
PG_STMT_SHARED(
	q_lost, OP_WRITE, q_lost_many, "INSERT INTO test_pg.t (id) VALUES ($1) RETURNING id");

static const char *const schema =
	"DROP SCHEMA IF EXISTS test_pg CASCADE; CREATE SCHEMA test_pg;"
	"CREATE TABLE test_pg.t (id bigint, once bigint UNIQUE);"
	"CREATE TABLE test_pg.late (id bigint UNIQUE DEFERRABLE INITIALLY DEFERRED);"
	"INSERT INTO test_pg.late VALUES (1);"
	"CREATE TABLE test_pg.wide (a bigint); INSERT INTO test_pg.wide VALUES (7);"
	"CREATE SEQUENCE test_pg.calls;"
	"CREATE FUNCTION test_pg.clash() RETURNS bigint LANGUAGE plpgsql AS $$"
	"  BEGIN IF nextval('test_pg.calls') = 1 THEN"
	"    RAISE EXCEPTION 'once' USING ERRCODE = '40001'; END IF; RETURN 5; END $$";

static const char *url;

/* ---- running the loop until something is so ---- */

static struct {
	struct timer timer;
	bool (*is_so)(void);
	int64_t give_up;
	bool ok;
} until;

static void until_look(struct timer *t)
{
	until.ok = until.is_so();
	if (until.ok || clock_ms() > until.give_up)
		loop_stop();
	else
		timer_set(t, 1);
}

static bool run_until(bool (*is_so)(void))
{
	until.is_so = is_so;
	until.give_up = clock_ms() + 5000;
	timer_init(&until.timer, until_look);
	timer_set(&until.timer, 1);
	loop_run();
	return until.ok;
}

static bool no_task(void)
{
	return task_stats().alive == 0;
}

static bool all_up(void)
{
	return pg_stats().up == CONNECTIONS;
}

static bool some_down(void)
{
	return pg_stats().up < CONNECTIONS;
}

static bool one_task(void)
{
	return task_stats().alive == 1;
}

static bool one_in_flight(void)
{
	return pg_stats().in_flight == 1;
}

static int begin_with(int64_t timeout_ms)
{
	const struct pg_setup s = {
		.url = str_of(url), .connections = CONNECTIONS, .timeout_ms = timeout_ms};
	struct str why;

	loop_init();
	assert_int_equal(pg_start(&s, &why), OK);
	assert_true(run_until(all_up));
	return 0;
}

static int begin(void **state)
{
	(void)state;
	return begin_with(PATIENT_MS);
}

static int begin_hasty(void **state)
{
	(void)state;
	return begin_with(TIMEOUT_MS);
}

static int end(void **state)
{
	(void)state;
	pg_stop();
	assert_int_equal(task_stats().alive, 0);
	assert_int_equal(pg_stats().in_flight, 0);
	assert_true(loop_close());
	return 0;
}

/* ---- a task of one query with at most one number ---- */

struct call {
	const struct pg_stmt *stmt;
	const char *sql; /* a script */
	bool with;
	int64_t arg, got, affected;
	enum err err;
	char error[200];
};

static enum err decode_one(struct task *t, const struct pg_rows *r, void *out)
{
	struct call *c = out;

	(void)t;
	c->affected = pg_affected(r);
	if (pg_count(r) == 1 && c->stmt->kind == OP_READ)
		c->got = pg_i64(r, 0, 0);
	return OK;
}

static void call_ended(struct task *t)
{
	struct call *c = task_subject(t);
	struct str error = pg_script_error(t);

	c->err = task_err(t);
	snprintf(c->error, sizeof(c->error), STR_FMT, STR_ARG(error));
	task_end(t);
}

static void call_begin(struct task *t)
{
	struct call *c = task_subject(t);
	struct pg_args a = {0};

	task_catch(t);
	if (c->sql) {
		pg_script(t, str_of(c->sql), call_ended);
		return;
	}
	if (c->with)
		pg_arg_i64(t, &a, c->arg);
	pg_query(t, c->stmt, &a, decode_one, c, call_ended);
}

static void never_failed(struct task *t, const struct fault *f)
{
	(void)f;
	fail_msg("the task failed");
	task_end(t);
}
static const struct task_ops call_ops = {.failed = never_failed};

static void call_start(struct call *c, const struct pg_stmt *s, int64_t arg)
{
	*c = (struct call){.stmt = s, .with = strchr(s->sql, '$') && s != &q_clash, .arg = arg};
	task_new("test", &call_ops, c, 0, call_begin);
}

static enum err call_run(struct call *c, const struct pg_stmt *s, int64_t arg)
{
	call_start(c, s, arg);
	assert_true(run_until(no_task));
	return c->err;
}

static enum err script_run(struct call *c, const char *sql)
{
	*c = (struct call){.sql = sql};
	task_new("script", &call_ops, c, 0, call_begin);
	assert_true(run_until(no_task));
	return c->err;
}

/* ---- tests ---- */

static void test_urls_refused(void **state)
{
	static const char *const bad[] = {
		"nonsense", "postgresql://h:x:y/", "host=no-such-host.invalid", "post://x"};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct pg_setup s = {.url = str_of(bad[i]), .connections = 1, .timeout_ms = 400};
		struct str why = STR_NULL;

		assert_int_equal(pg_start(&s, &why), ERR_INVALID_REQUEST);
		assert_true(why.n > 0);
	}
}

static void test_statements_are_listed(void **state)
{
	size_t n, found = 0;
	const struct pg_stmt *s = pg_statements(&n);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		assert_non_null(s[i].sql);
		found += strncmp(s[i].name, "q_", 2) == 0;
		if (s[i].sql == q_late.sql)
			assert_string_equal(s[i].name, "q_late");
	}
	assert_int_equal(found, 24);
}

static void test_scripts(void **state)
{
	struct call c;

	(void)state;
	assert_int_equal(script_run(&c, schema), OK);
	assert_string_equal(c.error, "");
	assert_int_equal(script_run(&c, "INSERT INTO test_pg.t VALUES (900, 900); SELECT 1;"
					"INSERT INTO test_pg.nowhere VALUES (1)"),
		ERR_INTERNAL);
	assert_non_null(strstr(c.error, "nowhere"));
	assert_int_equal(call_run(&c, &q_count, 900), OK);
	assert_int_equal(c.got, 0);
}

static enum err decode_types(struct task *t, const struct pg_rows *r, void *out)
{
	struct str copy = pg_text_copy(t, r, 0, 9);

	(void)out;
	assert_int_equal(pg_count(r), 1);
	assert_true(pg_i64(r, 0, 0) == INT64_MIN);
	assert_int_equal(pg_i64(r, 0, 1), -7);
	assert_int_equal(pg_i64(r, 0, 2), 32767);
	assert_true(pg_bool(r, 0, 3));
	assert_true(str_eq(pg_text(r, 0, 4), STR("h\xc3\xa9")));
	assert_true(str_eq(pg_text(r, 0, 5), str_make("\0\xff\0", 3)));
	assert_int_equal(pg_time(r, 0, 6), INT64_C(1774972996763528));
	assert_true(pg_null(r, 0, 7) || pg_bool(r, 0, 7));
	assert_true(pg_bool(r, 0, 8));
	assert_true(str_eq(copy, STR("{\"a\": [1]}")));
	assert_true(pg_null(r, 0, 10));
	assert_null(pg_text(r, 0, 10).p);
	assert_false(pg_bool(r, 0, 11));
	return ERR_NOT_FOUND;
}

static void types_begin(struct task *t)
{
	const struct str strs[] = {STR("a"), STR(""), STR("b\"c\\d,{}"), STR_NULL};
	const int64_t numbers[] = {1, -2};
	struct call *c = task_subject(t);
	struct pg_args a = {0};

	task_catch(t);
	pg_arg_i64(t, &a, INT64_MIN);
	pg_arg_i64(t, &a, -7);
	pg_arg_i64(t, &a, 32767);
	pg_arg_bool(&a, true);
	pg_arg_str(t, &a, STR("h\xc3\xa9"));
	pg_arg_bytes(&a, "\0\xff\0", 3);
	pg_arg_time(t, &a, INT64_C(1774972996763528));
	pg_arg_strs(t, &a, strs, 4);
	pg_arg_i64s(t, &a, numbers, 2);
	pg_arg_str(t, &a, STR("{\"a\":[1]}"));
	pg_arg_str(t, &a, STR_NULL);
	pg_query(t, c->stmt, &a, decode_types, c, call_ended);
}

static void nul_begin(struct task *t)
{
	struct call *c = task_subject(t);
	struct pg_args a = {0};

	task_catch(t);
	pg_arg_str(t, &a, str_make("4\0002", 3));
	pg_query(t, c->stmt, &a, decode_one, c, call_ended);
}

static void test_types(void **state)
{
	struct call c = {.stmt = &q_types}, nul = {.stmt = &q_one};

	(void)state;
	task_new("types", &call_ops, &c, 0, types_begin);
	task_new("nul", &call_ops, &nul, 0, nul_begin);
	assert_true(run_until(no_task));
	assert_int_equal(c.err, ERR_NOT_FOUND); /* the decoder's */
	assert_int_equal(nul.err, ERR_INVALID_REQUEST);
}

static void test_many_share_syncs(void **state)
{
	static struct call many[MANY];

	(void)state;
	for (int i = 0; i < MANY; i++)
		call_start(&many[i], &q_one, i);
	assert_true(run_until(no_task));
	for (int i = 0; i < MANY; i++) {
		assert_int_equal(many[i].err, OK);
		assert_int_equal(many[i].got, i);
	}
	assert_in_range(pg_stats().syncs, 1, MANY / 10);
}

static enum err decode_length(struct task *t, const struct pg_rows *r, void *out)
{
	(void)t;
	*(int64_t *)out = pg_i64(r, 0, 0);
	return OK;
}

static void big_ended(struct task *t)
{
	int64_t *lengths = task_frame(t);

	for (int i = 0; i < 60; i++)
		assert_int_equal(lengths[i], BIG);
	task_end(t);
}

static void big_begin(struct task *t)
{
	char *text = arena_alloc(task_arena(t), BIG);
	int64_t *lengths = task_frame(t);

	memset(text, 'x', BIG);
	for (int i = 0; i < 60; i++) {
		struct pg_args a = {0};

		pg_arg_str(t, &a, str_make(text, BIG));
		pg_query(t, &q_length, &a, decode_length, &lengths[i], big_ended);
	}
}

static void test_more_than_the_socket_takes(void **state)
{
	(void)state;
	task_new("big", &call_ops, NULL, 60 * sizeof(int64_t), big_begin);
	assert_true(run_until(no_task));
	assert_true(all_up());
}

static void test_neighbours_of_a_failure(void **state)
{
	struct call c[12];

	(void)state;
	for (int round = 0; round < 2; round++) { /* preparing, prepared */
		for (int i = 0; i < 12; i++)
			call_start(&c[i], i == 5 ? &q_no_table : &q_divide, i);
		assert_true(run_until(no_task));
		for (int i = 0; i < 12; i++) {
			assert_int_equal(c[i].err, i == 0 || i == 5 ? ERR_INTERNAL : OK);
			assert_int_equal(c[i].got, i == 0 || i == 5 ? 0 : 100 / i);
		}
	}
	assert_true(all_up());
}

static void test_unique(void **state)
{
	struct call a, b, c;

	(void)state;
	call_start(&a, &q_insert, 1);
	call_start(&b, &q_insert, 2);
	call_start(&c, &q_insert, 1);
	assert_true(run_until(no_task));
	assert_int_equal(b.err, OK);
	assert_int_equal(b.affected, 1);
	assert_int_equal((a.err == ERR_CONFLICT) + (c.err == ERR_CONFLICT), 1);
	assert_int_equal((a.err == OK) + (c.err == OK), 1);
	assert_int_equal(call_run(&a, &q_count, 1), OK);
	assert_int_equal(a.got, 1);
}

static void test_commit_that_fails(void **state)
{
	struct call c, next[4];

	(void)state;
	call_start(&c, &q_late, 1);
	for (int i = 0; i < 4; i++)
		call_start(&next[i], &q_late, 10 + i);
	assert_true(run_until(no_task));
	assert_int_equal(c.err, ERR_CONFLICT);
	for (int i = 0; i < 4; i++)
		assert_int_equal(next[i].err, OK);
	assert_true(all_up());
}

static void test_clash_is_tried_again(void **state)
{
	struct call c;

	(void)state;
	assert_int_equal(call_run(&c, &q_clash, 0), OK);
}

static void test_stale_plans(void **state)
{
	struct call c[20];

	(void)state;
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 20; i++)
			call_start(&c[i], &q_star, 0);
		assert_true(run_until(no_task));
		for (int i = 0; i < 20; i++) {
			assert_int_equal(c[i].err, OK);
			assert_int_equal(c[i].got, 7);
		}
		assert_int_equal(script_run(&c[0], round ? "ALTER TABLE test_pg.wide ADD c int"
							 : "ALTER TABLE test_pg.wide ADD b int"),
			round < 2 ? OK : ERR_INTERNAL);
	}
	for (int i = 0; i < CONNECTIONS; i++)
		call_start(&c[i], &q_forget, 0);
	assert_true(run_until(no_task));
	for (int i = 0; i < 20; i++)
		call_start(&c[i], &q_one, i);
	assert_true(run_until(no_task));
	for (int i = 0; i < 20; i++)
		assert_int_equal(c[i].got, i);
}

static void test_planned_is_never_prepared(void **state)
{
	struct call c[3 * CONNECTIONS];

	(void)state;
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 3 * CONNECTIONS; i++)
			call_start(
				&c[i], i % 3 ? &q_planned : &q_prepared, i < CONNECTIONS ? 7 : 8);
		assert_true(run_until(no_task));
		for (int i = 0; i < 3 * CONNECTIONS; i++) {
			assert_int_equal(c[i].err, OK);
			assert_int_equal(c[i].got, i % 3 == 0 && i < CONNECTIONS);
		}
	}
}

/* ---- several as one ---- */

static void test_shared(void **state)
{
	struct call c[40];
	uint64_t before = pg_stats().queries;

	(void)state;
	assert_int_equal(call_run(&c[0], &q_shared, 4) ? 0 : c[0].got, 250); /* a lone one */
	for (int i = 0; i < 40; i++)
		call_start(&c[i], &q_shared, i + 1);
	assert_true(run_until(no_task));
	for (int i = 0; i < 40; i++) { /* 7 gets no row */
		assert_int_equal(c[i].err, OK);
		assert_int_equal(c[i].got, (i == 6 ? 1000 : 100) / (i + 1));
	}
	assert_int_equal(pg_stats().queries - before, 1 + 2 + 1);
}

static void test_shared_and_refused(void **state)
{
	struct call c[10], beside;

	(void)state;
	for (int i = 0; i < 10; i++)
		call_start(&c[i], &q_shared, i);
	call_start(&beside, &q_one, 5);
	assert_true(run_until(no_task));
	for (int i = 0; i < 10; i++) { /* each alone, since one divides by zero */
		assert_int_equal(c[i].err, i ? OK : ERR_INTERNAL);
		assert_int_equal(c[i].got, i ? 1000 / i : 0);
	}
	assert_int_equal(beside.got, 5);
}

struct typed {
	struct call call;
	struct str text, bytes;
};

static enum err decode_typed(struct task *t, const struct pg_rows *r, void *out)
{
	const struct typed *c = out;

	(void)t;
	assert_int_equal(pg_count(r), 2);
	for (int row = 0; row < 2; row++) {
		assert_int_equal(pg_i64(r, row, 0), c->call.arg);
		assert_int_equal(pg_null(r, row, 1), c->text.p == NULL);
		assert_true(!c->text.p || str_eq(pg_text(r, row, 1), c->text));
		assert_int_equal(pg_bool(r, row, 2), c->call.arg % 2);
		assert_int_equal(pg_null(r, row, 3), c->bytes.p == NULL);
		assert_true(!c->bytes.p || str_eq(pg_text(r, row, 3), c->bytes));
	}
	return c->call.arg == 3 ? ERR_NOT_FOUND : OK;
}

static void typed_begin(struct task *t)
{
	struct typed *c = task_subject(t);
	struct pg_args a = {0};

	task_catch(t);
	pg_arg_i64(t, &a, c->call.arg);
	pg_arg_str(t, &a, c->text);
	pg_arg_bool(&a, c->call.arg % 2);
	pg_arg_bytes(&a, c->bytes.p, c->bytes.n);
	pg_query(t, &q_types_one, &a, decode_typed, c, call_ended);
}

static void test_shared_types(void **state)
{
	struct typed c[] = {
		{.text = STR("a\"b\\c,{}"), .bytes = STR("\0\\\"\377")},
		{.text = STR(""), .bytes = STR("")},
		{.text = STR_NULL, .bytes = STR_NULL},
		{.text = STR("NULL"), .bytes = STR("h\xc3\xa9")},
	};

	(void)state;
	for (int i = 0; i < 4; i++) {
		c[i].call.arg = i;
		task_new("typed", &call_ops, &c[i], 0, typed_begin);
	}
	assert_true(run_until(no_task));
	for (int i = 0; i < 4; i++) /* the decoder's is one's own */
		assert_int_equal(c[i].call.err, i == 3 ? ERR_NOT_FOUND : OK);
}

/* What comes while one is under way goes together behind it, and when that takes long, beside it.
 */
static void test_shared_wait(void **state)
{
	struct call nap, others[3];
	uint64_t before = pg_stats().queries;

	(void)state;
	call_start(&nap, &q_nap, 1);
	assert_true(run_until(one_in_flight));
	call_start(&others[0], &q_nap, 0);
	assert_true(run_until(one_in_flight)); /* turns pass */
	call_start(&others[1], &q_nap, 0);
	call_start(&others[2], &q_nap, 0);
	assert_true(run_until(one_task));
	assert_int_equal(nap.affected, 0); /* it goes on */
	assert_int_equal(others[0].affected + others[1].affected + others[2].affected, 9);
	assert_int_equal(pg_stats().queries - before, 2);
	assert_true(run_until(no_task));
}

/* Whether it was committed is not known: nobody is sent again. */
static void test_shared_and_lost(void **state)
{
	struct call c[5], count;

	(void)state;
	for (int i = 0; i < 5; i++)
		call_start(&c[i], &q_lost, 500);
	assert_true(run_until(no_task));
	for (int i = 0; i < 5; i++)
		assert_int_equal(c[i].err, ERR_UNAVAILABLE);
	assert_int_equal(call_run(&count, &q_count, 500), OK);
	assert_int_equal(count.got, 0);
}

static void shared_detached_begin(struct task *t)
{
	struct pg_args a = {0};

	pg_arg_i64(t, &a, 5);
	pg_query(t, &q_shared, &a, decode_one, task_subject(t), shared_detached_begin);
	task_end(t);
}

static void test_shared_and_left(void **state)
{
	struct call c[2];

	(void)state;
	for (int i = 0; i < 2; i++) {
		task_new("left", &call_ops, NULL, 0, shared_detached_begin);
		call_start(&c[i], &q_shared, 10);
	}
	assert_true(run_until(no_task));
	assert_true(c[0].got == 10 && c[1].got == 10);
}

static void test_slow_statement(void **state)
{
	struct call c;
	int64_t start = clock_ms();

	(void)state;
	assert_int_equal(call_run(&c, &q_sleep, 0), ERR_UNAVAILABLE);
	assert_in_range(clock_ms() - start, TIMEOUT_MS - 100, TIMEOUT_MS + 1000);
	assert_true(all_up());
	assert_int_equal(pg_stats().reconnects, 0);
}

static void test_loss(void **state)
{
	struct call kill, c;

	(void)state;
	assert_int_equal(call_run(&kill, &q_kill_self, 0), ERR_UNAVAILABLE);
	assert_true(pg_is_up());
	assert_int_equal(call_run(&c, &q_one, 3), OK);
	assert_true(run_until(all_up));
	assert_int_equal(call_run(&kill, &q_kill_others, 0), OK);
	assert_true(run_until(some_down)); /* noticed without a query */
	assert_int_equal(call_run(&c, &q_one, 4), OK);
	assert_true(run_until(all_up));
}

static void detached_begin(struct task *t)
{
	struct pg_args a = {0};

	pg_arg_i64(t, &a, 77);
	pg_query(t, &q_insert, &a, NULL, NULL, detached_begin);
	pg_query(t, &q_one, &a, decode_one, task_subject(t), detached_begin);
	task_end(t);
}

static bool is_77(void)
{
	static struct call c;

	if (task_stats().alive == 0 && c.got == 0)
		call_start(&c, &q_count, 77);
	return c.got == 1;
}

static void test_detached_queries_run(void **state)
{
	(void)state;
	task_new("detached", &call_ops, NULL, 0, detached_begin);
	assert_true(run_until(is_77));
}

static void test_stop_ends_what_waits(void **state)
{
	struct call c;

	(void)state;
	call_start(&c, &q_sleep, 0);
	assert_true(run_until(one_in_flight));
	pg_stop();
	assert_true(run_until(no_task));
	assert_int_equal(c.err, ERR_UNAVAILABLE);
}

static bool attempt_over(void)
{
	return clock_ms() > until.give_up - 5000 + 1200;
}

static void test_mute_server(void **state)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct pg_setup s = {.connections = 2, .timeout_ms = TIMEOUT_MS};
	struct call c;
	struct str why;
	char text[64];

	(void)state;
	assert_int_equal(bind(fd, (struct sockaddr *)&a, n), 0);
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &n), 0);
	snprintf(text, sizeof(text), "postgresql://u:p@localhost:%d/d", ntohs(a.sin_port));
	s.url = str_of(text);
	loop_init();
	assert_int_equal(pg_start(&s, &why), OK);
	assert_int_equal(call_run(&c, &q_one, 1), ERR_UNAVAILABLE);
	assert_true(run_until(attempt_over));
	assert_false(pg_is_up());
	assert_int_equal(script_run(&c, "SELECT 1"), ERR_UNAVAILABLE);
	assert_true(c.error[0]);
	close(fd);
}

static void test_leaves_nothing(void **state)
{
	struct call c;

	(void)state;
	assert_int_equal(script_run(&c, "DROP SCHEMA test_pg CASCADE"), OK);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_urls_refused),
		cmocka_unit_test(test_statements_are_listed),
		TEST(test_scripts), /* makes the schema */
		TEST(test_types),
		TEST(test_many_share_syncs),
		TEST(test_more_than_the_socket_takes),
		TEST(test_neighbours_of_a_failure),
		TEST(test_unique),
		TEST(test_commit_that_fails),
		TEST(test_clash_is_tried_again),
		TEST(test_stale_plans),
		TEST(test_planned_is_never_prepared),
		TEST(test_shared),
		TEST(test_shared_and_refused),
		TEST(test_shared_types),
		TEST(test_shared_wait),
		TEST(test_shared_and_lost),
		TEST(test_shared_and_left),
		cmocka_unit_test_setup_teardown(test_slow_statement, begin_hasty, end),
		TEST(test_loss),
		TEST(test_detached_queries_run),
		TEST(test_stop_ends_what_waits),
		cmocka_unit_test_teardown(test_mute_server, end),
		TEST(test_leaves_nothing),
	};

	url = getenv("DATABASE_URL");
	if (!url || !*url) {
		printf("test_pg: skipped, DATABASE_URL is not set\n");
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
