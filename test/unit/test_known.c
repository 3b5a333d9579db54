/* What a process remembers between requests: until when, and what takes its place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/clock.h"
#include "store/known.h"

static void sessions_are_remembered_until_their_check(void **state)
{
	uint8_t hash[HASH_LEN] = {1};
	const struct known_session *s;

	(void)state;
	assert_null(known_session(hash));
	known_session_put(hash, 7, 1000, 5000);
	s = known_session(hash);
	assert_non_null(s);
	assert_int_equal(s->user_id, 7);
	assert_int_equal(s->checked, 1000);
	clock_advance(4000);
	assert_non_null(known_session(hash));
	clock_advance(1000);
	assert_null(known_session(hash));
	known_session_put(hash, 7, 1000, INT64_C(1) << 40); /* Redis' clock went back */
	clock_advance(KNOWN_MS);
	assert_null(known_session(hash));
}

static void sessions_are_forgotten(void **state)
{
	uint8_t one[HASH_LEN] = {2}, two[HASH_LEN] = {2, [HASH_LEN - 1] = 1};

	(void)state;
	known_session_put(one, 7, 1, 5000);
	assert_null(known_session(two)); /* of the same place */
	known_session_forget(two);
	assert_non_null(known_session(one));
	known_session_forget(one);
	assert_null(known_session(one));
	known_session_put(one, 7, 1, 5000);
	known_session_put(two, 8, 1, 5000);
	assert_null(known_session(one));
	assert_int_equal(known_session(two)->user_id, 8);
}

static void windows_are_remembered_but_for_their_last_moment(void **state)
{
	struct str counter = STR("portal:rate:auth:7");

	(void)state;
	assert_int_equal(known_window_left(counter), 0);
	known_window_put(counter, 30000);
	assert_in_range(known_window_left(counter), 29000, 30000);
	assert_int_equal(known_window_left(STR("portal:rate:auth:8")), 0);
	clock_advance(20000);
	assert_in_range(known_window_left(counter), 9000, 10000);
	clock_advance(10000 - KNOWN_MARGIN_MS);
	assert_int_equal(known_window_left(counter), 0);
	known_window_put(counter, KNOWN_MS + 1);
	assert_int_equal(known_window_left(counter), 0);
}

/* A flood of others takes places and nothing else. */
static void windows_take_places(void **state)
{
	int kept = 0;
	char key[32];

	(void)state;
	for (int i = 0; i < 4 * KNOWN_SLOTS; i++)
		known_window_put(
			str_make(key, (size_t)snprintf(key, sizeof(key), "k%d", i)), 10000 + i % 7);
	for (int i = 0; i < 4 * KNOWN_SLOTS; i++) {
		int64_t left = known_window_left(
			str_make(key, (size_t)snprintf(key, sizeof(key), "k%d", i)));

		assert_true(left == 0 || left == 10000 + i % 7);
		kept += left > 0;
	}
	assert_in_range(kept, KNOWN_SLOTS / 2, KNOWN_SLOTS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sessions_are_remembered_until_their_check),
		cmocka_unit_test(sessions_are_forgotten),
		cmocka_unit_test(windows_are_remembered_but_for_their_last_moment),
		cmocka_unit_test(windows_take_places),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
