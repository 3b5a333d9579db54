/* Slots by permission and subscription, reserved slugs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "rules/chat.h"

static const struct slot_limits limits = {.premium = 3, .lifetime = 5, .admin = 10, .owner = 0};

static void slots_by_subscription(void **state)
{
	const int64_t want[] = {0, 0, 3, 5}; /* Basic, Trial, Premium, Lifetime */

	(void)state;
	for (int s = 0; s <= 3; s++) {
		assert_int_equal(chat_slots(0, s, &limits), want[s]);
		assert_int_equal(chat_slots(1, s, &limits), want[s]); /* Moderators have none */
	}
}

static void the_more_generous_holds(void **state)
{
	const struct slot_limits few = {.premium = 3, .lifetime = 20, .admin = 10, .owner = 7};

	(void)state;
	for (int s = 0; s <= 3; s++) {
		assert_int_equal(chat_slots(2, s, &limits), 10);
		assert_true(chat_slots(3, s, &limits) == INT64_MAX);
	}
	assert_int_equal(chat_slots(2, 3, &few), 20);
	assert_int_equal(chat_slots(3, 2, &few), 7);
}

static void zero_is_any_number(void **state)
{
	const struct slot_limits none = {0};

	(void)state;
	assert_true(chat_slots(0, 2, &none) == INT64_MAX);
	assert_true(chat_slots(2, 0, &none) == INT64_MAX);
	assert_int_equal(chat_slots(0, 1, &none), 0);
}

static void paths_of_the_site_are_reserved(void **state)
{
	const char *const reserved[] = {"auth", "admin", "api", "c", "docs", "health", "v1"};

	(void)state;
	for (size_t i = 0; i < sizeof(reserved) / sizeof(*reserved); i++)
		assert_true(slug_reserved(str_of(reserved[i])));
	assert_false(slug_reserved(STR("auth2")));
	assert_false(slug_reserved(STR("heal")));
	assert_false(slug_reserved(STR("")));
	assert_false(slug_reserved(STR_NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slots_by_subscription),
		cmocka_unit_test(the_more_generous_holds),
		cmocka_unit_test(zero_is_any_number),
		cmocka_unit_test(paths_of_the_site_are_reserved),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
