/* The loop's turn (ready queue, hooks, signals) and the timers against a plain model. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/clock.h"
#include "io/conn.h"
#include "io/loop.h"

static char trail[256]; /* what ran, a letter each */
static size_t steps;

static void note(char c)
{
	assert_true(steps < sizeof(trail) - 1);
	trail[steps++] = c;
	trail[steps] = '\0';
}

static int setup(void **state)
{
	(void)state;
	steps = 0;
	trail[0] = '\0';
	loop_init();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	assert_true(loop_close());
	return 0;
}

/* ---- the ready queue and the hooks ---- */

static struct ready ready_a, ready_b, ready_c;
static struct turn_hook hook_stores, hook_conns, hook_late;
static int again;

static void run_a(struct ready *r)
{
	note('a');
	ready_add(&ready_b);
	ready_add(&ready_b);
	ready_cancel(&ready_c);
	assert_ptr_equal(r, &ready_a);
}

static void run_b(struct ready *r)
{
	(void)r;
	note('b');
}

static void run_stores(struct turn_hook *h)
{
	(void)h;
	note('S');
	if (again-- > 0)
		ready_add(&ready_b);
}

static void run_conns(struct turn_hook *h)
{
	(void)h;
	note('C');
}

static void run_late(struct turn_hook *h)
{
	(void)h;
	note('L');
	loop_stop();
}

static void ready_runs_once_and_hooks_follow_in_order(void **state)
{
	(void)state;
	ready_init(&ready_a, run_a);
	ready_init(&ready_b, run_b);
	ready_init(&ready_c, run_b);
	turn_hook_add(&hook_late, HOOK_LATE, run_late);
	turn_hook_add(&hook_conns, HOOK_CONNS, run_conns);
	turn_hook_add(&hook_stores, HOOK_STORES, run_stores);
	again = 1;
	ready_add(&ready_a);
	ready_add(&ready_c);
	loop_run();
	/* what a hook makes ready runs in the same turn, and the hooks after it */
	assert_memory_equal(trail, "abSCLbSCL", 9);
	turn_hook_remove(&hook_late);
	turn_hook_remove(&hook_conns);
	turn_hook_remove(&hook_stores);
}

static unsigned rounds;

static void run_forever(struct ready *r)
{
	rounds++;
	ready_add(r);
}

static void stop_timer(struct timer *t)
{
	(void)t;
	loop_stop();
}

static void endless_ready_work_leaves_room(void **state)
{
	struct timer t;

	(void)state;
	ready_init(&ready_a, run_forever);
	timer_init(&t, stop_timer);
	ready_add(&ready_a);
	timer_set(&t, 50);
	loop_run();
	assert_true(rounds > loop_stats().turns);
	ready_cancel(&ready_a);
}

static void nothing_to_do_ends_the_run(void **state)
{
	(void)state;
	loop_run();
	loop_run();
}

static int signalled;

static void on_hup(int signum)
{
	signalled = signum;
	loop_stop();
}

static void raise_hup(struct timer *t)
{
	(void)t;
	raise(SIGHUP);
}

static void signals_arrive(void **state)
{
	struct timer t, guard;

	(void)state;
	loop_on_signal(SIGHUP, on_hup);
	timer_init(&t, raise_hup);
	timer_init(&guard, stop_timer);
	timer_set(&t, 1);
	timer_set(&guard, 5000);
	loop_run();
	assert_int_equal(signalled, SIGHUP);
	timer_clear(&guard);
}

/* ---- timers ---- */

static int64_t fired_ms;

static void fire(struct timer *t)
{
	assert_false(timer_is_set(t));
	fired_ms = clock_ns() / 1000000;
}

static void fires_on_time_and_sleeps_meanwhile(void **state)
{
	static const int64_t waits[] = {0, 1, 20, 130};
	struct timer t;

	(void)state;
	timer_init(&t, fire);
	for (size_t i = 0; i < sizeof(waits) / sizeof(*waits); i++) {
		uint64_t turns = loop_stats().turns;
		int64_t begun;

		clock_refresh();
		begun = clock_ms();
		timer_set(&t, waits[i]);
		assert_true(timer_is_set(&t));
		loop_run();
		assert_true(fired_ms >= begun + waits[i]);
		assert_true(loop_stats().turns - turns <= 6);
	}
	assert_true(loop_stats().lag.max >= loop_stats().lag.last);
}

static void cleared_ones_do_not_wake(void **state)
{
	struct timer t[100];

	(void)state;
	for (size_t i = 0; i < 100; i++) {
		timer_init(&t[i], fire);
		timer_set(&t[i], (int64_t)(i * i * i));
	}
	for (size_t i = 0; i < 100; i++) {
		timer_clear(&t[i]);
		timer_clear(&t[i]);
		assert_false(timer_is_set(&t[i]));
	}
	loop_run();
	assert_true(loop_stats().turns <= 2);
}

static struct timer chain;
static int chained;

static void fire_chain(struct timer *t)
{
	if (++chained < 3)
		timer_set(t, 10);
}

static void may_be_set_again_where_it_fires(void **state)
{
	(void)state;
	timer_init(&chain, fire_chain);
	timer_set(&chain, 5000);
	timer_set(&chain, 10); /* moves it */
	loop_run();
	assert_int_equal(chained, 3);
}

#define MODEL  400
#define TURNS  3000
#define TICK   16
#define FAR_MS (INT64_C(40) * 24 * 3600 * 1000)

struct model {
	struct timer t;
	int64_t due; /* 0: not set */
};
static struct model model[MODEL];
static struct ready busy;
static struct turn_hook driver;
static int turns_left;
static size_t fired;

static int64_t random_wait(void)
{
	static const int64_t spans[] = {20, 1000, 60000, 4000000, FAR_MS};

	return random() % spans[random() % 5];
}

static void model_set(struct model *m)
{
	int64_t ms = random_wait();

	timer_set(&m->t, ms);
	m->due = clock_ms() + ms;
}

static void model_fire(struct timer *t)
{
	struct model *m = LIST_ITEM(t, struct model, t);

	assert_true(m->due > 0 && m->due <= clock_ms());
	m->due = 0;
	fired++;
	if (random() % 4 == 0)
		model_set(m);
}

static void model_drive(struct turn_hook *h)
{
	(void)h;
	for (size_t i = 0; i < MODEL; i++) /* nobody is late */
		assert_true(model[i].due == 0 || model[i].due + TICK > clock_ms() - 1);
	for (int i = 0; i < 20; i++) {
		struct model *m = &model[random() % MODEL];

		if (random() % 3 > 0) {
			model_set(m);
		} else {
			timer_clear(&m->t);
			m->due = 0;
		}
	}
	if (--turns_left == 0) {
		loop_stop();
		return;
	}
	clock_advance(random_wait() / (random() % 8 + 1));
}

static void model_turn(struct ready *r)
{
	ready_add(r);
}

static void wheel_agrees_with_model(void **state)
{
	(void)state;
	srandom(7);
	for (size_t i = 0; i < MODEL; i++)
		timer_init(&model[i].t, model_fire);
	ready_init(&busy, model_turn);
	ready_add(&busy); /* no waiting between turns */
	turns_left = TURNS;
	/* Checked before the advance, so after the timers have had their turn. */
	turn_hook_add(&driver, HOOK_LATE, model_drive);
	loop_run();
	assert_true(fired > TURNS);
	turn_hook_remove(&driver);
	ready_cancel(&busy);
	for (size_t i = 0; i < MODEL; i++)
		timer_clear(&model[i].t);
}

static void jump(struct timer *t)
{
	(void)t;
	clock_advance(INT64_C(3600) * 1000);
}

static void a_jump_of_the_clock_wakes(void **state)
{
	struct timer t, j;
	int64_t begun = clock_ns() / 1000000;

	(void)state;
	timer_init(&t, fire);
	timer_init(&j, jump);
	timer_set(&t, INT64_C(3600) * 1000 + 100);
	timer_set(&j, 10);
	loop_run();
	assert_true(fired_ms - begun >= 100 && fired_ms - begun < 5000);
}

/* ---- the proof at the end ---- */

static struct listener *left;
static const struct conn_ops no_ops;

static void close_tells_what_is_left(void **state)
{
	char why[200];

	(void)state;
	loop_init();
	conn_setup(0);
	assert_int_equal(listener_open(&left, STR("127.0.0.1:0"), &no_ops, why), OK);
	conn_teardown();
	assert_false(loop_close());
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(ready_runs_once_and_hooks_follow_in_order), T(endless_ready_work_leaves_room),
		T(nothing_to_do_ends_the_run), T(signals_arrive),
		T(fires_on_time_and_sleeps_meanwhile), T(cleared_ones_do_not_wake),
		T(may_be_set_again_where_it_fires), T(wheel_agrees_with_model),
		T(a_jump_of_the_clock_wakes),
		cmocka_unit_test(close_tells_what_is_left), /* the last: it leaves a loop behind */
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
