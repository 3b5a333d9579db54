/* Bounds in code points, the character set, and the sentences that people read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "rules/username.h"

#define SHORT "username must be at least 3 characters"
#define LONG  "username must be at most 32 characters"
#define CHARS "username contains invalid characters"

static void good_names(void **state)
{
	const char *names[] = {"abc", "A.b_c-9", "...", "12345", "user_a1b2c3d4",
		"abcdefghijklmnopqrstuvwxyz012345"};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_null(username_fault(str_of(names[i])));
}

static void bad_names(void **state)
{
	const char *cases[][2] = {
		{"", SHORT}, {"ab", SHORT},
		{"\xc3\xa9\xc3\xa9", SHORT}, /* four bytes, two characters */
		{"abcdefghijklmnopqrstuvwxyz0123456", LONG}, {"\xc3\xa9\xc3\xa9\xc3\xa9", CHARS},
		{"a b", CHARS}, {"abc\n", CHARS}, {"a@b", CHARS},
		{"deleted:1", CHARS}, /* what a deleted account is called */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(username_fault(str_of(cases[i][0])), cases[i][1]);
	assert_string_equal(username_fault(str_make("ab\0c", 4)), CHARS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_names),
		cmocka_unit_test(bad_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
