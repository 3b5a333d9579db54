/* What a scenario counts: each second, and over the whole run. */
#ifndef LOAD_METER_H
#define LOAD_METER_H

#include "hist.h"

struct meter {
	const char *name; /* what happened, in the past tense: "acked" */
	bool timed;       /* has latencies */
	uint64_t total, second;
	struct hist all, now; /* of the run, of the second */
};

void meter_add(struct meter *m);
void meter_time(struct meter *m, int64_t us); /* adds one that took this long */
void meter_second(struct meter *m);           /* a new second begins */
void meter_free(struct meter *m);
/* A member of the open object, by the meter's name: {"count"}, and with latencies what hist_write
 * gives as "latency". */
void meter_write(const struct meter *m, bool second, struct json_out *j);
/* The last second in words, appended; nothing when it was never used and has no latencies. */
void meter_say(const struct meter *m, struct buf *b);

#endif
