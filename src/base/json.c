/* JSON: writing by appending, reading by yyjson.
 *
 * Owns: nothing; text goes into the caller's buffer, values live in the caller's arena.
 * Path of reading: yyjson parses (without recursion) into one flat array of values in document
 * order; one pass over that array refuses what is nested too deep or holds a key twice. `struct
 * json` is a yyjson_val under a name of ours; no other file may see yyjson.h.
 * To add another kind of value to the writer: a json_… function that begins with value_begin. */
#include "base/json.h"
#include "base/clock.h"

#include <stdlib.h>
#include <yyjson.h>

#define DEPTH_MAX 64 /* of a parsed text */
#define KEYS_FEW  16 /* up to here comparing all pairs is cheaper than a table */

/* ---- writing ---- */

void json_out_init(struct json_out *j, struct buf *b)
{
	*j = (struct json_out){.b = b};
}

static void comma(struct json_out *j)
{
	uint32_t bit = UINT32_C(1) << j->depth;

	if (j->nonempty & bit)
		buf_char(j->b, ',');
	j->nonempty |= bit;
}

static void value_begin(struct json_out *j)
{
	uint32_t bit = UINT32_C(1) << j->depth;

	if (j->after_key) {
		j->after_key = false;
		return;
	}
	/* Without a key: an element, or the only value at the top. */
	ASSERT(j->depth > 0 ? j->array & bit : !(j->nonempty & bit));
	comma(j);
}

static void open_level(struct json_out *j, char c, bool array)
{
	uint32_t bit;

	value_begin(j);
	buf_char(j->b, c);
	ASSERT(j->depth < 31);
	bit = UINT32_C(1) << ++j->depth;
	j->nonempty &= ~bit;
	j->array = array ? j->array | bit : j->array & ~bit;
}

void json_obj(struct json_out *j)
{
	open_level(j, '{', false);
}

void json_arr(struct json_out *j)
{
	open_level(j, '[', true);
}

void json_end(struct json_out *j)
{
	ASSERT(j->depth > 0 && !j->after_key);
	buf_char(j->b, j->array >> j->depth & 1 ? ']' : '}');
	j->depth--;
}

void json_key(struct json_out *j, const char *key)
{
	size_t n = strlen(key);
	char *at;

	ASSERT(j->depth > 0 && !(j->array >> j->depth & 1) && !j->after_key);
	comma(j);
	at = buf_reserve(j->b, n + 3);
	*at++ = '"';
	memcpy(at, key, n);
	memcpy(at + n, "\":", 2);
	j->b->n += n + 3;
	j->after_key = true;
}

#define EACH_BYTE(b) (UINT64_C(0x0101010101010101) * (b))

/* Nonzero when a byte of the word must be escaped: below 0x20, a quote or a backslash. Exact up to
 * and including the lowest such byte, which is all that is asked. */
static uint64_t special_bytes(uint64_t w)
{
	uint64_t quote = w ^ EACH_BYTE('"'), slash = w ^ EACH_BYTE('\\');

	return (((w - EACH_BYTE(0x20)) & ~w) | ((quote - EACH_BYTE(1)) & ~quote) |
		       ((slash - EACH_BYTE(1)) & ~slash)) &
	       EACH_BYTE(0x80);
}

static bool is_special(char c)
{
	return (uint8_t)c < 0x20 || c == '"' || c == '\\';
}

/* Length of the run that needs no escapes. */
static size_t plain_run(const char *p, size_t n)
{
	size_t i = 0;

	for (; i + 8 <= n; i += 8) {
		uint64_t w;

		memcpy(&w, p + i, 8);
		if (special_bytes(w))
			break;
	}
	while (i < n && !is_special(p[i]))
		i++;
	return i;
}

static void put_escape(struct buf *b, char c)
{
	static const char shorts[0x20] = {
		['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't'};
	char abbreviation = (uint8_t)c < 0x20 ? shorts[(uint8_t)c] : c;

	if (abbreviation) {
		buf_char(b, '\\');
		buf_char(b, abbreviation);
	} else {
		buf_printf(b, "\\u%04x", (unsigned)c);
	}
}

void json_str(struct json_out *j, struct str s)
{
	struct buf *b = j->b;

	if (!s.p) {
		json_null(j);
		return;
	}
	value_begin(j);
	buf_reserve(b, s.n + 2);
	buf_char(b, '"');
	for (;;) {
		size_t run = plain_run(s.p, s.n);

		buf_put(b, s.p, run);
		if (run == s.n)
			break;
		put_escape(b, s.p[run]);
		s = str_from(s, run + 1);
	}
	buf_char(b, '"');
}

void json_z(struct json_out *j, const char *z)
{
	json_str(j, str_of(z));
}

void json_i64(struct json_out *j, int64_t v)
{
	value_begin(j);
	buf_i64(j->b, v);
}

void json_bool(struct json_out *j, bool v)
{
	json_raw(j, v ? STR("true") : STR("false"));
}

void json_null(struct json_out *j)
{
	json_raw(j, STR("null"));
}

void json_time(struct json_out *j, int64_t us)
{
	char *at;

	if (us == 0) {
		json_null(j);
		return;
	}
	value_begin(j);
	at = buf_reserve(j->b, TIME_LEN + 2);
	at[0] = at[TIME_LEN + 1] = '"';
	time_format(us, at + 1);
	j->b->n += TIME_LEN + 2;
}

void json_raw(struct json_out *j, struct str text)
{
	value_begin(j);
	buf_str(j->b, text);
}

/* ---- reading ---- */

static yyjson_val *val(const struct json *v)
{
	return (yyjson_val *)v;
}

static const struct json *wrap(const yyjson_val *v)
{
	return (const struct json *)v;
}

static void *alc_malloc(void *ctx, size_t size)
{
	return arena_alloc(ctx, size);
}

static void *alc_realloc(void *ctx, void *p, size_t old_size, size_t size)
{
	void *bigger;

	if (size <= old_size)
		return p;
	bigger = arena_alloc(ctx, size);
	memcpy(bigger, p, old_size);
	return bigger;
}

static void alc_free(void *ctx, void *p)
{
	(void)ctx, (void)p; /* ends with the arena */
}

static struct str text_of(yyjson_val *key)
{
	return str_make(unsafe_yyjson_get_str(key), unsafe_yyjson_get_len(key));
}

static yyjson_val *key_after(yyjson_val *key)
{
	return unsafe_yyjson_get_next(key + 1);
}

static bool keys_unique_few(yyjson_val *obj, size_t n)
{
	struct str keys[KEYS_FEW];
	yyjson_val *key = unsafe_yyjson_get_first(obj);

	for (size_t i = 0; i < n; i++, key = key_after(key)) {
		keys[i] = text_of(key);
		for (size_t k = 0; k < i; k++)
			if (str_eq(keys[k], keys[i]))
				return false;
	}
	return true;
}

static bool keys_unique_many(struct arena *a, yyjson_val *obj, size_t n)
{
	size_t cap = (size_t)1 << (64 - __builtin_clzl(n * 2)); /* a power of two, over 2n */
	struct str *table = arena_array(a, struct str, cap);
	yyjson_val *key = unsafe_yyjson_get_first(obj);

	for (size_t i = 0; i < n; i++, key = key_after(key)) {
		struct str s = text_of(key);
		size_t at = str_hash(s) & (cap - 1);

		for (; table[at].p; at = (at + 1) & (cap - 1))
			if (str_eq(table[at], s))
				return false;
		table[at] = s;
	}
	return true;
}

static bool keys_unique(struct arena *a, yyjson_val *obj)
{
	size_t n = unsafe_yyjson_get_len(obj);

	return n <= KEYS_FEW ? keys_unique_few(obj, n) : keys_unique_many(a, obj, n);
}

/* One pass over all values, keys included; `ends` are where the open containers end. */
static bool doc_acceptable(struct arena *a, yyjson_doc *doc)
{
	yyjson_val *ends[DEPTH_MAX], *v = yyjson_doc_get_root(doc);
	yyjson_val *end = v + yyjson_doc_get_val_count(doc);
	size_t depth = 0;

	for (; v < end; v++) {
		if (!unsafe_yyjson_is_ctn(v))
			continue;
		while (depth > 0 && v >= ends[depth - 1])
			depth--;
		if (depth == DEPTH_MAX)
			return false;
		ends[depth++] = unsafe_yyjson_get_next(v);
		if (unsafe_yyjson_is_obj(v) && !keys_unique(a, v))
			return false;
	}
	return true;
}

const struct json *json_parse(struct arena *a, struct str text)
{
	yyjson_alc alc = {alc_malloc, alc_realloc, alc_free, a};
	yyjson_doc *doc = yyjson_read_opts((char *)text.p, text.n, YYJSON_READ_NOFLAG, &alc, NULL);

	if (!doc || !doc_acceptable(a, doc))
		return NULL;
	return wrap(yyjson_doc_get_root(doc));
}

enum json_type json_type(const struct json *v)
{
	switch (yyjson_get_type(val(v))) {
	case YYJSON_TYPE_BOOL:
		return JSON_BOOL;
	case YYJSON_TYPE_NUM:
		if (yyjson_is_sint(val(v)))
			return JSON_INT;
		return yyjson_is_uint(val(v)) && yyjson_get_uint(val(v)) <= INT64_MAX ? JSON_INT
										      : JSON_NUMBER;
	case YYJSON_TYPE_STR:
		return JSON_STRING;
	case YYJSON_TYPE_ARR:
		return JSON_ARRAY;
	case YYJSON_TYPE_OBJ:
		return JSON_OBJECT;
	default:
		return JSON_NULL;
	}
}

const struct json *json_get(const struct json *obj, const char *key)
{
	return wrap(yyjson_obj_get(val(obj), key));
}

bool json_to_bool(const struct json *v)
{
	return yyjson_get_bool(val(v));
}

int64_t json_to_i64(const struct json *v)
{
	return json_type(v) == JSON_INT ? yyjson_get_sint(val(v)) : 0;
}

struct str json_to_str(const struct json *v)
{
	return yyjson_is_str(val(v)) ? text_of(val(v)) : STR_NULL;
}

size_t json_len(const struct json *v)
{
	return yyjson_is_ctn(val(v)) ? unsafe_yyjson_get_len(val(v)) : 0;
}

const struct json *json_at(const struct json *arr, size_t i)
{
	return wrap(yyjson_arr_get(val(arr), i));
}

/* state[0]: the next value or key; state[1]: how many are left; state[2]: not NULL in an object. */
struct json_iter json_each(const struct json *v)
{
	struct json_iter it = {0};
	size_t n = json_len(v);

	if (n > 0) {
		it.state[0] = unsafe_yyjson_get_first(val(v));
		it.state[1] = (void *)(uintptr_t)n;
		it.state[2] = yyjson_is_obj(val(v)) ? it.state[0] : NULL;
	}
	return it;
}

bool json_next(struct json_iter *it)
{
	yyjson_val *at = it->state[0];
	uintptr_t left = (uintptr_t)it->state[1];

	if (left == 0)
		return false;
	if (it->state[2])
		it->key = text_of(at++);
	it->value = wrap(at);
	it->state[0] = unsafe_yyjson_get_next(at);
	it->state[1] = (void *)(left - 1);
	return true;
}

void json_write(struct buf *b, const struct json *v)
{
	size_t n;
	char *text = yyjson_val_write(val(v), YYJSON_WRITE_NOFLAG, &n);

	if (!text)
		PANIC("a parsed JSON value could not be written");
	buf_put(b, text, n);
	free(text);
}
