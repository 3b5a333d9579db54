/* Searching and being paired, rule by rule (contract 5). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/clock.h"
#include "match_rig.h"

static bool within(int64_t us, int64_t of)
{
	return us > of - 5000000 && us < of + 5000000;
}

static const char *find(const char *text, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
static const char *find(const char *text, const char *fmt, ...)
{
	char line[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	return strstr(text, line);
}

/* ---- whom one meets ---- */

static void a_shared_tag_pairs(void **state)
{
	int64_t a = seeker(), b = seeker(), c = seeker(), chat;
	struct move ask = move_of(STATUS, 0), direct = move_of(DIRECT, 0);
	const char *text;

	(void)state;
	matcher_new();
	socket_comes(a);
	socket_comes(b);
	ask.status = enqueue(a, "art music");
	assert_int_equal(ask.status.state, MATCH_SEARCHING);
	assert_true(within(ask.status.queued_at, clock_us()));
	assert_int_equal(ask.status.expires_at - ask.status.queued_at, INT64_C(600000000));
	assert_int_equal(times(heard(), "match:searching - {\"expires_at\":\"20"), 1);
	assert_int_equal(enqueue(c, "chess").state, MATCH_SEARCHING);
	assert_int_equal(enqueue(b, "art games music").state, MATCH_MATCHED);
	chat = chat_of(a, b);
	assert_true(searching(c));

	text = heard();
	assert_int_equal(times(text, "\nart music\n{"), 2);
	assert_non_null(
		find(text, "portal:user:%lld !direct %lld {\"id\":%lld,\"username\":\"p%lld\"",
			(long long)a, (long long)chat, (long long)b, (long long)b));
	assert_non_null(find(text, "portal:user:%lld !direct %lld {\"id\":%lld,", (long long)b,
		(long long)chat, (long long)a));
	assert_non_null(find(text, "}\nart music\n{\"id\":%lld,", (long long)a));
	assert_non_null(find(text, "}\nart music\n{\"id\":%lld,", (long long)b));

	ask.user = a;
	assert_int_equal(move_run(&ask), OK);
	assert_string_equal(ask.interests, "art music");
	assert_int_equal(ask.status.chat_id, chat);
	assert_non_null(find(ask.peer, "{\"id\":%lld,", (long long)b));
	assert_true(within(ask.status.queued_at, clock_us()));
	assert_true(within(ask.status.expires_at, clock_us() + 86400 * INT64_C(1000000)));
	direct.other = chat;
	assert_int_equal(move_run(&direct), OK);
	assert_int_equal(direct.direct.people[0] + direct.direct.people[1], a + b);
	assert_int_equal(direct.direct.created_at, ask.status.queued_at);
	assert_int_equal(direct.direct.online, 0);
	direct.other = chat + 1;
	assert_int_equal(move_run(&direct), ERR_CHAT_NOT_FOUND);

	assert_int_equal(epoch_of(chat), 1);
	assert_string_equal(redis_do("EVAL return(redis.call('XRANGE',KEYS[1],'-','+')[1][2][6]) 1 "
				     "portal:chat:%lld:stream",
				    (long long)chat),
		"Chat started — say hi! Matched on: art, music");
}

static void any_meets_everyone(void **state)
{
	int64_t a = seeker(), b = seeker(), c = seeker(), d = seeker();

	(void)state;
	matcher_new();
	socket_comes(a);
	socket_comes(c);
	socket_comes(d);
	enqueue(a, "any");
	enqueue(b, "art");
	assert_true(chat_of(a, b) > 0);
	enqueue(c, "music");
	enqueue(d, "any");
	assert_true(chat_of(c, d) > 0);
	assert_int_equal(times(heard(), "}\nany\n{"), 3); /* b has no socket */
	leave(a);
	leave(c);
	enqueue(a, "any");
	enqueue(c, "any");
	assert_true(chat_of(a, c) > 0);
}

static void a_tag_is_no_part_of_another(void **state)
{
	int64_t a = seeker(), b = seeker();

	(void)state;
	matcher_new();
	enqueue(a, "art cats");
	enqueue(b, "arts cat");
	assert_true(searching(a) && searching(b));
}

static void the_longest_waiting_comes_first(void **state)
{
	int64_t a = seeker(), b = seeker(), c = seeker(), d = seeker(), e = seeker();

	(void)state;
	matcher_new();
	enqueue(a, "art");
	enqueue(b, "music");
	enqueue(c, "chess");
	enqueue(d, "chess music");
	assert_true(chat_of(b, d) > 0);
	enqueue(e, "any");
	assert_true(chat_of(a, e) > 0);
	assert_true(searching(c));
}

/* More of them than one look takes, and only the last may be met. */
static void the_blocked_are_passed_over(void **state)
{
	int64_t me = seeker(), others[20];

	(void)state;
	matcher_new();
	for (int i = 0; i < 20; i++) {
		others[i] = seeker();
		for (int j = 0; j < i; j++)
			sql_do("INSERT INTO user_blocks VALUES (%lld, %lld)", (long long)others[i],
				(long long)others[j]);
		if (i < 19)
			block(me, others[i], true);
		enqueue(others[i], "art any1");
	}
	enqueue(me, "any1 art");
	assert_true(chat_of(me, others[19]) > 0);
	for (int i = 0; i < 19; i++)
		assert_true(searching(others[i]));
}

/* ---- never ---- */

static void never_oneself(void **state)
{
	int64_t a = seeker();
	struct move at_once[8], again = enqueuing(a, "any");
	int begun = 0;

	(void)state;
	matcher_new();
	for (int i = 0; i < 8; i++) {
		at_once[i] = enqueuing(a, "any");
		job_start(&at_once[i].job);
	}
	jobs_run();
	for (int i = 0; i < 8; i++) {
		begun += at_once[i].job.fault.err == OK;
		if (at_once[i].job.fault.err)
			assert_int_equal(at_once[i].job.fault.err, ERR_MATCH_ALREADY_SEARCHING);
	}
	assert_int_equal(begun, 1);
	assert_int_equal(move_run(&again), ERR_MATCH_ALREADY_SEARCHING);
	tick();
	assert_true(searching(a));
}

static void one_chat_at_a_time(void **state)
{
	int64_t a = seeker(), b = seeker(), c = seeker();
	struct move more = enqueuing(a, "any");

	(void)state;
	matcher_new();
	enqueue(c, "chess");
	enqueue(a, "art");
	enqueue(b, "art");
	assert_int_equal(move_run(&more), ERR_MATCH_SLOT_LIMIT);
	tick();
	assert_true(searching(c));
	assert_true(chat_of(a, b) > 0);
}

#define CROWD 24

static void a_crowd_at_once(void **state)
{
	int64_t people[CROWD];
	struct move moves[CROWD];

	(void)state;
	matcher_new();
	for (int i = 0; i < CROWD; i++)
		people[i] = seeker();
	for (int i = 0; i < CROWD; i++) {
		moves[i] = enqueuing(people[i], i % 3 ? "art" : "any");
		job_start(&moves[i].job);
	}
	jobs_run();
	for (int i = 0; i < CROWD; i++) {
		struct match_status s = status_of(people[i]);
		struct move m = move_of(DIRECT, 0);

		assert_int_equal(moves[i].job.fault.err, OK);
		assert_int_equal(s.state, MATCH_MATCHED);
		m.other = s.chat_id;
		assert_int_equal(move_run(&m), OK);
		assert_true(m.direct.people[0] == people[i] || m.direct.people[1] == people[i]);
		assert_true(m.direct.people[0] != m.direct.people[1]);
	}
	assert_string_equal(redis_do("ZCARD portal:match:chats"), "12");
	assert_string_equal(redis_do("EXISTS portal:match:queue portal:match:queue:any "
				     "portal:match:queue:art portal:match:until"),
		"0");
}

/* ---- how long one waits ---- */

static void a_search_expires(void **state)
{
	int64_t a = seeker(), b = seeker();
	struct match_status before;

	(void)state;
	matcher_new();
	socket_comes(a);
	before = enqueue(a, "art");
	enqueue(b, "chess");
	age(599000);
	tick();
	assert_true(searching(a) && searching(b));
	heard();
	age(1100);
	tick();
	assert_true(idle(b));
	assert_true(searching(a)); /* kept alive by a socket */
	assert_true(status_of(a).expires_at > before.expires_at - 5000000);
	assert_string_equal(redis_do("EXISTS portal:match:queue:chess"), "0");
	assert_non_null(find(
		heard(), "portal:user:%lld match:idle - {\"reason\":\"expired\"}", (long long)b));
	age(599000);
	enqueue(b, "art");
	assert_true(chat_of(a, b) > 0);
}

static void who_never_came_is_met_until_expiry(void **state)
{
	int64_t a = seeker(), b = seeker();

	(void)state;
	matcher_new();
	enqueue(a, "art");
	age(599000);
	tick();
	enqueue(b, "art");
	assert_true(chat_of(a, b) > 0);
}

static void who_goes_keeps_the_place(void **state)
{
	int64_t a = seeker(), b = seeker(), c = seeker();

	(void)state;
	matcher_new();
	socket_comes(a);
	enqueue(a, "art");
	enqueue(c, "music");
	socket_goes(a);
	enqueue(b, "art chess"); /* not with who is not there, seen by the search at hand or the
				    tick */
	tick();
	assert_true(searching(a) && searching(b));
	age(59000);
	tick();
	assert_true(searching(a));
	leave(b);
	socket_comes(a);
	tick();
	enqueue(b, "art music");
	assert_true(chat_of(a, b) > 0); /* before c */
	assert_true(searching(c));
}

static void who_stays_away_loses_it(void **state)
{
	int64_t a = seeker(), b = seeker();

	(void)state;
	matcher_new();
	socket_comes(a);
	enqueue(a, "art");
	socket_goes(a);
	tick();
	heard();
	age(60100);
	tick();
	assert_true(idle(a));
	assert_int_equal(times(heard(), "match:idle - {\"reason\":\"expired\"}"), 1);
	enqueue(b, "art");
	assert_true(searching(b));
	assert_int_equal(enqueue(a, "art").state, MATCH_MATCHED);
}

static void back_in_time_meets_who_waits(void **state)
{
	int64_t a = seeker(), b = seeker();

	(void)state;
	matcher_new();
	socket_comes(a);
	enqueue(a, "art");
	socket_goes(a);
	enqueue(b, "art");
	age(59000);
	socket_comes(a);
	tick();
	assert_true(chat_of(a, b) > 0);
}

static void a_search_is_given_up(void **state)
{
	int64_t a = seeker(), b = seeker();
	struct move stop = move_of(DEQUEUE, a), none = move_of(LEAVE, b);

	(void)state;
	matcher_new();
	enqueue(a, "art");
	heard();
	assert_int_equal(move_run(&stop), OK);
	assert_int_equal(move_run(&stop), OK);
	assert_true(idle(a));
	assert_int_equal(times(heard(), "match:idle - {\"reason\":\"dequeued\"}"), 1);
	enqueue(b, "art");
	assert_true(searching(b));
	assert_int_equal(move_run(&none), OK);
	assert_int_equal(move_run(&none), ERR_MATCH_NO_ACTIVE_DIRECT);
	enqueue(a, "art");
	enqueue(b, "art");
	assert_int_equal(move_run(&stop), OK); /* a chat goes on */
	assert_true(chat_of(a, b) > 0);
	assert_string_equal(redis_do("EXISTS portal:match:queue portal:match:until"), "0");
}

/* ---- the tick ---- */

static void many_ticks_at_once(void **state)
{
	int64_t a = seeker(), b = seeker();
	struct move tries[10];
	int made = 0;

	(void)state;
	matcher_new();
	block(a, b, true);
	socket_comes(a);
	socket_comes(b);
	enqueue(a, "art");
	enqueue(b, "art");
	block(a, b, false);
	heard();
	for (int i = 0; i < 10; i++) {
		tries[i] = move_of(TRY, i % 2 ? a : b);
		job_start(&tries[i].job);
	}
	jobs_run();
	for (int i = 0; i < 10; i++)
		made += tries[i].try.outcome == TRY_MATCHED && tries[i].try.fresh;
	assert_int_equal(made, 1);
	assert_int_equal(times(heard(), " !direct "), 2);
	assert_true(chat_of(a, b) > 0);
}

static void more_than_a_batch(void **state)
{
	(void)state;
	matcher_new();
	for (int i = 0; i < 70; i++) {
		char tag[16];

		snprintf(tag, sizeof(tag), "tag%d", i);
		enqueue(seeker(), tag);
	}
	assert_string_equal(redis_do("ZCARD portal:match:until"), "70");
	age(600100);
	tick();
	assert_string_equal(redis_do("EXISTS portal:match:until portal:match:queue"), "0");
}

static void ids_are_not_wasted(void **state)
{
	int64_t a = seeker(), b = seeker(), first;

	(void)state;
	matcher_new();
	enqueue(a, "art");
	enqueue(b, "art");
	first = chat_of(a, b);
	leave(a);
	age(301000);
	for (int i = 0; i < 10; i++) {
		struct move stop = move_of(DEQUEUE, a);

		enqueue(a, "art");
		assert_int_equal(move_run(&stop), OK);
	}
	enqueue(a, "art");
	enqueue(b, "art");
	assert_in_range(chat_of(a, b), first - CROWD, first + 2);
	assert_int_not_equal(chat_of(a, b), first);
}

/* ---- what is kept of a person ---- */

/* As their peer is told, who looks for anybody. */
static bool shown_as(int64_t a, int64_t b, const char *name)
{
	struct move met = enqueuing(b, "any");
	char text[64];

	enqueue(a, "art");
	assert_int_equal(move_run(&met), OK);
	assert_int_equal(met.status.state, MATCH_MATCHED);
	leave(a);
	age(301000);
	snprintf(text, sizeof(text), "\"username\":\"%s\"", name);
	return strstr(met.peer, text) != NULL;
}

static void a_person_is_kept_until_a_change(void **state)
{
	int64_t a = seeker(), b = seeker();
	struct move changed = move_of(CHANGED, a);

	(void)state;
	matcher_new();
	sql_do("UPDATE users SET username = 'kept_one' WHERE id = %lld", (long long)a);
	assert_true(shown_as(a, b, "kept_one"));
	sql_do("UPDATE users SET username = 'kept_two' WHERE id = %lld", (long long)a);
	assert_true(shown_as(a, b, "kept_one")); /* PostgreSQL was not asked */
	assert_int_equal(move_run(&changed), OK);
	assert_true(shown_as(a, b, "kept_two"));
	sql_do("UPDATE users SET username = 'kept_three' WHERE id = %lld", (long long)a);
	assert_true(shown_as(a, b, "kept_three")); /* nothing is kept just behind a change */
	assert_in_range(
		atoll(redis_do("PTTL portal:match:known:%lld", (long long)b)), 500000, 600000);
}

static void what_is_kept_ends_with_a_block(void **state)
{
	int64_t a = seeker(), b = seeker();

	(void)state;
	matcher_new();
	enqueue(a, "art");
	enqueue(b, "art");
	leave(chat_of(a, b) ? a : b);
	age(301000);
	block(a, b, true);
	redis_do("DEL portal:match:blocked:%lld portal:match:blocked:%lld", (long long)a,
		(long long)b);
	enqueue(a, "art");
	enqueue(b, "art");
	assert_true(searching(a) && searching(b));
}

/* ---- closed accounts ---- */

static void a_closed_account_searches_no_more(void **state)
{
	int64_t a = seeker(), b = seeker();
	struct move begin = enqueuing(a, "art"), close = move_of(CLOSE, a);

	(void)state;
	matcher_new();
	enqueue(a, "art");
	assert_int_equal(move_run(&close), OK);
	assert_true(idle(a));
	enqueue(b, "art");
	assert_true(searching(b));
	/* what was under way before PostgreSQL said so */
	assert_int_equal(move_run(&begin), ERR_AUTH_REQUIRED);
	redis_do("DEL portal:match:closed:%lld", (long long)a);
	job_start(&begin.job);
	job_start(&close.job);
	jobs_run();
	assert_int_equal(begin.job.fault.err, ERR_AUTH_REQUIRED);
	assert_true(idle(a) && searching(b));
}

static void who_may_not_come_in_searches_not(void **state)
{
	int64_t a = seeker(), b = seeker();
	struct move begin = enqueuing(a, "art");

	(void)state;
	matcher_new();
	sql_do("UPDATE users SET restriction = 'timeout', restricted_until = now() + '1 hour' "
	       "WHERE id = "
	       "%lld",
		(long long)a);
	assert_int_equal(move_run(&begin), ERR_AUTH_REQUIRED);
	begin = move_of(DELETE_USER, b);
	assert_int_equal(move_run(&begin), OK);
	begin = enqueuing(b, "art");
	assert_int_equal(move_run(&begin), ERR_AUTH_REQUIRED);
	begin = enqueuing(1, "art");
	assert_int_equal(move_run(&begin), ERR_AUTH_REQUIRED);
}

static void a_deletion_ends_the_search(void **state)
{
	int64_t a = seeker();
	struct move gone = move_of(DELETE_USER, a);

	(void)state;
	matcher_new();
	enqueue(a, "art");
	assert_int_equal(move_run(&gone), OK);
	assert_true(idle(a));
}

/* Redis was away when it was told. */
static void the_sweep_finds_the_closed(void **state)
{
	int64_t a = seeker(), b = seeker(), c = seeker(), d = seeker();

	(void)state;
	matcher_new();
	enqueue(a, "art");
	enqueue(b, "music");
	enqueue(c, "chess");
	enqueue(d, "games");
	sql_do("UPDATE users SET restriction = 'banned' WHERE id = %lld", (long long)a);
	sql_do("UPDATE users SET deleted_at = now() WHERE id = %lld", (long long)b);
	sql_do("UPDATE users SET restriction = 'timeout', restricted_until = now() - '1 "
	       "s'::interval "
	       "WHERE id = %lld",
		(long long)c);
	tick();
	assert_true(idle(a) && idle(b));
	assert_true(searching(c) && searching(d));
}

static void the_sweep_goes_around(void **state)
{
	int64_t people[3];
	const int seen[][3] = {{2, 0, 1}, {1, 2}, {2, 0, 1}};

	(void)state;
	matcher_new();
	for (int i = 0; i < 3; i++) {
		char tag[16];

		snprintf(tag, sizeof(tag), "tag%d", i);
		people[i] = seeker();
		enqueue(people[i], tag);
	}
	for (int turn = 0; turn < 3; turn++) {
		struct move sweep = move_of(SWEEP, 0), late = move_of(SWEEP, 0);

		assert_int_equal(move_run(&sweep), OK);
		assert_int_equal(sweep.ids_n, seen[turn][0]);
		for (size_t i = 0; i < sweep.ids_n; i++)
			assert_int_equal(sweep.ids[i], people[seen[turn][1 + i]]);
		assert_int_equal(move_run(&late), OK);
		assert_int_equal(late.ids_n, 0); /* another had the turn */
		redis_do("DEL portal:match:swept");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_shared_tag_pairs),
		cmocka_unit_test(any_meets_everyone),
		cmocka_unit_test(a_tag_is_no_part_of_another),
		cmocka_unit_test(the_longest_waiting_comes_first),
		cmocka_unit_test(the_blocked_are_passed_over),
		cmocka_unit_test(never_oneself),
		cmocka_unit_test(one_chat_at_a_time),
		cmocka_unit_test(a_crowd_at_once),
		cmocka_unit_test(a_search_expires),
		cmocka_unit_test(who_never_came_is_met_until_expiry),
		cmocka_unit_test(who_goes_keeps_the_place),
		cmocka_unit_test(who_stays_away_loses_it),
		cmocka_unit_test(back_in_time_meets_who_waits),
		cmocka_unit_test(a_search_is_given_up),
		cmocka_unit_test(many_ticks_at_once),
		cmocka_unit_test(more_than_a_batch),
		cmocka_unit_test(ids_are_not_wasted),
		cmocka_unit_test(a_person_is_kept_until_a_change),
		cmocka_unit_test(what_is_kept_ends_with_a_block),
		cmocka_unit_test(a_closed_account_searches_no_more),
		cmocka_unit_test(who_may_not_come_in_searches_not),
		cmocka_unit_test(a_deletion_ends_the_search),
		cmocka_unit_test(the_sweep_finds_the_closed),
		cmocka_unit_test(the_sweep_goes_around),
	};

	return cmocka_run_group_tests(tests, match_begin, match_finish);
}
