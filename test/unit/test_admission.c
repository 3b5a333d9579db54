/* Who gets inside, who waits and who is refused (task_admit). Those inside are held until the test
 * lets them go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/clock.h"
#include "io/task.h"

#define HELD_MAX 4096

static struct op held[HELD_MAX];
static size_t held_n;
static bool holding;
static char trail[256];
static int failures, ran;
static struct timer timer;

static void on_failed(struct task *t, const struct fault *f)
{
	assert_int_equal(f->err, ERR_UNAVAILABLE);
	failures++;
	task_end(t);
}

static const struct task_ops task_ops = {.failed = on_failed};

static void over(struct task *t)
{
	task_end(t);
}

static void inside(struct task *t)
{
	ran++;
	if (strlen(task_name(t)) == 1)
		strncat(trail, task_name(t), sizeof(trail) - strlen(trail) - 1);
	if (!holding) {
		task_end(t);
		return;
	}
	assert_true(held_n < HELD_MAX);
	op_begin(t, &held[held_n++], OP_READ, over);
}

static void ask_request(struct task *t)
{
	task_admit(t, TASK_LINE_REQUESTS, inside);
}

static void ask_socket(struct task *t)
{
	task_admit(t, TASK_LINE_SOCKETS, inside);
}

static struct task *request(const char *name)
{
	return task_new(name, &task_ops, NULL, 0, ask_request);
}

static struct task *newcomer(const char *name)
{
	return task_new(name, &task_ops, NULL, 0, ask_socket);
}

static void stop(struct timer *t)
{
	(void)t;
	loop_stop();
}

/* A turn or two, so that all that can run has run. */
static void turns(void)
{
	timer_set(&timer, 1);
	loop_run();
}

static void let_go(void)
{
	size_t n = held_n;

	holding = false;
	held_n = 0;
	for (size_t i = 0; i < n; i++)
		op_end(&held[i], OK);
	do
		turns();
	while (task_stats().alive > 0);
}

static void fill(void)
{
	holding = true;
	for (size_t i = 0; i < task_stats().inside_most; i++)
		request("inside");
	turns();
	assert_int_equal(task_stats().inside, task_stats().inside_most);
	ran = 0;
}

/* So that one that ends is all that has ended lately. */
static void calm(void)
{
	for (int i = 0; i < 2; i++) { /* the first one ends the time in which many ended */
		clock_advance(10000);
		request("calm");
		turns();
	}
	assert_int_equal(task_stats().inside_most, TASKS_INSIDE);
}

static int setup(void **state)
{
	(void)state;
	loop_init();
	timer_init(&timer, stop);
	holding = false;
	held_n = 0;
	calm();
	trail[0] = '\0';
	failures = ran = 0;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	assert_int_equal(task_stats().alive, 0);
	assert_int_equal(task_stats().inside, 0);
	assert_int_equal(task_stats().in_line, 0);
	assert_true(loop_close());
	arena_drain();
	return 0;
}

static void those_beyond_wait_their_turn(void **state)
{
	(void)state;
	fill();
	request("a");
	request("b");
	request("c");
	turns();
	assert_int_equal(ran, 0);
	assert_int_equal(task_stats().in_line, 3);
	op_end(&held[0], OK);
	turns();
	assert_string_equal(trail, "a");
	assert_int_equal(task_stats().in_line, 2);
	let_go();
	assert_string_equal(trail, "abc");
	assert_int_equal(failures, 0);
}

static void sockets_get_in_every_fourth_time(void **state)
{
	int sockets = 0;

	(void)state;
	fill();
	for (int i = 0; i < 4; i++)
		newcomer("s");
	for (int i = 0; i < 20; i++)
		request("r");
	turns();
	let_go();
	assert_int_equal(strlen(trail), 24);
	for (int i = 0; i < 16; i++)
		sockets += trail[i] == 's';
	assert_int_equal(sockets, 4);
	assert_null(strstr(trail, "ss"));
}

static void who_waits_too_long_is_refused(void **state)
{
	struct task *tick;
	uint64_t refused = task_stats().refused;

	(void)state;
	fill();
	request("r");
	newcomer("s");
	tick = request("t");
	turns();
	task_deadline(tick, 0);
	clock_advance(500);
	turns();
	assert_int_equal(failures, 1);
	clock_advance(2000); /* those inside may be there for 5 s */
	turns();
	assert_int_equal(failures, 1);
	assert_int_equal(task_stats().in_line, 2);
	let_go();
	assert_string_equal(trail, "ts");
	assert_int_equal(task_stats().refused - refused, 1);
}

static void a_newcomer_waits_for_five_seconds(void **state)
{
	(void)state;
	fill();
	newcomer("s");
	turns();
	clock_advance(3000);
	turns();
	assert_int_equal(failures, 0);
	clock_advance(3000);
	turns();
	assert_int_equal(
		failures, TASKS_INSIDE + 1); /* those inside have passed their deadline, too */
}

static void ask_many(const char *name, int n)
{
	for (int i = 0; i < n; i++)
		request(name);
	turns();
}

static void a_long_line_refuses_at_once(void **state)
{
	(void)state;
	fill();
	ask_many("waiting", TASKS_WAITING);
	assert_int_equal(failures, 0);
	ask_many("too many", 10);
	assert_int_equal(failures, 10);
	newcomer("s");
	turns();
	assert_int_equal(task_stats().in_line, TASKS_WAITING + 1);
	op_end(&held[0], OK);
	turns(); /* one of those that wait gets in */
	ask_many("in place", 1);
	assert_int_equal(failures, 10);
	let_go();
	assert_int_equal(ran, TASKS_WAITING + 2);
}

/* Or telling would be all that is done. */
static void a_flood_waits_to_be_told(void **state)
{
	int told;

	(void)state;
	fill();
	ask_many("waiting", TASKS_WAITING);
	ask_many("too many", 10000);
	told = failures;
	assert_in_range(told, 1000, 9000);
	clock_advance(200);
	ask_many("later", 10);
	assert_int_equal(failures - told, 10);
	ask_many("far too many", TASKS_IN_LINE);
	assert_in_range(task_stats().in_line, TASKS_WAITING + 1, TASKS_IN_LINE);
	let_go();
}

static void who_leaves_the_line_lets_nobody_in(void **state)
{
	struct task *gone;

	(void)state;
	fill();
	gone = request("a");
	request("b");
	turns();
	task_orphan(gone);
	turns();
	assert_int_equal(task_stats().in_line, 1);
	assert_int_equal(ran, 0);
	let_go();
	assert_string_equal(trail, "b");
}

static void more_get_in_when_they_are_quick(void **state)
{
	(void)state;
	for (int i = 0; i < 3000; i++)
		request("quick");
	turns();
	clock_advance(100);
	request("the last");
	turns();
	assert_true(task_stats().inside_most > 2 * TASKS_INSIDE);
	calm();
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(those_beyond_wait_their_turn),
		T(sockets_get_in_every_fourth_time),
		T(who_waits_too_long_is_refused),
		T(a_newcomer_waits_for_five_seconds),
		T(a_long_line_refuses_at_once),
		T(a_flood_waits_to_be_told),
		T(who_leaves_the_line_lets_nobody_in),
		T(more_get_in_when_they_are_quick),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
