/* The book of rooms that a process looks at, at times that are given. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "rules/distributor.h"

#define GAP DISTRIBUTOR_GAP_MS

static void a_touched_room_is_looked_at_once(void **state)
{
	struct distributor d = {0};

	(void)state;
	assert_int_equal(distributor_wait(&d, 1000), -1);
	assert_int_equal(distributor_next(&d, 1000), 0);
	distributor_touch(&d, 7, 1000);
	distributor_touch(&d, 7, 1000);
	assert_int_equal(distributor_wait(&d, 1000), 0);
	assert_int_equal(distributor_next(&d, 1000), 7);
	assert_int_equal(distributor_next(&d, 1000), 0); /* under way */
	assert_int_equal(distributor_wait(&d, 1000), -1);
	distributor_looked(&d, 7, 1001, 0);
	assert_int_equal(distributor_next(&d, 1001), 0);
	distributor_free(&d);
}

static void an_answer_says_when_to_look_again(void **state)
{
	struct distributor d = {0};

	(void)state;
	distributor_touch(&d, 7, 0);
	assert_int_equal(distributor_next(&d, 0), 7);
	distributor_looked(&d, 7, 5, 1000);
	assert_int_equal(distributor_wait(&d, 5), 1000);
	assert_int_equal(distributor_next(&d, 1004), 0);
	assert_int_equal(distributor_next(&d, 1005), 7);
	distributor_free(&d);
}

static void many_changes_cost_one_look_a_gap(void **state)
{
	struct distributor d = {0};
	int looks = 0;

	(void)state;
	for (int64_t now = 0; now < 10 * GAP; now++) {
		distributor_touch(&d, 7, now);
		if (distributor_next(&d, now) == 7) {
			distributor_looked(&d, 7, now, 0);
			looks++;
		}
	}
	assert_int_equal(looks, 10);
	distributor_free(&d);
}

/* The answer may be older than the change. */
static void a_change_during_a_look_is_looked_at(void **state)
{
	struct distributor d = {0};

	(void)state;
	distributor_touch(&d, 7, 0);
	assert_int_equal(distributor_next(&d, 0), 7);
	distributor_touch(&d, 7, 2);
	distributor_looked(&d, 7, 3, 0);
	assert_int_equal(distributor_wait(&d, 3), GAP - 3);
	assert_int_equal(distributor_next(&d, GAP), 7);
	distributor_looked(&d, 7, GAP, 5000);
	distributor_touch(&d, 7, GAP + 1); /* sooner than it asked for */
	assert_int_equal(distributor_next(&d, 2 * GAP), 7);
	distributor_free(&d);
}

static void a_room_that_nobody_waits_in_is_forgotten(void **state)
{
	struct distributor d = {0};

	(void)state;
	for (int64_t room = 1; room <= 50; room++) {
		distributor_touch(&d, room, 0);
		assert_int_equal(distributor_next(&d, 0), room);
		distributor_looked(&d, room, 0, 0);
	}
	assert_int_equal(d.rooms.count, 50);
	while (distributor_wait(&d, GAP) >= 0)
		assert_int_equal(distributor_next(&d, GAP), 0);
	assert_int_equal(d.rooms.count, 0);
	distributor_free(&d);
}

static void looks_at_once_are_bounded(void **state)
{
	struct distributor d = {0};
	int64_t first;

	(void)state;
	for (int64_t room = 1; room <= DISTRIBUTOR_AT_ONCE + 5; room++)
		distributor_touch(&d, room, 0);
	first = distributor_next(&d, 0);
	for (int i = 1; i < DISTRIBUTOR_AT_ONCE; i++)
		assert_int_not_equal(distributor_next(&d, 0), 0);
	assert_int_equal(distributor_next(&d, 0), 0);
	assert_int_equal(distributor_wait(&d, 0), -1);
	distributor_looked(&d, first, 1, 0);
	assert_int_equal(distributor_wait(&d, 1), 0);
	assert_int_not_equal(distributor_next(&d, 1), 0);
	distributor_free(&d);
	distributor_looked(&d, first, 2, 0); /* an answer behind the end */
	distributor_touch(&d, first, 3);
	distributor_looked(&d, first, 4, 0);
	assert_int_equal(distributor_next(&d, 4), first);
	distributor_free(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_touched_room_is_looked_at_once),
		cmocka_unit_test(an_answer_says_when_to_look_again),
		cmocka_unit_test(many_changes_cost_one_look_a_gap),
		cmocka_unit_test(a_change_during_a_look_is_looked_at),
		cmocka_unit_test(a_room_that_nobody_waits_in_is_forgotten),
		cmocka_unit_test(looks_at_once_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
