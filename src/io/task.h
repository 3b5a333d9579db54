/* Tasks: one request, one socket event or one tick, written as a chain of steps.
 *
 *   struct verify { struct str code; ... };                    the frame
 *   void verify_begin(struct task *t) { ...; code_take(t, ..., code_taken); }
 *   static void code_taken(struct task *t) { struct verify *f = task_frame(t); ... }
 *
 * Rules (docs/design.md tells why):
 *  1. Starting an operation never calls back before it returns; every step runs from the ready
 * queue.
 *  2. Operations started in one step run side by side and share one continuation; it runs when the
 *     last of them has ended. Each holds a slot (struct op) in its connection's queue that ends
 *     exactly once. Slots outlive tasks: a detached slot's answer is read, in order, and dropped.
 *  3. A failed operation fails the task with that error (after the others of the step have ended),
 *     unless the frame asked to see it with task_catch: then the continuation runs and reads
 * task_err.
 *  4. task_orphan (the client left): a task that has begun to change something runs to its end, its
 *     reply is dropped; one that only reads ends at once.
 *  5. Every task has a deadline; passing it fails the task with ERR_UNAVAILABLE.
 *  6. A step must start an operation, return, fail or end the task; one that does none is a bug and
 *     stops the process with the task's name.
 *
 * Composition: a function of several operations pushes a frame of its own with task_call and hands
 * control back with task_return; its caller sees one operation. Such functions cannot run side by
 * side with another operation of the same step. */
#ifndef IO_TASK_H
#define IO_TASK_H

#include "base/arena.h"
#include "base/err.h"
#include "base/list.h"
#include "io/loop.h"

struct task;
typedef void task_fn(struct task *t);

/* What a client is told beyond the code; absent parts are 0 / NULL. */
struct fault {
	enum err err;
	struct str sentence; /* instead of the default one */
	const char *field;   /* the first bad field */
	int64_t retry_after; /* seconds */
	bool has_ban;        /* reason and expires_at are meant (403 banned, timeout) */
	struct str reason;
	int64_t expires_at; /* us; 0: null */
	bool has_ttl;       /* ttl is meant (403 muted) */
	int64_t ttl;        /* seconds; 0: until lifted */
	int64_t epoch;      /* the current one (403 epoch mismatch) */
};

struct task_ops {
	/* A step failed and no frame caught it, or the deadline passed. Must reply (unless
	 * task_is_orphan) and task_end. */
	void (*failed)(struct task *t, const struct fault *f);
	/* The last call; the arena is released after it. Also for orphans. May be NULL. */
	void (*ended)(struct task *t);
};

#define TASK_DEADLINE_MS 5000

/* `name`: a literal, for logs. The first frame has `frame_size` cleared bytes. `first` runs from
 * the ready queue. */
struct task *task_new(const char *name, const struct task_ops *ops, void *subject,
	size_t frame_size, task_fn *first);
void task_deadline(struct task *t, int64_t ms); /* from now; 0: none (ticks) */

void *task_subject(const struct task *t);
/* Gives the innermost frame `size` cleared bytes (from the arena) and returns them: for a first
 * step whose task was made with frame_size 0. */
void *task_frame_make(struct task *t, size_t size);
void *task_frame(const struct task *t); /* the innermost frame */
struct arena *task_arena(struct task *t);
const char *task_name(const struct task *t);
bool task_is_orphan(const struct task *t);

/* The frame in place asks to see the error of what it starts now; once. */
void task_catch(struct task *t);
enum err task_err(const struct task *t); /* in a continuation after task_catch; else OK */
const struct fault *task_fault(const struct task *t); /* the whole of it */

void task_fail(struct task *t, enum err e);
void task_fail_with(
	struct task *t, struct fault f); /* strings must live in the arena or be literals */
/* Unwinds as a failed operation would. Nothing else may be done in this step afterwards. */

/* The step's work is done without an operation: run `next` as the next step. */
void task_next(struct task *t, task_fn *next);
void task_sleep(struct task *t, int64_t ms, task_fn *next);
/* Pushes a cleared frame of `size` and returns it; `next` runs in the caller's frame after
 * task_return. */
void *task_call(struct task *t, size_t size, task_fn *next);
void task_return(struct task *t);
/* Done: detaches what is under way, frees after the running step; outside a step at once. */
void task_end(struct task *t);
void task_orphan(struct task *t); /* the client left */

/* ---- admission: no more is begun than the stores do in good time ----
 * As many tasks are inside at once as end in 200 ms at the pace of the last second (at least
 * TASKS_INSIDE): then one that gets in takes no longer than that. The others wait in one of two
 * lines, first come first served, before they have asked a store for anything: so the stores'
 * queues stay short whatever comes, what was begun is finished in time, and what cannot be is
 * refused early: after 400 ms, and at once when more wait than will get in by then (and at least
 * TASKS_WAITING do; up to 30,000 a second are refused so: to tell more would be all that is done).
 * New sockets wait longer and get inside when no request waits, but every fourth time in any case:
 * when all come back at once, each that is let in can do what it came for. */
#define TASKS_INSIDE  256
#define TASKS_WAITING 4000
#define TASKS_IN_LINE 20000 /* of both lines together */
enum task_line {
	TASK_LINE_REQUESTS, /* a client waits for 400 ms, less than a store may take to answer */
	TASK_LINE_SOCKETS,  /* 5 s */
	TASK_LINES
};
/* `next` runs once it is inside, where it stays to its end. ERR_UNAVAILABLE when it waited too
 * long, or there are too many before it; never for a task without a deadline. */
void task_admit(struct task *t, enum task_line line, task_fn *next);

/* ---- for io/redis, io/pg and whoever else has operations ---- */
enum op_kind {
	OP_READ,
	OP_WRITE /* from here on the task is changing something (rule 4) */
};
struct op {
	struct list node;  /* on the task */
	struct task *task; /* NULL once detached */
};
/* Registers `op` with the task's step; `next` becomes its continuation. */
void op_begin(struct task *t, struct op *op, enum op_kind kind, task_fn *next);
/* Ends it once: OK, or the error. Does nothing on a detached op (op->task == NULL). */
void op_end(struct op *op, enum err e);

struct task_stats {
	uint64_t started, alive, failed;
	uint64_t inside, inside_most, in_line, refused; /* admission; refused: so far */
};
struct task_stats task_stats(void);
void task_end_all(void);    /* at shutdown, after draining: orphans and ticks end */
bool task_any_client(void); /* a task that is no tick (has a deadline) is alive */

#ifdef PORTAL_FAULTS
/* Test builds: at the k-th operation (from 0) of the task, make it happen. */
enum task_fault_kind {
	TASK_FAULT_NONE,
	TASK_FAULT_DROP,     /* the client is gone: fn is called */
	TASK_FAULT_FAIL,     /* the operation ends with ERR_UNAVAILABLE */
	TASK_FAULT_DEADLINE, /* the deadline passes while it runs */
	TASK_FAULT_HOLD      /* behind it the task waits for task_release */
};
void task_fault_inject(
	struct task *t, enum task_fault_kind kind, unsigned k, void (*drop)(struct task *t));
/* The same for the next task of that name, which no client starts: all but drop. */
void task_fault_next(struct str name, enum task_fault_kind kind, unsigned k);
void task_release(void);                      /* the oldest task that is held goes on */
unsigned task_op_count(const struct task *t); /* operations begun so far */
#endif

#endif
