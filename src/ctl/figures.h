/* What a server did between two looks at its /metrics, as figures for people. */
#ifndef CTL_FIGURES_H
#define CTL_FIGURES_H

#include "base/json.h"

struct sample {
	struct buf text; /* Prometheus text */
	int64_t at;      /* clock_ns */
};
/* {"requests":{"per_second":12.0,…},…}; null where there is nothing to tell. */
void figures_write(struct json_out *j, const struct sample *before, const struct sample *now);
/* The label `name` of the first series of a metric: "version" of "build_info". */
struct str figures_label(const struct sample *s, const char *metric, const char *name);

#endif
