/* The table against a plain array that does the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/map.h"

#define KEYS 5000

static char values[KEYS]; /* distinct addresses */

static void empty_is_valid(void **state)
{
	struct map m = {0};
	size_t i = 0;
	uint64_t key;
	void *value;

	(void)state;
	assert_null(map_get(&m, 0));
	assert_null(map_remove(&m, 7));
	assert_false(map_next(&m, &i, &key, &value));
	map_free(&m);
}

static void replaces(void **state)
{
	struct map m = {0};

	(void)state;
	assert_null(map_put(&m, 0, &values[0]));
	assert_null(map_put(&m, UINT64_MAX, &values[1]));
	assert_ptr_equal(map_put(&m, 0, &values[2]), &values[0]);
	assert_int_equal(m.count, 2);
	assert_ptr_equal(map_get(&m, 0), &values[2]);
	assert_ptr_equal(map_get(&m, UINT64_MAX), &values[1]);
	assert_ptr_equal(map_remove(&m, 0), &values[2]);
	assert_null(map_get(&m, 0));
	assert_null(map_remove(&m, 0));
	map_free(&m);
	assert_int_equal(m.count, 0);
}

static uint64_t next_random(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x;
}

static void check_all(const struct map *m, void *const *model, uint64_t stride)
{
	size_t count = 0, i = 0;
	uint64_t key;
	void *value;

	for (uint64_t k = 0; k < KEYS; k++) {
		assert_ptr_equal(map_get(m, k * stride), model[k]);
		count += model[k] != NULL;
	}
	assert_int_equal(m->count, count);
	while (map_next(m, &i, &key, &value)) {
		assert_int_equal(key % stride, 0);
		assert_ptr_equal(value, model[key / stride]);
		count--;
	}
	assert_int_equal(count, 0);
}

/* Keys in a row and keys that share their low bits; puts, replacements and removals mixed. */
static void behaves_like_an_array(void **state)
{
	static const uint64_t strides[] = {1, 4096, UINT64_C(1) << 40};
	uint64_t x = 88172645463325252u;

	(void)state;
	for (size_t s = 0; s < 3; s++) {
		static void *model[KEYS];
		struct map m = {0};

		memset(model, 0, sizeof(model));
		for (int step = 0; step < 200000; step++) {
			uint64_t r = next_random(&x), k = r % KEYS;
			void *was = model[k];

			if ((r >> 32) % 100 < (step < 100000 ? 60 : 40)) {
				model[k] = &values[(r >> 40) % KEYS];
				assert_ptr_equal(map_put(&m, k * strides[s], model[k]), was);
			} else {
				model[k] = NULL;
				assert_ptr_equal(map_remove(&m, k * strides[s]), was);
			}
		}
		check_all(&m, model, strides[s]);
		for (uint64_t k = 0; k < KEYS; k++)
			map_remove(&m, k * strides[s]);
		memset(model, 0, sizeof(model));
		check_all(&m, model, strides[s]);
		map_free(&m);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(empty_is_valid),
		cmocka_unit_test(replaces),
		cmocka_unit_test(behaves_like_an_array),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
