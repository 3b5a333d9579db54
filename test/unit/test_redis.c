/* io/redis against the server of REDIS_URL: replies, errors, scripts, order, loss, time. Every test
 * ends with redis_stop and an empty loop. Keys are under test:redis:. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "base/clock.h"
#include "io/redis.h"

#define TIMEOUT_MS 300
#define MANY       1000
#define BIG        100000

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

static bool is_down(void)
{
	return !redis_is_up();
}

static bool one_in_flight(void)
{
	return redis_stats().in_flight == 1;
}

static struct redis_script scripts[] = {
	{.name = "add",
		.source = "return redis.call('INCRBY', KEYS[1], ARGV[1])",
		.kind = OP_WRITE},
	{.name = "full",
		.source = "return redis.error_reply('OOM command not allowed')",
		.kind = OP_WRITE},
	{.name = "broken", .source = "return nil + ARGV[1]", .kind = OP_READ},
};

static void redis_begin_with(struct task *(*on_ready)(void))
{
	struct redis_setup s = {.url = str_of(url),
		.scripts = scripts,
		.script_count = sizeof(scripts) / sizeof(*scripts),
		.timeout_ms = TIMEOUT_MS,
		.on_ready = on_ready};
	struct str why;

	for (size_t i = 0; i < s.script_count; i++)
		scripts[i].length = strlen(scripts[i].source);
	loop_init();
	assert_int_equal(redis_start(&s, &why), OK);
	assert_true(run_until(redis_is_up));
}

static int begin(void **state)
{
	(void)state;
	redis_begin_with(NULL);
	return 0;
}

static int end(void **state)
{
	(void)state;
	redis_stop();
	assert_int_equal(task_stats().alive, 0);
	assert_int_equal(redis_stats().in_flight, 0);
	assert_true(loop_close());
	return 0;
}

/* ---- a task of one command ---- */

struct call {
	struct redis_args args;
	struct redis_script *script;
	redis_decode *decode;
	enum err err;
	bool ended, nil;
	int64_t i64;
	char text[64];
	size_t len;
};

static enum err decode_any(struct task *t, const struct redis_value *v, void *out)
{
	struct call *c = out;

	(void)t;
	c->nil = redis_is_nil(v);
	c->i64 = redis_i64(v);
	c->len = redis_len(v);
	snprintf(c->text, sizeof(c->text), STR_FMT, STR_ARG(redis_str(v)));
	return OK;
}

static void call_ended(struct task *t)
{
	struct call *c = task_subject(t);

	c->err = task_err(t);
	c->ended = true;
	task_end(t);
}

static void call_begin(struct task *t)
{
	struct call *c = task_subject(t);
	redis_decode *decode = c->decode ? c->decode : decode_any;

	task_catch(t);
	if (c->script)
		redis_eval(t, c->script, &c->args, decode, c, call_ended);
	else
		redis_call(t, OP_WRITE, &c->args, decode, c, call_ended);
}

static void never_failed(struct task *t, const struct fault *f)
{
	(void)f;
	fail_msg("the task failed");
	task_end(t);
}
static const struct task_ops call_ops = {.failed = never_failed};

static void call_args(struct call *c, const char *words)
{
	struct str rest = str_of(words);

	*c = (struct call){0};
	while (rest.n > 0)
		redis_arg(&c->args, str_cut(&rest, ' '));
}

static void call_start(struct call *c)
{
	task_new("test", &call_ops, c, 0, call_begin);
}

static enum err call_run(struct call *c, const char *words)
{
	call_args(c, words);
	call_start(c);
	assert_true(run_until(no_task));
	return c->err;
}

static enum err eval_run(struct call *c, struct redis_script *s, const char *key, const char *arg)
{
	*c = (struct call){.script = s};
	redis_arg(&c->args, str_of(key));
	c->args.keys = 1;
	redis_arg(&c->args, str_of(arg));
	call_start(c);
	assert_true(run_until(no_task));
	return c->err;
}

/* ---- tests ---- */

static void test_urls_refused(void **state)
{
	static const char *const bad[] = {"", "http://x", "redis://", "redis://:x",
		"redis://h:70000", "redis://h:1/x", "redis://user@h", "redis://u:%zz@h",
		"redis://[::1", "unix://", "unix://x", "unix:///p?x=1",
		"redis://no-such-host.invalid"};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct redis_setup s = {.url = str_of(bad[i]), .timeout_ms = TIMEOUT_MS};
		struct str why = STR_NULL;

		assert_int_equal(redis_start(&s, &why), ERR_INVALID_REQUEST);
		assert_true(why.n > 0);
	}
}

static void test_replies(void **state)
{
	struct call c;

	(void)state;
	assert_int_equal(call_run(&c, "DEL test:redis:k test:redis:l"), OK);
	assert_int_equal(call_run(&c, "GET test:redis:k"), OK);
	assert_true(c.nil);
	assert_int_equal(call_run(&c, "SET test:redis:k 42"), OK);
	assert_string_equal(c.text, "OK");
	assert_int_equal(call_run(&c, "GET test:redis:k"), OK);
	assert_int_equal(c.i64, 42);
	assert_string_equal(c.text, "42");
	assert_int_equal(call_run(&c, "RPUSH test:redis:l a b c"), OK);
	assert_int_equal(c.i64, 3);
	assert_int_equal(call_run(&c, "LRANGE test:redis:l 0 -1"), OK);
	assert_int_equal(c.len, 3);
}

static enum err decode_second(struct task *t, const struct redis_value *v, void *out)
{
	(void)t;
	assert_null(redis_at(v, 2));
	assert_true(redis_is_nil(redis_at(v, 2)));
	((struct call *)out)->len = redis_str(redis_at(v, 1)).n;
	return ERR_NOT_FOUND;
}

static void test_bytes_and_decoder_errors(void **state)
{
	struct call c;

	(void)state;
	call_args(&c, "SET test:redis:k");
	redis_arg(&c.args, str_make("a\0\r\n$", 5));
	call_start(&c);
	assert_true(run_until(no_task));
	call_args(&c, "MGET test:redis:none test:redis:k");
	c.decode = decode_second;
	call_start(&c);
	assert_true(run_until(no_task));
	assert_int_equal(c.len, 5);
	assert_int_equal(c.err, ERR_NOT_FOUND);
}

static void test_errors(void **state)
{
	struct call c;

	(void)state;
	assert_int_equal(call_run(&c, "SET test:redis:k x"), OK);
	assert_int_equal(call_run(&c, "LPUSH test:redis:k x"), ERR_INTERNAL);
	assert_int_equal(eval_run(&c, &scripts[1], "test:redis:k", "1"), ERR_UNAVAILABLE);
	assert_int_equal(eval_run(&c, &scripts[2], "test:redis:k", "1"), ERR_INTERNAL);
	assert_int_equal(call_run(&c, "GET test:redis:k"), OK);
	assert_true(redis_is_up());
}

static void test_scripts_survive_a_flush(void **state)
{
	struct call c, many[20];

	(void)state;
	assert_int_equal(call_run(&c, "SET test:redis:n 1"), OK);
	assert_int_equal(eval_run(&c, &scripts[0], "test:redis:n", "2"), OK);
	assert_int_equal(c.i64, 3);
	assert_int_equal(call_run(&c, "SCRIPT FLUSH"), OK);
	for (int i = 0; i < 20; i++) {
		many[i] = (struct call){.script = &scripts[0], .args = {.keys = 1}};
		redis_arg(&many[i].args, STR("test:redis:n"));
		redis_arg(&many[i].args, STR("1"));
		call_start(&many[i]);
	}
	assert_true(run_until(no_task));
	for (int i = 0; i < 20; i++)
		assert_int_equal(many[i].err, OK);
	assert_int_equal(eval_run(&c, &scripts[0], "test:redis:n", "1"), OK);
	assert_int_equal(c.i64, 24);
}

struct many {
	int64_t values[MANY];
};

static enum err decode_i64(struct task *t, const struct redis_value *v, void *out)
{
	(void)t;
	*(int64_t *)out = redis_i64(v);
	return OK;
}

static void many_ended(struct task *t)
{
	struct many *m = task_frame(t);

	for (int i = 0; i < MANY; i++)
		assert_int_equal(m->values[i], i + 1);
	task_end(t);
}

static void many_begin(struct task *t)
{
	struct many *m = task_frame(t);

	for (int i = 0; i < MANY; i++) {
		struct redis_args a = {0};

		redis_arg(&a, STR("INCR"));
		redis_key(t, &a, "test:redis:%s", "many");
		redis_call(t, OP_WRITE, &a, decode_i64, &m->values[i], many_ended);
	}
}

static void test_many_in_one_turn_keep_their_order(void **state)
{
	struct call c;

	(void)state;
	assert_int_equal(call_run(&c, "DEL test:redis:many"), OK);
	task_new("many", &call_ops, NULL, sizeof(struct many), many_begin);
	assert_true(run_until(no_task));
}

static void big_ended(struct task *t)
{
	struct many *m = task_frame(t);

	for (int i = 0; i < 60; i++)
		assert_int_equal(m->values[i], BIG);
	task_end(t);
}

static void big_begin(struct task *t)
{
	char *text = arena_zalloc(task_arena(t), BIG);
	struct many *m = task_frame(t);

	for (int i = 0; i < 60; i++) {
		struct redis_args a = {0};

		redis_arg(&a, STR("EVAL"));
		redis_arg(&a, STR("return #ARGV[1]"));
		redis_arg(&a, STR("0"));
		redis_arg(&a, str_make(text, BIG));
		redis_call(t, OP_READ, &a, decode_i64, &m->values[i], big_ended);
	}
}

static void test_more_than_the_socket_takes(void **state)
{
	struct call c;

	(void)state;
	task_new("big", &call_ops, NULL, sizeof(struct many), big_begin);
	assert_int_equal(call_run(&c, "PING"), OK);
	assert_string_equal(c.text, "PONG");
}

static void detach_begin(struct task *t)
{
	int64_t *out = arena_new(task_arena(t), int64_t);

	for (int i = 0; i < 10; i++) {
		struct redis_args a = {0};

		redis_arg(&a, STR("INCR"));
		redis_key(t, &a, "test:redis:detached");
		redis_call(t, OP_WRITE, &a, decode_i64, out, detach_begin);
	}
	task_end(t);
}

static void test_detached_commands_run(void **state)
{
	struct call c;

	(void)state;
	assert_int_equal(call_run(&c, "DEL test:redis:detached"), OK);
	task_new("detach", &call_ops, NULL, 0, detach_begin);
	assert_int_equal(call_run(&c, "GET test:redis:detached"), OK);
	assert_int_equal(c.i64, 10);
}

static void test_loss_ends_all_and_it_returns(void **state)
{
	struct call c, id, beside[3];
	char kill[64];

	(void)state;
	assert_int_equal(call_run(&id, "CLIENT ID"), OK);
	call_args(&beside[0], "BLPOP test:redis:nothing 0");
	call_args(&beside[1], "GET test:redis:k");
	call_args(&beside[2], "GET test:redis:k");
	snprintf(kill, sizeof(kill), "CLIENT KILL SKIPME no ID %lld", (long long)id.i64);
	call_args(&c, kill);
	call_start(&c);
	for (int i = 0; i < 3; i++)
		call_start(&beside[i]);
	assert_true(run_until(no_task));
	for (int i = 0; i < 3; i++)
		assert_int_equal(beside[i].err, ERR_UNAVAILABLE);
	assert_true(is_down());
	assert_int_equal(call_run(&c, "GET test:redis:k"), ERR_UNAVAILABLE);
	assert_true(run_until(redis_is_up));
	assert_int_equal(redis_stats().reconnects, 1);
	assert_int_equal(eval_run(&c, &scripts[0], "test:redis:n", "1"), OK);
}

static void test_slow_command_closes(void **state)
{
	struct call slow, behind;
	int64_t start = clock_ms();

	(void)state;
	call_args(&slow, "BLPOP test:redis:nothing 0");
	call_args(&behind, "GET test:redis:k");
	call_start(&slow);
	call_start(&behind);
	assert_true(run_until(no_task));
	assert_int_equal(slow.err, ERR_UNAVAILABLE);
	assert_int_equal(behind.err, ERR_UNAVAILABLE);
	assert_true(clock_ms() - start >= TIMEOUT_MS && clock_ms() - start < TIMEOUT_MS + 1000);
	assert_true(run_until(redis_is_up));
}

static void test_stop_ends_what_waits(void **state)
{
	struct call c;

	(void)state;
	call_args(&c, "BLPOP test:redis:nothing 0");
	call_start(&c);
	assert_true(run_until(one_in_flight));
	redis_stop();
	assert_true(run_until(no_task));
	assert_int_equal(c.err, ERR_UNAVAILABLE);
}

/* ---- the ready task ---- */

static int readies;
static struct call shut_out;

static void ready_ended(struct task *t)
{
	(void)t;
	readies++;
	redis_ready_done(OK);
}
static const struct task_ops ready_ops = {.failed = never_failed, .ended = ready_ended};

static void ready_finish(struct task *t)
{
	assert_false(redis_is_up());
	task_end(t);
}

static void ready_begin(struct task *t)
{
	struct redis_args a = {0};

	redis_arg(&a, STR("PING"));
	redis_call(t, OP_READ, &a, NULL, NULL, ready_finish);
}

static struct task *on_ready(void)
{
	call_args(&shut_out, "PING");
	call_start(&shut_out);
	return task_new("ready", &ready_ops, NULL, 0, ready_begin);
}

static void test_ready_task_goes_first(void **state)
{
	struct call c;

	(void)state;
	redis_begin_with(on_ready);
	assert_int_equal(readies, 1);
	assert_true(shut_out.ended);
	assert_int_equal(shut_out.err, ERR_UNAVAILABLE);
	assert_int_equal(call_run(&c, "QUIT"), OK);
	assert_true(run_until(is_down));
	assert_true(run_until(redis_is_up));
	assert_int_equal(readies, 2);
}

/* ---- a server that does not answer ---- */

static bool attempt_over(void)
{
	return clock_ms() > until.give_up - 5000 + 1200;
}

static void test_mute_server(void **state)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct redis_setup s = {.timeout_ms = TIMEOUT_MS};
	struct call c;
	struct str why;
	char text[64];

	(void)state;
	assert_int_equal(bind(fd, (struct sockaddr *)&a, n), 0);
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &n), 0);
	snprintf(text, sizeof(text), "redis://localhost:%d/1", ntohs(a.sin_port));
	s.url = str_of(text);
	loop_init();
	assert_int_equal(redis_start(&s, &why), OK);
	assert_int_equal(call_run(&c, "PING"), ERR_UNAVAILABLE);
	assert_true(run_until(attempt_over));
	assert_false(redis_is_up());
	assert_int_equal(call_run(&c, "PING"), ERR_UNAVAILABLE);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_urls_refused),
		cmocka_unit_test_setup_teardown(test_replies, begin, end),
		cmocka_unit_test_setup_teardown(test_bytes_and_decoder_errors, begin, end),
		cmocka_unit_test_setup_teardown(test_errors, begin, end),
		cmocka_unit_test_setup_teardown(test_scripts_survive_a_flush, begin, end),
		cmocka_unit_test_setup_teardown(test_many_in_one_turn_keep_their_order, begin, end),
		cmocka_unit_test_setup_teardown(test_more_than_the_socket_takes, begin, end),
		cmocka_unit_test_setup_teardown(test_detached_commands_run, begin, end),
		cmocka_unit_test_setup_teardown(test_loss_ends_all_and_it_returns, begin, end),
		cmocka_unit_test_setup_teardown(test_slow_command_closes, begin, end),
		cmocka_unit_test_setup_teardown(test_stop_ends_what_waits, begin, end),
		cmocka_unit_test_teardown(test_ready_task_goes_first, end),
		cmocka_unit_test_teardown(test_mute_server, end),
	};

	url = getenv("REDIS_URL");
	if (!url || !*url) {
		printf("test_redis: skipped, REDIS_URL is not set\n");
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
