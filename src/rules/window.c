/* Fixed-window counters: a set-associative table without chains or growth.
 *
 * window_count: the caller's few places -> its own slot, else one of an older window, else the one
 * with the fewest hits.
 * Lifetime: the table is the caller's; all zero is empty. */
#include "rules/window.h"

static struct window_slot *slot_for(struct window *w, uint64_t who, int64_t window)
{
	struct window_slot *set = &w->slots[who % (WINDOW_SLOTS / WINDOW_WAYS) * WINDOW_WAYS];
	struct window_slot *best = set;

	for (int i = 0; i < WINDOW_WAYS; i++) {
		if (set[i].who == who && set[i].window == window)
			return &set[i];
		if (best->window == window && (set[i].window != window || set[i].hits < best->hits))
			best = &set[i];
	}
	*best = (struct window_slot){.who = who, .window = window};
	return best;
}

struct window_hit window_count(
	struct window *w, uint64_t who, int64_t max, int64_t length_s, int64_t now_s)
{
	struct window_slot *s = slot_for(w, who, now_s / length_s);
	struct window_hit hit = {.reset = length_s - now_s % length_s};

	if (s->hits <= max)
		s->hits++;
	hit.over = s->hits > max;
	hit.left = hit.over ? 0 : max - s->hits;
	return hit;
}
