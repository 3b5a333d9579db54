/* hub/room while the bus is away and behind it: nothing lost, nothing twice, nothing without bound.
 */
#include "live_rig.h"

/* ---- the bus goes away ---- */

static bool is_away(void)
{
	return !bus_is_up();
}

static struct room_gap gap;
static int gaps;

static void on_gap(const struct room_gap *g, void *unused)
{
	(void)unused;
	gap = *g;
	gaps++;
}

static void lose(void)
{
	int before = live_backs;

	assert_int_equal(redis_word("CLIENT KILL TYPE pubsub"), 1);
	wait_until(is_away);
	wait_until(bus_is_up);
	assert_int_equal(live_backs, before + 1);
}

static bool replay(const char *position, const char *data)
{
	return room_replay(&gap, str_of(position), STR("message:new"), str_of(data));
}

static void test_a_room_catches_up(void **state)
{
	struct peer a, b;
	struct joiner j;

	(void)state;
	peer_open(&a, ANNA, SESSION_A);
	peer_open(&b, BERT, SESSION_B);
	join_now(&a, CHAT, 1);
	publish_room("r message:new 2-0 -\n{\"m\":2}");
	peer_expect(&a, "[\"message:new\",{\"m\":2}];");
	join_start(&j, &b, CHAT);
	lose();
	assert_int_equal(join_go(&j, 4, 0), ERR_UNAVAILABLE);

	gaps = 0;
	rooms_behind_each(on_gap, NULL);
	assert_int_equal(gaps, 1);
	assert_true(gap.chat_id == CHAT && gap.from.ms == 2);
	publish_room("r message:new 4-0 -\n{\"m\":4}");
	publish_room("r room:config - -\n{}");
	publish_room("r message:new 5-0 -\n{\"m\":5}");
	join_now(&b, CHAT, 4);
	assert_true(replay("3-0", "{\"m\":3}"));
	assert_true(replay("4-0", "{\"m\":4}"));
	room_caught_up(&gap);
	assert_false(replay("9-0", "{\"m\":9}"));
	publish_room("r message:new 6-0 -\n{\"m\":6}");
	peer_expect(&a,
		"[\"message:new\",{\"m\":3}];[\"message:new\",{\"m\":4}];[\"room:config\",{}];"
		"[\"message:new\",{\"m\":5}];[\"message:new\",{\"m\":6}];");
	peer_expect(&b,
		"[\"room:config\",{}];[\"message:new\",{\"m\":5}];[\"message:new\",{\"m\":6}];");
	assert_int_equal(live_stats().behind, 0);
	peer_close(&a);
	peer_close(&b);
}

static void test_lost_again_while_catching_up(void **state)
{
	struct peer a;
	struct room_gap old;

	(void)state;
	peer_open(&a, ANNA, SESSION_A);
	join_now(&a, CHAT, 7);
	lose();
	rooms_behind_each(on_gap, NULL);
	assert_int_equal(gap.from.ms, 7); /* nothing was handed out: from the join on */
	old = gap;
	assert_true(replay("8-0", "{\"m\":8}"));
	publish_room("r message:new 9-0 -\n{\"m\":9}");
	lose();
	assert_false(replay("10-0", "{\"m\":10}"));
	room_caught_up(&old);
	rooms_behind_each(on_gap, NULL);
	assert_int_equal(gap.from.ms, 8);
	assert_true(replay("9-0", "{\"m\":9}"));
	assert_true(replay("10-0", "{\"m\":10}"));
	room_caught_up(&gap);
	peer_expect(&a, "[\"message:new\",{\"m\":8}];[\"message:new\",{\"m\":9}];[\"message:new\",{"
			"\"m\":10}];");

	/* What was held empties the room. */
	lose();
	rooms_behind_each(on_gap, NULL);
	publish_room("x room:kicked - 990001\n{}");
	publish_room("r message:new 11-0 -\n{}");
	room_caught_up(&gap);
	peer_expect(&a, "[\"room:kicked\",{}];");
	assert_int_equal(live_stats().rooms, 0);

	/* A room that empties while it is behind. */
	join_now(&a, CHAT, 11);
	lose();
	publish_room("r message:new 12-0 -\n{}");
	assert_int_equal(redis_word("PUBLISH portal:all x"), 1);
	assert_int_equal(live_stats().behind, 1);
	live_leave(live_by_sio(a.sio), CHAT);
	assert_int_equal(live_stats().behind, 0);
	peer_close(&a);
}

/* Whoever keeps too much waiting is closed, and comes back. */
static void test_too_much_waits(void **state)
{
	struct bus_message m = {.scope = BUS_ROOM,
		.id = CHAT,
		.audience = 'r',
		.event = STR("room:config"),
		.data = STR("{}")};
	struct peer a, b;
	struct joiner j;

	(void)state;
	peer_open(&a, ANNA, SESSION_A);
	peer_open(&b, BERT, SESSION_B);
	join_start(&j, &b, CHAT);
	for (int i = 0; i <= 4096; i++)
		live_deliver(&m);
	peer_expect(&b, "end;");
	assert_int_equal(join_go(&j, 1, 0), ERR_CONFLICT);
	peer_free(&b);

	join_now(&a, CHAT, 1);
	rooms_lost();
	for (int i = 0; i <= 4096; i++)
		live_deliver(&m);
	peer_expect(&a, "end;");
	assert_int_equal(live_stats().rooms, 0);
	peer_free(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_a_room_catches_up, live_begin, live_end),
		cmocka_unit_test_setup_teardown(
			test_lost_again_while_catching_up, live_begin, live_end),
		cmocka_unit_test_setup_teardown(test_too_much_waits, live_begin, live_end),
	};

	if (!redis_possible("test_room_behind"))
		return 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
