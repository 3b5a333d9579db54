/* Memory that ends all at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"

static void sizes_do_not_overlap(void **state)
{
	static const size_t sizes[] = {
		0, 1, 15, 16, 17, 100, 1000, 2031, 2032, 2033, 4064, 4080, 4096, 5000, 100000};
	unsigned char *parts[20 * 15];
	size_t count = 0;
	struct arena a;

	(void)state;
	arena_init(&a);
	for (int round = 0; round < 20; round++)
		for (size_t i = 0; i < 15; i++, count++) {
			parts[count] = arena_alloc(&a, sizes[i]);
			assert_non_null(parts[count]);
			assert_int_equal((uintptr_t)parts[count] % 16, 0);
			memset(parts[count], (int)count & 0xFF, sizes[i]);
		}
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < sizes[i % 15]; k++)
			assert_int_equal(parts[i][k], i & 0xFF);
	arena_release(&a);
	assert_null(a.chunks);
	arena_drain();
}

static void reuse_is_cleared_when_asked(void **state)
{
	struct arena a;

	(void)state;
	for (int round = 0; round < 3; round++) {
		arena_init(&a);
		for (int i = 0; i < 10; i++) {
			char *p = arena_zalloc(&a, 1000);

			for (int k = 0; k < 1000; k++)
				assert_int_equal(p[k], 0);
			memset(p, 0xEE, 1000);
		}
		arena_release(&a);
	}
	arena_drain();
}

static void copies(void **state)
{
	char long_text[6000];
	struct arena a;
	struct str s;

	(void)state;
	arena_init(&a);
	assert_string_equal(arena_dup(&a, "abcdef", 3), "abc");
	assert_string_equal(arena_dup(&a, NULL, 0), "");
	assert_null(arena_str(&a, STR_NULL).p);
	s = arena_str(&a, STR(""));
	assert_non_null(s.p);
	assert_int_equal(s.n, 0);
	s = arena_printf(&a, "%s-%d", "x", 7);
	assert_true(str_eq(s, STR("x-7")));
	assert_int_equal(s.p[s.n], 0);
	memset(long_text, 'z', sizeof(long_text));
	s = arena_printf(&a, "%.*s", (int)sizeof(long_text), long_text);
	assert_true(str_eq(s, str_make(long_text, sizeof(long_text))));
	arena_release(&a);
}

/* Of every length, so that one ends at each place of a chunk: none overlaps another. */
static void prints_fill_chunks(void **state)
{
	struct arena a;
	struct str s[200];

	(void)state;
	arena_init(&a);
	for (int i = 0; i < 200; i++)
		s[i] = arena_printf(&a, "%0*d", i + 1, i);
	for (int i = 0; i < 200; i++) {
		assert_int_equal(s[i].n, i + 1);
		assert_int_equal(strlen(s[i].p), i + 1);
		assert_int_equal(strtol(s[i].p, NULL, 10), i);
	}
	arena_release(&a);
	arena_drain();
}

static struct buf order;
static struct arena *adding;

static void note(void *arg)
{
	buf_str(&order, str_of(arg));
}

static void note_and_add(void *arg)
{
	note(arg);
	arena_defer(adding, note, "+");
}

static void defers_run_newest_first_once(void **state)
{
	struct arena a;

	(void)state;
	arena_init(&a);
	arena_defer(&a, note, "1");
	arena_defer(&a, note, "2");
	arena_alloc(&a, 10000);
	arena_defer(&a, note, "3");
	adding = &a;
	arena_defer(&a, note_and_add, "4");
	arena_release(&a);
	assert_true(str_eq(buf_view(&order), STR("4+321")));
	arena_release(&a);
	assert_true(str_eq(buf_view(&order), STR("4+321")));
	buf_free(&order);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_do_not_overlap),
		cmocka_unit_test(reuse_is_cleared_when_asked),
		cmocka_unit_test(copies),
		cmocka_unit_test(prints_fill_chunks),
		cmocka_unit_test(defers_run_newest_first_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
