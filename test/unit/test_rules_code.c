/* Platforms and the ids of people there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "rules/code.h"

static void platforms(void **state)
{
	const struct str known[] = {STR("discord"), STR("telegram")};

	(void)state;
	assert_true(platform_known(STR("discord"), known, 2));
	assert_true(platform_known(STR("telegram"), known, 2));
	assert_false(platform_known(STR("Discord"), known, 2));
	assert_false(platform_known(STR("disc"), known, 2));
	assert_false(platform_known(STR(""), known, 2));
	assert_false(platform_known(STR("telegram"), known, 1));
	assert_false(platform_known(STR("discord"), known, 0));
}

static void ids(void **state)
{
	static const char many[] =
		"99999999999999999999999999999999999999999999999999999999999999999";
	const struct {
		const char *platform;
		struct str id;
		const char *fault;
	} cases[] = {
		{"discord", STR("123456789012345678"), NULL},
		{"telegram", STR("7"), NULL},
		{"discord", str_make(many, 64), NULL},
		{"matrix", STR("aZ09_.:-"), NULL},
		{"matrix", STR("0123"), NULL},
		{"discord", STR("0123"), "platform_user_id must be digits without a leading zero"},
		{"discord", STR("0"), "platform_user_id must be digits without a leading zero"},
		{"telegram", STR("12x"), "platform_user_id must be digits without a leading zero"},
		{"telegram", STR("-12"), "platform_user_id must be digits without a leading zero"},
		{"discord", STR("1 2"), "platform_user_id contains invalid characters"},
		{"matrix", STR("@me"), "platform_user_id contains invalid characters"},
		{"matrix", STR("a\0b"), "platform_user_id contains invalid characters"},
		{"matrix", STR("\xc3\xa9"), "platform_user_id contains invalid characters"},
		{"matrix", STR(""), "platform_user_id must be at least 1 character"},
		{"discord", str_make(many, 65), "platform_user_id must be at most 64 characters"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *got = platform_user_id_fault(str_of(cases[i].platform), cases[i].id);

		if (cases[i].fault)
			assert_string_equal(got, cases[i].fault);
		else
			assert_null(got);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(platforms),
		cmocka_unit_test(ids),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
