/* What a tag is, and the one spelling of several. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "rules/interest.h"

static void tags(void **state)
{
	const char *good[] = {"any", "abc", "a1b", "123", "abcdefghijkl"};
	const char *bad[] = {"", "ab", "abcdefghijklm", "Abc", "a b", "ab c", "ab-c", "ab_c",
		"abc\n", "\xc3\xa9\xc3\xa9", "ab`", "ab{", "ab/", "ab:"};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		assert_true(interest_ok(str_of(good[i])));
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_false(interest_ok(str_of(bad[i])));
	assert_false(interest_ok(str_make("ab\0c", 4)));
}

static void several(void **state)
{
	const struct {
		const char *in[4], *out;
	} cases[] = {
		{{"music"}, "music"},
		{{"music", "art"}, "music art"},
		{{"cats", "cat", "art"}, "cats cat art"},
		{{"art", "art", "art"}, "art"},
		{{"zoo", "art", "zoo"}, "zoo art"},
		{{"abcdefghijkl", "bbcdefghijkl", "cbcdefghijkl"},
			"abcdefghijkl bbcdefghijkl cbcdefghijkl"},
		{{"any"}, "any"},
		{{"music", "any", "art"}, "any"},
		{{NULL}, NULL},
		{{"one1", "two2", "three", "four"}, NULL},
		{{"music", "a"}, NULL},
		{{"any", "NO!"}, NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char text[INTERESTS_LEN];
		struct str in[4];
		size_t n = 0;

		while (n < 4 && cases[i].in[n]) {
			in[n] = str_of(cases[i].in[n]);
			n++;
		}
		assert_true(str_eq(interests_text(in, n, text), str_of(cases[i].out)));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tags),
		cmocka_unit_test(several),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
