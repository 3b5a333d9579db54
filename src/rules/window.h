/* Fixed-window counters in this process's memory, for what must answer when the stores are away.
 * Bounded: a flood of strangers displaces the least counted of its neighbours, nothing grows. */
#ifndef RULES_WINDOW_H
#define RULES_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#define WINDOW_SLOTS 4096 /* a power of two */
#define WINDOW_WAYS  4    /* places where one caller may be */

struct window_slot {
	uint64_t who;
	int64_t window; /* number of the window since the epoch; 0: never used */
	int64_t hits;
};
struct window {
	struct window_slot slots[WINDOW_SLOTS];
};

struct window_hit {
	int64_t left;  /* hits that are left in this window */
	int64_t reset; /* seconds until it ends, at least 1 */
	bool over;
};
/* Counts one hit of `who` (a keyed hash) at `now_s`, windows of `length_s`, at most `max` in each.
 */
struct window_hit window_count(
	struct window *w, uint64_t who, int64_t max, int64_t length_s, int64_t now_s);

#endif
