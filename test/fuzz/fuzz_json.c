/* JSON from strangers: whatever parses is valid, bounded, and survives being written and read. */
#include <stdint.h>

#include "base/err.h"
#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Every value through every accessor; the parser bounds the depth. */
static void walk(const struct json *v, int depth)
{
	size_t count = 0;

	ASSERT(depth <= 64);
	ASSERT(utf8_valid(json_to_str(v)));
	json_to_i64(v);
	json_to_bool(v);
	for (struct json_iter it = json_each(v); json_next(&it); count++) {
		ASSERT(utf8_valid(it.key));
		ASSERT((it.key.p != NULL) == (json_type(v) == JSON_OBJECT));
		walk(it.value, depth + (json_type(it.value) >= JSON_ARRAY));
	}
	ASSERT(count == json_len(v));
}

static void check_string(struct arena *a, struct str s)
{
	struct buf b = {0};
	struct json_out j;

	json_out_init(&j, &b);
	json_str(&j, s);
	ASSERT(str_eq(json_to_str(json_parse(a, buf_view(&b))), s));
	buf_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = {(const char *)data, size};
	struct buf once = {0}, twice = {0};
	const struct json *v;
	struct arena a;

	arena_init(&a);
	v = json_parse(&a, text);
	if (v) {
		walk(v, json_type(v) >= JSON_ARRAY);
		json_write(&once, v);
		v = json_parse(&a, buf_view(&once));
		ASSERT(v);
		json_write(&twice, v);
		ASSERT(str_eq(buf_view(&once), buf_view(&twice)));
	}
	if (size > 0 && utf8_valid(text))
		check_string(&a, text);
	buf_free(&once);
	buf_free(&twice);
	arena_release(&a);
	return 0;
}
