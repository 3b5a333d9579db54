/* Timers: owns the wheel and the one libuv timer of the process.
 *
 *   timer_set -> wheel slot -> (cascades to finer levels) -> timers_run: expired -> fn
 *
 * The wheel has levels of 64 slots: 16 ms a slot, then 1 s, 65 s, 70 min, 3 days. A timer hangs in
 * the coarsest level whose slot it does not share with now; when now reaches that slot it moves to
 * a finer one. A bit per slot that holds something makes the next event a matter of five ctz, so an
 * idle process sleeps until something is due, and a clock that jumps (tests) skips empty ticks.
 *
 * What is due is decided by clock_ms() alone, in the loop's turn; the libuv timer only ends the
 * poll. It is moved when something earlier is set, not when a timer is cleared: a request's
 * deadline costs two list operations.
 *
 * Lifetime: a timer belongs to whoever embeds it, who clears it before it goes. */
#include "io/timer.h"

#include <uv.h>

#include "base/clock.h"

#define TICK_MS      16
#define LEVEL_BITS   6u
#define LEVEL_SLOTS  64u
#define LEVELS       5u
#define FARTHEST     ((1ull << (LEVEL_BITS * LEVELS)) - 1) /* ticks; what is later cascades again */
#define NEVER        UINT64_MAX
#define ARM_SLACK_MS 2 /* clocks are rounded to ms: less than this is not worth a new arming */
#define LAG_SECONDS  10

static struct {
	struct list slots[LEVELS * LEVEL_SLOTS];
	uint64_t busy[LEVELS]; /* a bit per slot that is not empty */
	uint64_t tick;         /* everything up to this tick has fired */
	struct list expired;   /* being fired */

	uv_timer_t uv;
	uint64_t armed; /* uv_now() it ends the poll at; NEVER */
	int64_t armed_ns;

	struct loop_lag lag; /* but max */
	struct {
		int64_t second, us;
	} lag_max[LAG_SECONDS];
} wheel;

static void slot_put(struct timer *t, uint64_t at)
{
	uint64_t delta = at - wheel.tick;
	unsigned level = delta ? (63u - (unsigned)__builtin_clzll(delta)) / LEVEL_BITS : 0;
	unsigned slot = (unsigned)(at >> (LEVEL_BITS * level)) % LEVEL_SLOTS;

	list_add_tail(&wheel.slots[level * LEVEL_SLOTS + slot], &t->node);
	wheel.busy[level] |= 1ull << slot;
}

/* The tick at which it fires, not before `earliest`. */
static uint64_t tick_of(const struct timer *t, uint64_t earliest)
{
	uint64_t at = ((uint64_t)t->due + TICK_MS - 1) / TICK_MS;

	if (at < earliest)
		return earliest;
	return at - wheel.tick > FARTHEST ? wheel.tick + FARTHEST : at;
}

void timer_init(struct timer *t, void (*fn)(struct timer *t))
{
	list_init(&t->node);
	t->due = 0;
	t->fn = fn;
}

void timer_set(struct timer *t, int64_t ms)
{
	timer_clear(t);
	t->due = clock_ms() + (ms > 0 ? ms : 0);
	slot_put(t, tick_of(t, wheel.tick + 1));
}

void timer_clear(struct timer *t)
{
	struct list *head = t->node.next;
	bool last = head == t->node.prev && head != &t->node;

	list_remove(&t->node);
	if (last && head >= wheel.slots && head < wheel.slots + LEVELS * LEVEL_SLOTS) {
		size_t i = (size_t)(head - wheel.slots);

		wheel.busy[i / LEVEL_SLOTS] &= ~(1ull << (i % LEVEL_SLOTS));
	}
}

bool timer_is_set(const struct timer *t)
{
	return !list_empty(&t->node);
}

/* The next tick at which a slot has to be looked at. */
static uint64_t wheel_next(void)
{
	uint64_t next = NEVER;

	for (unsigned level = 0; level < LEVELS; level++) {
		uint64_t busy = wheel.busy[level];
		unsigned shift = LEVEL_BITS * level;
		uint64_t from = (wheel.tick >> shift) + 1;
		unsigned turn = (unsigned)(from % LEVEL_SLOTS);
		uint64_t at;

		if (busy == 0)
			continue;
		busy = busy >> turn | busy << ((LEVEL_SLOTS - turn) % LEVEL_SLOTS);
		at = (from + (uint64_t)__builtin_ctzll(busy)) << shift;
		if (at < next)
			next = at;
	}
	return next;
}

bool timers_left(void)
{
	return wheel_next() != NEVER;
}

static void slot_empty(unsigned level, unsigned slot)
{
	struct list *head = &wheel.slots[level * LEVEL_SLOTS + slot];
	struct list *n;

	wheel.busy[level] &= ~(1ull << slot);
	while ((n = list_pop(head)) != NULL) {
		struct timer *t = LIST_ITEM(n, struct timer, node);

		if (level == 0)
			list_add_tail(&wheel.expired, n);
		else
			slot_put(t, tick_of(t, wheel.tick));
	}
}

void timers_run(void)
{
	uint64_t now = (uint64_t)clock_ms() / TICK_MS;
	struct list *n;

	for (uint64_t at; (at = wheel_next()) <= now;) {
		wheel.tick = at;
		for (unsigned level = LEVELS; level-- > 0;) {
			unsigned shift = LEVEL_BITS * level;

			if ((at & ((1ull << shift) - 1)) == 0)
				slot_empty(level, (unsigned)(at >> shift) % LEVEL_SLOTS);
		}
	}
	if (now > wheel.tick)
		wheel.tick = now;
	while ((n = list_pop(&wheel.expired)) != NULL) {
		struct timer *t = LIST_ITEM(n, struct timer, node);

		t->fn(t);
	}
}

const int64_t loop_lag_bounds[LOOP_LAG_BOUNDS] = {
	1000, 2000, 5000, 10000, 20000, 50000, 100000, 200000, 500000, 1000000};

static void lag_note(int64_t us)
{
	int64_t second = clock_ns() / 1000000000;
	size_t i = (size_t)(second % LAG_SECONDS), bound = 0;

	if (wheel.lag_max[i].second != second || wheel.lag_max[i].us < us)
		wheel.lag_max[i].us = us;
	wheel.lag_max[i].second = second;
	while (bound < LOOP_LAG_BOUNDS && us > loop_lag_bounds[bound])
		bound++;
	wheel.lag.counts[bound]++;
	wheel.lag.sum += us;
	wheel.lag.last = us;
}

struct loop_lag timers_lag(void)
{
	int64_t oldest = clock_ns() / 1000000000 - LAG_SECONDS;
	struct loop_lag lag = wheel.lag;

	for (size_t i = 0; i < LAG_SECONDS; i++)
		if (wheel.lag_max[i].second > oldest && wheel.lag_max[i].us > lag.max)
			lag.max = wheel.lag_max[i].us;
	return lag;
}

/* Only ends the poll: timers_run decides what is due. */
static void on_wake(uv_timer_t *uv)
{
	int64_t late = clock_ns() - wheel.armed_ns;

	(void)uv;
	wheel.armed = NEVER;
	lag_note(late > 0 ? late / 1000 : 0);
}

void timers_arm(void)
{
	uint64_t next = wheel_next();
	uint64_t now = (uint64_t)clock_ms();
	uint64_t wait, at;

	if (next == NEVER) {
		if (wheel.armed != NEVER)
			uv_timer_stop(&wheel.uv);
		wheel.armed = NEVER;
		return;
	}
	wait = next * TICK_MS > now ? next * TICK_MS - now : 0;
	at = uv_now(loop_uv()) + wait;
	if (wheel.armed != NEVER && at + ARM_SLACK_MS >= wheel.armed)
		return;
	wheel.armed = at;
	wheel.armed_ns = clock_ns() + (int64_t)wait * 1000000;
	uv_timer_start(&wheel.uv, on_wake, wait, 0);
}

void timers_init(void)
{
	memset(&wheel, 0, sizeof(wheel));
	for (size_t i = 0; i < LEVELS * LEVEL_SLOTS; i++)
		list_init(&wheel.slots[i]);
	list_init(&wheel.expired);
	wheel.tick = (uint64_t)clock_ms() / TICK_MS;
	wheel.armed = NEVER;
	uv_timer_init(loop_uv(), &wheel.uv);
}

void timers_close(void)
{
	uv_close((uv_handle_t *)&wheel.uv, NULL);
}
