/* Tasks on a real loop. Operations are made of a timer, as a store would answer later, or end at
 * once, as they do when a store is away. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "io/task.h"

static char trail[512];
static enum err failed_with;
static struct fault failed_fault;
static int failures, endings, answered;

static void note(const char *s)
{
	strncat(trail, s, sizeof(trail) - strlen(trail) - 1);
}

static void on_failed(struct task *t, const struct fault *f)
{
	failures++;
	failed_with = f->err;
	failed_fault = *f;
	note("F");
	task_end(t);
}

static void on_ended(struct task *t)
{
	(void)t;
	endings++;
	note(".");
}

static const struct task_ops task_ops = {.failed = on_failed, .ended = on_ended};

static int setup(void **state)
{
	(void)state;
	trail[0] = '\0';
	failures = endings = answered = 0;
	failed_with = OK;
	loop_init();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	assert_int_equal(task_stats().alive, 0);
	assert_true(loop_close());
	arena_drain();
	return 0;
}

/* ---- an operation that is answered later; it outlives its task ---- */

struct slow {
	struct op op;
	struct timer answer;
	enum err e;
};

static void slow_answer(struct timer *t)
{
	struct slow *s = LIST_ITEM(t, struct slow, answer);

	answered++;
	op_end(&s->op, s->e);
	op_end(&s->op, ERR_INTERNAL); /* the second time is nothing */
	free(s);
}

static struct slow *slow_new(struct task *t, enum op_kind kind, enum err e, task_fn *next)
{
	struct slow *s = calloc(1, sizeof(*s));

	s->e = e;
	timer_init(&s->answer, slow_answer);
	op_begin(t, &s->op, kind, next);
	return s;
}

static void slow_op(struct task *t, enum op_kind kind, int64_t ms, enum err e, task_fn *next)
{
	timer_set(&slow_new(t, kind, e, next)->answer, ms);
}

static void instant_op(struct task *t, enum err e, task_fn *next)
{
	struct slow *s = slow_new(t, OP_READ, e, next);

	op_end(&s->op, e);
	free(s);
}

static struct task *start(size_t frame, task_fn *first)
{
	return task_new("test", &task_ops, NULL, frame, first);
}

static void end_step(struct task *t)
{
	note("e");
	task_end(t);
}

/* ---- side by side ---- */

static void three_begin(struct task *t)
{
	note("b");
	slow_op(t, OP_READ, 40, OK, end_step);
	slow_op(t, OP_READ, 1, OK, end_step);
	instant_op(t, OK, end_step);
	note("b");
}

static void side_by_side_continue_once(void **state)
{
	(void)state;
	start(0, three_begin);
	assert_string_equal(trail, ""); /* nothing runs before it is the queue's turn */
	assert_true(task_any_client());
	loop_run();
	assert_string_equal(trail, "bbe.");
	assert_int_equal(answered, 2);
	assert_false(task_any_client());
}

static void one_fails_begin(struct task *t)
{
	slow_op(t, OP_READ, 1, ERR_CONFLICT, end_step);
	slow_op(t, OP_READ, 40, ERR_INTERNAL, end_step);
	slow_op(t, OP_READ, 60, OK, end_step);
}

static void first_error_waits_for_the_others(void **state)
{
	(void)state;
	start(0, one_fails_begin);
	loop_run();
	assert_int_equal(failed_with, ERR_CONFLICT);
	assert_int_equal(answered, 3);
	assert_string_equal(trail, "F.");
}

static void instant_fail_begin(struct task *t)
{
	instant_op(t, ERR_UNAVAILABLE, end_step);
	note("b"); /* the step goes on */
}

static void instant_failure_comes_later(void **state)
{
	(void)state;
	start(0, instant_fail_begin);
	loop_run();
	assert_string_equal(trail, "bF.");
	assert_int_equal(failed_with, ERR_UNAVAILABLE);
}

/* ---- frames ---- */

struct outer {
	int value;
	char pad[5000]; /* larger than a chunk */
};
struct inner {
	int *out;
	enum err e;
};

static void inner_done(struct task *t)
{
	struct inner *f = task_frame(t);

	note("i");
	*f->out = 42;
	task_return(t);
}

static void deepest_done(struct task *t)
{
	struct inner *f = task_frame(t);

	note("d");
	if (f->e != OK) {
		task_fail_with(t, (struct fault){.err = f->e,
					  .field = "code",
					  .sentence = STR("No."),
					  .retry_after = 7});
		return;
	}
	task_return(t);
}

static void inner_call(struct task *t, enum err e, int *out, task_fn *next)
{
	struct inner *f = task_call(t, sizeof(*f), next);
	struct inner *deepest;

	assert_null(f->out);
	f->out = out;
	deepest = task_call(t, sizeof(*deepest), inner_done);
	deepest->e = e;
	slow_op(t, OP_READ, 1, OK, deepest_done);
}

static void outer_done(struct task *t)
{
	struct outer *f = task_frame(t);

	assert_int_equal(f->value, task_err(t) == OK ? 42 : 0);
	note(task_err(t) == OK ? "o" : "O");
	if (task_err(t) != OK) {
		assert_string_equal(task_fault(t)->field, "code");
		assert_int_equal(task_fault(t)->retry_after, 7);
	} else {
		assert_int_equal(task_fault(t)->err, OK);
	}
	task_next(t, end_step);
}

static void outer_begin(struct task *t)
{
	struct outer *f = task_frame(t);

	inner_call(t, OK, &f->value, outer_done);
}

static void outer_begin_failing(struct task *t)
{
	struct outer *f = task_frame(t);

	inner_call(t, ERR_INVALID_CODE, &f->value, outer_done);
}

static void outer_begin_catching(struct task *t)
{
	task_catch(t);
	outer_begin_failing(t);
}

static void a_call_is_one_operation(void **state)
{
	(void)state;
	start(sizeof(struct outer), outer_begin);
	loop_run();
	assert_string_equal(trail, "dioe.");
}

static void an_error_unwinds_calls(void **state)
{
	(void)state;
	start(sizeof(struct outer), outer_begin_failing);
	loop_run();
	assert_string_equal(trail, "dF.");
	assert_int_equal(failed_with, ERR_INVALID_CODE);
	assert_string_equal(failed_fault.field, "code");
}

static void a_catching_caller_sees_it(void **state)
{
	(void)state;
	start(sizeof(struct outer), outer_begin_catching);
	loop_run();
	assert_string_equal(trail, "dOe.");
	assert_int_equal(failures, 0);
}

static void caught_twice(struct task *t)
{
	note(task_err(t) == ERR_CONFLICT ? "c" : "?");
	slow_op(t, OP_READ, 1, ERR_INTERNAL, end_step); /* catching was for once */
}

static void catch_begin(struct task *t)
{
	task_catch(t);
	slow_op(t, OP_READ, 1, ERR_CONFLICT, caught_twice);
}

static void catch_is_for_once(void **state)
{
	(void)state;
	start(0, catch_begin);
	loop_run();
	assert_string_equal(trail, "cF.");
	assert_int_equal(failed_with, ERR_INTERNAL);
}

/* ---- next, sleep ---- */

static int64_t slept_from;

static void nap_done(struct task *t)
{
	assert_true(clock_ms() >= slept_from + 30);
	note("s");
	task_end(t);
}

static void nap_begin(struct task *t)
{
	slept_from = clock_ms();
	task_sleep(t, 30, nap_done);
}

static void sleeps(void **state)
{
	(void)state;
	start(0, nap_begin);
	loop_run();
	assert_string_equal(trail, "s.");
}

static void ends_at_once(struct task *t)
{
	task_end(t);
	task_end(t);
	note("x"); /* the task is still there */
	assert_string_equal(task_name(t), "test");
}

static void end_frees_after_the_step(void **state)
{
	(void)state;
	start(0, ends_at_once);
	loop_run();
	assert_string_equal(trail, "x.");
}

/* ---- clients that leave ---- */

static struct task *victim;
static struct timer leave_timer;

static void leave(struct timer *timer)
{
	(void)timer;
	note("L");
	task_orphan(victim);
}

static void leave_after(int64_t ms, struct task *t)
{
	victim = t;
	timer_init(&leave_timer, leave);
	timer_set(&leave_timer, ms);
}

static void read_begin(struct task *t)
{
	slow_op(t, OP_READ, 60, OK, end_step);
	slow_op(t, OP_READ, 80, ERR_CONFLICT, end_step);
}

static void orphan_that_reads_ends_at_once(void **state)
{
	(void)state;
	leave_after(1, start(0, read_begin));
	loop_run();
	assert_string_equal(trail, "L.");
	assert_int_equal(answered, 2); /* detached answers are read and dropped */
}

static void write_checked(struct task *t)
{
	note(task_is_orphan(t) ? "w" : "?");
	slow_op(t, OP_READ, 1, OK, end_step);
}

static void write_begin(struct task *t)
{
	slow_op(t, OP_WRITE, 60, OK, write_checked);
}

static void orphan_that_writes_runs_to_its_end(void **state)
{
	(void)state;
	leave_after(1, start(0, write_begin));
	loop_run();
	assert_string_equal(trail, "Lwe.");
}

static void orphan_before_its_first_step(void **state)
{
	(void)state;
	task_orphan(start(0, write_begin));
	assert_string_equal(trail, ".");
	loop_run();
	assert_string_equal(trail, ".");
}

/* ---- deadlines and shutdown ---- */

static void slow_begin(struct task *t)
{
	task_deadline(t, 20);
	task_catch(t); /* a deadline is nobody's to catch */
	slow_op(t, OP_WRITE, 80, OK, end_step);
}

static void deadline_fails(void **state)
{
	(void)state;
	start(0, slow_begin);
	loop_run();
	assert_string_equal(trail, "F.");
	assert_int_equal(failed_with, ERR_UNAVAILABLE);
	assert_int_equal(answered, 1);
}

static void sleepy_begin(struct task *t)
{
	task_sleep(t, 60000, end_step);
}

static void default_deadline_is_there(void **state)
{
	(void)state;
	start(0, sleepy_begin);
	clock_advance(TASK_DEADLINE_MS);
	loop_run();
	assert_string_equal(trail, "F.");
}

static void tick_begin(struct task *t)
{
	task_sleep(t, TASK_DEADLINE_MS * 2, end_step);
	clock_advance(TASK_DEADLINE_MS * 2);
}

static void ticks_have_none(void **state)
{
	(void)state;
	task_deadline(start(0, tick_begin), 0);
	assert_false(task_any_client());
	loop_run();
	assert_string_equal(trail, "e.");
}

static void end_all_in_a_step(struct task *t)
{
	(void)t;
	task_end_all();
}

static void shutdown_ends_all(void **state)
{
	(void)state;
	start(0, sleepy_begin);
	start(0, read_begin);
	start(0, end_all_in_a_step);
	start(0, write_begin);
	loop_run();
	assert_int_equal(endings, 4);
	assert_int_equal(answered, 2);
}

/* ---- bugs stop the process ---- */

static void idle_step(struct task *t)
{
	(void)t;
}

static void other_step(struct task *t)
{
	(void)t;
}

static void two_continuations(struct task *t)
{
	task_next(t, idle_step);
	task_next(t, other_step);
}

static void failed_forgets(struct task *t, const struct fault *f)
{
	(void)t;
	(void)f;
}

static void fails(struct task *t)
{
	task_fail(t, ERR_INTERNAL);
}

static void assert_stops(const struct task_ops *ops, task_fn *first)
{
	int pipe_fds[2], status;
	char said[512] = {0};
	size_t n = 0;
	ssize_t r;
	pid_t pid;

	assert_int_equal(pipe(pipe_fds), 0);
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		signal(SIGABRT, SIG_DFL); /* cmocka's would go on with the test */
		dup2(pipe_fds[1], 2);
		task_new("culprit", ops, NULL, 0, first);
		loop_run();
		_exit(0);
	}
	close(pipe_fds[1]);
	while ((r = read(pipe_fds[0], said + n, sizeof(said) - 1 - n)) > 0)
		n += (size_t)r;
	close(pipe_fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	assert_non_null(strstr(said, "culprit"));
}

static void bugs_stop_the_process(void **state)
{
	static const struct task_ops forgets = {.failed = failed_forgets};

	(void)state;
	assert_stops(&task_ops, idle_step);
	assert_stops(&task_ops, two_continuations);
	assert_stops(&forgets, fails);
}

/* ---- faults at each operation ---- */

#ifdef PORTAL_FAULTS
static void sweep_reply(struct task *t)
{
	note(task_is_orphan(t) ? "o" : "r");
	task_end(t);
}

static void sweep_called(struct task *t)
{
	task_return(t);
}

static void sweep_write(struct task *t)
{
	struct inner *f = task_call(t, sizeof(*f), sweep_reply);

	f->e = OK;
	slow_op(t, OP_WRITE, 1, OK, sweep_called);
}

static void sweep_begin(struct task *t)
{
	slow_op(t, OP_READ, 1, OK, sweep_write);
	instant_op(t, OK, sweep_write);
}

static void client_gone(struct task *t)
{
	task_orphan(t);
}

/* Operations: two reads, then a write in a call. */
static const char *sweep(enum task_fault_kind kind, unsigned k)
{
	struct task *t = start(0, sweep_begin);

	trail[0] = '\0';
	failed_with = OK;
	task_fault_inject(t, kind, k, client_gone);
	loop_run();
	return trail;
}

static void faults_strike_where_told(void **state)
{
	(void)state;
	assert_string_equal(sweep(TASK_FAULT_NONE, 0), "r.");
	assert_string_equal(sweep(TASK_FAULT_DROP, 0), ".");
	assert_string_equal(sweep(TASK_FAULT_DROP, 1), ".");
	assert_string_equal(sweep(TASK_FAULT_DROP, 2), "o.");
	assert_string_equal(sweep(TASK_FAULT_DROP, 3), "r.");
	for (unsigned k = 0; k < 3; k++) {
		assert_string_equal(sweep(TASK_FAULT_FAIL, k), "F.");
		assert_int_equal(failed_with, ERR_UNAVAILABLE);
		assert_string_equal(sweep(TASK_FAULT_DEADLINE, k), "F.");
		assert_int_equal(failed_with, ERR_UNAVAILABLE);
	}
	assert_string_equal(sweep(TASK_FAULT_FAIL, 3), "r.");
	assert_string_equal(sweep(TASK_FAULT_HOLD, 3), "r.");
	assert_string_equal(sweep(TASK_FAULT_DEADLINE, 3), "r.");
}

static void release_step(struct task *t)
{
	note("l");
	task_release();
	task_end(t);
}

static void release_begin(struct task *t)
{
	slow_op(t, OP_READ, 30, OK, release_step);
}

/* Behind whichever operation it is held, the task goes on when it is let. */
static void a_held_task_waits(void **state)
{
	(void)state;
	for (unsigned k = 0; k < 3; k++) {
		struct task *t = start(0, sweep_begin);

		trail[0] = '\0';
		task_fault_inject(t, TASK_FAULT_HOLD, k, client_gone);
		start(0, release_begin);
		loop_run();
		assert_string_equal(trail, "l.r.");
	}
}

static void count_step(struct task *t)
{
	assert_int_equal(task_op_count(t), 3);
	task_end(t);
}

static void count_begin(struct task *t)
{
	assert_int_equal(task_op_count(t), 0);
	for (int i = 0; i < 3; i++)
		slow_op(t, OP_READ, 1, OK, count_step);
}

static void operations_are_counted(void **state)
{
	(void)state;
	start(0, count_begin);
	loop_run();
}
#endif

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(side_by_side_continue_once),
		T(first_error_waits_for_the_others),
		T(instant_failure_comes_later),
		T(a_call_is_one_operation),
		T(an_error_unwinds_calls),
		T(a_catching_caller_sees_it),
		T(catch_is_for_once),
		T(sleeps),
		T(end_frees_after_the_step),
		T(orphan_that_reads_ends_at_once),
		T(orphan_that_writes_runs_to_its_end),
		T(orphan_before_its_first_step),
		T(deadline_fails),
		T(default_deadline_is_there),
		T(ticks_have_none),
		T(shutdown_ends_all),
		T(bugs_stop_the_process),
#ifdef PORTAL_FAULTS
		T(faults_strike_where_told),
		T(a_held_task_waits),
		T(operations_are_counted),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
