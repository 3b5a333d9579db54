/* Writing and reading JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/json.h"

static struct arena memory;

static int release(void **state)
{
	(void)state;
	arena_release(&memory);
	return 0;
}

static const struct json *parsed(const char *text)
{
	const struct json *v = json_parse(&memory, str_of(text));

	if (!v)
		fail_msg("refused: %s", text);
	return v;
}

static void refused(const char *text)
{
	if (json_parse(&memory, str_of(text)))
		fail_msg("accepted: %s", text);
}

/* ---- writing ---- */

static void writes_a_document(void **state)
{
	struct buf b = {0};
	struct json_out j;

	(void)state;
	json_out_init(&j, &b);
	json_obj(&j);
	json_ki64(&j, "id", INT64_MIN);
	json_kstr(&j, "name", STR("Ann"));
	json_kstr(&j, "absent", STR_NULL);
	json_kstr(&j, "empty", STR(""));
	json_key(&j, "list");
	json_arr(&j);
	json_arr(&j);
	json_end(&j);
	json_obj(&j);
	json_end(&j);
	json_bool(&j, true);
	json_bool(&j, false);
	json_null(&j);
	json_z(&j, "z");
	json_z(&j, NULL);
	json_end(&j);
	json_ktime(&j, "at", INT64_C(1774972996763528));
	json_ktime(&j, "never", 0);
	json_kbool(&j, "yes", true);
	json_knull(&j, "nothing");
	json_key(&j, "raw");
	json_raw(&j, STR("{\"a\":[1]}"));
	json_end(&j);
	buf_char(&b, 0);
	assert_string_equal(b.p,
		"{\"id\":-9223372036854775808,\"name\":\"Ann\",\"absent\":null,\"empty\":\"\","
		"\"list\":[[],{},true,false,null,\"z\",null],\"at\":\"2026-03-31T16:03:16."
		"763528Z\","
		"\"never\":null,\"yes\":true,\"nothing\":null,\"raw\":{\"a\":[1]}}");
	assert_int_equal(j.depth, 0);
	buf_free(&b);
}

static void nests_to_its_bound(void **state)
{
	struct buf b = {0};
	struct json_out j;

	(void)state;
	json_out_init(&j, &b);
	for (int round = 0; round < 2; round++) {
		json_out_init(&j, &b);
		b.n = 0;
		for (int i = 0; i < 31; i++)
			json_arr(&j);
		json_i64(&j, 1);
		json_i64(&j, 2);
		for (int i = 0; i < 31; i++)
			json_end(&j);
	}
	assert_non_null(json_parse(&memory, buf_view(&b)));
	assert_int_equal(b.n, 31 + 3 + 31);
	buf_free(&b);
}

/* Each byte at each place in strings of several lengths comes back as it went in. */
static void escapes_round_trip(void **state)
{
	struct buf b = {0};
	struct json_out j;
	char text[20];

	(void)state;
	for (int c = 0; c < 0x80; c++)
		for (size_t n = 1; n < sizeof(text); n += 3)
			for (size_t at = 0; at < n; at++) {
				memset(text, 'a', n);
				text[at] = (char)c;
				b.n = 0;
				json_out_init(&j, &b);
				json_str(&j, str_make(text, n));
				for (size_t i = 0; i < b.n; i++)
					assert_true((uint8_t)b.p[i] >= 0x20);
				assert_true(str_eq(json_to_str(json_parse(&memory, buf_view(&b))),
					str_make(text, n)));
			}
	b.n = 0;
	json_out_init(&j, &b);
	json_str(&j, STR("\"\\/\b\f\n\r\t\x01\x1f\x7f h\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80"));
	buf_char(&b, 0);
	assert_string_equal(b.p, "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\x7f "
				 "h\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\"");
	buf_free(&b);
}

/* ---- reading ---- */

static void reads_values(void **state)
{
	const struct json *v =
		parsed(" {\"s\":\"a\\u00e9\\n\\ud83d\\ude00\", \"i\": -7, \"t\": true,"
		       "\"f\":false,\"n\":null,\"r\":1.5,\"a\":[1,[2],3],\"o\":{}} ");

	(void)state;
	assert_int_equal(json_type(v), JSON_OBJECT);
	assert_int_equal(json_len(v), 8);
	assert_true(str_eq(json_to_str(json_get(v, "s")), STR("a\xC3\xA9\n\xF0\x9F\x98\x80")));
	assert_int_equal(json_to_i64(json_get(v, "i")), -7);
	assert_true(json_to_bool(json_get(v, "t")));
	assert_false(json_to_bool(json_get(v, "f")));
	assert_int_equal(json_type(json_get(v, "n")), JSON_NULL);
	assert_non_null(json_get(v, "n"));
	assert_int_equal(json_type(json_get(v, "r")), JSON_NUMBER);
	assert_int_equal(json_len(json_get(v, "a")), 3);
	assert_int_equal(json_to_i64(json_at(json_get(v, "a"), 2)), 3);
	assert_int_equal(json_type(json_at(json_get(v, "a"), 1)), JSON_ARRAY);
	assert_null(json_at(json_get(v, "a"), 3));
	assert_int_equal(json_type(json_get(v, "o")), JSON_OBJECT);
	assert_null(json_get(v, "x"));
	assert_null(json_get(json_get(v, "a"), "x"));
}

static void wrong_types_give_nothing(void **state)
{
	const struct json *s = parsed("\"text\""), *i = parsed("1"), *r = parsed("2.5");

	(void)state;
	assert_int_equal(json_to_i64(s), 0);
	assert_int_equal(json_to_i64(r), 0);
	assert_false(json_to_bool(i));
	assert_null(json_to_str(i).p);
	assert_null(json_to_str(parsed("[1,2]")).p);
	assert_int_equal(json_to_str(parsed("[1,2]")).n, 0);
	assert_int_equal(json_len(s), 0);
	assert_null(json_get(s, "a"));
	assert_null(json_at(s, 0));
	assert_int_equal(json_type(NULL), JSON_NULL);
	assert_null(json_to_str(NULL).p);
	assert_null(json_get(NULL, "a"));
}

static void number_kinds(void **state)
{
	static const struct {
		const char *text;
		enum json_type type;
		int64_t value;
	} rows[] = {{"0", JSON_INT, 0}, {"-0", JSON_INT, 0},
		{"9007199254740993", JSON_INT, INT64_C(9007199254740993)}, /* 2^53 + 1 */
		{"9223372036854775807", JSON_INT, INT64_MAX},
		{"-9223372036854775808", JSON_INT, INT64_MIN},
		{"9223372036854775808", JSON_NUMBER, 0}, {"-9223372036854775809", JSON_NUMBER, 0},
		{"18446744073709551615", JSON_NUMBER, 0}, {"18446744073709551616", JSON_NUMBER, 0},
		{"1.0", JSON_NUMBER, 0}, {"1e2", JSON_NUMBER, 0}, {"-1.5E-3", JSON_NUMBER, 0}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct json *v = parsed(rows[i].text);

		assert_int_equal(json_type(v), rows[i].type);
		assert_int_equal(json_to_i64(v), rows[i].value);
	}
}

static void refuses_malformed_text(void **state)
{
	static const char *const bad[] = {"", " ", "{", "}", "[1,]", "[,1]", "{\"a\":1,}", "{a:1}",
		"{'a':1}", "{\"a\"}", "{\"a\":}", "{1:2}", "[1 2]", "01", "+1", "1.", ".5", "1e",
		"-", "NaN", "Infinity", "1e999", "tru", "True", "nul", "\"", "\"\\x\"", "\"\\u12\"",
		"\"\\ud800\"", "\"\\ud800\\u0041\"", "\"\\udc00\"", "\"a\nb\"", "\"\t\"", "// c\n1",
		"/* c */1", "1 1", "{} x", "[]]", "\xEF\xBB\xBF{}", "\"\x80\"", "\"\xC0\x80\"",
		"\"\xED\xA0\x80\"", "\"\xF4\x90\x80\x80\"", "\"\xC3\"", "{\"\xFF\":1}"};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		refused(bad[i]);
	assert_null(json_parse(&memory, STR_NULL));
	assert_null(json_parse(&memory, str_make("{}\0", 3)));
	assert_null(json_parse(&memory, str_make("[1\0]", 4)));
	assert_non_null(json_parse(&memory, str_make("{}x", 2))); /* the slice, no more */
}

static void bounds_depth(void **state)
{
	struct buf b = {0};

	(void)state;
	for (int depth = 1; depth <= 66; depth++)
		for (int kind = 0; kind < 3; kind++) {
			b.n = 0;
			for (int i = 0; i < depth; i++)
				buf_str(&b, kind == 1 || (kind == 2 && i % 2) ? STR("{\"a\":")
									      : STR("["));
			buf_str(&b, STR("1"));
			for (int i = depth - 1; i >= 0; i--)
				buf_char(&b, kind == 1 || (kind == 2 && i % 2) ? '}' : ']');
			assert_int_equal(json_parse(&memory, buf_view(&b)) != NULL, depth <= 64);
		}
	b.n = 0;
	for (int i = 0; i < 65536; i++)
		buf_char(&b, '[');
	assert_null(json_parse(&memory, buf_view(&b)));
	for (int i = 0; i < 65536; i++)
		buf_char(&b, ']');
	assert_null(json_parse(&memory, buf_view(&b)));
	buf_free(&b);
}

/* Many containers side by side are not depth, and what follows a container counts from its level.
 */
static void depth_is_not_breadth(void **state)
{
	struct buf b = {0};

	(void)state;
	for (int i = 0; i < 63; i++)
		buf_str(&b, STR("[[],{},"));
	for (int i = 0; i < 1000; i++)
		buf_str(&b, STR("[],{\"k\":0},"));
	buf_str(&b, STR("0"));
	for (int i = 0; i < 63; i++)
		buf_str(&b, STR(",[],{}]"));
	assert_non_null(json_parse(&memory, buf_view(&b)));
	buf_free(&b);
}

static void refuses_keys_given_twice(void **state)
{
	(void)state;
	refused("{\"a\":1,\"a\":1}");
	refused("{\"a\":1,\"b\":2,\"a\":3}");
	refused("{\"\":1,\"\":2}");
	refused("{\"a\":1,\"\\u0061\":2}"); /* the same key, escaped */
	refused("[{},{\"o\":{\"x\":[],\"x\":{}}}]");
	refused("{\"a\":{\"b\":1},\"c\":[{\"b\":1}],\"a\":0}");
	parsed("{\"a\":{\"a\":{\"a\":1}},\"b\":{\"a\":1}}");
	parsed("{\"a\":\"b\",\"b\":\"a\"}");
	parsed("{\"a\":1,\"A\":2,\"a\\u0000\":3,\"aa\":4}");
}

static void refuses_keys_given_twice_among_many(void **state)
{
	struct buf b = {0};

	(void)state;
	for (int n = 2; n <= 600; n += n < 40 ? 1 : 97)
		for (int twin = -1; twin < n - 1; twin += 1 + n / 20) {
			b.n = 0;
			for (int i = 0; i < n; i++)
				buf_printf(&b, "%c\"key%d\":[{\"x\":%d}]", i ? ',' : '{',
					i == n - 1 && twin >= 0 ? twin : i, i);
			buf_char(&b, '}');
			assert_int_equal(json_parse(&memory, buf_view(&b)) == NULL, twin >= 0);
			arena_release(&memory);
		}
	buf_free(&b);
}

static void iterates(void **state)
{
	const struct json *v = parsed("{\"a\":[1,2],\"b\":{\"c\":0},\"d\":\"e\"}");
	static const char *const keys[] = {"a", "b", "d"};
	int i = 0;

	(void)state;
	for (struct json_iter it = json_each(v); json_next(&it); i++) {
		assert_true(str_eq(it.key, str_of(keys[i])));
		assert_ptr_equal(it.value, json_get(v, keys[i]));
	}
	assert_int_equal(i, 3);
	i = 0;
	for (struct json_iter it = json_each(parsed("[10,[11,[]],{},13]")); json_next(&it); i++) {
		assert_null(it.key.p);
		if (i != 1 && i != 2)
			assert_int_equal(json_to_i64(it.value), 10 + i);
	}
	assert_int_equal(i, 4);
	for (struct json_iter it = json_each(parsed("[]")); json_next(&it);)
		fail();
	for (struct json_iter it = json_each(parsed("5")); json_next(&it);)
		fail();
	for (struct json_iter it = json_each(NULL); json_next(&it);)
		fail();
}

static void writes_what_it_read(void **state)
{
	struct buf b = {0};

	(void)state;
	buf_str(&b, STR("x"));
	json_write(&b,
		parsed(" { \"a\" : [ 1 , -2, 1.5, true, null, \"q\\\"\\u0001\" ] , \"b\" : {} } "));
	buf_char(&b, 0);
	assert_string_equal(b.p, "x{\"a\":[1,-2,1.5,true,null,\"q\\\"\\u0001\"],\"b\":{}}");
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(writes_a_document, release),
		cmocka_unit_test_teardown(nests_to_its_bound, release),
		cmocka_unit_test_teardown(escapes_round_trip, release),
		cmocka_unit_test_teardown(reads_values, release),
		cmocka_unit_test_teardown(wrong_types_give_nothing, release),
		cmocka_unit_test_teardown(number_kinds, release),
		cmocka_unit_test_teardown(refuses_malformed_text, release),
		cmocka_unit_test_teardown(bounds_depth, release),
		cmocka_unit_test_teardown(depth_is_not_breadth, release),
		cmocka_unit_test_teardown(refuses_keys_given_twice, release),
		cmocka_unit_test_teardown(refuses_keys_given_twice_among_many, release),
		cmocka_unit_test_teardown(iterates, release),
		cmocka_unit_test_teardown(writes_what_it_read, release),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
