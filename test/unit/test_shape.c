/* Shapes of answers: the language, what fits and what does not; all shapes of the table parse. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/shape.h"

static struct arena arena;

static struct str differs(const char *shape, const char *json)
{
	const struct json *v = json_parse(&arena, str_of(json));
	struct str why = STR_NULL;

	assert_non_null(v);
	if (shape_check(&arena, shape_parse(&arena, shape), v, &why))
		return STR_NULL;
	assert_non_null(why.p);
	return why;
}

#define FITS(shape, json)          assert_null(differs((shape), (json)).p)
#define DIFFERS(shape, json, text) assert_true(str_eq(differs((shape), (json)), STR(text)))

static void test_scalars(void **state)
{
	(void)state;
	FITS("int", "7");
	FITS("int?", "null");
	FITS("num", "7.5");
	FITS("any", "null");
	FITS("map", "{\"a\":1}");
	FITS("time", "\"2026-03-31T16:03:16.763528Z\"");
	FITS("(red|green)", "\"green\"");
	DIFFERS("int", "\"7\"", "the answer: another type than in the row");
	DIFFERS("int", "7.5", "the answer: another type than in the row");
	DIFFERS("str", "null", "the answer: null");
	DIFFERS("time", "\"2026-03-31\"", "the answer: another type than in the row");
	DIFFERS("time", "\"2026-03-31T16:03:16+02:00\"",
		"the answer: another type than in the row");
	DIFFERS("(red|green)", "\"gree\"", "the answer: another type than in the row");
	DIFFERS("map", "[]", "the answer: another type than in the row");
}

static void test_objects(void **state)
{
	static const char shape[] = "{id:int, list:[{a:str?}], b?:int?, x:{y:bool, ...}}";

	(void)state;
	FITS(shape, "{\"id\":1,\"list\":[{\"a\":null},{\"a\":\"\"}],\"x\":{\"y\":true,\"z\":0}}");
	FITS(shape, "{\"id\":1,\"list\":[],\"b\":null,\"x\":{\"y\":true}}");
	DIFFERS(shape, "{\"id\":1,\"list\":[],\"b\":\"\",\"x\":{\"y\":true}}",
		"b: another type than in the row");
	DIFFERS(shape, "{\"id\":1,\"list\":[{\"a\":\"\"},{}],\"x\":{\"y\":true}}",
		"list[1].a: missing");
	DIFFERS(shape, "{\"id\":1,\"list\":[],\"x\":{\"y\":true},\"more\":1}",
		"more: not in the row");
	DIFFERS(shape, "{\"id\":1,\"list\":{},\"x\":{\"y\":true}}", "list: not an array");
	DIFFERS(shape, "{\"id\":1,\"list\":[],\"x\":{}}", "x.y: missing");
}

static void test_named(void **state)
{
	(void)state;
	FITS("[@person]", "[{\"id\":1,\"username\":\"niels\",\"avatar_url\":null}]");
	FITS("{@person, more:int}",
		"{\"id\":1,\"username\":\"niels\",\"avatar_url\":null,\"more\":1}");
	FITS("{user:@person?}", "{\"user\":null}");
	DIFFERS("{user:@person}", "{\"user\":null}", "user: null");
}

static void test_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < shape_name_count; i++)
		assert_non_null(shape_parse(&arena, shape_names[i].shape));
	for (size_t i = 0; i < route_count; i++)
		if (routes[i].reply)
			assert_non_null(shape_parse(&arena, routes[i].reply));
}

static int set_up(void **state)
{
	(void)state;
	arena_init(&arena);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	arena_release(&arena);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scalars),
		cmocka_unit_test(test_objects),
		cmocka_unit_test(test_named),
		cmocka_unit_test(test_table),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
