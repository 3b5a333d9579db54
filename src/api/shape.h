/* The shape of an answer in a small language, written in the rows of api/routes.c:
 *
 *   int str bool time num   scalars; num is any number, time a string as base/clock.h writes it
 *   (a|b|c)                 one of these strings
 *   map any                 any object; anything
 *   [T]                     array
 *   {a:T, b?:T, @name, ...} object: `b?` may be left out, @name includes the members of a named
 *                           shape, ... allows others
 *   @name                   a named shape (shape_names)
 *   T?                      or null
 *
 * Test builds check every answer against it; OpenAPI schemas are made from it. */
#ifndef API_SHAPE_H
#define API_SHAPE_H

#include "api/route.h"
#include "base/json.h"

enum shape_kind {
	SHAPE_INT,
	SHAPE_STR,
	SHAPE_BOOL,
	SHAPE_TIME,
	SHAPE_NUM,
	SHAPE_WORDS,
	SHAPE_MAP,
	SHAPE_ANY,
	SHAPE_LIST,
	SHAPE_OBJECT
};
struct shape;
struct shape_member {
	struct str name;
	bool optional;
	const struct shape *type;
	struct shape_member *next;
};
struct shape {
	enum shape_kind kind;
	bool nullable;
	struct str name;              /* of the named shape it came from; NULL p: none */
	struct str words;             /* SHAPE_WORDS: "a|b|c" */
	const struct shape *of;       /* SHAPE_LIST */
	struct shape_member *members; /* SHAPE_OBJECT */
	bool open;                    /* others are allowed */
};

/* A mistake in the text is a bug and stops the process. */
const struct shape *shape_parse(struct arena *a, const char *text);
/* False: `why` says where and what ("sessions.0.geo: missing"). */
bool shape_check(struct arena *a, const struct shape *s, const struct json *v, struct str *why);

#endif
