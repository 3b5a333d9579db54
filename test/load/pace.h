/* When a scenario's operations are due: operation k of a rate of M a second is due k/M seconds
 * after the load began, and is client k mod N's. Latencies count from then, also when the client
 * had to wait for its turn: what a slow server holds up is measured too. */
#ifndef LOAD_PACE_H
#define LOAD_PACE_H

#include <uv.h>

#include "run.h"

/* clock_ns() when the client's operation of this number, from 0, is due. INT64_MAX: never; the load
 * is over, or has no rate. */
int64_t pace_due(const struct share *s, size_t client, uint64_t number);

struct pace {
	uv_timer_t timer;
	const struct share *share;
	void (*fn)(void *arg, size_t client);
	void *arg;
	uint64_t done; /* operations whose time has come */
};
/* Tells each client when something of its becomes due, once for each operation, to the millisecond.
 * Not when the rate is 0. */
void pace_begin(
	struct pace *p, const struct share *s, void (*fn)(void *arg, size_t client), void *arg);
void pace_end(struct pace *p);

#endif
