/* Steps of keys in Redis that may ask for something first.
 *
 *   key_step -> step_run -> step_answered -> (done)
 *                            -> circle_read in PostgreSQL -> circle_put -> step_run
 *                            -> epoch_current | epoch_rotate -> step_run
 *
 * The circle says whose sessions are entitled in a private chat. Its copy in Redis is true: a
 * removal and a change of visibility move the chat's gate, which voids it in the same step in which
 * the person is taken out; key_member_added marks it stale; it is stored only when neither happened
 * since PostgreSQL was asked, and it lives 30 s, should a process die between its commit and that
 * mark. */
#include "store/key_private.h"

#include "base/secret.h"
#include "gen/schema.h"
#include "io/pg.h"
#include "store/epoch.h"

#define STEP_TRIES 8 /* beyond that the chat is too restless to answer */

struct key_step {
	int64_t chat_id;
	int script, tries;
	struct redis_args args;
	struct key_answer *out;
	struct str gate, circle; /* as they were when the step ran */
	struct str people;       /* as PostgreSQL has them */
};

static enum err decode_step(struct task *t, const struct redis_value *v, void *out)
{
	struct key_step *f = out;

	f->out->code = (enum key_code)redis_i64(redis_at(v, 0));
	f->out->a = redis_i64(redis_at(v, 1));
	f->out->b = redis_i64(redis_at(v, 2));
	f->out->text = arena_str(task_arena(t), redis_str(redis_at(v, 2)));
	if (f->out->code == KEY_CIRCLE) {
		f->gate = arena_str(task_arena(t), redis_str(redis_at(v, 1)));
		f->circle = f->out->text;
	}
	return OK;
}

static void step_answered(struct task *t);

static void step_run(struct task *t)
{
	struct key_step *f = task_frame(t);

	if (f->tries++ == STEP_TRIES)
		task_fail(t, ERR_UNAVAILABLE);
	else
		redis_eval(t, &redis_scripts[f->script], &f->args, decode_step, f, step_answered);
}

/* ---- the circle ---- */

PG_STMT(sql_key_circle, OP_READ,
	"SELECT CASE WHEN c.visibility IN ('official', 'public') THEN '' ELSE"
	" coalesce(' ' || c.owner_id, '') || coalesce((SELECT string_agg(' ' || m.user_id, '')"
	" FROM chat_members m WHERE m.chat_id = c.id AND m.user_id IS DISTINCT FROM c.owner_id), "
	"'')"
	" END FROM chats c WHERE c.id = $1::bigint");

static enum err decode_circle(struct task *t, const struct pg_rows *r, void *out)
{
	struct key_step *f = out;

	if (pg_count(r) == 0)
		return ERR_CHAT_NOT_FOUND;
	f->people = pg_text_copy(t, r, 0, 0);
	return OK;
}

static void circle_put(struct task *t)
{
	struct key_step *f = task_frame(t);
	struct redis_args a = {0};

	redis_key(t, &a, "portal:e2ee:circle:%lld", (long long)f->chat_id);
	redis_key(t, &a, "portal:chat:%lld:gate", (long long)f->chat_id);
	redis_arg(&a, f->gate);
	redis_arg(&a, f->circle);
	redis_arg(&a, f->people);
	redis_eval(t, &redis_scripts[SCRIPT_KEY_CIRCLE], &a, NULL, NULL, step_run);
}

static void member_marked(struct task *t)
{
	task_return(t);
}

/* No copy ever begins with "stale", and each such mark differs from the one before. */
void key_member_added(struct task *t, int64_t chat_id, task_fn *next)
{
	struct redis_args a = {0};
	char mark[TOKEN_TEXT];

	task_call(t, 0, next);
	task_catch(t);
	secret_token(mark);
	redis_arg(&a, STR("SET"));
	redis_arg(&a, arena_printf(task_arena(t), "portal:e2ee:circle:%lld", (long long)chat_id));
	redis_arg(&a, arena_printf(task_arena(t), "stale %.*s", TOKEN_TEXT, mark));
	redis_arg(&a, STR("PX"));
	redis_arg(&a, STR("60000"));
	redis_call(t, OP_WRITE, &a, NULL, NULL, member_marked);
}

/* ---- what the answer asks for ---- */

static void step_answered(struct task *t)
{
	struct key_step *f = task_frame(t);
	struct pg_args a = {0};

	switch (f->out->code) {
	case KEY_CIRCLE:
		pg_arg_i64(t, &a, f->chat_id);
		pg_query(t, &sql_key_circle, &a, decode_circle, f, circle_put);
		return;
	case KEY_EPOCH:
		epoch_current(t, f->chat_id, &f->out->a, step_run);
		return;
	case KEY_CEILING:
		epoch_rotate(t, f->chat_id, "lost", 0, step_run);
		return;
	default:
		task_return(t);
	}
}

void key_step(struct task *t, int64_t chat_id, int script, const struct redis_args *args,
	struct key_answer *out, task_fn *next)
{
	struct key_step *f = task_call(t, sizeof(*f), next);

	f->chat_id = chat_id;
	f->script = script;
	f->args = *args;
	f->out = out;
	step_run(t);
}
