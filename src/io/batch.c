/* Batches: owns who waits, and who is in each round that is under way.
 *
 *   batch_join -> waiting … round_begin: items -> ask -> batch_end -> their operations end, and
 *   again while somebody waits
 *
 * A round is a task, which has the items it asks for. Lifetime: an item outlives its task; it is
 * freed when its operation has ended, or with the round. */
#include "io/batch.h"

#include <stdlib.h>

struct round { /* the subject of its task */
	struct batch *batch;
	bool begun;
	size_t count;
	struct batch_item *items[BATCH_MOST];
};

static void item_end(struct batch_item *i, enum err e)
{
	op_end(&i->op, e);
	free(i);
}

static void items_end(struct round *r, enum err e)
{
	size_t n = r->count;

	r->count = 0;
	for (size_t i = 0; i < n; i++)
		item_end(r->items[i], e);
}

/* The first that waits, which waits no more; NULL: nobody does. */
static struct batch_item *item_pop(struct batch *b)
{
	struct batch_item *i = b->first;

	if (i) {
		b->first = i->next;
		b->count--;
	}
	return i;
}

static void round_start(struct batch *b);

/* Another round, if none is under way, or enough wait for a whole one. */
static void batch_go_on(struct batch *b)
{
	if (b->count > 0 && (b->under_way == 0 || b->count >= (b->to_begin + 1) * BATCH_MOST))
		round_start(b);
}

static void round_begin(struct task *t)
{
	struct round *r = task_subject(t);
	struct batch_item *i;

	r->begun = true;
	r->batch->to_begin--;
	while (r->count < BATCH_MOST && (i = item_pop(r->batch)) != NULL)
		if (i->op.task)
			r->items[r->count++] = i;
		else
			item_end(i, OK); /* it waits no more */
	if (r->count > 0)
		r->batch->ask(t);
	else
		task_end(t);
}

static void round_failed(struct task *t, const struct fault *f)
{
	items_end(task_subject(t), f->err);
	task_end(t);
}

static void round_ended(struct task *t)
{
	struct round *r = task_subject(t);
	struct batch *b = r->batch;
	struct batch_item *i;

	b->under_way--;
	b->to_begin -= !r->begun;
	if (r->begun && r->count == 0) {
		batch_go_on(b);
	} else { /* before its time: the process stops */
		items_end(r, ERR_UNAVAILABLE);
		while ((i = item_pop(b)) != NULL)
			item_end(i, ERR_UNAVAILABLE);
	}
	free(r);
}

static void round_start(struct batch *b)
{
	static const struct task_ops ops = {round_failed, round_ended};
	struct round *r = calloc(1, sizeof(*r));

	if (!r)
		PANIC("out of memory");
	r->batch = b;
	b->under_way++;
	b->to_begin++;
	task_new(b->name, &ops, r, 0, round_begin);
}

void *batch_join(struct task *t, struct batch *b, size_t size, enum op_kind kind, task_fn *next)
{
	struct batch_item *i = calloc(1, size);

	if (!i)
		PANIC("out of memory");
	op_begin(t, &i->op, kind, next);
	if (b->first)
		b->last->next = i;
	else
		b->first = i;
	b->last = i;
	b->count++;
	batch_go_on(b);
	return i;
}

size_t batch_count(const struct task *t)
{
	return ((const struct round *)task_subject(t))->count;
}

void *batch_at(const struct task *t, size_t i)
{
	return ((const struct round *)task_subject(t))->items[i];
}

struct task *batch_asker(const struct task *t, size_t i)
{
	return ((const struct round *)task_subject(t))->items[i]->op.task;
}

void batch_end(struct task *t)
{
	items_end(task_subject(t), OK);
	task_end(t);
}
