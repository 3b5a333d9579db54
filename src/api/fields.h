/* The fields of a request against their rows: types, bounds, character sets, and the sentence
 * about the first bad one (contract 0). Plain memory. */
#ifndef API_FIELDS_H
#define API_FIELDS_H

#include "api/route.h"
#include "base/json.h"

struct value {
	bool given; /* present, null or not */
	bool has;   /* present and not null */
	union {
		struct str s;            /* FIELD_STR */
		int64_t i;               /* FIELD_INT, FIELD_TIME (us), FIELD_BOOL */
		const struct json *json; /* the lists, FIELD_OBJECT */
	};
};

struct field_fault {
	const char *field;
	struct str sentence;
};

/* Reads all fields of the row into out[]. `params`: the path's, as sent; `query`: raw, may be NULL;
 * `body`: an object, or NULL for an empty one. False: `why` is about the first bad field, in the
 * order of the row. Strings are copied to the arena. */
bool fields_read(struct arena *a, const struct route *r, const struct str *params, struct str query,
	const struct json *body, struct value *out, struct field_fault *why);
size_t field_count(const struct field *f); /* of a row's list, which may be NULL */

#endif
