/* Tasks: owns the steps of one request, event or tick: frames, operations under way, deadline.
 *
 *   task_new -> ready queue -> task_step: first -> op_begin … op_end -> task_step: next -> … ->
 * task_end
 *
 * A step runs only from task_step. What it started last decides what comes next: the frame holds
 * the continuation, the list `ops` what it waits for; when the list is empty (and no sleep is on)
 * the task is ready again. A failure is noted in `fault` and waits for the operations beside it;
 * then task_step unwinds frames to the first that asked to see it.
 *
 * Lifetime: the task is the first thing in its own arena. Ended in a step it is freed behind that
 * step, otherwise at once. Operations outlive it: they are detached (op->task is NULL) and belong
 * to the queue of their connection.
 *
 * Admission: `lines` hold those that wait, stats.inside counts those that are in; whoever ends lets
 * the next one in.
 *
 * To add a way for a step to end: set frame->next (or fault), and let task_step know what to wait
 * for. */
#include "io/task.h"

#include "base/clock.h"

#ifdef PORTAL_FAULTS
#include "base/log.h"
#endif

struct frame {
	struct frame *up;
	task_fn *next; /* runs when what this frame started has ended */
	bool catching; /* and sees its error */
	_Alignas(16) char data[];
};

struct task {
	struct list node; /* all */
	struct ready ready;
	struct arena arena;
	const char *name;
	const struct task_ops *ops;
	void *subject;
	struct frame *frame; /* the innermost */
	struct list under_way;
	struct timer deadline, nap;
	struct fault fault; /* err is set: to be unwound */
	struct fault seen;  /* what the running step caught */
	struct list line;   /* of those that wait to get inside */
	struct op place;    /* what one in line waits for */
	enum task_line in_line;
	bool running, ended, expired, orphan, wrote, timed, inside;
#ifdef PORTAL_FAULTS
	enum task_fault_kind inject;
	unsigned inject_at, op_count;
	bool injected; /* in the running step */
	bool held;
	struct op *inject_op;
	void (*drop)(struct task *t);
#endif
};

static struct list tasks = {&tasks, &tasks};
static struct list lines[TASK_LINES] = {
	{&lines[0], &lines[0]}, {&lines[1], &lines[1]}}; /* of those that wait to get inside */
static const int64_t line_ms[TASK_LINES] = {400, 5000};
#define SOCKETS_EVERY 4
#define INSIDE_MS     200  /* how long one that is inside may take */
#define PACE_MS       100  /* how often the pace at which they end is looked at */
#define PACE_OVER_MS  1000 /* over which it is taken: stores answer in bursts */
#define AWAY_MOST     3000 /* refused at once in each PACE_MS: a third of a core */
static struct task_stats stats = {.inside_most = TASKS_INSIDE};
static uint64_t waiting[TASK_LINES];
static struct {
	int64_t since; /* clock_ms */
	uint64_t done; /* that were inside and have ended since */
	uint64_t away; /* refused at once since */
	double inside; /* how many may be inside at the pace of late */
} pace;
#ifdef PORTAL_FAULTS
static struct {
	char name[32]; /* "": nothing */
	enum task_fault_kind kind;
	unsigned k;
} fault_next;
#endif

static struct frame *frame_push(struct task *t, size_t size)
{
	struct frame *f = arena_alloc(&t->arena, sizeof(*f) + size);

	f->up = t->frame;
	f->next = NULL;
	f->catching = false;
	memset(f->data, 0, size);
	t->frame = f;
	return f;
}

/* ---- the end ---- */

static void task_free(struct task *t)
{
	struct arena arena;

#ifdef PORTAL_FAULTS
	if (t->inject != TASK_FAULT_NONE)
		log_line(LOG_INFO, "a task with a fault ended", LOG_Z("task", t->name),
			LOG_I("at", t->inject_at), LOG_I("steps", t->op_count));
#endif
	if (t->ops->ended)
		t->ops->ended(t);
	list_remove(&t->node);
	stats.alive--;
	arena = t->arena; /* the arena holds the task itself */
	arena_release(&arena);
}

static void ops_detach(struct task *t)
{
	struct list *n;

	while ((n = list_pop(&t->under_way)) != NULL)
		LIST_ITEM(n, struct op, node)->task = NULL;
}

/* By Little's law: with n inside and x a second ending, each is in for n / x seconds. */
static void pace_look(void)
{
	int64_t ms = clock_ms() - pace.since;
	double part = ms < PACE_OVER_MS ? (double)ms / PACE_OVER_MS : 1;

	if (ms < PACE_MS)
		return;
	pace.inside += part * ((double)pace.done * INSIDE_MS / (double)ms - pace.inside);
	stats.inside_most = pace.inside > TASKS_INSIDE ? (uint64_t)pace.inside : TASKS_INSIDE;
	pace.since = clock_ms();
	pace.done = pace.away = 0;
}

/* Whose turn it is; NULL: nobody waits. */
static struct list *line_next(void)
{
	static unsigned turn;
	struct list *requests = &lines[TASK_LINE_REQUESTS], *sockets = &lines[TASK_LINE_SOCKETS];
	bool sockets_turn = ++turn % SOCKETS_EVERY == 0 || list_empty(requests);

	return list_pop(sockets_turn && !list_empty(sockets) ? sockets : requests);
}

static void line_enter(struct task *t, enum task_line line)
{
	t->in_line = line;
	waiting[line]++;
	stats.in_line++;
	list_add_tail(&lines[line], &t->line);
}

static void line_left(const struct task *t)
{
	waiting[t->in_line]--;
	stats.in_line--;
}

static void line_move(void)
{
	struct list *n;

	while (stats.inside < stats.inside_most && (n = line_next()) != NULL) {
		struct task *t = LIST_ITEM(n, struct task, line);

		line_left(t);
		if (t->expired) /* and ends in this turn */
			continue;
		stats.inside++;
		t->inside = true;
		if (t->timed)
			timer_set(&t->deadline, TASK_DEADLINE_MS);
		op_end(&t->place, OK);
	}
}

static void line_leave(struct task *t)
{
	if (!list_empty(&t->line)) {
		list_remove(&t->line);
		line_left(t);
	}
	if (t->inside) {
		t->inside = false;
		stats.inside--;
		pace.done++;
		pace_look();
		line_move();
	}
}

/* More wait already than will get in. So that telling is not all that is done, those who are told
 * at once are counted: beyond AWAY_MOST they wait for it in the line. */
static bool line_is_hopeless(enum task_line line)
{
	uint64_t most = stats.inside_most * (uint64_t)line_ms[line] / INSIDE_MS;

	if (stats.in_line >= TASKS_IN_LINE)
		return true;
	if (line != TASK_LINE_REQUESTS || waiting[line] < TASKS_WAITING || waiting[line] < most)
		return false;
	pace_look();
	return ++pace.away <= AWAY_MOST;
}

void task_admit(struct task *t, enum task_line line, task_fn *next)
{
	ASSERT(!t->inside);
	if (stats.inside < stats.inside_most && stats.in_line == 0) {
		t->inside = true;
		stats.inside++;
		next(t);
		return;
	}
	if (t->timed && line_is_hopeless(line)) {
		stats.refused++;
		task_fail(t, ERR_UNAVAILABLE);
		return;
	}
	if (t->timed)
		timer_set(&t->deadline, line_ms[line]);
	op_begin(t, &t->place, OP_READ, next);
	line_enter(t, line);
}

void task_end(struct task *t)
{
	if (t->ended)
		return;
	t->ended = true;
	line_leave(t);
	ops_detach(t);
	timer_clear(&t->deadline);
	timer_clear(&t->nap);
	ready_cancel(&t->ready);
	if (!t->running)
		task_free(t);
}

void task_orphan(struct task *t)
{
	t->orphan = true;
	if (!t->wrote)
		task_end(t);
}

/* ---- steps ---- */

/* Is there anything yet to end before the next step? */
static bool task_waits(const struct task *t)
{
#ifdef PORTAL_FAULTS
	if (t->held)
		return true;
#endif
	return !list_empty(&t->under_way) || timer_is_set(&t->nap);
}

/* The continuation that is due, in its frame; NULL when no frame wanted to see the error. */
static task_fn *frame_settle(struct task *t)
{
	struct frame *f = t->frame;
	task_fn *next;

	if (t->expired)
		return NULL;
	if (t->fault.err != OK) {
		while (f && !(f->catching && f->next))
			f = f->up;
		if (!f)
			return NULL;
		t->frame = f;
		t->seen = t->fault;
		t->fault.err = OK;
	}
	next = f->next;
	f->next = NULL;
	f->catching = false;
	return next;
}

#ifdef PORTAL_FAULTS
static void fault_strike(struct task *t);
#endif

/* Behind a step: what does the task wait for? */
static void task_settle(struct task *t)
{
	if (t->ended) {
		task_free(t);
		return;
	}
	if (t->fault.err == OK && !t->frame->next)
		PANIC("task %s: a step neither started an operation nor ended", t->name);
	if (!task_waits(t))
		ready_add(&t->ready);
#ifdef PORTAL_FAULTS
	if (t->injected)
		fault_strike(t);
#endif
}

static void task_step(struct ready *r)
{
	struct task *t = LIST_ITEM(r, struct task, ready);
	task_fn *next = frame_settle(t);

	t->running = true;
	if (next) {
		next(t);
	} else {
		stats.failed++;
		t->ops->failed(t, &t->fault);
		if (!t->ended)
			PANIC("task %s: failed did not end it", t->name);
	}
	t->running = false;
	t->seen.err = OK;
	task_settle(t);
}

static void task_expire(struct timer *timer)
{
	struct task *t = LIST_ITEM(timer, struct task, deadline);

	t->expired = true;
	stats.refused += !list_empty(&t->line);
	t->fault = (struct fault){.err = ERR_UNAVAILABLE};
	ops_detach(t);
	timer_clear(&t->nap);
	ready_add(&t->ready);
}

#ifdef PORTAL_FAULTS
/* Behind the step, as in life: a client leaves and a deadline passes between steps. */
static void fault_strike(struct task *t)
{
	t->injected = false;
	if (t->inject == TASK_FAULT_DROP)
		t->drop(t);
	else if (t->inject == TASK_FAULT_DEADLINE)
		task_expire(&t->deadline);
}
#endif

static void task_wake(struct timer *nap)
{
	struct task *t = LIST_ITEM(nap, struct task, nap);

	if (!task_waits(t))
		ready_add(&t->ready);
}

struct task *task_new(const char *name, const struct task_ops *ops, void *subject,
	size_t frame_size, task_fn *first)
{
	struct arena arena;
	struct task *t;

	arena_init(&arena);
	t = arena_zalloc(&arena, sizeof(*t));
	t->arena = arena;
	t->name = name;
	t->ops = ops;
	t->subject = subject;
	list_init(&t->under_way);
	list_init(&t->line);
	list_add_tail(&tasks, &t->node);
	ready_init(&t->ready, task_step);
	timer_init(&t->deadline, task_expire);
	timer_init(&t->nap, task_wake);
	task_deadline(t, TASK_DEADLINE_MS);
	frame_push(t, frame_size)->next = first;
	ready_add(&t->ready);
	stats.started++;
	stats.alive++;
#ifdef PORTAL_FAULTS
	if (strcmp(name, fault_next.name) == 0) {
		task_fault_inject(t, fault_next.kind, fault_next.k, NULL);
		*fault_next.name = '\0';
	}
#endif
	return t;
}

void task_deadline(struct task *t, int64_t ms)
{
	t->timed = ms > 0;
	if (t->timed)
		timer_set(&t->deadline, ms);
	else
		timer_clear(&t->deadline);
}

/* The one continuation of the step. */
static void frame_expect(struct task *t, task_fn *next)
{
	struct frame *f = t->frame;

	if (!t->running || t->ended)
		PANIC("task %s: an operation outside a step", t->name);
	if (f->next && f->next != next)
		PANIC("task %s: a step has two continuations", t->name);
	f->next = next;
}

void task_next(struct task *t, task_fn *next)
{
	frame_expect(t, next);
}

void task_sleep(struct task *t, int64_t ms, task_fn *next)
{
	frame_expect(t, next);
	timer_set(&t->nap, ms);
}

void *task_call(struct task *t, size_t size, task_fn *next)
{
	ASSERT(list_empty(&t->under_way) && !timer_is_set(&t->nap));
	frame_expect(t, next);
	return frame_push(t, size)->data;
}

void *task_frame_make(struct task *t, size_t size)
{
	struct frame *old = t->frame;

	ASSERT(t->running && !old->next);
	frame_push(t, size)->up = old->up;
	return t->frame->data;
}

void task_return(struct task *t)
{
	ASSERT(t->running && !t->ended && t->frame->up);
	ASSERT(list_empty(&t->under_way) && !t->frame->next);
	t->frame = t->frame->up;
}

void task_catch(struct task *t)
{
	t->frame->catching = true;
}

void task_fail_with(struct task *t, struct fault f)
{
	ASSERT(t->running && f.err != OK);
	if (t->fault.err == OK)
		t->fault = f;
}

void task_fail(struct task *t, enum err e)
{
	task_fail_with(t, (struct fault){.err = e});
}

/* ---- operations ---- */

void op_begin(struct task *t, struct op *op, enum op_kind kind, task_fn *next)
{
	frame_expect(t, next);
	op->task = t;
	list_add_tail(&t->under_way, &op->node);
	if (kind == OP_WRITE)
		t->wrote = true;
#ifdef PORTAL_FAULTS
	if (t->inject != TASK_FAULT_NONE && t->op_count == t->inject_at) {
		t->injected = true;
		t->inject_op = op;
	}
	t->op_count++;
#endif
}

void op_end(struct op *op, enum err e)
{
	struct task *t = op->task;

	if (!t)
		return;
	op->task = NULL;
	list_remove(&op->node);
#ifdef PORTAL_FAULTS
	if (t->inject == TASK_FAULT_FAIL && t->inject_op == op) {
		t->inject_op = NULL;
		e = ERR_UNAVAILABLE;
	}
	if (t->inject == TASK_FAULT_HOLD && t->inject_op == op) {
		t->inject_op = NULL;
		t->held = true;
		log_line(LOG_INFO, "a task is held", LOG_Z("task", t->name),
			LOG_I("at", t->inject_at));
	}
#endif
	if (e != OK && t->fault.err == OK)
		t->fault = (struct fault){.err = e};
	if (!t->running && !task_waits(t))
		ready_add(&t->ready);
}

/* ---- looking at it ---- */

void *task_subject(const struct task *t)
{
	return t->subject;
}

void *task_frame(const struct task *t)
{
	return t->frame->data;
}

struct arena *task_arena(struct task *t)
{
	return &t->arena;
}

const char *task_name(const struct task *t)
{
	return t->name;
}

bool task_is_orphan(const struct task *t)
{
	return t->orphan;
}

enum err task_err(const struct task *t)
{
	return t->seen.err;
}

const struct fault *task_fault(const struct task *t)
{
	static const struct fault none;

	return t->seen.err != OK ? &t->seen : &none;
}

struct task_stats task_stats(void)
{
	return stats;
}

void task_end_all(void)
{
	struct list ending = {&ending, &ending};
	struct list *n;

	while ((n = list_pop(&tasks)) != NULL)
		list_add_tail(&ending, n);
	while ((n = list_pop(&ending)) != NULL)
		task_end(LIST_ITEM(n, struct task, node));
}

bool task_any_client(void)
{
	LIST_FOREACH (n, &tasks)
		if (LIST_ITEM(n, struct task, node)->timed)
			return true;
	return false;
}

#ifdef PORTAL_FAULTS
void task_fault_inject(
	struct task *t, enum task_fault_kind kind, unsigned k, void (*drop)(struct task *t))
{
	t->inject = kind;
	t->inject_at = k;
	t->drop = drop;
}

void task_fault_next(struct str name, enum task_fault_kind kind, unsigned k)
{
	ASSERT(kind != TASK_FAULT_DROP && name.n < sizeof(fault_next.name));
	memcpy(fault_next.name, name.p, name.n);
	fault_next.name[name.n] = '\0';
	fault_next.kind = kind;
	fault_next.k = k;
}

void task_release(void)
{
	LIST_FOREACH (n, &tasks) {
		struct task *t = LIST_ITEM(n, struct task, node);

		if (t->held) {
			t->held = false;
			if (!task_waits(t))
				ready_add(&t->ready);
			return;
		}
	}
}

unsigned task_op_count(const struct task *t)
{
	return t->op_count;
}
#endif
