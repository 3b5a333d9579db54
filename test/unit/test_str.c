/* Slices, numbers in text, UTF-8. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/str.h"

static void compares(void **state)
{
	(void)state;
	assert_true(str_eq(STR("a"), STR("a")));
	assert_false(str_eq(STR("a"), STR("A")));
	assert_false(str_eq(STR("a"), STR("ab")));
	assert_true(str_eq(STR_NULL, STR("")));
	assert_true(str_eq_nocase(STR("Content-Type"), STR("content-tYPE")));
	assert_false(str_eq_nocase(STR("@"), STR("`"))); /* differ by the case bit only */
	assert_false(str_eq_nocase(STR("[a]"), STR("{a}")));
	assert_true(str_starts(STR("abc"), STR("")));
	assert_true(str_starts(STR("abc"), STR("abc")));
	assert_false(str_starts(STR("ab"), STR("abc")));
	assert_true(str_ends(STR("abc"), STR("bc")));
	assert_false(str_ends(STR("c"), STR("bc")));
	assert_true(str_starts(STR_NULL, STR("")));
}

static void cuts(void **state)
{
	struct str rest = STR("a,,b");

	(void)state;
	assert_true(str_eq(str_cut(&rest, ','), STR("a")));
	assert_true(str_eq(str_cut(&rest, ','), STR("")));
	assert_non_null(rest.p);
	assert_true(str_eq(str_cut(&rest, ','), STR("b")));
	assert_null(rest.p);
	rest = STR("a,");
	str_cut(&rest, ',');
	assert_non_null(rest.p); /* an empty last part is there */
	assert_int_equal(rest.n, 0);
	rest = STR_NULL;
	assert_null(str_cut(&rest, ',').p);

	assert_true(str_eq(str_trim(STR(" \t a b\t ")), STR("a b")));
	assert_true(str_eq(str_trim(STR(" \t")), STR("")));
	assert_true(str_eq(str_trim(STR("\n")), STR("\n")));
	assert_true(str_eq(str_from(STR("abc"), 1), STR("bc")));
	assert_int_equal(str_from(STR("abc"), 9).n, 0);
	assert_int_equal(str_find(STR("abc"), 'c'), 2);
	assert_int_equal(str_find(STR("abc"), 'd'), -1);
	assert_int_equal(str_find(STR_NULL, 'd'), -1);
}

static void reads_numbers(void **state)
{
	static const char *const bad[] = {"", "-", "+1", " 1", "1 ", "1.0", "0x1", "--1", "1-",
		"9223372036854775808", "-9223372036854775809", "99999999999999999999999"};
	int64_t v = 0;

	(void)state;
	assert_true(str_to_i64(STR("0"), &v) && v == 0);
	assert_true(str_to_i64(STR("-0"), &v) && v == 0);
	assert_true(str_to_i64(STR("-12"), &v) && v == -12);
	assert_true(str_to_i64(STR("9223372036854775807"), &v) && v == INT64_MAX);
	assert_true(str_to_i64(STR("-9223372036854775808"), &v) && v == INT64_MIN);
	assert_true(str_to_i64(str_make("123456", 3), &v) && v == 123);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		v = 77;
		assert_false(str_to_i64(str_of(bad[i]), &v));
		assert_int_equal(v, 77);
	}
	assert_false(str_to_i64(STR_NULL, &v));
}

/* Encodes any number as UTF-8 would, surrogates and too large ones included. */
static size_t encode(uint32_t c, char out[4])
{
	if (c < 0x80)
		return out[0] = (char)c, 1;
	if (c < 0x800) {
		out[0] = (char)(0xC0 | c >> 6);
		out[1] = (char)(0x80 | (c & 63));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xE0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 63));
		out[2] = (char)(0x80 | (c & 63));
		return 3;
	}
	out[0] = (char)(0xF0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 63));
	out[2] = (char)(0x80 | (c >> 6 & 63));
	out[3] = (char)(0x80 | (c & 63));
	return 4;
}

static void utf8_every_code_point(void **state)
{
	char text[4];

	(void)state;
	for (uint32_t c = 0; c < 0x1FFFFF; c++) {
		size_t n = encode(c, text);
		bool valid = c <= 0x10FFFF && !(c >= 0xD800 && c <= 0xDFFF);

		if (utf8_valid(str_make(text, n)) != valid)
			fail_msg("U+%04X", c);
		if (valid && utf8_length(str_make(text, n)) != 1)
			fail_msg("length of U+%04X", c);
		for (size_t cut = 1; cut < n; cut++)
			if (utf8_valid(str_make(text, cut)))
				fail_msg("U+%04X cut to %zu bytes", c, cut);
	}
}

static void utf8_refuses(void **state)
{
	static const char *const bad[] = {"\x80", "\xBF", "\xC0\x80", "\xC1\xBF", "\xC2",
		"\xC2\x41", "\xE0\x80\x80", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xED\xBF\xBF",
		"\xEF\xBF", "\xF0\x80\x80\x80", "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80",
		"\xF5\x80\x80\x80", "\xFF", "\xFE", "plain text first\xC3", "abcdefg\x80"};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (utf8_valid(str_of(bad[i])))
			fail_msg("row %zu", i);
	assert_true(utf8_valid(STR("")));
	assert_true(utf8_valid(STR_NULL));
	assert_true(utf8_valid(STR("sixteen ascii by")));
	assert_true(utf8_valid(str_make("a\0b", 3)));
	assert_int_equal(utf8_length(STR("h\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80")), 4);
	assert_int_equal(utf8_length(STR("")), 0);
}

static void hashes(void **state)
{
	(void)state;
	assert_true(str_hash(STR("abc")) == str_hash(STR("abc")));
	assert_true(str_hash(STR("abc")) != str_hash(STR("abd")));
	assert_true(str_hash(STR("")) == str_hash(STR_NULL));
	assert_true(str_hash(STR("")) != str_hash(str_make("\0", 1)));
}

static void writes_numbers(void **state)
{
	static const int64_t values[] = {
		0, 9, 10, 99, 100, 999999999999, 1000000000000, -1, -10, INT64_MAX, INT64_MIN};

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
		char text[I64_TEXT], expected[32];
		size_t n = i64_text(values[i], text);

		snprintf(expected, sizeof(expected), "%lld", (long long)values[i]);
		assert_true(str_eq(str_make(text, n), str_of(expected)));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(compares),
		cmocka_unit_test(cuts),
		cmocka_unit_test(reads_numbers),
		cmocka_unit_test(writes_numbers),
		cmocka_unit_test(utf8_every_code_point),
		cmocka_unit_test(utf8_refuses),
		cmocka_unit_test(hashes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
