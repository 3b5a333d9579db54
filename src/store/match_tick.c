/* The tick of the matcher: every process looks at what is due, and each step decides again.
 *
 *   tick -> task: (match_started, once) -> round_look (match_due) -> round_ids -> round_steps: all
 * of a batch side by side -> round_look while there is more -> sweep_ask -> sweep_closed -> end
 *
 * The task has no client and no deadline; when a store goes away it ends, and the next tick begins
 * anew with what is still due.
 *
 * To let something else come due: match_due.lua, struct round, round_steps. */
#include "base/clock.h"
#include "base/config.h"
#include "gen/schema.h"
#include "io/pg.h"
#include "io/redis.h"
#include "store/match_private.h"

#define BATCH    64 /* of each kind */
#define SWEEP    500
#define SWEEP_MS 5000

struct grace {
	int64_t chat_id, user_id;
};
struct round {
	int64_t over[2 * BATCH], chats[BATCH];
	struct grace graces[BATCH];
	struct try again[2 * BATCH];
	size_t over_n, graces_n, chats_n, again_n;
	int64_t sweep[SWEEP]; /* who searches; then of these, whose account is closed */
	size_t sweep_n;
};

static struct timer tick;
static bool busy;    /* a task is at it */
static bool started; /* graces have their least */
static int64_t sweep_at;

static void round_look(struct task *t);

/* ---- accounts that were closed while Redis was away ---- */

static void sweep_next(struct task *t)
{
	struct round *f = task_frame(t);

	if (f->sweep_n == 0)
		task_end(t);
	else
		match_close(t, f->sweep[--f->sweep_n], sweep_next);
}

PG_STMT(sql_match_closed, OP_READ,
	"SELECT s.id FROM unnest($1::bigint[]) s (id) LEFT JOIN users u ON u.id = s.id"
	" AND u.deleted_at IS NULL AND user_state(u.restriction, u.restricted_until) = 'active'"
	" WHERE u.id IS NULL");

static enum err closed_decode(struct task *t, const struct pg_rows *r, void *out)
{
	struct round *f = out;

	(void)t;
	f->sweep_n = (size_t)pg_count(r);
	for (size_t i = 0; i < f->sweep_n; i++)
		f->sweep[i] = pg_i64(r, (int)i, 0);
	return OK;
}

static void sweep_read(struct task *t)
{
	struct round *f = task_frame(t);
	struct pg_args a = {0};

	if (f->sweep_n == 0) {
		task_end(t);
		return;
	}
	pg_arg_i64s(t, &a, f->sweep, f->sweep_n);
	pg_query(t, &sql_match_closed, &a, closed_decode, f, sweep_next);
}

static enum err sweep_decode(struct task *t, const struct redis_value *v, void *out)
{
	struct round *f = out;

	(void)t;
	f->sweep_n = redis_len(v);
	ASSERT(f->sweep_n <= SWEEP);
	for (size_t i = 0; i < f->sweep_n; i++)
		f->sweep[i] = redis_i64(redis_at(v, i));
	return OK;
}

static void sweep_ask(struct task *t)
{
	struct redis_args a = {0};

	if (clock_ms() < sweep_at) {
		task_end(t);
		return;
	}
	sweep_at = clock_ms() + SWEEP_MS;
	redis_arg_i64(t, &a, SWEEP_MS - SWEEP_MS / 10);
	redis_arg_i64(t, &a, SWEEP);
	redis_eval(
		t, &redis_scripts[SCRIPT_MATCH_SWEEP], &a, sweep_decode, task_frame(t), sweep_read);
}

/* ---- what is due ---- */

static void round_stepped(struct task *t)
{
	const struct round *f = task_frame(t);

	if (f->over_n >= BATCH || f->graces_n == BATCH || f->chats_n == BATCH ||
		f->again_n >= BATCH)
		round_look(t);
	else
		sweep_ask(t);
}

static void round_steps(struct task *t)
{
	struct round *f = task_frame(t);
	size_t n = f->over_n + f->graces_n + f->chats_n;

	for (size_t i = 0; i < f->over_n; i++)
		match_drop(t, f->over[i], "expired", NULL, round_stepped);
	for (size_t i = 0; i < f->graces_n; i++)
		match_end(t, f->graces[i].chat_id, "grace", f->graces[i].user_id, true,
			round_stepped);
	for (size_t i = 0; i < f->chats_n; i++)
		match_end(t, f->chats[i], "expired", 0, true, round_stepped);
	/* Others may have taken ids meanwhile: who is left is due at the next tick. */
	for (size_t i = 0; i < f->again_n && reserve_take(&f->again[i].chat_id); i++, n++)
		match_try(t, &f->again[i], round_stepped);
	if (n == 0)
		sweep_ask(t);
}

static void round_ids(struct task *t)
{
	const struct round *f = task_frame(t);

	reserve_fill(t, f->again_n, round_steps);
}

static size_t ids_decode(const struct redis_value *v, int64_t *out, size_t most)
{
	size_t n = redis_len(v);

	ASSERT(n <= most);
	for (size_t i = 0; i < n; i++)
		out[i] = redis_i64(redis_at(v, i));
	return n;
}

static enum err due_decode(struct task *t, const struct redis_value *v, void *out)
{
	struct round *f = out;
	int64_t again[2 * BATCH];

	(void)t;
	f->over_n = ids_decode(redis_at(v, 0), f->over, 2 * BATCH);
	f->graces_n = redis_len(redis_at(v, 1));
	ASSERT(f->graces_n <= BATCH);
	for (size_t i = 0; i < f->graces_n; i++) {
		struct str user = redis_str(redis_at(redis_at(v, 1), i));
		struct str chat = str_cut(&user, ':');

		if (!str_to_i64(chat, &f->graces[i].chat_id) ||
			!str_to_i64(user, &f->graces[i].user_id))
			PANIC("a grace that is none");
	}
	f->chats_n = ids_decode(redis_at(v, 2), f->chats, BATCH);
	f->again_n = ids_decode(redis_at(v, 3), again, 2 * BATCH);
	for (size_t i = 0; i < f->again_n; i++)
		f->again[i] = (struct try){.user_id = again[i], .tags = STR("")};
	return OK;
}

static void round_look(struct task *t)
{
	struct redis_args a = {0};

	redis_arg_i64(t, &a, BATCH);
	redis_eval(t, &redis_scripts[SCRIPT_MATCH_DUE], &a, due_decode, task_frame(t), round_ids);
}

static void round_started(struct task *t)
{
	started = true;
	round_look(t);
}

static void round_begin(struct task *t)
{
	struct redis_args a = {0};

	if (started) {
		round_look(t);
		return;
	}
	redis_arg_i64(t, &a, config.match_grace_least * 1000);
	redis_eval(t, &redis_scripts[SCRIPT_MATCH_STARTED], &a, NULL, NULL, round_started);
}

/* ---- each tick ---- */

static void round_failed(struct task *t, const struct fault *fault)
{
	(void)fault;
	task_end(t);
}

static void round_ended(struct task *t)
{
	(void)t;
	busy = false;
}

static void on_tick(struct timer *timer)
{
	static const struct task_ops ops = {.failed = round_failed, .ended = round_ended};

	timer_set(timer, config.match_tick);
	if (!redis_is_up() || !pg_is_up())
		started = false; /* nobody could come back: as at the start */
	if (busy || !redis_is_up() || !pg_is_up())
		return;
	busy = true;
	task_deadline(task_new("match", &ops, NULL, sizeof(struct round), round_begin), 0);
}

void match_start(void)
{
	started = false;
	sweep_at = 0;
	timer_init(&tick, on_tick);
	timer_set(&tick, config.match_tick);
}

void match_stop(void)
{
	timer_clear(&tick);
}
