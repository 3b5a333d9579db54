/* Messages on real stores: who may send, what is kept and read, deleting. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/config.h"
#include "chatter.h"

#define MANY 20

/* ---- sending ---- */

static void what_was_sent_is_there(void **state)
{
	int64_t chat, user;
	struct act sent, got;
	char text[400];

	(void)state;
	fresh();
	chat = a_chat("official");
	user = speaker(chat);
	sent = send_now(chat, user, "key-1");
	assert_int_equal(sent.job.fault.err, OK);
	got = read_now(chat, NULL, NULL, 10);
	assert_int_equal(got.count, 1);
	assert_string_equal(got.ids[0], sent.id);
	assert_string_equal(got.cursor, sent.id);
	assert_int_equal(got.n, user);
	assert_int_equal(got.epoch, 1);
	snprintf(text, sizeof(text), "\"permission_level\":0|" STR_FMT "|key-1",
		STR_ARG(sent.content));
	assert_non_null(strstr(got.buffer, text));
	snprintf(text, sizeof(text), "{\"id\":%lld,\"username\":\"", (long long)user);
	assert_ptr_equal(strstr(got.buffer, text), got.buffer);

	say(chat);
	got = read_now(chat, NULL, NULL, 10);
	assert_int_equal(got.count, 2);
	assert_int_equal(got.n, 0);
	assert_int_equal(got.epoch, 0);
	assert_string_equal(got.buffer, "null,\"permission_level\":0|hello \"you\"|");
}

static void who_may_not_is_told_why(void **state)
{
	int64_t chat, closed, user;
	struct act a;

	(void)state;
	fresh();
	chat = a_chat("official");
	closed = a_chat("private");
	user = someone();
	assert_int_equal(send_err(chat, user), ERR_NOT_JOINED);
	assert_int_equal(send_err(closed, user), ERR_CHAT_NOT_FOUND);
	assert_int_equal(sending(999999, user, NULL, 1).job.fault.err, OK);
	a = sending(999999, user, NULL, 1);
	assert_int_equal(job_run(&a.job), ERR_CHAT_NOT_FOUND);
	enter(chat, user);
	assert_int_equal(send_err(chat, user), ERR_NO_ROOM_KEY);
	give_key(chat, user);
	a = sending(chat, user, NULL, 7);
	assert_int_equal(job_run(&a.job), ERR_EPOCH_MISMATCH);
	assert_int_equal(a.job.fault.epoch, 1);
	a = sending(chat, user, NULL, 1);
	a.content = STR("hello");
	assert_int_equal(job_run(&a.job), ERR_BAD_CIPHERTEXT);
	assert_int_equal(send_err(chat, user), OK);
	assert_int_equal(length(chat), 1);

	enter(closed, user);
	give_key(closed, user);
	assert_int_equal(send_err(closed, user), ERR_CHAT_NOT_FOUND);
	sql_do("INSERT INTO chat_members VALUES (%lld, %lld)", (long long)closed, (long long)user);
	assert_int_equal(send_err(closed, user), OK);
}

static void the_banned_and_the_muted_are_refused(void **state)
{
	int64_t chat, other, user;
	long long c, u;
	struct act a;

	(void)state;
	fresh();
	chat = a_chat("official");
	other = a_chat("official");
	user = speaker(chat);
	enter(other, user);
	give_key(other, user);
	c = chat;
	u = user;
	assert_int_equal(send_err(chat, user), OK);

	sql_do("INSERT INTO chat_mutes (chat_id, user_id, expires_at) VALUES (%lld, %lld, now() + "
	       "interval "
	       "'5 minutes')",
		c, u);
	run(act_of(PERSON, 0, user));
	a = send_now(chat, user, NULL);
	assert_int_equal(a.job.fault.err, ERR_MUTED);
	assert_true(a.job.fault.has_ttl);
	assert_in_range(a.job.fault.ttl, 290, 300);
	assert_int_equal(send_err(other, user), OK);

	sql_do("INSERT INTO hard_mutes (user_id) VALUES (%lld)", u);
	run(act_of(PERSON, 0, user));
	a = send_now(other, user, NULL);
	assert_int_equal(a.job.fault.err, ERR_MUTED);
	assert_int_equal(a.job.fault.ttl, 0);
	assert_int_equal(send_now(chat, user, NULL).job.fault.ttl, 0); /* the longer one */

	sql_do("DELETE FROM hard_mutes WHERE user_id = %lld", u);
	sql_do("UPDATE chat_mutes SET expires_at = now() - interval '1 s' WHERE user_id = %lld", u);
	run(act_of(PERSON, 0, user));
	assert_int_equal(send_err(chat, user), OK);

	sql_do("INSERT INTO chat_bans (chat_id, user_id) VALUES (%lld, %lld)", c, u);
	redis_do("INCR portal:chat:%lld:gate", c); /* as the removal does */
	assert_int_equal(send_err(chat, user), ERR_BANNED);
	assert_int_equal(send_err(other, user), OK);
}

static void a_mute_ends_by_itself(void **state)
{
	int64_t chat, user;

	(void)state;
	fresh();
	chat = a_chat("official");
	user = speaker(chat);
	sql_do("INSERT INTO chat_mutes (chat_id, user_id, expires_at) VALUES (%lld, %lld, now() + "
	       "interval "
	       "'300 milliseconds')",
		(long long)chat, (long long)user);
	assert_int_equal(send_err(chat, user), ERR_MUTED);
	while (send_err(chat, user) == ERR_MUTED)
		;
	assert_int_equal(length(chat), 1);
}

/* A send that finds no card, and a mute, in all the ways they fall together. */
static void a_mute_meets_a_send(void **state)
{
	int64_t chat;

	(void)state;
	fresh();
	chat = a_chat("official");
	for (int i = 0; i < MANY; i++) {
		int64_t user = speaker(chat);
		struct act first = sending(chat, user, NULL, 1), second = first, mute;

		mute = act_of(MUTE, chat, user);
		if (i % 2)
			job_start(&mute.job);
		job_start(&first.job);
		job_start(&second.job);
		if (i % 2 == 0)
			job_start(&mute.job);
		jobs_run();
		assert_int_equal(mute.job.fault.err, OK);
		assert_int_equal(send_err(chat, user), ERR_MUTED);
	}
}

static void cards_follow_changes(void **state)
{
	int64_t chat, user;
	const char *name;

	(void)state;
	fresh();
	chat = a_chat("official");
	user = speaker(chat);
	assert_int_equal(send_err(chat, user), OK);
	sql_do("UPDATE chats SET name = 'Other' WHERE id = %lld", (long long)chat);
	assert_int_equal(send_err(chat, user), OK);
	name = redis_do("HGET portal:chat:%lld:card:%lld n", (long long)chat, (long long)user);
	assert_string_equal(name, "\"A \\\"chat\\\"\"");
	run(act_of(CHAT, chat, 0));
	assert_int_equal(send_err(chat, user), OK);
	name = redis_do("HGET portal:chat:%lld:card:%lld n", (long long)chat, (long long)user);
	assert_string_equal(name, "\"Other\"");
	assert_in_range(atoll(redis_do("PTTL portal:chat:%lld:card:%lld", (long long)chat,
				(long long)user)),
		50000, 60000);
}

/* ---- once ---- */

static void a_client_id_counts_once(void **state)
{
	struct act all[MANY], again;
	int64_t chat, user, other;

	(void)state;
	fresh();
	chat = a_chat("official");
	user = speaker(chat);
	other = speaker(chat);
	for (int i = 0; i < MANY; i++) {
		all[i] = sending(chat, user, "the-same", 1);
		job_start(&all[i].job);
	}
	jobs_run();
	for (int i = 0; i < MANY; i++) {
		assert_int_equal(all[i].job.fault.err, OK);
		assert_string_equal(all[i].id, all[0].id);
	}
	assert_int_equal(length(chat), 1);
	again = send_now(chat, other, "the-same");
	assert_string_not_equal(again.id, all[0].id);

	run(act_of(CLEAR, chat, 0));
	again = sending(chat, user, "the-same", 1); /* of an epoch that is over */
	assert_string_equal(run(again).id, all[0].id);
	assert_int_equal(length(chat), 1); /* what the system said */
	assert_in_range(atoll(redis_do("PTTL portal:chat:%lld:sent:%lld:the-same", (long long)chat,
				(long long)user)),
		590000, 600000);
}

static void a_refusal_is_not_remembered(void **state)
{
	int64_t chat, user;

	(void)state;
	fresh();
	chat = a_chat("official");
	user = someone();
	assert_int_equal(send_now(chat, user, "k").job.fault.err, ERR_NOT_JOINED);
	enter(chat, user);
	give_key(chat, user);
	assert_int_equal(send_now(chat, user, "k").job.fault.err, OK);
	assert_int_equal(length(chat), 1);
}

/* ---- rates ---- */

static void rates_hold(void **state)
{
	int64_t chat, second, third, user, other;
	struct act a;

	(void)state;
	fresh();
	config.rate_message_chat = 3;
	config.rate_message = 5;
	chat = a_chat("official");
	second = a_chat("official");
	third = a_chat("official");
	user = speaker(chat);
	other = speaker(chat);
	enter(second, user);
	give_key(second, user);
	enter(third, user);
	give_key(third, user);
	for (int i = 0; i < 3; i++)
		assert_int_equal(send_now(chat, user, i ? NULL : "first").job.fault.err, OK);
	a = send_now(chat, user, NULL);
	assert_int_equal(a.job.fault.err, ERR_MESSAGE_RATE);
	assert_in_range(a.job.fault.retry_after, 1, 5);
	assert_int_equal(send_now(chat, user, "first").job.fault.err, OK); /* is there already */
	assert_int_equal(send_err(chat, other), OK);
	assert_int_equal(send_err(second, user), OK);
	assert_int_equal(send_err(second, user), OK);
	a = send_now(third, user, NULL);
	assert_int_equal(a.job.fault.err, ERR_MESSAGE_RATE);
	assert_in_range(a.job.fault.retry_after, 1, 10);
	assert_int_equal(length(chat), 4);
	assert_int_equal(length(third), 0);
}

/* ---- reading ---- */

static void history_is_paged(void **state)
{
	int64_t chat;
	struct act all, page;

	(void)state;
	fresh();
	chat = a_chat("official");
	page = read_now(chat, NULL, NULL, 5);
	assert_int_equal(page.count, 0);
	assert_string_equal(page.cursor, "0-0");
	for (int i = 0; i < 8; i++)
		say(chat);
	all = read_now(chat, NULL, NULL, 50);
	assert_int_equal(all.count, 8);
	assert_false(all.list.more);
	page = read_now(chat, NULL, NULL, 3);
	assert_int_equal(page.count, 3);
	assert_true(page.list.more);
	assert_string_equal(page.ids[0], all.ids[5]);
	page = read_now(chat, NULL, all.ids[5], 5);
	assert_int_equal(page.count, 5);
	assert_false(page.list.more);
	assert_string_equal(page.ids[4], all.ids[4]);
	page = read_now(chat, all.ids[1], NULL, 2);
	assert_int_equal(page.count, 2);
	assert_true(page.list.more);
	assert_false(page.list.gap);
	assert_string_equal(page.ids[0], all.ids[2]);
	assert_string_equal(page.cursor, all.ids[7]);
	page = read_now(chat, all.ids[1], all.ids[4], 5);
	assert_int_equal(page.count, 2);
	page = read_now(chat, all.ids[7], NULL, 5);
	assert_int_equal(page.count, 0);
	assert_false(page.list.more);
	assert_false(page.list.gap);
}

static void what_was_trimmed_is_a_gap(void **state)
{
	int64_t chat;
	struct act first, page;

	(void)state;
	fresh();
	config.history_max = 5;
	chat = a_chat("official");
	say(chat);
	first = read_now(chat, NULL, NULL, 5);
	for (int i = 0; i < 4; i++)
		say(chat);
	assert_false(read_now(chat, first.ids[0], NULL, 10).list.gap);
	say(chat);
	assert_int_equal(length(chat), 5);
	page = read_now(chat, first.ids[0], NULL, 10);
	assert_true(page.list.gap);
	assert_int_equal(page.count, 5);
}

static void what_came_before_is_hidden(void **state)
{
	int64_t chat;
	struct act all, a;

	(void)state;
	fresh();
	chat = a_chat("official");
	for (int i = 0; i < 6; i++)
		redis_do("XADD portal:chat:%lld:stream %d-0 s 0 j x c x e 0 k -", (long long)chat,
			1000 + i);
	a = reading(chat, NULL, NULL, 10);
	a.ask.since = 1003;
	all = run(a);
	assert_int_equal(all.count, 3);
	a.ask.limit = 2;
	assert_true(run(a).list.more);
	a.ask.before = STR("1003-0");
	assert_int_equal(run(a).count, 0);
	a = reading(chat, "1001-0", NULL, 10);
	a.ask.since = 1003;
	a = run(a);
	assert_int_equal(a.count, 3);
	assert_string_equal(a.ids[0], "1003-0");

	a = reading(chat, NULL, NULL, 10);
	a.ask.since = SINCE_JOIN;
	a.ask.user_id = 7;
	assert_int_equal(run(a).count, 0); /* never joined */
	redis_do("SET portal:chat:%lld:since:7 1004", (long long)chat);
	assert_int_equal(run(a).count, 2);
	a.ask.after = STR("1004-0");
	assert_int_equal(run(a).count, 1);
}

static void ids_are_checked(void **state)
{
	(void)state;
	assert_true(message_id_ok(STR("0-0")));
	assert_true(message_id_ok(STR("1526919030474-55")));
	assert_false(message_id_ok(STR("1526919030474")));
	assert_false(message_id_ok(STR("1-2-3")));
	assert_false(message_id_ok(STR("-1-2")));
	assert_false(message_id_ok(STR("1-")));
	assert_false(message_id_ok(STR("1--2")));
	assert_false(message_id_ok(STR("1-+2")));
	assert_false(message_id_ok(STR("(1-2")));
	assert_false(message_id_ok(STR("1-2 ")));
	assert_false(message_id_ok(STR("")));
	assert_false(message_id_ok(STR_NULL));
	assert_false(message_id_ok(STR("99999999999999999999-1")));
}

/* ---- deleting ---- */

static void messages_are_deleted(void **state)
{
	int64_t chat, user, other;
	struct act mine, theirs, a;

	(void)state;
	fresh();
	chat = a_chat("official");
	user = speaker(chat);
	other = speaker(chat);
	mine = send_now(chat, user, NULL);
	theirs = send_now(chat, other, NULL);
	a = act_of(DELETE, chat, user);
	a.some[0] = str_of(mine.id);
	a.some[1] = str_of(theirs.id);
	a.some_count = 2;
	assert_int_equal(job_run(&a.job), ERR_ACCESS_DENIED);
	assert_int_equal(length(chat), 2);
	a.some[1] = STR("1-1");
	a.some[2] = a.some[0];
	a.some_count = 3;
	assert_int_equal(run(a).n, 1);
	assert_int_equal(run(a).n, 0);
	a.some[0] = str_of(theirs.id);
	a.some_count = 1;
	a.any = true;
	assert_int_equal(run(a).n, 1);
	assert_int_equal(length(chat), 0);

	for (int i = 0; i < 3; i++) {
		send_now(chat, user, NULL);
		send_now(chat, other, NULL);
		say(chat);
	}
	assert_int_equal(run(act_of(DELETE_OF, chat, user)).n, 3);
	assert_int_equal(length(chat), 6);
	a = act_of(DELETE_LAST, chat, 0);
	a.n = 4;
	assert_int_equal(run(a).n, 4);
	a.n = 100;
	assert_int_equal(run(a).n, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_sent_is_there),
		cmocka_unit_test(who_may_not_is_told_why),
		cmocka_unit_test(the_banned_and_the_muted_are_refused),
		cmocka_unit_test(a_mute_ends_by_itself),
		cmocka_unit_test(a_mute_meets_a_send),
		cmocka_unit_test(cards_follow_changes),
		cmocka_unit_test(a_client_id_counts_once),
		cmocka_unit_test(a_refusal_is_not_remembered),
		cmocka_unit_test(rates_hold),
		cmocka_unit_test(history_is_paged),
		cmocka_unit_test(what_was_trimmed_is_a_gap),
		cmocka_unit_test(what_came_before_is_hidden),
		cmocka_unit_test(ids_are_checked),
		cmocka_unit_test(messages_are_deleted),
	};

	return cmocka_run_group_tests(tests, stores_begin, stores_end);
}
