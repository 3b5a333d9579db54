/* Latencies, kept as HdrHistogram keeps them: counts in buckets that are linear within each power
 * of two, so that any value is known to one part in 1024 and adding one is a few instructions.
 * Values in microseconds, up to 12 days; what is more counts as that. */
#ifndef LOAD_HIST_H
#define LOAD_HIST_H

#include "base/json.h"

#define HIST_BITS    10
#define HIST_HALVES  30
#define HIST_BUCKETS ((HIST_HALVES + 1) << HIST_BITS)

struct hist {
	uint64_t count, sum, max;
	uint64_t *buckets; /* HIST_BUCKETS of them, from the first value on */
};

void hist_add(struct hist *h, int64_t us); /* below 0 counts as 0 */
/* The value that `part` (0..1) of those added do not exceed; 0 when there are none. */
uint64_t hist_at(const struct hist *h, double part);
void hist_clear(struct hist *h);
void hist_free(struct hist *h);
/* {"count","mean_us","p50_us","p90_us","p99_us","p999_us","max_us"} */
void hist_write(const struct hist *h, struct json_out *j);

#endif
