/* Shapes of answers: reading the language, and checking a value.
 *
 * shape_parse: text -> tree in the arena, named shapes taken in. shape_check: tree and value side
 * by side; the first difference is told with the path to it. To add a kind: edit enum shape_kind,
 * `scalars`, scalar_ok and api/openapi.c. */
#include "api/shape.h"
#include "base/clock.h"

#include <stdio.h>

struct reader {
	struct arena *arena;
	const char *text, *at;
};

static _Noreturn void shape_mistake(const struct reader *r)
{
	PANIC("shape at \"%s\" of \"%s\"", r->at, r->text);
}

static bool take(struct reader *r, const char *token)
{
	size_t n = strlen(token);

	while (*r->at == ' ')
		r->at++;
	if (strncmp(r->at, token, n) != 0)
		return false;
	r->at += n;
	return true;
}

static struct str take_name(struct reader *r)
{
	const char *from;

	(void)take(r, "");
	from = r->at;
	while ((*r->at >= 'a' && *r->at <= 'z') || (*r->at >= '0' && *r->at <= '9') ||
		*r->at == '_')
		r->at++;
	if (r->at == from)
		shape_mistake(r);
	return str_make(from, (size_t)(r->at - from));
}

static struct shape *parse_type(struct reader *r);

static struct shape *parse_named(struct reader *r)
{
	struct str name = take_name(r);

	for (size_t i = 0; i < shape_name_count; i++)
		if (str_eq(name, str_of(shape_names[i].name))) {
			struct reader inner = {
				r->arena, shape_names[i].shape, shape_names[i].shape};
			struct shape *s = parse_type(&inner);

			s->name = name;
			return s;
		}
	shape_mistake(r);
}

/* Behind '{'. */
static void parse_members(struct reader *r, struct shape *s)
{
	struct shape_member **last = &s->members;

	do {
		if (take(r, "...")) {
			s->open = true;
		} else if (take(r, "@")) {
			*last = parse_named(r)->members;
			while (*last)
				last = &(*last)->next;
		} else {
			struct shape_member *m = arena_new(r->arena, struct shape_member);

			m->name = take_name(r);
			m->optional = take(r, "?");
			if (!take(r, ":"))
				shape_mistake(r);
			m->type = parse_type(r);
			*last = m;
			last = &m->next;
		}
	} while (take(r, ","));
	if (!take(r, "}"))
		shape_mistake(r);
}

static const struct {
	const char *name;
	enum shape_kind kind;
} scalars[] = {
	{"int", SHAPE_INT},
	{"str", SHAPE_STR},
	{"bool", SHAPE_BOOL},
	{"time", SHAPE_TIME},
	{"num", SHAPE_NUM},
	{"map", SHAPE_MAP},
	{"any", SHAPE_ANY},
};

static void parse_scalar(struct reader *r, struct shape *s)
{
	struct str name = take_name(r);

	for (size_t i = 0; i < sizeof(scalars) / sizeof(*scalars); i++)
		if (str_eq(name, str_of(scalars[i].name))) {
			s->kind = scalars[i].kind;
			return;
		}
	shape_mistake(r);
}

static struct shape *parse_type(struct reader *r)
{
	struct shape *s = arena_new(r->arena, struct shape);

	if (take(r, "@")) {
		s = parse_named(r);
	} else if (take(r, "[")) {
		s->kind = SHAPE_LIST;
		s->of = parse_type(r);
		if (!take(r, "]"))
			shape_mistake(r);
	} else if (take(r, "{")) {
		s->kind = SHAPE_OBJECT;
		parse_members(r, s);
	} else if (take(r, "(")) {
		const char *end = strchr(r->at, ')');

		if (!end)
			shape_mistake(r);
		s->kind = SHAPE_WORDS;
		s->words = str_make(r->at, (size_t)(end - r->at));
		r->at = end + 1;
	} else {
		parse_scalar(r, s);
	}
	s->nullable = take(r, "?");
	return s;
}

const struct shape *shape_parse(struct arena *a, const char *text)
{
	struct reader r = {a, text, text};
	const struct shape *s = parse_type(&r);

	if (*r.at != '\0')
		shape_mistake(&r);
	return s;
}

/* ---- checking ---- */

struct place {
	const struct place *up;
	struct str name;
	size_t index; /* when name.p is NULL */
};

static struct str place_text(struct arena *a, const struct place *p)
{
	struct str up;

	if (!p)
		return STR("the answer");
	up = p->up ? place_text(a, p->up) : STR("");
	if (!p->name.p)
		return arena_printf(a, STR_FMT "[%zu]", STR_ARG(up), p->index);
	return arena_printf(
		a, STR_FMT "%s" STR_FMT, STR_ARG(up), p->up ? "." : "", STR_ARG(p->name));
}

struct check {
	struct arena *arena;
	struct str *why;
};

static bool differs(struct check *c, const struct place *at, const char *what)
{
	*c->why = arena_printf(c->arena, STR_FMT ": %s", STR_ARG(place_text(c->arena, at)), what);
	return false;
}

static bool word_known(struct str words, struct str s)
{
	while (words.p)
		if (str_eq(str_cut(&words, '|'), s))
			return true;
	return false;
}

static bool time_ok(struct str s)
{
	int64_t us;

	return s.n > 0 && s.p[s.n - 1] == 'Z' && time_parse(s, &us);
}

static bool scalar_ok(const struct shape *s, const struct json *v)
{
	enum json_type type = json_type(v);

	switch (s->kind) {
	case SHAPE_INT:
		return type == JSON_INT;
	case SHAPE_STR:
		return type == JSON_STRING;
	case SHAPE_BOOL:
		return type == JSON_BOOL;
	case SHAPE_TIME:
		return type == JSON_STRING && time_ok(json_to_str(v));
	case SHAPE_NUM:
		return type == JSON_INT || type == JSON_NUMBER;
	case SHAPE_WORDS:
		return type == JSON_STRING && word_known(s->words, json_to_str(v));
	case SHAPE_MAP:
		return type == JSON_OBJECT;
	default:
		return true;
	}
}

static bool value_ok(
	struct check *c, const struct shape *s, const struct json *v, const struct place *at);

static const struct shape_member *member_of(const struct shape *s, struct str name)
{
	for (const struct shape_member *m = s->members; m; m = m->next)
		if (str_eq(m->name, name))
			return m;
	return NULL;
}

static bool object_ok(
	struct check *c, const struct shape *s, const struct json *v, const struct place *at)
{
	if (json_type(v) != JSON_OBJECT)
		return differs(c, at, "not an object");
	for (struct json_iter it = json_each(v); json_next(&it);) {
		const struct shape_member *m = member_of(s, it.key);
		struct place here = {at, it.key, 0};

		if (!m && !s->open)
			return differs(c, &here, "not in the row");
		if (m && !value_ok(c, m->type, it.value, &here))
			return false;
	}
	for (const struct shape_member *m = s->members; m; m = m->next) {
		struct place here = {at, m->name, 0};
		char name[64];

		snprintf(name, sizeof(name), STR_FMT, STR_ARG(m->name));
		if (!m->optional && !json_get(v, name))
			return differs(c, &here, "missing");
	}
	return true;
}

static bool list_ok(
	struct check *c, const struct shape *s, const struct json *v, const struct place *at)
{
	struct place here = {at, STR_NULL, 0};

	if (json_type(v) != JSON_ARRAY)
		return differs(c, at, "not an array");
	for (struct json_iter it = json_each(v); json_next(&it); here.index++)
		if (!value_ok(c, s->of, it.value, &here))
			return false;
	return true;
}

static bool value_ok(
	struct check *c, const struct shape *s, const struct json *v, const struct place *at)
{
	if (json_type(v) == JSON_NULL && s->kind != SHAPE_ANY)
		return s->nullable || differs(c, at, "null");
	if (s->kind == SHAPE_OBJECT)
		return object_ok(c, s, v, at);
	if (s->kind == SHAPE_LIST)
		return list_ok(c, s, v, at);
	return scalar_ok(s, v) || differs(c, at, "another type than in the row");
}

bool shape_check(struct arena *a, const struct shape *s, const struct json *v, struct str *why)
{
	struct check c = {a, why};

	return value_ok(&c, s, v, NULL);
}
