/* Something that may hang or fail without the request failing with it: run as a task of its own
 * with a short deadline, seen by the asking task as one operation that always ends well. */
#ifndef API_ASIDE_H
#define API_ASIDE_H

#include "base/addr.h"
#include "io/task.h"
#include "store/session.h"

struct aside {
	struct op op;
	int refs;     /* the asking task's arena, and the task beside it */
	enum err err; /* how it ended; UNAVAILABLE when the deadline passed */
	int64_t took_us;
	int64_t started_ns;
	struct limit limit; /* for aside_rate; the key is copied */
	struct rate rate;
	char key[ADDR_TEXT];
};

/* `first` runs in the task beside, whose subject is the aside (task_subject); it ends with
 * aside_done. `next` runs in `t` when all asides of the step have ended. The result is t's until
 * its end. */
struct aside *aside_run(
	struct task *t, const char *name, int64_t ms, task_fn *first, task_fn *next);
void aside_done(struct task *beside);

#endif
