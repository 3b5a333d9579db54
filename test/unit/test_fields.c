/* Fields of requests: the sentences of contract 0, bounds in code points, order, odd JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "api/fields.h"
#include "base/config.h"

#define FIELDS 13

static const struct field all[] = {
	{.name = "id", .in = IN_PATH, .type = FIELD_INT, .required = true, .min = 1, .max = 99},
	{.name = "limit", .in = IN_QUERY, .type = FIELD_INT, .min = 1, .max = 100, .def = 50},
	{.name = "q", .in = IN_QUERY, .type = FIELD_STR, .max = 5},
	{.name = "username",
		.in = IN_BODY,
		.type = FIELD_STR,
		.required = true,
		.chars = CHARS_USERNAME,
		.min = 3,
		.max = 32},
	{.name = "code", .in = IN_BODY, .type = FIELD_STR, .nullable = true, .min = 1, .max = 8},
	{.name = "avatar", .in = IN_BODY, .type = FIELD_STR, .chars = CHARS_HTTPS_URL, .max = 40},
	{.name = "platform", .in = IN_BODY, .type = FIELD_STR, .chars = CHARS_PLATFORM, .max = 64},
	{.name = "kind", .in = IN_BODY, .type = FIELD_STR, .max = 9, .words = "red green"},
	{.name = "n", .in = IN_BODY, .type = FIELD_INT, .min = 0, .max = 10000},
	{.name = "on", .in = IN_BODY, .type = FIELD_BOOL},
	{.name = "at", .in = IN_BODY, .type = FIELD_TIME},
	{.name = "ids", .in = IN_BODY, .type = FIELD_STRS, .max = 2},
	{.name = "people", .in = IN_BODY, .type = FIELD_INTS, .min = 1, .max = 2, .words = "all"},
	{.name = NULL},
};
static const struct route row = {.method = HTTP_POST, .path = "/x/{id}", .fields = all};

static struct arena arena;
static struct value values[FIELDS];

/* The sentence about the first bad field; NULL when all are good. */
static const char *read_all(const char *id, const char *query, const char *body)
{
	struct str params[] = {str_of(id)};
	struct field_fault why;
	const struct json *json = body ? json_parse(&arena, str_of(body)) : NULL;

	assert_true(!body || json);
	if (fields_read(&arena, &row, params, str_of(query), json, values, &why))
		return NULL;
	assert_int_equal(strncmp(why.sentence.p, why.field, strlen(why.field)), 0);
	return arena_dup(&arena, why.sentence.p, why.sentence.n);
}

static const char *about(const char *members)
{
	char body[600];

	snprintf(body, sizeof(body), "{\"username\":\"niels\"%s%s}", *members ? "," : "", members);
	return read_all("1", NULL, body);
}

static int set_up(void **state)
{
	static struct str platforms[] = {{"discord", 7}, {"telegram", 8}};

	(void)state;
	arena_init(&arena);
	config.platforms = (struct str_list){platforms, 2};
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	arena_release(&arena);
	config.platforms = (struct str_list){NULL, 0};
	return 0;
}

static void test_sentences(void **state)
{
	static const char *const cases[][2] = {
		{"\"username\":\"ab\"", "username must be at least 3 characters"},
		{"\"username\":\"a b c\"", "username contains invalid characters"},
		{"\"username\":\"abcdefghijklmnopqrstuvwxyz0123456\"",
			"username must be at most 32 characters"},
		{"\"username\":7", "username must be a string"},
		{"\"username\":null", "username is required"},
		{"\"other\":1", "username is required"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char body[200];

		snprintf(body, sizeof(body), "{%s}", cases[i][0]);
		assert_string_equal(read_all("1", NULL, body), cases[i][1]);
	}
	assert_string_equal(read_all("1", NULL, NULL), "username is required");
}

static void test_types(void **state)
{
	static const char *const cases[][2] = {
		{"\"n\":\"5\"", "n must be an integer"},
		{"\"n\":1.5", "n must be an integer"},
		{"\"n\":1e3", "n must be an integer"},
		{"\"n\":9007199254740993", "n must be between 0 and 10000"},
		{"\"n\":99999999999999999999999", "n must be an integer"},
		{"\"n\":-1", "n must be between 0 and 10000"},
		{"\"n\":null", "n must be an integer"},
		{"\"on\":1", "on must be true or false"},
		{"\"at\":\"yesterday\"", "at must be a time"},
		{"\"ids\":{}", "ids must be a list"},
		{"\"ids\":[1]", "ids must be a list of strings"},
		{"\"ids\":[\"a\",\"b\",\"c\"]", "ids must have at most 2 items"},
		{"\"people\":\"some\"", "people must be one of all"},
		{"\"people\":7", "people must be a list"},
		{"\"people\":[]", "people must have at least 1 item"},
		{"\"people\":[\"all\"]", "people must be a list of integers"},
		{"\"kind\":\"blue\"", "kind must be one of red, green"},
		{"\"platform\":\"irc\"", "platform must be one of discord, telegram"},
		{"\"avatar\":\"http://a.b/c\"", "avatar must be an https URL"},
		{"\"avatar\":\"https://\"", "avatar must be an https URL"},
		{"\"avatar\":\"https://a b\"", "avatar contains invalid characters"},
		{"\"code\":\"\\u0007\"", "code contains invalid characters"},
		{"\"code\":\"\\u0085\"", "code contains invalid characters"},
		{"\"code\":\"\"", "code must be at least 1 character"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_string_equal(about(cases[i][0]), cases[i][1]);
}

static void test_good(void **state)
{
	(void)state;
	assert_null(
		about("\"code\":null,\"avatar\":\"\",\"platform\":\"telegram\",\"kind\":\"green\","
		      "\"n\":10000,\"on\":true,\"at\":\"2026-03-31T16:03:16Z\",\"ids\":[\"x\"],"
		      "\"unknown\":[{}]"));
	assert_int_equal(values[0].i, 1);
	assert_int_equal(values[1].i, 50);
	assert_false(values[1].given);
	assert_true(str_eq(values[3].s, STR("niels")));
	assert_true(values[4].given && !values[4].has);
	assert_true(values[5].has);
	assert_int_equal(values[8].i, 10000);
	assert_true(values[9].i);
	assert_true(values[10].i > 0);
	assert_int_equal(json_len(values[11].json), 1);
}

static void test_code_points(void **state)
{
	(void)state;
	assert_null(about(
		"\"code\":\"\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\""));
	assert_string_equal(about("\"code\":\"\xF0\x9F\x98\x80 23456789\""),
		"code must be at most 8 characters");
}

static void test_query_and_path(void **state)
{
	static const char body[] = "{\"username\":\"niels\"}";
	static const char *const cases[][2] = {
		{"limit=0", "limit must be between 1 and 100"},
		{"limit=101", "limit must be between 1 and 100"},
		{"limit=ten", "limit must be an integer"},
		{"limit=", "limit must be an integer"},
		{"limit", "limit must be an integer"},
		{"limit=5&limit=5", "limit must be given once"},
		{"q=123456", "q must be at most 5 characters"},
		{"q=%ff", "q contains invalid characters"},
		{"q=%00", "q contains invalid characters"},
		{"q=%0a", "q contains invalid characters"},
		{"q=%", "q contains invalid characters"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_string_equal(read_all("1", cases[i][0], body), cases[i][1]);
	assert_null(read_all("%31", "x=1&limit=7&q=a+b%26&x=2", body));
	assert_int_equal(values[1].i, 7);
	assert_true(str_eq(values[2].s, STR("a b&")));
	assert_string_equal(read_all("me", NULL, body), "id must be an integer");
	assert_string_equal(read_all("0", NULL, body), "id must be between 1 and 99");
	assert_string_equal(read_all("99999999999999999999", NULL, body), "id must be an integer");
}

/* The first bad one of the row, wherever it stands in the body. */
static void test_order(void **state)
{
	(void)state;
	assert_string_equal(read_all("0", "limit=0", "{\"n\":-1}"), "id must be between 1 and 99");
	assert_string_equal(read_all("1", NULL, "{\"n\":-1,\"username\":\"a\"}"),
		"username must be at least 3 characters");
}

/* A list, or one of the words. */
static void test_list_or_word(void **state)
{
	const struct value *people = &values[FIELDS - 1];

	(void)state;
	assert_null(about("\"people\":[1,2]"));
	assert_int_equal(json_len(people->json), 2);
	assert_null(about("\"people\":\"all\""));
	assert_int_equal(json_type(people->json), JSON_STRING);
}

static void test_whole_body(void **state)
{
	static const struct field whole[] = {
		{.name = "*", .in = IN_BODY, .type = FIELD_OBJECT, .required = true, .max = 2},
		{.name = NULL}};
	static const struct route r = {.path = "/p", .fields = whole};
	struct field_fault why;

	(void)state;
	assert_true(fields_read(&arena, &r, NULL, STR_NULL,
		json_parse(&arena, STR("{\"a\":1,\"b\":[]}")), values, &why));
	assert_int_equal(json_len(values[0].json), 2);
	assert_false(fields_read(&arena, &r, NULL, STR_NULL,
		json_parse(&arena, STR("{\"a\":1,\"b\":2,\"c\":3}")), values, &why));
	assert_true(str_eq(why.sentence, STR("body must have at most 2 keys")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sentences),
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_code_points),
		cmocka_unit_test(test_query_and_path),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_list_or_word),
		cmocka_unit_test(test_whole_body),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
