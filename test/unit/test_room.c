/* hub/room: who gets what, the two steps of opening and of joining, leaving; as clients see it. */
#include "live_rig.h"

/* ---- small things ---- */

static void test_stream_ids(void **state)
{
	struct stream_id a, b;

	(void)state;
	assert_true(stream_id_parse(STR("1526919030474-55"), &a));
	assert_true(a.ms == 1526919030474 && a.seq == 55);
	assert_true(stream_id_parse(STR("18446744073709551615-18446744073709551615"), &b));
	assert_int_equal(stream_id_compare(a, b), -1);
	assert_int_equal(stream_id_compare(b, a), 1);
	assert_int_equal(stream_id_compare(a, a), 0);
	assert_true(stream_id_parse(STR("1526919030474-100"), &b));
	assert_int_equal(stream_id_compare(a, b), -1);
	assert_false(stream_id_parse(STR(""), &a));
	assert_false(stream_id_parse(STR("1"), &a));
	assert_false(stream_id_parse(STR("1-"), &a));
	assert_false(stream_id_parse(STR("-1"), &a));
	assert_false(stream_id_parse(STR("1-2-3"), &a));
	assert_false(stream_id_parse(STR("18446744073709551616-0"), &a));
	assert_false(stream_id_parse(STR_NULL, &a));
}

/* ---- who gets what ---- */

static void test_audiences(void **state)
{
	struct peer a1, a2, b, c;

	(void)state;
	peer_open(&a1, ANNA, SESSION_A);
	peer_open(&a2, ANNA, "aaaaaaaaaaaaaaa2");
	peer_open(&b, BERT, SESSION_B);
	peer_open(&c, BERT, SESSION_B);
	join_now(&a1, CHAT, 1);
	join_now(&a2, CHAT, 1);
	join_now(&b, CHAT, 1);

	publish_room("r message:new 2-0 -\n{\"x\":1}");
	publish_room("r room:typing - " SESSION_B "\n{\"x\":2}");
	publish_room("s room:key - 990001:" SESSION_A "\n{\"x\":3}");
	publish_room("1 room:key_needed 00c0ffee 990002:" SESSION_B "\n{\"x\":4}");
	publish_room("1 room:key_needed 00c0ffe0 990002:" SESSION_B "\n{\"x\":5}");
	publish_user(BERT, "r match:found - -\n{\"x\":6}");
	publish_user(BERT, "r user:muted - @990017\n{\"x\":7}");
	publish_user(ANNA, "s notification:new - 990001:" SESSION_A "\n{\"x\":8}");
	redis_publish("portal:all", "r announcement:new - -\n{\"x\":9}");

	peer_expect(&a1, "[\"message:new\",{\"x\":1}];[\"room:typing\",{\"x\":2}];"
			 "[\"room:key\",{\"x\":3}];[\"notification:new\",{\"x\":8}];"
			 "[\"announcement:new\",{\"x\":9}];");
	peer_expect(&a2, "[\"message:new\",{\"x\":1}];[\"room:typing\",{\"x\":2}];"
			 "[\"announcement:new\",{\"x\":9}];");
	peer_expect(&b, "[\"message:new\",{\"x\":1}];[\"room:key_needed\",{\"x\":4}];"
			"[\"match:found\",{\"x\":6}];[\"announcement:new\",{\"x\":9}];");
	peer_expect(&c, "[\"match:found\",{\"x\":6}];[\"user:muted\",{\"x\":7}];"
			"[\"announcement:new\",{\"x\":9}];");
	peer_close(&a1);
	peer_close(&a2);
	peer_close(&b);
	peer_close(&c);
}

static void test_sizes_of_a_room(void **state)
{
	struct peer a;

	(void)state;
	peer_open(&a, ANNA, SESSION_A);
	join_now(&a, CHAT, 1);
	publish_room("o roster - -\n{}");
	publish_room("f few - -\n{}");
	publish_room("n - - 4\n"); /* ROSTER_MAX is 3 here */
	publish_room("o too-many - -\n{}");
	publish_room("f few - -\n{}");
	publish_room("n - - 51\n");
	publish_room("f too-many - -\n{}");
	publish_room("n - - 3\n");
	publish_room("o roster - -\n{}");
	peer_expect(&a, "[\"roster\",{}];[\"few\",{}];[\"few\",{}];[\"roster\",{}];");
	room_set_present(CHAT, 51);
	publish_room("f too-many - -\n{}");
	publish_room("r end - -\n{}");
	peer_expect(&a, "[\"end\",{}];");
	peer_close(&a);
}

static void test_those_who_leave(void **state)
{
	struct peer a1, a2, b;

	(void)state;
	peer_open(&a1, ANNA, SESSION_A);
	peer_open(&a2, ANNA, SESSION_A);
	peer_open(&b, BERT, SESSION_B);
	join_now(&a1, CHAT, 1);
	join_now(&a2, CHAT, 1);
	join_now(&b, CHAT, 1);
	publish_room("x room:kicked - 990001\n{\"reason\":\"kick\"}");
	publish_room("r after - -\n{}");
	peer_expect(&b, "[\"after\",{}];");
	peer_expect(&a1, "[\"room:kicked\",{\"reason\":\"kick\"}];");
	peer_expect(&a2, "[\"room:kicked\",{\"reason\":\"kick\"}];");
	assert_int_equal(live_stats().memberships, 1);

	join_now(&a1, CHAT, 2);
	publish_room("x - - 990002\n");
	publish_room("d room:destroyed - -\n{\"name\":\"x\"}");
	peer_expect(&a1, "[\"room:destroyed\",{\"name\":\"x\"}];");
	assert_int_equal(live_stats().rooms, 0);
	assert_int_equal(redis_word("PUBLISH portal:room:990017 x"), 0);

	publish_user(BERT, "r last - -\n{}");
	peer_expect(&b, "[\"last\",{}];");
	publish_user(BERT, "e session:ended - " SESSION_B "\n{\"reason\":\"logout\"}");
	publish_user(BERT, "r too-late - -\n{}");
	peer_expect(&b, "[\"session:ended\",{\"reason\":\"logout\"}];bye;end;");
	assert_null(live_by_sio(b.sio));
	peer_free(&b);
	publish_user(ANNA, "e session:ended - " SESSION_B "\n{}"); /* not theirs */
	publish_user(ANNA, "r here - -\n{}");
	peer_expect(&a1, "[\"here\",{}];");
	peer_close(&a1);
	peer_close(&a2);
}

/* ---- opening ---- */

static void test_opening_keeps_what_comes(void **state)
{
	struct opening o = {.user = ANNA, .session = SESSION_A};
	struct peer p;

	(void)state;
	peer_connect(&p);
	o.sio = p.sio;
	assert_non_null(open_as(12345, ANNA, SESSION_B)); /* the channel is there */
	step_start(&o.step, open_begin);
	publish_user(ANNA, "r first - -\n{}");
	redis_publish("portal:all", "r second - -\n{}");
	publish_user(ANNA, "e session:ended - " SESSION_B "\n{}"); /* another one's */
	o.go = 1;
	assert_int_equal(redis_word("PUBLISH portal:user:990001 x"), 1);
	peer_expect(&p, "[\"first\",{}];[\"second\",{}];");
	assert_true(o.step.ended && !o.gone);
	peer_close(&p);
}

static void test_a_session_ends_while_opening(void **state)
{
	struct opening o = {.sio = 77, .user = ANNA, .session = SESSION_A};

	(void)state;
	assert_non_null(open_as(12345, ANNA, SESSION_B));
	step_start(&o.step, open_begin);
	publish_user(ANNA, "e session:ended - " SESSION_A "\n{}");
	assert_int_equal(redis_word("PUBLISH portal:user:990001 x"), 1);
	assert_null(live_by_sio(77));
	assert_int_equal(redis_word("PUBLISH portal:user:990001 x"), 1);
	assert_true(o.step.ended && o.gone);
}

static void test_an_opening_that_fails(void **state)
{
	struct opening o = {.sio = 77, .user = ANNA, .session = SESSION_A, .go = 2};

	(void)state;
	assert_int_equal(step_run(&o.step, open_begin), ERR_UNAVAILABLE);
	assert_null(live_by_sio(77));
	assert_int_equal(live_stats().people, 0);
	bus_stop();
	o.go = 1;
	assert_int_equal(step_run(&o.step, open_begin), ERR_UNAVAILABLE);
	assert_int_equal(live_stats().sockets, 0);
	live_bus_begin();
}

/* ---- joining ---- */

static void test_joining_loses_and_doubles_nothing(void **state)
{
	struct peer a, b;
	struct joiner j;

	(void)state;
	peer_open(&a, ANNA, SESSION_A);
	peer_open(&b, BERT, SESSION_B);
	join_now(&a, CHAT, 1);
	join_start(&j, &b, CHAT);
	assert_false(live_in_room(live_by_sio(b.sio), CHAT));
	publish_room("r message:new 2-0 -\n{\"m\":2}");
	publish_room("r portal:cleared 3-0 -\n{}");
	publish_room("r message:new 3-0 -\n{\"m\":3}");
	publish_room("r message:new 3-1 -\n{\"m\":31}");
	publish_room("r room:config - -\n{}");
	publish_room("r message:new 4-0 -\n{\"m\":4}");
	peer_expect(&a,
		"[\"message:new\",{\"m\":2}];[\"portal:cleared\",{}];[\"message:new\",{\"m\":3}];"
		"[\"message:new\",{\"m\":31}];[\"room:config\",{}];[\"message:new\",{\"m\":4}];");
	assert_int_equal(join_go(&j, 3, 0), OK);
	publish_room("r message:new 5-0 -\n{\"m\":5}");
	peer_expect(&b, "[\"ack\",{}];[\"message:new\",{\"m\":31}];[\"room:config\",{}];"
			"[\"message:new\",{\"m\":4}];[\"message:new\",{\"m\":5}];");

	/* The answer may be ahead of the bus. */
	live_leave(live_by_sio(b.sio), CHAT);
	join_start(&j, &b, CHAT);
	assert_int_equal(join_go(&j, 7, 0), OK);
	publish_room("r message:new 6-0 -\n{\"m\":6}");
	publish_room("r message:new 7-0 -\n{\"m\":7}");
	publish_room("r message:new 8-0 -\n{\"m\":8}");
	peer_expect(&b, "[\"ack\",{}];[\"message:new\",{\"m\":8}];");
	peer_expect(&a, "[\"message:new\",{\"m\":5}];[\"message:new\",{\"m\":6}];"
			"[\"message:new\",{\"m\":7}];[\"message:new\",{\"m\":8}];");
	peer_close(&a);
	peer_close(&b);
}

static void test_removed_while_joining(void **state)
{
	struct peer p;
	struct joiner j;

	(void)state;
	peer_open(&p, ANNA, SESSION_A);
	join_start(&j, &p, CHAT);
	publish_room("r message:new 2-0 -\n{}");
	publish_room("x room:kicked - 990001\n{}");
	publish_room("r message:new 4-0 -\n{}");
	assert_int_equal(join_go(&j, 1, 0), OK);
	peer_expect(&p, "[\"ack\",{}];[\"message:new\",{}];[\"room:kicked\",{}];");
	assert_int_equal(live_stats().rooms, 0);
	peer_close(&p);
}

static void test_joining_again(void **state)
{
	struct peer p;
	struct joiner j, k;

	(void)state;
	peer_open(&p, ANNA, SESSION_A);
	join_now(&p, CHAT, 1);
	join_start(&j, &p, CHAT);
	assert_true(live_in_room(live_by_sio(p.sio), CHAT));
	publish_room("r message:new 2-0 -\n{\"m\":2}");
	join_start(&k, &p, CHAT);
	publish_room("r message:new 3-0 -\n{\"m\":3}");
	assert_int_equal(join_go(&j, 2, 0), OK);
	k.go = 2; /* the other one comes to nothing */
	join_wait(&k);
	assert_int_equal(k.step.err, ERR_CHAT_NOT_FOUND);
	peer_expect(&p, "[\"ack\",{}];[\"message:new\",{\"m\":3}];");
	assert_true(live_in_room(live_by_sio(p.sio), CHAT));
	peer_close(&p);
}

static void test_a_join_is_undone(void **state)
{
	struct peer p;
	struct joiner j;

	(void)state;
	peer_open(&p, ANNA, SESSION_A);
	join_start(&j, &p, CHAT);
	publish_room("r message:new 2-0 -\n{}");
	j.go = 2;
	join_wait(&j);
	assert_int_equal(live_stats().rooms, 0);
	assert_int_equal(redis_word("PUBLISH portal:room:990017 x"), 0);

	/* Left, and joined by another, while it was under way. */
	join_start(&j, &p, CHAT);
	live_leave(live_by_sio(p.sio), CHAT);
	join_now(&p, CHAT, 1);
	assert_int_equal(join_go(&j, 9, 0), ERR_CONFLICT);
	publish_room("r message:new 2-0 -\n{}");
	peer_expect(&p, "[\"message:new\",{}];");

	/* The socket goes. */
	join_start(&j, &p, OTHER);
	peer_close(&p);
	assert_int_equal(join_go(&j, 1, 0), ERR_CONFLICT);
	assert_int_equal(live_stats().rooms, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stream_ids),
		cmocka_unit_test_setup_teardown(test_audiences, live_begin, live_end),
		cmocka_unit_test_setup_teardown(test_sizes_of_a_room, live_begin, live_end),
		cmocka_unit_test_setup_teardown(test_those_who_leave, live_begin, live_end),
		cmocka_unit_test_setup_teardown(
			test_opening_keeps_what_comes, live_begin, live_end),
		cmocka_unit_test_setup_teardown(
			test_a_session_ends_while_opening, live_begin, live_end),
		cmocka_unit_test_setup_teardown(test_an_opening_that_fails, live_begin, live_end),
		cmocka_unit_test_setup_teardown(
			test_joining_loses_and_doubles_nothing, live_begin, live_end),
		cmocka_unit_test_setup_teardown(test_removed_while_joining, live_begin, live_end),
		cmocka_unit_test_setup_teardown(test_joining_again, live_begin, live_end),
		cmocka_unit_test_setup_teardown(test_a_join_is_undone, live_begin, live_end),
	};

	if (!redis_possible("test_room"))
		return 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
