/* The event loop: one libuv loop, one thread. This folder is the only one that includes uv.h.
 *
 * A turn: poll -> callbacks -> ready queue drained -> turn hooks (stores flush, connections flush,
 * swept, logs flushed) -> next poll. Whatever is started in a turn leaves in its hooks.
 *
 * Lifetime: loop_init at start; loop_close proves that no handle is left (tests assert it). */
#ifndef IO_LOOP_H
#define IO_LOOP_H

#include "base/err.h"
#include "base/list.h"
#include "base/str.h"

struct uv_loop_s;

/* Work for the ready queue: embed it, call ready_add; fn runs later in this same turn, once.
 * ready_add on one that is queued does nothing; ready_cancel takes it off. */
struct ready {
	struct list node;
	void (*fn)(struct ready *r);
};
void ready_init(struct ready *r, void (*fn)(struct ready *r));
void ready_add(struct ready *r);
void ready_cancel(struct ready *r);

/* Called once a turn after the ready queue is empty, in the order of phases. */
enum hook_phase {
	HOOK_STORES, /* redis and pg: one write each */
	HOOK_CONNS,  /* connections: flush, then sweep the closed */
	HOOK_LATE    /* logs */
};
struct turn_hook {
	struct list node;
	void (*fn)(struct turn_hook *h);
};
void turn_hook_add(struct turn_hook *h, enum hook_phase phase, void (*fn)(struct turn_hook *h));
void turn_hook_remove(struct turn_hook *h);

void loop_init(void);
struct uv_loop_s *loop_uv(void); /* for this folder */
/* For this folder: every libuv callback begins with it. Reads the clocks when it is the turn's
 * first; without it a callback sees the time at which the loop went to sleep. */
void loop_enter(void);
/* Runs until loop_stop or until nothing is left to do. */
void loop_run(void);
void loop_stop(void);
/* Closes the loop's own handles. False, and a line per handle on stderr, when others are left. */
bool loop_close(void) MUST_CHECK;

/* SIGTERM and SIGINT (stop), SIGHUP (reload). */
void loop_on_signal(int signum, void (*fn)(int signum));

/* Loop lag: how late timers fire, in microseconds; for /metrics. */
#define LOOP_LAG_BOUNDS 10
extern const int64_t loop_lag_bounds[LOOP_LAG_BOUNDS];
struct loop_lag {
	int64_t last, max, sum;               /* max of the last 10 s; sum of all */
	uint64_t counts[LOOP_LAG_BOUNDS + 1]; /* up to each bound; then beyond the last */
};
struct loop_stats {
	uint64_t turns;
	struct loop_lag lag;
};
struct loop_stats loop_stats(void);

/* ---- timers: one libuv timer for all ---- */
/* A timer is embedded; it fires once. Durations in ms. Cheap to set and to clear (a hashed wheel of
 * 16 ms ticks, or a heap); precision one tick. */
struct timer {
	struct list node;
	int64_t due; /* clock_ms */
	void (*fn)(struct timer *t);
};
void timer_init(struct timer *t, void (*fn)(struct timer *t));
void timer_set(struct timer *t, int64_t ms); /* from now; setting again moves it */
void timer_clear(struct timer *t);           /* idempotent */
bool timer_is_set(const struct timer *t);

#endif
