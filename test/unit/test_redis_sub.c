/* io/redis_sub against the server of REDIS_URL: order, counting, loss and return, silence. Every
 * test ends with both connections stopped and an empty loop. Channels are under test:sub:. */
#include "redis_rig.h"

#include "base/buf.h"
#include "base/clock.h"
#include "io/redis_sub.h"

#define MANY 1000

static struct {
	int lost, back, messages;
	int64_t last;   /* the number that the last message was */
	bool in_order;  /* each was the one before plus one */
	struct buf log; /* "channel=payload " */
	struct str leave;
} seen;

static void on_message(struct str channel, struct str payload)
{
	int64_t n;

	seen.messages++;
	if (str_to_i64(payload, &n)) {
		seen.in_order = seen.in_order && n == seen.last + 1;
		seen.last = n;
	}
	buf_printf(&seen.log, STR_FMT "=" STR_FMT " ", STR_ARG(channel), STR_ARG(payload));
	if (seen.leave.p)
		redis_unsubscribe(seen.leave);
}

static void on_lost(void)
{
	assert_false(redis_sub_is_up());
	seen.lost++;
}

static void on_back(void)
{
	assert_true(redis_sub_is_up());
	seen.back++;
}

static void sub_begin_at(struct str url)
{
	const struct redis_sub_setup s = {.url = url,
		.timeout_ms = REDIS_RIG_MS,
		.message = on_message,
		.lost = on_lost,
		.back = on_back};
	struct str why;

	buf_free(&seen.log);
	memset(&seen, 0, sizeof(seen));
	seen.in_order = true;
	assert_int_equal(redis_sub_start(&s, &why), OK);
}

static int begin(void **state)
{
	(void)state;
	redis_rig_begin();
	sub_begin_at(redis_rig_url());
	wait_until(redis_sub_is_up);
	assert_int_equal(seen.back, 1);
	return 0;
}

static int end(void **state)
{
	(void)state;
	redis_sub_stop();
	redis_sub_stop();
	assert_int_equal(redis_sub_stats().channels, 0);
	buf_free(&seen.log);
	redis_rig_end();
	return 0;
}

/* ---- small steps ---- */

static struct str awaited_channel;

static void await_begin(struct task *t)
{
	redis_sub_await(t, awaited_channel, step_done);
}

static enum err await(const char *channel)
{
	struct step r;

	awaited_channel = str_of(channel);
	return step_run(&r, await_begin);
}

static enum err subscribe(const char *channel)
{
	redis_subscribe(str_of(channel));
	return await(channel);
}

static int wanted;

static bool have_wanted(void)
{
	return seen.messages >= wanted;
}

static void expect_messages(int n)
{
	wanted = n;
	wait_until(have_wanted);
	assert_int_equal(seen.messages, n);
}

static bool is_down(void)
{
	return !redis_sub_is_up();
}

static void expect_log(const char *text)
{
	assert_int_equal(seen.log.n, strlen(text));
	assert_memory_equal(seen.log.p, text, seen.log.n);
}

/* ---- tests ---- */

static void test_refuses_a_bad_url(void **state)
{
	const struct redis_sub_setup s = {.url = STR("http://x"), .timeout_ms = 1};
	struct str why = STR_NULL;

	(void)state;
	assert_int_equal(redis_sub_start(&s, &why), ERR_INVALID_REQUEST);
	assert_true(why.n > 0);
	redis_sub_stop();
	assert_false(redis_sub_is_up());
}

static void test_messages_come_in_order(void **state)
{
	(void)state;
	assert_int_equal(subscribe("test:sub:a"), OK);
	for (int i = 1; i <= MANY; i++)
		redis_word_begin("PUBLISH test:sub:a %d", i);
	expect_messages(MANY);
	assert_true(seen.in_order);
	assert_int_equal(seen.last, MANY);
}

static void test_bytes_arrive_as_they_are(void **state)
{
	(void)state;
	assert_int_equal(subscribe("test:sub:a"), OK);
	redis_publish("test:sub:a", "two words\r\n{\"x\":1}\n");
	expect_messages(1);
	expect_log("test:sub:a=two words\r\n{\"x\":1}\n ");
	redis_publish("test:sub:a", "");
	expect_messages(2);
}

static void test_a_large_message_comes_whole(void **state)
{
	(void)state;
	assert_int_equal(subscribe("test:sub:a"), OK);
	redis_word("EVAL return(redis.call('PUBLISH','test:sub:a',string.rep('x',1000000))) 0");
	redis_word("PUBLISH test:sub:a y");
	expect_messages(2);
	assert_int_equal(seen.log.n, strlen("test:sub:a= test:sub:a=y ") + 1000000);
}

static void test_channels_are_counted(void **state)
{
	const struct str a = STR("test:sub:a");

	(void)state;
	assert_int_equal(subscribe("test:sub:a"), OK);
	assert_int_equal(subscribe("test:sub:a"), OK);
	assert_int_equal(redis_sub_stats().channels, 1);
	assert_int_equal(redis_word("PUBLISH test:sub:a x"), 1);
	expect_messages(1);
	redis_unsubscribe(a);
	assert_int_equal(redis_word("PUBLISH test:sub:a x"), 1);
	expect_messages(2);
	redis_unsubscribe(a);
	assert_int_equal(redis_sub_stats().channels, 0);
	assert_int_equal(await("test:sub:a"), ERR_UNAVAILABLE);
	assert_int_equal(subscribe("test:sub:b"), OK); /* Redis has seen the end of a */
	assert_int_equal(redis_word("PUBLISH test:sub:a x"), 0);
	assert_int_equal(seen.messages, 2);
}

/* Left and wanted again before Redis has said a word: confirmed by the last confirmation only. */
static void test_changing_ones_mind(void **state)
{
	const struct str a = STR("test:sub:a");

	(void)state;
	for (int i = 0; i < 10; i++) {
		redis_subscribe(a);
		redis_unsubscribe(a);
	}
	assert_int_equal(subscribe("test:sub:a"), OK);
	assert_int_equal(redis_word("PUBLISH test:sub:a x"), 1);
	expect_messages(1);
	redis_unsubscribe(a);
	redis_subscribe(a);
	redis_unsubscribe(a);
	assert_int_equal(subscribe("test:sub:b"), OK);
	assert_int_equal(redis_word("PUBLISH test:sub:a x"), 0);
	assert_int_equal(redis_sub_stats().channels, 1);
}

static void test_leaving_in_the_middle_of_a_message(void **state)
{
	(void)state;
	assert_int_equal(subscribe("test:sub:a"), OK);
	seen.leave = STR("test:sub:a");
	redis_word_begin("PUBLISH test:sub:a 1");
	redis_word_begin("PUBLISH test:sub:a 2");
	expect_messages(1);
	seen.leave = STR_NULL;
	assert_int_equal(subscribe("test:sub:b"), OK);
	assert_int_equal(seen.messages, 1);
	assert_int_equal(redis_sub_stats().channels, 1);
}

/* Whoever waits may go; the channel is not theirs. */
static void await_and_go(struct task *t)
{
	redis_sub_await(t, awaited_channel, step_done);
	task_end(t);
}

static void test_a_waiter_that_ends(void **state)
{
	struct step r;

	(void)state;
	redis_subscribe(STR("test:sub:a"));
	awaited_channel = STR("test:sub:a");
	assert_int_equal(step_run(&r, await_and_go), OK);
	assert_int_equal(await("test:sub:a"), OK);
	redis_word("PUBLISH test:sub:a x");
	expect_messages(1);
}

static void kill_subscriptions(void)
{
	int lost = seen.lost;

	assert_int_equal(redis_word("CLIENT KILL TYPE pubsub"), 1);
	wait_until(is_down);
	assert_int_equal(seen.lost, lost + 1);
}

static void test_a_thousand_channels_come_back(void **state)
{
	char name[32];

	(void)state;
	for (int i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "test:sub:%d", i);
		redis_subscribe(str_of(name));
	}
	assert_int_equal(await(name), OK);
	for (int round = 1; round <= 2; round++) {
		kill_subscriptions();
		assert_int_equal(await(name), ERR_UNAVAILABLE);
		wait_until(redis_sub_is_up);
		assert_int_equal(seen.back, round + 1);
		assert_int_equal(redis_sub_stats().channels, MANY);
		assert_int_equal(redis_sub_stats().reconnects, round);
		seen.messages = 0;
		seen.last = -1;
		for (int i = 0; i < MANY; i++)
			redis_word_begin("PUBLISH test:sub:%d %d", i, i);
		expect_messages(MANY);
		assert_true(seen.in_order); /* that of all channels */
	}
}

static void test_what_is_wanted_while_away(void **state)
{
	(void)state;
	assert_int_equal(subscribe("test:sub:a"), OK);
	assert_int_equal(subscribe("test:sub:b"), OK);
	kill_subscriptions();
	redis_subscribe(STR("test:sub:c"));
	redis_subscribe(STR("test:sub:d"));
	redis_unsubscribe(STR("test:sub:d"));
	redis_unsubscribe(STR("test:sub:b"));
	wait_until(redis_sub_is_up);
	assert_int_equal(redis_word("PUBLISH test:sub:a 1"), 1);
	assert_int_equal(redis_word("PUBLISH test:sub:b 1"), 0);
	assert_int_equal(redis_word("PUBLISH test:sub:c 1"), 1);
	assert_int_equal(redis_word("PUBLISH test:sub:d 1"), 0);
	expect_messages(2);
	expect_log("test:sub:a=1 test:sub:c=1 ");
}

static bool no_task(void)
{
	return task_stats().alive == 0;
}

static void test_loss_ends_who_waits(void **state)
{
	struct step r;

	(void)state;
	redis_word_begin("CLIENT KILL TYPE pubsub");
	redis_subscribe(STR("test:sub:a"));
	awaited_channel = STR("test:sub:a");
	step_start(&r, await_begin);
	wait_until(no_task);
	wait_until(redis_sub_is_up);
	/* Either the confirmation came first or the loss; the channel is wanted in both cases. */
	assert_true(r.err == OK || r.err == ERR_UNAVAILABLE);
	assert_int_equal(await("test:sub:a"), OK);
	redis_subscribe(STR("test:sub:b"));
	awaited_channel = STR("test:sub:b");
	step_start(&r, await_begin);
	redis_sub_stop();
	wait_until(no_task);
	assert_int_equal(r.err, ERR_UNAVAILABLE);
	redis_unsubscribe(STR("test:sub:a")); /* forgotten: nothing to do */
}

/* A server that stands still closes nothing: only the silence tells. */
static void test_silence_is_noticed(void **state)
{
	int64_t began;

	(void)state;
	assert_int_equal(subscribe("test:sub:a"), OK);
	redis_word("CLIENT PAUSE 2500 ALL");
	began = clock_ms();
	wait_until(is_down);
	assert_in_range(clock_ms() - began, 0, 2300);
	assert_int_equal(seen.lost, 1);
	wait_until(redis_sub_is_up);
	assert_in_range(clock_ms() - began, 2400, 5000);
	assert_int_equal(seen.back, 2);
	redis_word("PUBLISH test:sub:a x");
	expect_messages(1);
}

static bool three_seconds(void)
{
	static int64_t from;

	if (from == 0)
		from = clock_ms();
	return clock_ms() - from > 2600;
}

static void test_a_quiet_connection_lives(void **state)
{
	(void)state;
	wait_until(three_seconds);
	assert_true(redis_sub_is_up());
	assert_int_equal(seen.lost, 0);
}

static int64_t moment_from;

static bool moment_over(void)
{
	return clock_ms() - moment_from > 300;
}

/* No proof without the command connection. */
static void test_up_only_with_the_command_connection(void **state)
{
	const struct redis_setup s = {.url = redis_rig_url(), .timeout_ms = REDIS_RIG_MS};
	struct str why;

	(void)state;
	redis_stop();
	redis_sub_stop();
	sub_begin_at(redis_rig_url());
	redis_subscribe(STR("test:sub:a"));
	moment_from = clock_ms();
	wait_until(moment_over);
	assert_false(redis_sub_is_up());
	assert_int_equal(seen.back, 0);
	assert_int_equal(seen.lost, 0);
	assert_int_equal(redis_start(&s, &why), OK);
	wait_until(redis_sub_is_up);
	assert_int_equal(seen.back, 1);
}

/* Somebody's name and password in the URL. */
static struct str url_as(const char *who, char out[256])
{
	struct str url = redis_rig_url(), scheme = str_make(url.p, (size_t)str_find(url, '/') + 2);

	snprintf(out, 256, STR_FMT "%s@" STR_FMT, STR_ARG(scheme), who,
		STR_ARG(str_from(url, scheme.n)));
	return str_of(out);
}

static void test_signs_in(void **state)
{
	char url[256];

	(void)state;
	redis_word("ACL SETUSER test_sub on >secret ~* &* +@all");
	redis_sub_stop();
	sub_begin_at(url_as("test_sub:wrong", url));
	moment_from = clock_ms();
	wait_until(moment_over);
	assert_false(redis_sub_is_up());
	assert_int_equal(seen.lost, 0);
	redis_sub_stop();
	sub_begin_at(url_as("test_sub:secret", url));
	assert_int_equal(redis_sub_stats().channels, 0);
	wait_until(redis_sub_is_up);
	assert_int_equal(subscribe("test:sub:a"), OK);
	redis_word("PUBLISH test:sub:a x");
	expect_messages(1);
	redis_word("ACL DELUSER test_sub"); /* which ends its connections */
	wait_until(is_down);
	assert_int_equal(seen.lost, 1);
}

static void test_nobody_there(void **state)
{
	(void)state;
	redis_rig_begin();
	sub_begin_at(STR("redis://127.0.0.1:1"));
	redis_subscribe(STR("test:sub:a"));
	assert_int_equal(await("test:sub:a"), ERR_UNAVAILABLE);
	redis_unsubscribe(STR("test:sub:a"));
	redis_sub_stop();
	sub_begin_at(STR("unix:///nonexistent/redis.sock"));
	assert_int_equal(await("test:sub:a"), ERR_UNAVAILABLE);
	assert_int_equal(seen.lost, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refuses_a_bad_url),
		cmocka_unit_test_setup_teardown(test_messages_come_in_order, begin, end),
		cmocka_unit_test_setup_teardown(test_bytes_arrive_as_they_are, begin, end),
		cmocka_unit_test_setup_teardown(test_a_large_message_comes_whole, begin, end),
		cmocka_unit_test_setup_teardown(test_channels_are_counted, begin, end),
		cmocka_unit_test_setup_teardown(test_changing_ones_mind, begin, end),
		cmocka_unit_test_setup_teardown(
			test_leaving_in_the_middle_of_a_message, begin, end),
		cmocka_unit_test_setup_teardown(test_a_waiter_that_ends, begin, end),
		cmocka_unit_test_setup_teardown(test_a_thousand_channels_come_back, begin, end),
		cmocka_unit_test_setup_teardown(test_what_is_wanted_while_away, begin, end),
		cmocka_unit_test_setup_teardown(test_loss_ends_who_waits, begin, end),
		cmocka_unit_test_setup_teardown(test_silence_is_noticed, begin, end),
		cmocka_unit_test_setup_teardown(test_a_quiet_connection_lives, begin, end),
		cmocka_unit_test_setup_teardown(
			test_up_only_with_the_command_connection, begin, end),
		cmocka_unit_test_setup_teardown(test_signs_in, begin, end),
		cmocka_unit_test_teardown(test_nobody_there, end),
	};

	if (!redis_possible("test_redis_sub"))
		return 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
