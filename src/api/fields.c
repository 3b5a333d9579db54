/* The validator of requests.
 *
 * fields_read: each field of the row, in its order: raw text of path or query, or the JSON value ->
 * type -> bounds -> characters -> struct value.
 * Lifetime: values and sentences live in the arena that is handed in.
 * To add a type of field: edit enum field_type, from_text, from_json, api/openapi.c and api/docs.c.
 * To add a character set: edit enum field_chars, char_ok and api/docs.c. */
#include "api/fields.h"
#include "api/router.h"
#include "base/clock.h"
#include "base/config.h"

#include <inttypes.h>
#include <stdio.h>

struct reading {
	struct arena *arena;
	const struct field *field;
	struct str sentence;
};

/* What a client reads of a field. */
static const char *name_of(const struct field *f)
{
	return strcmp(f->name, "*") == 0 ? "body" : f->name;
}

static bool bad(struct reading *r, const char *rest)
{
	r->sentence = arena_printf(r->arena, "%s %s", name_of(r->field), rest);
	return false;
}

static bool bad_count(struct reading *r, const char *how, int64_t n, const char *what)
{
	char text[96];

	snprintf(text, sizeof(text), "must %s %" PRId64 " %s%s", how, n, what, n == 1 ? "" : "s");
	return bad(r, text);
}

/* ---- strings ---- */

static bool char_ok(enum field_chars set, uint8_t c, uint8_t next)
{
	bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
	bool digit = c >= '0' && c <= '9';

	switch (set) {
	case CHARS_USERNAME:
		return letter || digit || c == '.' || c == '_' || c == '-';
	case CHARS_PLATFORM_ID:
		return letter || digit || c == '.' || c == '_' || c == '-' || c == ':';
	case CHARS_CODE:
		return letter || digit;
	case CHARS_SLUG:
		return (letter && c >= 'a') || digit || c == '-';
	case CHARS_CLIENT_ID:
		return letter || digit || c == '-';
	case CHARS_HTTPS_URL:
		return c > ' ' && c != 0x7F && c != '"' && c != '<' && c != '>' && c != '\\';
	case CHARS_TEXT:
		if (c == '\n' || c == '\t')
			return true;
		break;
	default:
		break;
	}
	/* No control characters: C0, DEL, and C1 (U+0080..U+009F). */
	return c >= ' ' && c != 0x7F && !(c == 0xC2 && next < 0xA0);
}

static bool chars_ok(enum field_chars set, struct str s)
{
	if (set == CHARS_RAW)
		return true;
	for (size_t i = 0; i < s.n; i++)
		if (!char_ok(set, (uint8_t)s.p[i], i + 1 < s.n ? (uint8_t)s.p[i + 1] : 0xFF))
			return false;
	return true;
}

static bool bad_choice(struct reading *r, const struct str *words, size_t n)
{
	struct str list = STR("");

	for (size_t i = 0; i < n; i++)
		list = arena_printf(r->arena, STR_FMT "%s" STR_FMT, STR_ARG(list), i ? ", " : "",
			STR_ARG(words[i]));
	r->sentence =
		arena_printf(r->arena, "%s must be one of " STR_FMT, r->field->name, STR_ARG(list));
	return false;
}

static bool choice_ok(struct reading *r, const struct str *words, size_t n, struct str s)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(words[i], s))
			return true;
	return bad_choice(r, words, n);
}

#define WORDS_MAX 16

static bool word_ok(struct reading *r, struct str s)
{
	struct str words[WORDS_MAX], rest = str_of(r->field->words);
	size_t n = 0;

	while (rest.p && n < WORDS_MAX)
		words[n++] = str_cut(&rest, ' ');
	return choice_ok(r, words, n, s);
}

static bool string_ok(struct reading *r, struct str s)
{
	const struct field *f = r->field;
	int64_t length = (int64_t)utf8_length(s);

	if (f->words)
		return word_ok(r, s);
	if (f->required && length == 0 && f->min == 1)
		return bad(r, "is required");
	if (length < f->min)
		return bad_count(r, "be at least", f->min, "character");
	if (length > f->max)
		return bad_count(r, "be at most", f->max, "character");
	if (!chars_ok(f->chars, s))
		return bad(r, "contains invalid characters");
	if (f->chars == CHARS_PLATFORM)
		return choice_ok(r, config.platforms.items, config.platforms.count, s);
	if (f->chars == CHARS_HTTPS_URL && s.n > 0 &&
		(!str_starts(s, STR("https://")) || s.n == sizeof("https://") - 1 || s.p[8] == '/'))
		return bad(r, "must be an https URL");
	return true;
}

static bool integer_ok(struct reading *r, int64_t v)
{
	char text[96];

	if (v >= r->field->min && v <= r->field->max)
		return true;
	snprintf(text, sizeof(text), "must be between %" PRId64 " and %" PRId64, r->field->min,
		r->field->max);
	return bad(r, text);
}

/* ---- from the path and the query ---- */

static bool from_text(struct reading *r, struct str raw, bool plus, struct value *v)
{
	char *text = arena_alloc(r->arena, raw.n + 1);

	v->given = v->has = true;
	if (!uri_decode(raw, plus, text, &v->s.n))
		return bad(r, "contains invalid characters");
	v->s.p = text;
	switch (r->field->type) {
	case FIELD_INT:
		return str_to_i64(str_make(text, v->s.n), &v->i) ? integer_ok(r, v->i)
								 : bad(r, "must be an integer");
	case FIELD_TIME:
		return time_parse(str_make(text, v->s.n), &v->i) || bad(r, "must be a time");
	case FIELD_BOOL: {
		struct str s = v->s;

		v->i = str_eq(s, STR("true"));
		return v->i || str_eq(s, STR("false")) || bad(r, "must be true or false");
	}
	default:
		return string_ok(r, v->s);
	}
}

/* A repeated parameter is refused: two readers could take different ones. */
static bool from_query(struct reading *r, struct str query, struct value *v)
{
	struct str rest = query, name, raw, found = STR_NULL;

	while (rest.p && query_next(&rest, &name, &raw)) {
		if (!str_eq(name, str_of(r->field->name)))
			continue;
		if (found.p)
			return bad(r, "must be given once");
		found = raw.p ? raw : STR("");
	}
	if (found.p)
		return from_text(r, found, true, v);
	if (r->field->required)
		return bad(r, "is required");
	if (r->field->type == FIELD_INT)
		v->i = r->field->def;
	return true;
}

/* ---- from the body ---- */

static bool array_ok(struct reading *r, const struct json *j, enum json_type of, const char *what)
{
	const struct field *f = r->field;
	int64_t n;

	if (json_type(j) != JSON_ARRAY)
		return bad(r, "must be a list");
	n = (int64_t)json_len(j);
	if (n < f->min)
		return bad_count(r, "have at least", f->min, "item");
	if (n > f->max)
		return bad_count(r, "have at most", f->max, "item");
	for (struct json_iter it = json_each(j); json_next(&it);)
		if (json_type(it.value) != of)
			return bad(r, what);
	return true;
}

static bool object_ok(struct reading *r, const struct json *j)
{
	if (json_type(j) != JSON_OBJECT)
		return bad(r, "must be an object");
	if ((int64_t)json_len(j) > r->field->max)
		return bad_count(r, "have at most", r->field->max, "key");
	return true;
}

static bool from_value(struct reading *r, const struct json *j, struct value *v)
{
	bool is_string = json_type(j) == JSON_STRING;

	switch (r->field->type) {
	case FIELD_STR:
		if (!is_string)
			return bad(r, "must be a string");
		v->s = arena_str(r->arena, json_to_str(j));
		return string_ok(r, v->s);
	case FIELD_INT:
		if (json_type(j) != JSON_INT)
			return bad(r, "must be an integer");
		v->i = json_to_i64(j);
		return integer_ok(r, v->i);
	case FIELD_BOOL:
		if (json_type(j) != JSON_BOOL)
			return bad(r, "must be true or false");
		v->i = json_to_bool(j);
		return true;
	case FIELD_TIME:
		return (is_string && time_parse(json_to_str(j), &v->i)) || bad(r, "must be a time");
	case FIELD_STRS:
		v->json = j;
		return array_ok(r, j, JSON_STRING, "must be a list of strings");
	case FIELD_INTS:
		v->json = j;
		if (is_string && r->field->words)
			return word_ok(r, json_to_str(j));
		return array_ok(r, j, JSON_INT, "must be a list of integers");
	case FIELD_OBJECTS:
		v->json = j;
		return array_ok(r, j, JSON_OBJECT, "must be a list of objects");
	case FIELD_OBJECT:
		v->json = j;
		return object_ok(r, j);
	}
	return false;
}

static bool from_body(struct reading *r, const struct json *body, struct value *v)
{
	const struct field *f = r->field;
	const struct json *j;

	if (strcmp(f->name, "*") == 0)
		j = body;
	else
		j = body ? json_get(body, f->name) : NULL;
	if (!j || (f->required && json_type(j) == JSON_NULL))
		return !f->required || bad(r, "is required");
	v->given = true;
	if (json_type(j) == JSON_NULL && f->nullable)
		return true;
	v->has = true;
	return from_value(r, j, v);
}

/* ---- all of them ---- */

size_t field_count(const struct field *f)
{
	size_t n = 0;

	while (f && f[n].name)
		n++;
	return n;
}

bool fields_read(struct arena *a, const struct route *route, const struct str *params,
	struct str query, const struct json *body, struct value *out, struct field_fault *why)
{
	struct reading r = {.arena = a};

	for (const struct field *f = route->fields; f && f->name; f++, out++) {
		bool ok = false;

		r.field = f;
		*out = (struct value){.given = false};
		if (f->in == IN_PATH) {
			int index = route_param(route, f->name);

			ASSERT(index >= 0);
			ok = from_text(&r, params[index], false, out);
		} else if (f->in == IN_QUERY) {
			ok = from_query(&r, query, out);
		} else {
			ok = from_body(&r, body, out);
		}
		if (!ok) {
			*why = (struct field_fault){name_of(f), r.sentence};
			return false;
		}
	}
	return true;
}
