/* JSON (RFC 8259). Reading is yyjson's (this header's .c is the only file that sees it); writing
 * appends to a buffer, because an answer is written once and never changed.
 *
 * Writer: commas are put by the writer.
 *     json_obj(j); json_ki64(j, "id", 7); json_kstr(j, "name", s); json_end(j);
 * A writer is the buffer plus a small state: struct json_out. */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

/* ---- writing ---- */
struct json_out {
	struct buf *b;
	uint8_t depth;     /* at most 31 */
	uint32_t nonempty; /* bit per depth: a comma is due */
	uint32_t array;    /* bit per depth: array, else object */
	bool after_key;
};

void json_out_init(struct json_out *j, struct buf *b);
void json_obj(struct json_out *j);
void json_arr(struct json_out *j);
void json_end(struct json_out *j);                  /* closes the innermost */
void json_key(struct json_out *j, const char *key); /* a plain ASCII literal, not escaped */
void json_str(struct json_out *j, struct str s);    /* escaped; NULL p writes null */
void json_z(struct json_out *j, const char *z);
void json_i64(struct json_out *j, int64_t v);
void json_bool(struct json_out *j, bool v);
void json_null(struct json_out *j);
void json_time(struct json_out *j, int64_t us);     /* 0 writes null */
void json_raw(struct json_out *j, struct str text); /* a ready JSON value */

/* json_obj fields in one go */
#define json_kstr(j, k, s)  (json_key((j), (k)), json_str((j), (s)))
#define json_ki64(j, k, v)  (json_key((j), (k)), json_i64((j), (v)))
#define json_kbool(j, k, v) (json_key((j), (k)), json_bool((j), (v)))
#define json_knull(j, k)    (json_key((j), (k)), json_null((j)))
#define json_ktime(j, k, v) (json_key((j), (k)), json_time((j), (v)))

/* ---- reading ---- */
struct json; /* a value; lives as long as its arena */

/* Parses all of `text` as one value. Memory comes from the arena. Refuses (NULL): malformed text,
 * invalid UTF-8, trailing bytes, over 64 levels of nesting, a key given twice in one object. */
const struct json *json_parse(struct arena *a, struct str text);

enum json_type {
	JSON_NULL,
	JSON_BOOL,
	JSON_INT,    /* fits int64 */
	JSON_NUMBER, /* any other number */
	JSON_STRING,
	JSON_ARRAY,
	JSON_OBJECT
};
/* Accessors take NULL (absent) as null; of another type they give false, 0 or STR_NULL. */
enum json_type json_type(const struct json *v);
/* NULL when absent or no object. */
const struct json *json_get(const struct json *obj, const char *key);
bool json_to_bool(const struct json *v);
int64_t json_to_i64(const struct json *v);
struct str json_to_str(const struct json *v);
size_t json_len(const struct json *v);                        /* elements or members */
const struct json *json_at(const struct json *arr, size_t i); /* O(i); use json_each for loops */
/* for (struct json_iter it = json_each(v); json_next(&it);) — it.key (objects), it.value */
struct json_iter {
	struct str key;
	const struct json *value;
	void *state[6];
};
struct json_iter json_each(const struct json *v);
bool json_next(struct json_iter *it);
/* Appends the value as compact text. */
void json_write(struct buf *b, const struct json *v);

#endif
