/* Batches: what many tasks ask for at about the same time is asked once for all of them.
 *
 * Who asks first starts a task that asks for all who have; who comes while that is under way waits
 * for its end, or until there are enough for another beside it. So nobody waits for others to come,
 * the more come the more go together, slow stores do not put them in a queue, and what one is told
 * is no older than its asking.
 *
 *   struct level_asked { struct batch_item item; int64_t user_id; int *out; };
 *   static struct batch levels = {.name = "levels", .ask = levels_ask};
 *
 *   a->out = … of a = batch_join(t, &levels, sizeof(*a), OP_READ, next)     in the tasks that ask
 *   levels_ask: batch_count, batch_at -> an operation … -> batch_end        in the batch's own task
 *
 * A failure of the batch's task is that of all who are in it. */
#ifndef IO_BATCH_H
#define IO_BATCH_H

#include "io/task.h"

#define BATCH_MOST 64 /* so that no store is kept for long */

struct batch_item { /* first in what is asked */
	struct op op;
	struct batch_item *next; /* that waits */
};
struct batch {
	const char *name;                /* of its task */
	task_fn *ask;                    /* the first step */
	struct batch_item *first, *last; /* that wait */
	size_t count;                    /* of these */
	size_t under_way, to_begin;      /* tasks that ask; of them those that have not begun */
};

/* An operation of t. Returns `size` cleared bytes that begin with the item, to be filled in the
 * same step; they live until the operation has ended. */
void *batch_join(struct task *t, struct batch *b, size_t size, enum op_kind kind, task_fn *next);

/* In the batch's task. An item whose task has ended has no place to put an answer to: batch_asker
 * is NULL. In the first step there is none of those. */
size_t batch_count(const struct task *t);
void *batch_at(const struct task *t, size_t i);
struct task *batch_asker(const struct task *t, size_t i);
void batch_end(struct task *t); /* the last step: all have what they asked for */

#endif
