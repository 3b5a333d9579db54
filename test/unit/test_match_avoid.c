/* Whom one does not meet: the blocked, and who was the last partner (contract 5). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "match_rig.h"

/* ---- blocks ---- */

static void the_blocked_never_meet(void **state)
{
	int64_t a = seeker(), b = seeker();

	(void)state;
	for (int side = 0; side < 2; side++) {
		int64_t by = side ? b : a, of = side ? a : b;

		matcher_new();
		block(by, of, true);
		block(by, of, true);
		enqueue(a, "art");
		enqueue(b, "any");
		tick();
		assert_true(searching(a) && searching(b));
		block(of, by, true);
		block(by, of, false);
		tick();
		assert_true(searching(a) && searching(b)); /* the other still does */
		block(of, by, false);
		tick();
		assert_true(chat_of(a, b) > 0);
	}
}

static void a_block_while_searching(void **state)
{
	int64_t a = seeker(), b = seeker();

	(void)state;
	matcher_new();
	enqueue(a, "art");
	enqueue(b, "art");
	leave(a);
	enqueue(a, "art");
	enqueue(b, "art"); /* not yet: they have just met */
	block(a, b, true);
	age(400000);
	tick();
	assert_true(searching(a) && searching(b));
}

/* A search that is being begun with what PostgreSQL said in front of a block, or of its end. */
static void a_block_and_a_search_at_once(void **state)
{
	int64_t a = seeker(), b = seeker();

	(void)state;
	matcher_new();
	block(b, a, true);
	sql_do("DELETE FROM user_blocks");
	enqueue(a, "art");
	enqueue(b, "art");
	assert_true(searching(a) && searching(b));

	matcher_new();
	block(b, a, false);
	sql_do("INSERT INTO user_blocks VALUES (%lld, %lld)", (long long)a, (long long)b);
	enqueue(a, "art");
	enqueue(b, "art");
	assert_true(chat_of(a, b) > 0);
	sql_do("DELETE FROM user_blocks");
}

static void blocks_at_once_end_as_committed(void **state)
{
	int64_t a = seeker(), b = seeker();

	(void)state;
	for (int round = 0; round < 6; round++) {
		struct move moves[6], read = move_of(BLOCKS, a);

		matcher_new();
		enqueue(a, "art");
		for (int i = 0; i < 6; i++) {
			moves[i] = blocking(a, b, (i + round) % 2);
			job_start(&moves[i].job);
		}
		jobs_run();
		assert_int_equal(move_run(&read), OK);
		enqueue(b, "art");
		assert_int_equal(searching(a), read.ids_n == 1);
	}
	block(a, b, false);
}

static void ones_blocks(void **state)
{
	int64_t a = seeker(), b = seeker(), c = seeker();
	struct move read = move_of(BLOCKS, a), unknown = blocking(a, 1, true);
	struct move gone = move_of(DELETE_USER, b);

	(void)state;
	matcher_new();
	block(a, b, true);
	block(a, c, true);
	block(a, b, true);
	block(c, a, true);
	assert_int_equal(move_run(&read), OK);
	assert_int_equal(read.ids_n, 2);
	assert_int_equal(read.ids[0], c);
	assert_int_equal(read.ids[1], b);
	assert_int_equal(move_run(&unknown), ERR_USER_NOT_FOUND);
	assert_int_equal(move_run(&gone), OK);
	unknown = blocking(a, b, true);
	assert_int_equal(move_run(&unknown), ERR_USER_NOT_FOUND);
	read = move_of(BLOCKS, a);
	assert_int_equal(move_run(&read), OK);
	assert_int_equal(read.ids_n, 1);
	block(a, c, false);
	block(a, c, false);
	read = move_of(BLOCKS, a);
	assert_int_equal(move_run(&read), OK);
	assert_int_equal(read.ids_n, 0);
}

/* ---- those who have just met ---- */

static void met(int64_t a, int64_t b)
{
	enqueue(a, "art");
	enqueue(b, "art");
	assert_true(chat_of(a, b) > 0);
	leave(a);
}

static void just_met_and_alone(void **state)
{
	int64_t a = seeker(), b = seeker();

	(void)state;
	matcher_new();
	met(a, b);
	enqueue(a, "art");
	enqueue(b, "art");
	tick();
	age(9000);
	tick();
	assert_true(searching(a) && searching(b));
	age(1100);
	tick();
	assert_true(chat_of(a, b) > 0);
}

static void just_met_and_not_alone(void **state)
{
	int64_t a = seeker(), b = seeker(), c = seeker();

	(void)state;
	matcher_new();
	met(a, b);
	enqueue(a, "art");
	enqueue(b, "art");
	enqueue(c, "art");
	assert_true(chat_of(a, c) > 0);
	age(11000);
	leave(c);
	enqueue(c, "art"); /* waits for a shorter time than b has */
	assert_true(chat_of(b, c) > 0);
	enqueue(a, "art");
	assert_true(searching(a));
}

/* Who comes later counts from when they come. */
static void just_met_and_late(void **state)
{
	int64_t a = seeker(), b = seeker();

	(void)state;
	matcher_new();
	met(a, b);
	enqueue(a, "art");
	age(20000);
	enqueue(b, "art");
	assert_true(searching(a) && searching(b));
	age(9000);
	tick();
	assert_true(searching(b));
	age(1100);
	tick();
	assert_true(chat_of(a, b) > 0);
}

/* Who was away has to be without others for as long again. */
static void just_met_and_away(void **state)
{
	int64_t a = seeker(), b = seeker();

	(void)state;
	matcher_new();
	met(a, b);
	socket_comes(a);
	enqueue(a, "art");
	enqueue(b, "art");
	age(9000);
	socket_goes(a);
	tick();
	socket_comes(a);
	tick();
	age(9000);
	tick();
	assert_true(searching(a) && searching(b));
	age(1100);
	tick();
	assert_true(chat_of(a, b) > 0);
}

static void met_a_while_ago(void **state)
{
	int64_t a = seeker(), b = seeker();

	(void)state;
	matcher_new();
	met(a, b);
	age(299000);
	enqueue(a, "art");
	enqueue(b, "art");
	assert_true(searching(a) && searching(b));
	age(1100); /* the five minutes are over before the ten seconds are */
	tick();
	assert_true(chat_of(a, b) > 0);
	leave(b);
	age(301000);
	enqueue(a, "art");
	enqueue(b, "art");
	assert_true(chat_of(a, b) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_blocked_never_meet),
		cmocka_unit_test(a_block_while_searching),
		cmocka_unit_test(a_block_and_a_search_at_once),
		cmocka_unit_test(blocks_at_once_end_as_committed),
		cmocka_unit_test(ones_blocks),
		cmocka_unit_test(just_met_and_alone),
		cmocka_unit_test(just_met_and_not_alone),
		cmocka_unit_test(just_met_and_late),
		cmocka_unit_test(just_met_and_away),
		cmocka_unit_test(met_a_while_ago),
	};

	return cmocka_run_group_tests(tests, match_begin, match_finish);
}
