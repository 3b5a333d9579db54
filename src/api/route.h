/* The table of routes: one row an endpoint. The gate, the validator, /openapi.json, /docs,
 * docs/api.md and the fuzz dictionary are made from it; test builds check every reply against it.
 *
 * To add an endpoint: add a row to api/routes.c and write its handler in the file of its noun. */
#ifndef API_ROUTE_H
#define API_ROUTE_H

#include "io/task.h"
#include "wire/http.h"

/* Who pays for a request (contract 0.4). Limits are settings RATE_LIMIT_<TIER>. */
enum tier {
	TIER_NONE,
	TIER_LOGIN,  /* per client address */
	TIER_PUBLIC, /* per client address, or public key + address */
	TIER_HEALTH, /* per client address; counted only while Redis is there */
	TIER_PROBE,  /* RATE_LIMIT_HEALTH, counted in this process: must answer whatever is away */
	TIER_AUTH,   /* per person */
	TIER_ADMIN,  /* per person */
	TIER_BOT     /* per bot key */
};

/* What an endpoint takes (contract 0.2); a live cookie wins where two are set. */
enum credential {
	CRED_NONE = 0,
	CRED_PUBLIC = 1,
	CRED_SESSION = 2,
	CRED_BOT = 4,
	CRED_METRICS = 8 /* address in METRICS_ALLOW */
};

enum field_in {
	IN_BODY,
	IN_QUERY,
	IN_PATH
};
enum field_type {
	FIELD_STR, /* min..max code points */
	FIELD_INT, /* min..max */
	FIELD_BOOL,
	FIELD_TIME,    /* RFC 3339 */
	FIELD_STRS,    /* array of strings, min..max elements */
	FIELD_INTS,    /* array of integers, min..max elements; or one of `words` */
	FIELD_OBJECTS, /* array of objects, min..max elements, whose members the handler checks */
	FIELD_OBJECT   /* any JSON object of min..max members; named "*": the whole body */
};
/* Character sets of FIELD_STR, checked after the length. */
enum field_chars {
	CHARS_ANY,         /* no control characters */
	CHARS_TEXT,        /* as ANY, but line feeds and tabs too */
	CHARS_USERNAME,    /* letters digits . _ - (ASCII) */
	CHARS_PLATFORM_ID, /* A-Za-z0-9_.:- */
	CHARS_CODE,        /* A-Za-z0-9 */
	CHARS_SLUG,        /* a-z0-9- */
	CHARS_CLIENT_ID,   /* A-Za-z0-9- */
	CHARS_HTTPS_URL,   /* an https URL without spaces or control bytes, or "" */
	CHARS_PLATFORM,    /* one of the setting PLATFORMS */
	CHARS_RAW          /* whatever it is: the handler looks at it (length too) */
};
struct field {
	const char *name; /* NULL ends the list */
	enum field_in in;
	enum field_type type;
	bool required;
	bool nullable; /* an explicit null is the same as absent */
	enum field_chars chars;
	int64_t min, max;
	int64_t def;       /* FIELD_INT in the query: the default */
	const char *words; /* FIELD_STR, FIELD_INTS: one of these, parted by spaces; NULL: any */
	const char *help;
};

struct route {
	enum http_method method;
	const char *path; /* "/v1/users/{id}"; a literal segment wins over a parameter */
	enum tier tier;
	unsigned cred; /* of enum credential */
	int level; /* least permission_level, checked against PostgreSQL on each request; 0: any */
	task_fn *begin; /* api/handlers.h; makes its frame with task_frame_make */
	/* A value kept per person in Redis that the gate reads along (portal:<with>:<user>) under a
	 * generation (portal:<with>:all), for endpoints that need nothing else; NULL: none. See
	 * gate_with in api/request.h. */
	const char *with;
	const struct field *fields; /* NULL: the request takes no fields */
	int status;                 /* of success: 200, 201 */
	/* Shape of the success body in a small language (api/shape.h): {id:int, name:str, at:time?,
	 * list:[@user]}. NULL: not JSON. */
	const char *reply;
	const char *errors; /* "USER_NOT_FOUND WEB_LOGIN_REQUIRED": those beyond the common ones */
	const char *help;   /* one line */
};

extern const struct route routes[];
extern const size_t route_count;

/* Named shapes of replies, @name in `reply`. */
struct shape_name {
	const char *name;
	const char *shape;
	const char *help;
};
extern const struct shape_name shape_names[];
extern const size_t shape_name_count;

#endif
