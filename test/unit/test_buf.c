/* The growable buffer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/buf.h"

static bool holds(const struct buf *b, const char *text)
{
	return str_eq(buf_view(b), str_of(text));
}

static void empty_is_valid(void **state)
{
	struct buf b = {0};

	(void)state;
	assert_non_null(buf_view(&b).p);
	assert_int_equal(buf_view(&b).n, 0);
	buf_put(&b, NULL, 0);
	buf_drop(&b, 0);
	assert_null(b.p);
	assert_non_null(buf_reserve(&b, 0));
	buf_free(&b);
	buf_free(&b);
	assert_null(b.p);
}

static void grows_and_keeps(void **state)
{
	struct buf b = {0};

	(void)state;
	for (int i = 0; i < 100000; i++)
		buf_char(&b, (char)('a' + i % 26));
	assert_int_equal(b.n, 100000);
	for (int i = 0; i < 100000; i++)
		assert_int_equal(b.p[i], 'a' + i % 26);
	memset(buf_reserve(&b, 300000), 'x', 300000); /* all of it is ours */
	assert_int_equal(b.n, 100000);
	buf_free(&b);
}

static void puts_and_drops(void **state)
{
	struct buf b = {0};

	(void)state;
	buf_lit(&b, "one ");
	buf_str(&b, STR("two"));
	buf_str(&b, STR_NULL);
	assert_true(holds(&b, "one two"));
	buf_drop(&b, 4);
	assert_true(holds(&b, "two"));
	buf_drop(&b, 3);
	assert_true(holds(&b, ""));
	buf_free(&b);
}

static void prints(void **state)
{
	struct buf b = {0};
	char text[1001];

	(void)state;
	memset(text, 'y', 1000);
	text[1000] = 0;
	for (size_t n = 0; n <= 1000; n += 37) { /* around every growth step */
		size_t before = b.n;

		buf_printf(&b, "%.*s", (int)n, text);
		assert_int_equal(b.n - before, n);
	}
	b.n = 0;
	buf_printf(&b, "%s=%d", "a", 5);
	assert_true(holds(&b, "a=5"));
	buf_free(&b);
}

static void decimal(void **state)
{
	static const int64_t values[] = {0, 1, -1, 9, 10, 99, 100, 12345, -98765, 1000000007,
		INT64_MAX, INT64_MIN, INT64_MIN + 1};
	struct buf b = {0};
	char text[32];

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		b.n = 0;
		buf_i64(&b, values[i]);
		snprintf(text, sizeof(text), "%lld", (long long)values[i]);
		assert_true(holds(&b, text));
	}
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(empty_is_valid),
		cmocka_unit_test(grows_and_keeps),
		cmocka_unit_test(puts_and_drops),
		cmocka_unit_test(prints),
		cmocka_unit_test(decimal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
