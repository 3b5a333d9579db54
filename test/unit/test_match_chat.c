/* Direct chats: coming, going, grace, the end, and what is left behind it (contract 5). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/config.h"
#include "match_rig.h"

static int64_t a, b, chat;

/* Two people, just paired, both with a socket. */
static void pair(void)
{
	matcher_new();
	a = seeker();
	b = seeker();
	socket_comes(a);
	socket_comes(b);
	enqueue(a, "art");
	enqueue(b, "art");
	chat = chat_of(a, b);
	heard();
}

static void pair_inside(void)
{
	pair();
	comes_in(chat, a);
	comes_in(chat, b);
	heard();
}

static void over(const char *reason)
{
	const char *text = heard();
	char data[80];

	snprintf(data, sizeof(data), "match:ended - {\"chat_id\":%lld,\"reason\":\"%s\"}",
		(long long)chat, reason);
	assert_int_equal(times(text, data), 2);
	assert_int_equal(times(text, " match:ended "), 2);
	assert_true(idle(a) && idle(b));
}

static bool going_on(void)
{
	return chat_of(a, b) == chat;
}

/* `who` hears that the other left, or is back. */
static bool hears(const char *text, int64_t who, const char *event, int64_t of, const char *rest)
{
	char line[200];

	snprintf(line, sizeof(line),
		"portal:user:%lld room:%s - {\"chat_id\":%lld,\"user_id\":%lld%s", (long long)who,
		event, (long long)chat, (long long)of, rest);
	return times(text, line) == 1;
}

/* ---- grace ---- */

static void who_goes_comes_back(void **state)
{
	const char *text;

	(void)state;
	pair_inside();
	goes_out(chat, a, 0);
	text = heard();
	assert_true(hears(text, b, "peer_left", a, ",\"grace_until_ms\":1"));
	assert_int_equal(times(text, "room:peer_left"), 1);
	age(59000);
	tick();
	assert_true(going_on());
	heard();
	comes_in(chat, a);
	assert_true(hears(heard(), b, "peer_back", a, "}"));
	age(3600000);
	tick();
	assert_true(going_on());
	assert_int_equal(times(heard(), "room:peer"), 0);
}

static void who_stays_away_ends_it(void **state)
{
	(void)state;
	pair_inside();
	goes_out(chat, b, 0);
	assert_true(hears(heard(), a, "peer_left", b, ",\"grace_until_ms\":1"));
	age(60100);
	tick();
	over("grace");
	tick();
	assert_int_equal(times(heard(), "match:ended"), 0);
}

/* Back at 59.9 s, and at 60.1 s when nobody has ticked yet: the first who acts decides. */
static void back_at_the_last_moment(void **state)
{
	struct move end;

	(void)state;
	pair_inside();
	goes_out(chat, a, 0);
	age(60100);
	comes_in(chat, a);
	tick();
	assert_true(going_on());
	goes_out(chat, a, 0);
	age(60100);
	end = move_of(END, a);
	end.other = chat;
	end.text = "grace";
	end.flag = true;
	assert_int_equal(move_run(&end), OK);
	over("grace");
}

static void who_never_came_ends_it(void **state)
{
	(void)state;
	pair();
	comes_in(chat, a);
	age(59000);
	tick();
	assert_true(going_on());
	heard();
	age(1100);
	tick();
	over("grace");
}

static void absent_from_the_beginning(void **state)
{
	(void)state;
	matcher_new();
	a = seeker();
	b = seeker();
	socket_comes(b);
	enqueue(a, "art");
	enqueue(b, "art");
	chat = chat_of(a, b);
	assert_true(hears(heard(), b, "peer_left", a, ",\"grace_until_ms\":1"));
	comes_in(chat, a);
	assert_true(hears(heard(), b, "peer_back", a, "}"));
	comes_in(chat, b); /* had a socket all the time: was not missed */
	assert_int_equal(times(heard(), "room:peer"), 0);
	age(3600000);
	tick();
	assert_true(going_on());
}

static void a_start_leaves_time(void **state)
{
	const char *text;

	(void)state;
	pair_inside();
	goes_out(chat, a, 0);
	heard();
	age(70000); /* nobody served meanwhile */
	config.match_grace_least = 15;
	tick();
	assert_true(going_on());
	text = heard();
	assert_true(hears(text, b, "peer_left", a, ",\"grace_until_ms\":1"));
	assert_int_equal(times(text, "room:peer_left"), 1);
	config.match_grace_least = 0;
	age(14000);
	tick();
	assert_true(going_on());
	age(1100);
	tick();
	heard();
	assert_true(idle(a) && idle(b));
	config.match_grace_least = 15;
	tick();
}

static void a_start_shortens_nothing(void **state)
{
	(void)state;
	pair_inside();
	goes_out(chat, a, 0);
	heard();
	age(10000);
	config.match_grace_least = 15;
	tick();
	assert_int_equal(times(heard(), "room:peer_left"), 0);
	config.match_grace_least = 0;
	age(20000);
	tick();
	assert_true(going_on());
}

/* ---- the end ---- */

/* Everything that two people who talk leave in Redis, and more. */
static void talk(void)
{
	long long c = (long long)chat;

	for (int i = 0; i < 2; i++) {
		long long user = (long long)(i ? b : a);

		redis_do("HSET portal:e2ee:keys:%lld %016llx key", user, user);
		redis_do("SADD portal:e2ee:blobs:%016llx %lld:1", user, c);
		redis_do("SADD portal:e2ee:blobs:%016llx %lld:2", user, c);
		redis_do("HSET portal:e2ee:chatkey:%lld:2 %lld:%016llx blob", c, user, user);
		redis_do("HSET portal:chat:%lld:card:%lld n x", c, user);
		redis_do("SET portal:chat:%lld:rate:%lld 1", c, user);
		redis_do("SET portal:chat:%lld:sent:%lld:k%d x", c, user, i);
		redis_do("XADD portal:chat:%lld:stream * s %lld j x c x e 2 k k%d", c, user, i);
	}
	redis_do("SET portal:chat:%lld:epoch 2", c);
	redis_do("SET portal:chat:%lld:stamp x", c);
	redis_do("HSET portal:e2ee:asks:%lld epoch 2", c);
	redis_do("SET portal:e2ee:lost:%lld 2", c);
	redis_do("SET portal:e2ee:joined:%lld 2", c);
}

/* But the gate and why it ended, for minutes. */
static void nothing_is_left(void)
{
	char gate[48], ended[48], both[2][100];
	const char *left;

	snprintf(gate, sizeof(gate), "portal:chat:%lld:gate", (long long)chat);
	snprintf(ended, sizeof(ended), "portal:chat:%lld:ended", (long long)chat);
	snprintf(both[0], sizeof(both[0]), "%s %s", gate, ended);
	snprintf(both[1], sizeof(both[1]), "%s %s", ended, gate);
	left = traces(chat);
	assert_string_equal(left, both[strcmp(left, both[0]) != 0]);
	assert_in_range(atoll(redis_do("PTTL %s", gate)), 50000, 60000);
	assert_in_range(atoll(redis_do("PTTL %s", ended)), 590000, 600000);
}

static void leaving_ends_it(void **state)
{
	struct move again;
	const char *text;
	char room[64];

	(void)state;
	pair_inside();
	talk();
	leave(a);
	text = heard();
	assert_true(hears(text, b, "peer_left", a, ",\"grace_until_ms\":0}"));
	assert_int_equal(times(text, "room:peer_left"), 1);
	snprintf(room, sizeof(room), "match:ended - {\"chat_id\":%lld,\"reason\":\"left\"}",
		(long long)chat);
	assert_int_equal(times(text, room), 2);
	assert_true(idle(a) && idle(b));
	nothing_is_left();
	again = move_of(LEAVE, a);
	assert_int_equal(move_run(&again), ERR_MATCH_NO_ACTIVE_DIRECT);
}

static void it_leaves_nothing_however_it_ends(void **state)
{
	struct move close;

	(void)state;
	pair_inside();
	talk();
	goes_out(chat, a, 0);
	age(60100);
	tick();
	over("grace");
	nothing_is_left();

	pair();
	talk();
	close = move_of(CLOSE, b);
	assert_int_equal(move_run(&close), OK);
	over("gone");
	nothing_is_left();

	pair_inside();
	talk();
	age(86400100);
	tick();
	over("expired");
	nothing_is_left();
}

/* What is still under way when it ends finds the chat gone, and brings nothing back. */
static void late_steps_bring_nothing_back(void **state)
{
	(void)state;
	pair_inside();
	leave(b);
	goes_out(chat, a, 1); /* one of two sockets */
	nothing_is_left();
	goes_out(chat, a, 0);
	goes_out(chat, b, 0);
	assert_false(comes_in_late(chat, a));
	assert_int_equal(says_late(chat, a), ERR_CHAT_NOT_FOUND);
	nothing_is_left();
}

static void both_leave_at_once(void **state)
{
	struct move moves[2];

	(void)state;
	pair_inside();
	for (int i = 0; i < 2; i++) {
		moves[i] = move_of(LEAVE, i ? b : a);
		job_start(&moves[i].job);
	}
	jobs_run();
	assert_int_equal(moves[0].job.fault.err, OK);
	assert_int_equal(moves[1].job.fault.err, OK);
	over("left");
}

static void many_ends_at_once(void **state)
{
	struct move moves[8];

	(void)state;
	pair_inside();
	goes_out(chat, a, 0);
	heard();
	age(60100);
	for (int i = 0; i < 8; i++) {
		moves[i] = move_of(END, a);
		moves[i].other = chat;
		moves[i].text = "grace";
		moves[i].flag = true;
		job_start(&moves[i].job);
	}
	jobs_run();
	over("grace");
}

static void an_end_that_is_not_due(void **state)
{
	struct move end;

	(void)state;
	pair_inside();
	goes_out(chat, a, 0);
	end = move_of(END, a);
	end.other = chat;
	end.text = "grace";
	end.flag = true;
	assert_int_equal(move_run(&end), OK);
	assert_true(going_on());
	end = move_of(END, 0);
	end.other = chat;
	end.text = "expired";
	end.flag = true;
	assert_int_equal(move_run(&end), OK);
	assert_true(going_on());
	/* nor by who is not in it */
	end = move_of(END, seeker());
	end.other = chat;
	end.text = "left";
	assert_int_equal(move_run(&end), OK);
	assert_true(going_on());
}

static void a_block_ends_no_chat(void **state)
{
	(void)state;
	pair_inside();
	block(a, b, true);
	tick();
	assert_true(going_on());
}

static void a_deletion_ends_it(void **state)
{
	struct move gone;

	(void)state;
	pair_inside();
	gone = move_of(DELETE_USER, a);
	assert_int_equal(move_run(&gone), OK);
	over("gone");
	nothing_is_left();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_goes_comes_back),
		cmocka_unit_test(who_stays_away_ends_it),
		cmocka_unit_test(back_at_the_last_moment),
		cmocka_unit_test(who_never_came_ends_it),
		cmocka_unit_test(absent_from_the_beginning),
		cmocka_unit_test(a_start_leaves_time),
		cmocka_unit_test(a_start_shortens_nothing),
		cmocka_unit_test(leaving_ends_it),
		cmocka_unit_test(it_leaves_nothing_however_it_ends),
		cmocka_unit_test(late_steps_bring_nothing_back),
		cmocka_unit_test(both_leave_at_once),
		cmocka_unit_test(many_ends_at_once),
		cmocka_unit_test(an_end_that_is_not_due),
		cmocka_unit_test(a_block_ends_no_chat),
		cmocka_unit_test(a_deletion_ends_it),
	};

	return cmocka_run_group_tests(tests, match_begin, match_finish);
}
