/* How the fields of a row are written, for the tables of routes (api/routes.c) and of socket events
 * (api/events.c). */
#ifndef API_ROWS_H
#define API_ROWS_H

#include "api/route.h"

#define ID_MAX 9007199254740991 /* 2^53 - 1: what every JSON reader keeps exactly */

#define FIELDS(...)                                                                                \
	(const struct field[])                                                                     \
	{                                                                                          \
		__VA_ARGS__,                                                                       \
		{                                                                                  \
			.name = NULL                                                               \
		}                                                                                  \
	}
#define NEED_STR(name_, chars_, min_, max_, help_)                                                 \
	{                                                                                          \
		.name = (name_), .in = IN_BODY, .type = FIELD_STR, .required = true,               \
		.chars = (chars_), .min = (min_), .max = (max_), .help = (help_)                   \
	}
#define MAY_STR(name_, chars_, min_, max_, help_)                                                  \
	{                                                                                          \
		.name = (name_), .in = IN_BODY, .type = FIELD_STR, .nullable = true,               \
		.chars = (chars_), .min = (min_), .max = (max_), .help = (help_)                   \
	}
#define NEED_INT(name_, min_, max_, help_)                                                         \
	{                                                                                          \
		.name = (name_), .in = IN_BODY, .type = FIELD_INT, .required = true,               \
		.min = (min_), .max = (max_), .help = (help_)                                      \
	}
#define MAY_INT(name_, min_, max_, help_)                                                          \
	{                                                                                          \
		.name = (name_), .in = IN_BODY, .type = FIELD_INT, .nullable = true,               \
		.min = (min_), .max = (max_), .help = (help_)                                      \
	}
#define MAY_BOOL(name_, help_)                                                                     \
	{                                                                                          \
		.name = (name_), .in = IN_BODY, .type = FIELD_BOOL, .nullable = true,              \
		.help = (help_)                                                                    \
	}
#define MAY_WORD(name_, in_, words_, help_)                                                        \
	{                                                                                          \
		.name = (name_), .in = (in_), .type = FIELD_STR, .nullable = true, .max = 64,      \
		.words = (words_), .help = (help_)                                                 \
	}
#define QUERY_STR(name_, chars_, min_, max_, help_)                                                \
	{                                                                                          \
		.name = (name_), .in = IN_QUERY, .type = FIELD_STR, .chars = (chars_),             \
		.min = (min_), .max = (max_), .help = (help_)                                      \
	}
#define QUERY_INT(name_, min_, max_, def_, help_)                                                  \
	{                                                                                          \
		.name = (name_), .in = IN_QUERY, .type = FIELD_INT, .min = (min_), .max = (max_),  \
		.def = (def_), .help = (help_)                                                     \
	}
#define QUERY_TIME(name_, help_)                                                                   \
	{                                                                                          \
		.name = (name_), .in = IN_QUERY, .type = FIELD_TIME, .help = (help_)               \
	}
#define PATH_STR(name_, chars_, min_, max_, help_)                                                 \
	{                                                                                          \
		.name = (name_), .in = IN_PATH, .type = FIELD_STR, .required = true,               \
		.chars = (chars_), .min = (min_), .max = (max_), .help = (help_)                   \
	}
#define PATH_ID(help_)                                                                             \
	{                                                                                          \
		.name = "id", .in = IN_PATH, .type = FIELD_INT, .required = true, .min = 1,        \
		.max = ID_MAX, .help = (help_)                                                     \
	}
#define PAGE(limit_)                                                                               \
	QUERY_INT("offset", 0, 10000, 0, "how many to skip"),                                      \
		QUERY_INT("limit", 1, 100, (limit_), "how many at most")

#endif
