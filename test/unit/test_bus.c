/* hub/bus: the form of messages, control messages, holding channels, loss and return. What sockets
 * get is in test_room.c. */
#include "redis_rig.h"

#include "base/buf.h"
#include "hub/bus.h"

/* ---- the form ---- */

static void test_parses(void **state)
{
	struct bus_message m;

	(void)state;
	assert_true(bus_parse(STR("portal:room:17"),
		STR("r message:new 1526919030474-55 -\n{\"a\":\"\n\"}"), &m));
	assert_int_equal(m.scope, BUS_ROOM);
	assert_int_equal(m.id, 17);
	assert_int_equal(m.audience, 'r');
	assert_true(str_eq(m.event, STR("message:new")));
	assert_true(str_eq(m.position, STR("1526919030474-55")));
	assert_null(m.who.p);
	assert_true(str_eq(m.data, STR("{\"a\":\"\n\"}")));

	assert_true(bus_parse(STR("portal:user:9007199254740993"),
		STR("e session:ended - 00112233445566aa\n{}"), &m));
	assert_int_equal(m.scope, BUS_USER);
	assert_int_equal(m.id, 9007199254740993);
	assert_null(m.position.p);
	assert_true(str_eq(m.who, STR("00112233445566aa")));

	assert_true(bus_parse(STR("portal:all"), STR("c !x - -\n{}"), &m));
	assert_int_equal(m.scope, BUS_ALL);
	assert_true(bus_parse(STR("portal:room:1"), STR("n - - 12\n"), &m));
	assert_null(m.event.p);
	assert_true(bus_parse(STR("portal:room:1"), STR("x - - 12\n"), &m));
}

static void test_refuses(void **state)
{
	static const char *const payloads[] = {"", "\n", "r", "r e - -", "r e - - \n{}",
		"r e -\n{}", "r e  - -\n{}", " e - -\n{}", "rr e - -\n{}", "z e - -\n{}",
		"r e - -\n", "r e - -\n{", "r e - -\n[]", "r - - -\n{}", "r - - -\n", "n - - 1\n{}",
		"r e - - -\n{}"};
	static const char *const channels[] = {"", "portal:", "portal:room:", "portal:room:x",
		"portal:room:-1", "portal:room:0", "portal:all:1", "portal:chat:1", "room:1",
		"portal:room:99999999999999999999"};
	struct bus_message m;

	(void)state;
	for (size_t i = 0; i < sizeof(payloads) / sizeof(*payloads); i++)
		if (bus_parse(STR("portal:room:1"), str_of(payloads[i]), &m))
			fail_msg("taken: %s", payloads[i]);
	for (size_t i = 0; i < sizeof(channels) / sizeof(*channels); i++)
		if (bus_parse(str_of(channels[i]), STR("r e - -\n{}"), &m))
			fail_msg("taken: %s", channels[i]);
	assert_false(bus_parse(STR("portal:room:1"), str_make("\0 e - -\n{}", 10), &m));
}

/* ---- on Redis ---- */

static struct buf heard;
static int controls, losts, backs;

static void on_control(const struct bus_message *m)
{
	buf_printf(&heard, "%d:%lld " STR_FMT " " STR_FMT ";", m->scope, (long long)m->id,
		STR_ARG(m->event), STR_ARG(m->data));
	controls++;
}

static void on_lost(void)
{
	losts++;
}

static void on_back(void)
{
	backs++;
}

static int begin(void **state)
{
	const struct bus_setup s = {.redis_url = redis_rig_url(),
		.timeout_ms = REDIS_RIG_MS,
		.control = on_control,
		.lost = on_lost,
		.back = on_back};
	struct str why;

	(void)state;
	redis_rig_begin();
	controls = losts = backs = 0;
	assert_int_equal(bus_start(&s, &why), OK);
	wait_until(bus_is_up);
	return 0;
}

static int end(void **state)
{
	(void)state;
	bus_stop();
	buf_free(&heard);
	redis_rig_end();
	return 0;
}

static void await_room(struct task *t)
{
	bus_await(t, BUS_ROOM, 990017, step_done);
}

static bool three_heard(void)
{
	return controls == 3;
}

static bool is_away(void)
{
	return !bus_is_up();
}

static void test_channels_and_controls(void **state)
{
	static const char expected[] = "0:0 !a {};2:990017 !b {\"x\":1};0:0 !c {};";
	struct step s;

	(void)state;
	bus_hold(BUS_ROOM, 990017);
	bus_hold(BUS_ROOM, 990017);
	assert_int_equal(step_run(&s, await_room), OK);
	redis_publish("portal:all", "c !a - -\n{}");
	redis_publish("portal:all", "malformed");
	redis_publish("portal:room:990017", "c !b - -\n{\"x\":1}");
	bus_release(BUS_ROOM, 990017);
	assert_int_equal(redis_word("PUBLISH portal:room:990017 nonsense"), 1);
	bus_release(BUS_ROOM, 990017);
	redis_publish("portal:all", "c !c - -\n{}");
	wait_until(three_heard);
	assert_int_equal(heard.n, sizeof(expected) - 1);
	assert_memory_equal(heard.p, expected, heard.n);
	assert_int_equal(redis_word("PUBLISH portal:room:990017 nonsense"), 0);
}

static void test_loss_and_return(void **state)
{
	struct step s;

	(void)state;
	assert_int_equal(backs, 1);
	bus_hold(BUS_ROOM, 990017);
	assert_int_equal(redis_word("CLIENT KILL TYPE pubsub"), 1);
	wait_until(is_away);
	assert_int_equal(losts, 1);
	assert_int_equal(step_run(&s, await_room), ERR_UNAVAILABLE);
	wait_until(bus_is_up);
	assert_int_equal(backs, 2);
	assert_int_equal(step_run(&s, await_room), OK);
	assert_int_equal(redis_word("PUBLISH portal:all x"), 1);
	bus_release(BUS_ROOM, 990017);
}

int main(void)
{
	const struct CMUnitTest form[] = {
		cmocka_unit_test(test_parses),
		cmocka_unit_test(test_refuses),
	};
	const struct CMUnitTest on_redis[] = {
		cmocka_unit_test(test_parses),
		cmocka_unit_test(test_refuses),
		cmocka_unit_test_setup_teardown(test_channels_and_controls, begin, end),
		cmocka_unit_test_setup_teardown(test_loss_and_return, begin, end),
	};

	if (!redis_possible("test_bus"))
		return cmocka_run_group_tests(form, NULL, NULL);
	return cmocka_run_group_tests(on_redis, NULL, NULL);
}
