/* store/event: what arrives on the bus is what was written; without Redis a task goes on. */
#include "redis_rig.h"

#include "base/buf.h"
#include "io/redis_sub.h"
#include "store/event.h"

static struct buf got; /* "channel|payload|" */
static int messages;

static void on_message(struct str channel, struct str payload)
{
	buf_printf(&got, STR_FMT "|" STR_FMT "|", STR_ARG(channel), STR_ARG(payload));
	messages++;
}

static void nothing(void)
{
}

static const char *const channels[] = {"portal:room:990017", "portal:user:990018", "portal:all"};

static int begin(void **state)
{
	const struct redis_sub_setup s = {.url = redis_rig_url(),
		.timeout_ms = REDIS_RIG_MS,
		.message = on_message,
		.lost = nothing,
		.back = nothing};
	struct str why;

	(void)state;
	redis_rig_begin();
	messages = 0;
	assert_int_equal(redis_sub_start(&s, &why), OK);
	for (size_t i = 0; i < 3; i++)
		redis_subscribe(str_of(channels[i]));
	wait_until(redis_sub_is_up);
	return 0;
}

static int end(void **state)
{
	(void)state;
	redis_sub_stop();
	buf_free(&got);
	redis_rig_end();
	return 0;
}

static void send_all(struct task *t);

static void send_user(struct task *t)
{
	struct event *e = event_to_user(t, 990018, TO_ENDED, "session:ended");

	e->who = STR("00112233445566aa");
	json_obj(&e->json);
	json_kstr(&e->json, "reason", STR("logout \"x\"\n"));
	json_end(&e->json);
	event_send(t, e, send_all);
}

static void send_room(struct task *t)
{
	struct event *e = event_to_room(t, 990017, TO_ROOM, "portal:cleared");

	e->position = STR("12-3");
	json_obj(&e->json);
	json_ki64(&e->json, "chat_id", 990017);
	json_end(&e->json);
	event_send(t, e, send_user);
}

static void send_all(struct task *t)
{
	struct event *e = event_to_all(t, TO_ROOM, "announcement:new");

	json_obj(&e->json);
	json_end(&e->json);
	event_send(t, e, step_done);
}

static bool all_here(void)
{
	return messages == 3;
}

static void test_as_written(void **state)
{
	static const char expected[] =
		"portal:room:990017|r portal:cleared 12-3 -\n{\"chat_id\":990017}|"
		"portal:user:990018|e session:ended - 00112233445566aa\n"
		"{\"reason\":\"logout \\\"x\\\"\\n\"}|"
		"portal:all|r announcement:new - -\n{}|";
	struct step s;

	(void)state;
	assert_int_equal(step_run(&s, send_room), OK);
	wait_until(all_here);
	assert_int_equal(got.n, sizeof(expected) - 1);
	assert_memory_equal(got.p, expected, got.n);
}

static void test_dropped_when_redis_is_away(void **state)
{
	struct step s;

	(void)state;
	redis_stop();
	assert_int_equal(step_run(&s, send_room), OK);
	assert_int_equal(messages, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_as_written, begin, end),
		cmocka_unit_test_setup_teardown(test_dropped_when_redis_is_away, begin, end),
	};

	if (!redis_possible("test_event"))
		return 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
