/* How long to wait before connecting to a store again: 50 ms, doubling to 500 ms, a quarter more or
 * less by chance, so that many processes do not come back in step. */
#ifndef IO_BACKOFF_H
#define IO_BACKOFF_H

#include "base/clock.h"

/* `attempt` counts failed attempts from 0. Milliseconds. */
static inline int64_t backoff_ms(unsigned attempt)
{
	int64_t ms = attempt < 4 ? 50 << attempt : 500;

	return ms - ms / 4 + (clock_ns() >> 6) % (ms / 2);
}

#endif
