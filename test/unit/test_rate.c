/* Fixed windows in memory: counting, renewal, and a bounded table under a flood of strangers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "rules/window.h"

static struct window table;

static int clear(void **state)
{
	(void)state;
	memset(&table, 0, sizeof(table));
	return 0;
}

static void test_limit(void **state)
{
	struct window_hit hit;

	(void)state;
	for (int i = 1; i <= 3; i++) {
		hit = window_count(&table, 42, 3, 60, 120);
		assert_false(hit.over);
		assert_int_equal(hit.left, 3 - i);
		assert_int_equal(hit.reset, 60);
	}
	for (int i = 0; i < 2; i++) {
		hit = window_count(&table, 42, 3, 60, 179);
		assert_true(hit.over);
		assert_int_equal(hit.left, 0);
		assert_int_equal(hit.reset, 1);
	}
	assert_false(window_count(&table, 43, 3, 60, 179).over);
	assert_false(window_count(&table, 42, 3, 60, 180).over);
}

/* Callers that share a set and fit into it do not touch each other's counts. */
static void test_neighbours(void **state)
{
	(void)state;
	for (int i = 0; i < 10; i++)
		for (uint64_t w = 0; w < WINDOW_WAYS; w++)
			assert_int_equal(
				window_count(&table, 5 + w * WINDOW_SLOTS, 10, 60, 60).left, 9 - i);
}

/* A flood of others displaces the least counted; whoever is far over stays counted. */
static void test_flood(void **state)
{
	(void)state;
	for (int i = 0; i < 100; i++)
		(void)window_count(&table, 7, 50, 60, 60);
	for (uint64_t k = 1; k < 100000; k++)
		(void)window_count(&table, 7 + k, 50, 60, 60);
	assert_true(window_count(&table, 7, 50, 60, 60).over);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_limit, clear),
		cmocka_unit_test_setup(test_neighbours, clear),
		cmocka_unit_test_setup(test_flood, clear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
