/* The event loop: owns the libuv loop, the ready queue, the turn hooks and the signal handles.
 *
 *   poll -> uv callbacks -> (prepare) turn_end: timers, ready queue, hooks -> poll
 *
 * The end of a turn hangs on a prepare handle, which libuv runs right before it polls. Ready work
 * is run in rounds; after TURN_ROUNDS of them an idle handle makes the next poll return at once, so
 * that work that keeps making work cannot keep the sockets waiting.
 *
 * The clocks are read once a turn, by the first that needs them: libuv calls back from within its
 * poll, before any handle of ours could run, so each callback of this folder begins with
 * loop_enter.
 *
 * Lifetime: loop_init to loop_close; what is embedded elsewhere (ready, hooks) is taken off by its
 * owner. To add a phase: enum hook_phase in loop.h. */
#include "io/loop.h"

#include <signal.h>
#include <stdio.h>
#include <uv.h>

#include "base/clock.h"
#include "io/timer.h"

#define TURN_ROUNDS 64
#define SIGNALS_MAX 4
#define CLOSE_TURNS 8

struct signal_watch {
	uv_signal_t uv;
	int signum; /* 0: free */
	void (*fn)(int signum);
};

static struct {
	uv_loop_t uv;
	uv_prepare_t prepare;
	uv_idle_t idle; /* active while ready work is left over */
	struct list ready;
	struct list hooks[HOOK_LATE + 1];
	struct signal_watch signals[SIGNALS_MAX];
	bool clocks_read; /* in this turn */
	bool stop;
	uint64_t turns;
} loop;

void ready_init(struct ready *r, void (*fn)(struct ready *r))
{
	list_init(&r->node);
	r->fn = fn;
}

void ready_add(struct ready *r)
{
	if (list_empty(&r->node))
		list_add_tail(&loop.ready, &r->node);
}

void ready_cancel(struct ready *r)
{
	list_remove(&r->node);
}

/* Runs what is queued now; what that adds is the next round's. */
static void ready_round(void)
{
	struct list mark, *n;

	list_add_tail(&loop.ready, &mark);
	while ((n = list_pop(&loop.ready)) != &mark) {
		struct ready *r = LIST_ITEM(n, struct ready, node);

		r->fn(r);
	}
}

void turn_hook_add(struct turn_hook *h, enum hook_phase phase, void (*fn)(struct turn_hook *h))
{
	h->fn = fn;
	list_add_tail(&loop.hooks[phase], &h->node);
}

void turn_hook_remove(struct turn_hook *h)
{
	list_remove(&h->node);
}

static void hooks_run(void)
{
	for (size_t phase = 0; phase <= HOOK_LATE; phase++) {
		LIST_FOREACH_SAFE (n, &loop.hooks[phase]) {
			struct turn_hook *h = LIST_ITEM(n, struct turn_hook, node);

			h->fn(h);
		}
	}
}

void loop_enter(void)
{
	if (loop.clocks_read)
		return;
	loop.clocks_read = true;
	clock_refresh();
}

static void on_idle(uv_idle_t *idle)
{
	(void)idle;
}

static void turn_end(void)
{
	int rounds = TURN_ROUNDS;

	loop_enter();
	timers_run();
	do {
		for (; rounds > 0 && !list_empty(&loop.ready); rounds--)
			ready_round();
		hooks_run();
	} while (rounds > 0 && !list_empty(&loop.ready));

	if (list_empty(&loop.ready))
		uv_idle_stop(&loop.idle);
	else
		uv_idle_start(&loop.idle, on_idle);
	timers_arm();
	loop.clocks_read = false;
	loop.turns++;
}

static void on_prepare(uv_prepare_t *prepare)
{
	(void)prepare;
	turn_end();
}

void loop_init(void)
{
	memset(&loop, 0, sizeof(loop));
	signal(SIGPIPE, SIG_IGN); /* a closed peer is an error of the write, not of the process */
	if (uv_loop_init(&loop.uv) != 0)
		PANIC("the event loop cannot be made");
	list_init(&loop.ready);
	for (size_t phase = 0; phase <= HOOK_LATE; phase++)
		list_init(&loop.hooks[phase]);
	loop_enter();
	uv_prepare_init(&loop.uv, &loop.prepare);
	uv_prepare_start(&loop.prepare, on_prepare);
	uv_unref((uv_handle_t *)&loop.prepare);
	uv_idle_init(&loop.uv, &loop.idle);
	timers_init();
}

struct uv_loop_s *loop_uv(void)
{
	return &loop.uv;
}

/* From 1.45 on libuv looks whether anything is left right behind its timers: our one has just fired
 * and is armed again by the next turn. */
void loop_run(void)
{
	do {
		turn_end(); /* what was started outside; libuv does not run at all without handles
			     */
		uv_run(&loop.uv, UV_RUN_DEFAULT);
	} while (!loop.stop &&
		 (uv_loop_alive(&loop.uv) || timers_left() || !list_empty(&loop.ready)));
	loop.stop = false;
}

void loop_stop(void)
{
	loop.stop = true;
	uv_stop(&loop.uv);
}

static void handle_print(uv_handle_t *h, void *unused)
{
	const char *type = uv_handle_type_name(h->type);

	(void)unused;
	fprintf(stderr, "loop: a %s handle is left, %s%s\n", type ? type : "foreign",
		uv_is_active(h) ? "active" : "idle", uv_is_closing(h) ? ", closing" : "");
}

bool loop_close(void)
{
	uv_close((uv_handle_t *)&loop.prepare, NULL);
	uv_close((uv_handle_t *)&loop.idle, NULL);
	timers_close();
	for (size_t i = 0; i < SIGNALS_MAX; i++)
		if (loop.signals[i].signum != 0)
			uv_close((uv_handle_t *)&loop.signals[i].uv, NULL);
	/* Handles on their way out finish here; others are not waited for. */
	for (int i = 0; i < CLOSE_TURNS && uv_loop_alive(&loop.uv); i++)
		uv_run(&loop.uv, UV_RUN_NOWAIT);
	if (uv_loop_close(&loop.uv) == 0)
		return true;
	uv_walk(&loop.uv, handle_print, NULL);
	return false;
}

static void on_signal(uv_signal_t *uv, int signum)
{
	struct signal_watch *w = uv->data;

	loop_enter();
	w->fn(signum);
}

void loop_on_signal(int signum, void (*fn)(int signum))
{
	struct signal_watch *w = loop.signals;

	while (w < loop.signals + SIGNALS_MAX && w->signum != 0 && w->signum != signum)
		w++;
	ASSERT(w < loop.signals + SIGNALS_MAX);
	w->fn = fn;
	if (w->signum == signum)
		return;
	w->signum = signum;
	uv_signal_init(&loop.uv, &w->uv);
	w->uv.data = w;
	if (uv_signal_start(&w->uv, on_signal, signum) != 0)
		PANIC("signal %d cannot be watched", signum);
	uv_unref((uv_handle_t *)&w->uv);
}

struct loop_stats loop_stats(void)
{
	return (struct loop_stats){.turns = loop.turns, .lag = timers_lag()};
}
