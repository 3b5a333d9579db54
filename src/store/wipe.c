/* Wipe timers: a look each second, by every process; one of them gets each chat.
 *
 *   tick -> task: wipe_look (the due ones) -> for each: its name -> message_empty "wipe" -> … ->
 * what changes of chats left undone in Redis (chat_settle: a process died, or Redis was away)
 *
 * The task has no client and no deadline; when a store goes away it ends, and the next tick begins
 * again with what is still due. Chats that PostgreSQL no longer knows are forgotten.
 *
 * To add a preset: `presets`, the check in schema/, the words of config/update in api/routes.c. */
#include "store/wipe.h"

#include "gen/schema.h"
#include "io/pg.h"
#include "io/redis.h"
#include "store/chat_change.h"
#include "store/message_private.h"

#define TICK_MS 1000
#define BATCH   16

static const struct {
	const char *name;
	int64_t ms;
} presets[] = {{"1m", 60000}, {"15m", 900000}, {"1h", 3600000}, {"4h", 14400000}, {"24h", 86400000},
	{"off", 0}};

static struct timer tick;
static bool busy; /* a task is at it */

int64_t wipe_preset_ms(struct str preset)
{
	for (size_t i = 0; i < sizeof(presets) / sizeof(*presets); i++)
		if (str_eq(preset, str_of(presets[i].name)))
			return presets[i].ms;
	PANIC("wipe preset " STR_FMT, STR_ARG(preset));
}

void wipe_restart(struct task *t, int64_t chat_id, struct str preset, task_fn *next)
{
	struct redis_args a = {0};

	redis_key(t, &a, "portal:wipes");
	redis_key(t, &a, "portal:chat:%lld:stamp", (long long)chat_id);
	redis_arg_i64(t, &a, chat_id);
	redis_arg_i64(t, &a, wipe_preset_ms(preset));
	redis_eval(t, &redis_scripts[SCRIPT_WIPE_RESTART], &a, NULL, NULL, next);
}

/* ---- one round ---- */

struct wipe {
	int64_t due[BATCH];
	size_t count, i;
	struct str chat_name; /* NULL p: there is no such chat */
	int64_t cleared;
	bool failed; /* one of them stays due; the next tick tries again */
};

static void wipe_look(struct task *t);

static void wipe_next(struct task *t);

static void wiped(struct task *t)
{
	struct wipe *f = task_frame(t);

	f->failed |= task_err(t) != OK;
	f->i++;
	wipe_next(t);
}

static void wipe_forget(struct task *t, int64_t chat_id)
{
	struct redis_args zrem = {0}, unlink_ = {0};

	redis_arg(&zrem, STR("ZREM"));
	redis_key(t, &zrem, "portal:wipes");
	redis_arg_i64(t, &zrem, chat_id);
	redis_call(t, OP_WRITE, &zrem, NULL, NULL, wiped);
	redis_arg(&unlink_, STR("UNLINK"));
	redis_key(t, &unlink_, "portal:chat:%lld:stream", (long long)chat_id);
	redis_call(t, OP_WRITE, &unlink_, NULL, NULL, wiped);
}

static void wipe_named(struct task *t)
{
	struct wipe *f = task_frame(t);

	task_catch(t);
	if (f->chat_name.p)
		message_empty(t, f->due[f->i], f->chat_name, "wipe", STR("Messages were wiped"),
			&f->cleared, wiped);
	else
		wipe_forget(t, f->due[f->i]);
}

PG_STMT(sql_chat_name, OP_READ, "SELECT name FROM chats WHERE id = $1::bigint");

static enum err name_decode(struct task *t, const struct pg_rows *r, void *out)
{
	*(struct str *)out = pg_count(r) ? pg_text_copy(t, r, 0, 0) : STR_NULL;
	return OK;
}

static void wipe_next(struct task *t)
{
	struct wipe *f = task_frame(t);
	struct pg_args a = {0};

	if (f->i < f->count) {
		pg_arg_i64(t, &a, f->due[f->i]);
		pg_query(t, &sql_chat_name, &a, name_decode, &f->chat_name, wipe_named);
	} else if (f->count == BATCH && !f->failed) {
		wipe_look(t);
	} else {
		chat_settle(t, 0, task_end);
	}
}

static enum err due_decode(struct task *t, const struct redis_value *v, void *out)
{
	struct wipe *f = out;

	(void)t;
	f->count = redis_len(v);
	for (size_t i = 0; i < f->count; i++)
		f->due[i] = redis_i64(redis_at(v, i));
	return OK;
}

static void wipe_look(struct task *t)
{
	struct wipe *f = task_frame(t);
	struct redis_args a = {0};

	f->i = 0;
	redis_key(t, &a, "portal:wipes");
	redis_arg_i64(t, &a, BATCH);
	redis_eval(t, &redis_scripts[SCRIPT_WIPE_DUE], &a, due_decode, f, wipe_next);
}

/* ---- each second ---- */

static void round_failed(struct task *t, const struct fault *fault)
{
	(void)fault; /* a store is away; what is due stays due */
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

	timer_set(timer, TICK_MS);
	if (busy || !redis_is_up() || !pg_is_up())
		return;
	busy = true;
	task_deadline(task_new("wipe", &ops, NULL, sizeof(struct wipe), wipe_look), 0);
}

void wipe_start(void)
{
	timer_init(&tick, on_tick);
	timer_set(&tick, TICK_MS);
}

void wipe_stop(void)
{
	timer_clear(&tick);
}
