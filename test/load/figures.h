/* The figures of a result, as a list that two results can be compared by. */
#ifndef LOAD_FIGURES_H
#define LOAD_FIGURES_H

#include "base/json.h"

struct figure {
	char name[72]; /* "acked p99" */
	const char *unit;
	double value;
};
struct figures {
	struct figure all[128];
	size_t count;
};

/* Of each meter how many a second and how long; what it cost; the errors. */
void figures_read(const struct json *result, struct figures *out);
const struct figure *figures_find(const struct figures *f, const char *name); /* or NULL */
/* The value at "a.b.c"; NULL when absent. */
const struct json *json_path(const struct json *v, const char *path);

#endif
