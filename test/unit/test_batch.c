/* Batches on a real loop: a question takes a while, as a store would. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "io/batch.h"

#define WHILE_MS 300 /* timers are late by a tick or two */

struct doubled {
	struct batch_item item;
	int in, *out;
};
struct asker {
	int in, out;
	enum err e;
	struct task *task; /* NULL: it has ended */
};

static size_t questions, sizes[8], beside[8]; /* with others under way */
static enum err outcome;

static void doubles_ask(struct task *t);
static struct batch doubles = {.name = "doubles", .ask = doubles_ask};

static void doubles_answer(struct task *t)
{
	if (outcome) {
		task_fail(t, outcome);
		return;
	}
	for (size_t i = 0; i < batch_count(t); i++) {
		const struct doubled *d = batch_at(t, i);

		if (batch_asker(t, i))
			*d->out = 2 * d->in;
	}
	batch_end(t);
}

static void doubles_ask(struct task *t)
{
	assert_true(questions < sizeof(sizes) / sizeof(*sizes));
	beside[questions] = doubles.under_way - 1;
	sizes[questions++] = batch_count(t);
	for (size_t i = 0; i < batch_count(t); i++)
		assert_non_null(batch_asker(t, i));
	task_sleep(t, WHILE_MS, doubles_answer);
}

static void asked(struct task *t)
{
	task_end(t);
}

static void ask(struct task *t)
{
	struct asker *a = task_subject(t);
	struct doubled *d = batch_join(t, &doubles, sizeof(*d), OP_READ, asked);

	d->in = a->in;
	d->out = &a->out;
}

static void ask_failed(struct task *t, const struct fault *f)
{
	((struct asker *)task_subject(t))->e = f->err;
	task_end(t);
}

static void ask_ended(struct task *t)
{
	((struct asker *)task_subject(t))->task = NULL;
}

static void asker_start(struct asker *a, int in)
{
	static const struct task_ops ops = {ask_failed, ask_ended};

	*a = (struct asker){.in = in};
	a->task = task_new("asker", &ops, a, 0, ask);
}

static int setup(void **state)
{
	(void)state;
	questions = 0;
	outcome = OK;
	loop_init();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	assert_int_equal(task_stats().alive, 0);
	assert_int_equal(doubles.under_way + doubles.to_begin + doubles.count, 0);
	assert_null(doubles.first);
	assert_true(loop_close());
	arena_drain();
	return 0;
}

static void those_of_a_turn_go_together(void **state)
{
	struct asker a[BATCH_MOST];

	(void)state;
	for (int i = 0; i < BATCH_MOST; i++)
		asker_start(&a[i], i);
	loop_run();
	assert_int_equal(questions, 1);
	assert_int_equal(sizes[0], BATCH_MOST);
	for (int i = 0; i < BATCH_MOST; i++)
		assert_int_equal(a[i].out, 2 * i);
}

/* ---- who comes while a question is under way ---- */

static struct asker late[BATCH_MOST];
static int late_n;
static struct timer meanwhile;

static void come_late(struct timer *t)
{
	(void)t;
	assert_int_equal(questions, 1);
	for (int i = 0; i < late_n; i++)
		asker_start(&late[i], 100 + i);
}

static void some_come_late(int n)
{
	struct asker first;

	late_n = n;
	asker_start(&first, 1);
	timer_init(&meanwhile, come_late);
	timer_set(&meanwhile, WHILE_MS / 2);
	loop_run();
	assert_int_equal(questions, 2);
	assert_int_equal(sizes[0], 1);
	assert_int_equal(sizes[1], n);
	assert_int_equal(first.out, 2);
	for (int i = 0; i < n; i++)
		assert_int_equal(late[i].out, 2 * (100 + i));
}

static void who_comes_later_is_not_answered_by_what_was_asked_before(void **state)
{
	(void)state;
	some_come_late(BATCH_MOST - 1);
	assert_int_equal(beside[1], 0);
}

static void a_whole_batch_does_not_wait_for_the_one_before(void **state)
{
	(void)state;
	some_come_late(BATCH_MOST);
	assert_int_equal(beside[1], 1);
}

static void more_than_go_together_go_in_turn(void **state)
{
	struct asker a[2 * BATCH_MOST + 1];
	const int n = 2 * BATCH_MOST + 1;

	(void)state;
	for (int i = 0; i < n; i++)
		asker_start(&a[i], i);
	loop_run();
	assert_int_equal(questions, 3);
	assert_int_equal(sizes[2], 1);
	for (int i = 0; i < n; i++)
		assert_int_equal(a[i].out, 2 * i);
}

/* ---- failures ---- */

static void a_failure_is_that_of_all(void **state)
{
	struct asker a[3];

	(void)state;
	outcome = ERR_UNAVAILABLE;
	for (int i = 0; i < 3; i++)
		asker_start(&a[i], i);
	loop_run();
	for (int i = 0; i < 3; i++)
		assert_int_equal(a[i].e, ERR_UNAVAILABLE);
	outcome = OK; /* and the next are asked again */
	asker_start(&a[0], 7);
	loop_run();
	assert_int_equal(a[0].out, 14);
}

static struct asker leaving[4];

static void two_leave(struct timer *t)
{
	(void)t;
	task_end(leaving[1].task); /* under way */
	task_end(leaving[3].task); /* waiting */
}

static void two_come(struct timer *t)
{
	asker_start(&leaving[2], 2);
	asker_start(&leaving[3], 3);
	timer_init(t, two_leave);
	timer_set(t, 1);
}

static void who_has_left_is_not_asked_for(void **state)
{
	(void)state;
	asker_start(&leaving[0], 10);
	asker_start(&leaving[1], 11);
	timer_init(&meanwhile, two_come);
	timer_set(&meanwhile, 1);
	loop_run();
	assert_int_equal(questions, 2);
	assert_int_equal(sizes[0], 2);
	assert_int_equal(sizes[1], 1);
	assert_int_equal(leaving[0].out, 20);
	assert_int_equal(leaving[1].out, 0);
	assert_int_equal(leaving[2].out, 4);
	assert_int_equal(leaving[3].out, 0);
}

static void all_end(struct timer *t)
{
	(void)t;
	task_end_all();
}

static void nothing_is_left_when_all_tasks_end(void **state)
{
	struct asker a[BATCH_MOST + 5];

	(void)state;
	for (int i = 0; i < BATCH_MOST + 5; i++)
		asker_start(&a[i], i);
	timer_init(&meanwhile, all_end);
	timer_set(&meanwhile, 1);
	loop_run();
	for (int i = 0; i < BATCH_MOST + 5; i++)
		assert_null(a[i].task);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(those_of_a_turn_go_together, setup, teardown),
		cmocka_unit_test_setup_teardown(
			who_comes_later_is_not_answered_by_what_was_asked_before, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_whole_batch_does_not_wait_for_the_one_before, setup, teardown),
		cmocka_unit_test_setup_teardown(more_than_go_together_go_in_turn, setup, teardown),
		cmocka_unit_test_setup_teardown(a_failure_is_that_of_all, setup, teardown),
		cmocka_unit_test_setup_teardown(who_has_left_is_not_asked_for, setup, teardown),
		cmocka_unit_test_setup_teardown(
			nothing_is_left_when_all_tasks_end, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
