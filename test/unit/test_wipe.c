/* Emptying chats, by people and by the clock, while others speak. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/clock.h"
#include "chatter.h"
#include "store/wipe.h"

#define MANY 20

/* ---- clearing ---- */

static void a_clear_meets_sends(void **state)
{
	(void)state;
	fresh();
	for (int round = 0; round < 5; round++) {
		int64_t chat = a_chat("official"), user = speaker(chat);
		struct act sends[MANY], clear = act_of(CLEAR, chat, 0), left;
		int added = 0;

		if (round % 2) /* half of them with a card, half without */
			send_now(chat, user, NULL), added++;
		for (int i = 0; i < MANY; i++) {
			if (i == round * 4)
				job_start(&clear.job);
			sends[i] = sending(chat, user, NULL, 1);
			job_start(&sends[i].job);
		}
		jobs_run();
		assert_int_equal(clear.job.fault.err, OK);
		for (int i = 0; i < MANY; i++) {
			if (sends[i].job.fault.err == OK) {
				added++;
			} else {
				assert_int_equal(sends[i].job.fault.err, ERR_EPOCH_MISMATCH);
				assert_int_equal(sends[i].job.fault.epoch, 2);
			}
		}
		assert_int_equal(
			clear.n, added); /* what was sent before is gone, nothing came after */
		left = read_now(chat, NULL, NULL, 50);
		assert_int_equal(left.count, 1);
		assert_int_equal(left.n, 0);
		assert_int_equal(epoch_of(chat), 2);
	}
}

static void clears_at_once_count_each(void **state)
{
	int64_t chat, user;
	struct act a, b, before, after;

	(void)state;
	fresh();
	chat = a_chat("official");
	user = speaker(chat);
	send_now(chat, user, NULL);
	before = read_now(chat, NULL, NULL, 1);
	a = b = act_of(CLEAR, chat, 0);
	job_start(&a.job);
	job_start(&b.job);
	jobs_run();
	assert_int_equal(a.n + b.n, 2); /* the message; what the first clear said */
	assert_int_equal(epoch_of(chat), 3);
	after = read_now(chat, before.ids[0], NULL, 10);
	assert_true(after.list.gap);
	assert_int_equal(after.count, 1); /* ids go on rising */
	assert_null(redis_do(
		"HGET portal:e2ee:chatkey:%lld:1 %lld:" SESSION, (long long)chat, (long long)user));
}

static void a_clear_finds_room_under_the_ceiling(void **state)
{
	int64_t chat, user;

	(void)state;
	fresh();
	chat = a_chat("official");
	user = speaker(chat);
	send_now(chat, user, NULL);
	redis_do("SET portal:chat:%lld:epoch 999", (long long)chat);
	assert_int_equal(run(act_of(CLEAR, chat, 0)).n, 1);
	assert_in_range(epoch_of(chat), 1000, 1001);
	redis_do("DEL portal:chat:%lld:epoch portal:chat:%lld:ceiling", (long long)chat,
		(long long)chat);
	assert_int_equal(run(act_of(CLEAR, chat, 0)).n, 1);
	assert_true(epoch_of(chat) > 1001);
}

/* ---- wiping ---- */

static double due(int64_t chat)
{
	const char *s = redis_do("ZSCORE portal:wipes %lld", (long long)chat);

	return s ? strtod(s, NULL) : -1;
}

static void restart(int64_t chat, const char *preset)
{
	struct act a = act_of(RESTART, chat, 0);

	sql_do("UPDATE chats SET wipe_preset = '%s' WHERE id = %lld", preset, (long long)chat);
	a.text = str_of(preset);
	run(a);
}

static void the_first_message_starts_the_timer(void **state)
{
	int64_t chat, user;
	double first, now;

	(void)state;
	fresh();
	chat = a_chat("official");
	user = speaker(chat);
	say(chat);
	assert_true(due(chat) < 0);
	restart(chat, "15m");
	assert_true(due(chat) < 0);
	send_now(chat, user, NULL);
	first = due(chat);
	now = (double)clock_us() / 1000;
	assert_true(first > now + 890000 && first < now + 910000);
	send_now(chat, user, NULL);
	assert_true(due(chat) == first);
	restart(chat, "1h");
	assert_true(due(chat) > now + 3500000 && due(chat) < now + 3700000);
	restart(chat, "off");
	assert_true(due(chat) > 1e15);
	send_now(chat, user, NULL);
	assert_true(due(chat) > 1e15);
	restart(chat, "1m");
	assert_true(due(chat) > now + 50000 && due(chat) < now + 70000);
	run(act_of(CLEAR, chat, 0));
	assert_true(due(chat) < 0);
	restart(chat, "off");
	give_key(chat, user);
	send_now(chat, user, NULL);
	assert_true(due(chat) > 1e15); /* so that a preset chosen later finds it */
}

static void one_of_many_wipes(void **state)
{
	int64_t chat, user;
	struct act wipes[MANY];
	int won = 0;

	(void)state;
	fresh();
	chat = a_chat("official");
	user = speaker(chat);
	send_now(chat, user, NULL);
	assert_int_equal(run(act_of(WIPE, chat, 0)).n, -1);
	assert_int_equal(length(chat), 1);
	redis_do("ZADD portal:wipes 1 %lld", (long long)chat);
	for (int i = 0; i < MANY; i++) {
		wipes[i] = act_of(WIPE, chat, 0);
		job_start(&wipes[i].job);
	}
	jobs_run();
	for (int i = 0; i < MANY; i++) {
		assert_int_equal(wipes[i].job.fault.err, OK);
		won += wipes[i].n == 1;
		assert_true(wipes[i].n == 1 || wipes[i].n == -1);
	}
	assert_int_equal(won, 1);
	assert_int_equal(epoch_of(chat), 2);
	assert_int_equal(length(chat), 1);
	assert_true(due(chat) < 0);
}

static void a_wipe_meets_sends(void **state)
{
	int64_t chat, user;
	struct act sends[MANY], wipe;
	int added = 1;

	(void)state;
	fresh();
	chat = a_chat("official");
	user = speaker(chat);
	send_now(chat, user, NULL);
	redis_do("ZADD portal:wipes 1 %lld", (long long)chat);
	wipe = act_of(WIPE, chat, 0);
	for (int i = 0; i < MANY; i++) {
		if (i == MANY / 2)
			job_start(&wipe.job);
		sends[i] = sending(chat, user, NULL, 1);
		job_start(&sends[i].job);
	}
	jobs_run();
	for (int i = 0; i < MANY; i++)
		added += sends[i].job.fault.err == OK;
	assert_int_equal(wipe.n, added);
	assert_int_equal(length(chat), 1);
	assert_true(due(chat) < 0);
}

static bool wiped_all(void)
{
	return redis_do("ZCARD portal:wipes")[0] == '0';
}

static void what_is_due_is_found(void **state)
{
	int64_t all[MANY];

	(void)state;
	fresh();
	for (int i = 0; i < MANY; i++) {
		all[i] = a_chat("official");
		say(all[i]);
		say(all[i]);
		redis_do("ZADD portal:wipes %d %lld", i + 1, (long long)all[i]);
	}
	sql_do("DELETE FROM chats WHERE id = %lld", (long long)all[0]);
	wipe_start();
	while (!wiped_all())
		;
	jobs_run();
	wipe_stop();
	assert_int_equal(length(all[0]), 0); /* a chat that is no more */
	for (int i = 1; i < MANY; i++) {
		assert_int_equal(length(all[i]), 1);
		assert_int_equal(epoch_of(all[i]), 2);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_clear_meets_sends),
		cmocka_unit_test(clears_at_once_count_each),
		cmocka_unit_test(a_clear_finds_room_under_the_ceiling),
		cmocka_unit_test(the_first_message_starts_the_timer),
		cmocka_unit_test(one_of_many_wipes),
		cmocka_unit_test(a_wipe_meets_sends),
		cmocka_unit_test(what_is_due_is_found),
	};

	return cmocka_run_group_tests(tests, stores_begin, stores_end);
}
