/* Work beside a request.
 *
 *   aside_run -> a second task: first … aside_done (or its failure, or its deadline) -> op_end ->
 * next Lifetime: the aside is counted: one reference is the asking task's, one the task's beside
 * it, so either may end first. An asking task that has ended has detached the operation. */
#include "api/aside.h"
#include "base/clock.h"

#include <stdlib.h>

static void aside_unref(void *p)
{
	struct aside *a = p;

	if (--a->refs == 0)
		free(a);
}

static void aside_failed(struct task *beside, const struct fault *f)
{
	struct aside *a = task_subject(beside);

	a->err = f->err;
	task_end(beside);
}

static void aside_ended(struct task *beside)
{
	struct aside *a = task_subject(beside);

	a->took_us = (clock_ns() - a->started_ns) / 1000;
	op_end(&a->op, OK);
	aside_unref(a);
}

struct aside *aside_run(struct task *t, const char *name, int64_t ms, task_fn *first, task_fn *next)
{
	static const struct task_ops ops = {aside_failed, aside_ended};
	struct aside *a = calloc(1, sizeof(*a));

	if (!a)
		PANIC("out of memory");
	a->refs = 2;
	a->started_ns = clock_ns();
	arena_defer(task_arena(t), aside_unref, a);
	op_begin(t, &a->op, OP_READ, next);
	task_deadline(task_new(name, &ops, a, 0, first), ms);
	return a;
}

void aside_done(struct task *beside)
{
	task_end(beside);
}
