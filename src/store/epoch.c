/* Epochs: one script in Redis; PostgreSQL raises the ceiling when the script asks for it.
 *
 *   epoch_ask -> epoch_answered -> (done, or: ceiling raised -> epoch_raised -> epoch_ask)
 *
 * To let a rotation do more in its atomic step: schema/redis/epoch_rotate.lua. */
#include "store/epoch.h"

#include "gen/schema.h"
#include "io/pg.h"
#include "io/redis.h"

#define EPOCH_STEP "1000"

struct epoch {
	int64_t chat_id;
	struct str reason; /* "": only read */
	struct str out;    /* who is taken out, as the script takes it */
	int64_t rank;      /* in the directory, of a change of visibility */
	int64_t *result;   /* may be NULL */
	int64_t raised;    /* ceiling, 0: not raised */
	int64_t n;         /* answer; 0: raise the ceiling */
	struct str marker; /* answer */
};

static enum err decode_answer(struct task *t, const struct redis_value *v, void *out)
{
	struct epoch *f = out;

	f->n = redis_i64(redis_at(v, 0));
	f->marker = arena_str(task_arena(t), redis_str(redis_at(v, 1)));
	return OK;
}

PG_STMT(sql_epoch_raise, OP_WRITE,
	"UPDATE chats SET epoch_ceiling = epoch_ceiling + " EPOCH_STEP " WHERE id = $1::bigint"
	" RETURNING epoch_ceiling");

static enum err decode_raised(struct task *t, const struct pg_rows *r, void *out)
{
	(void)t;
	if (pg_count(r) == 0)
		return ERR_CHAT_NOT_FOUND;
	*(int64_t *)out = pg_i64(r, 0, 0);
	return OK;
}

static void epoch_ask(struct task *t);

static void epoch_answered(struct task *t)
{
	struct epoch *f = task_frame(t);
	struct pg_args a = {0};

	if (f->n == 0) {
		pg_arg_i64(t, &a, f->chat_id);
		pg_query(t, &sql_epoch_raise, &a, decode_raised, &f->raised, epoch_ask);
		return;
	}
	if (f->result)
		*f->result = f->n;
	task_return(t);
}

static void epoch_ask(struct task *t)
{
	struct epoch *f = task_frame(t);
	struct redis_args a = {0};
	long long id = (long long)f->chat_id;

	redis_key(t, &a, "portal:chat:%lld:epoch", id);
	redis_key(t, &a, "portal:chat:%lld:ceiling", id);
	redis_key(t, &a, "portal:chat:%lld:gate", id);
	redis_key(t, &a, "portal:room:%lld:people", id);
	redis_key(t, &a, "portal:room:%lld:joined", id);
	redis_key(t, &a, "portal:room:%lld:present", id);
	redis_key(t, &a, "portal:e2ee:joined:%lld", id);
	redis_key(t, &a, "portal:marker");
	redis_arg_i64(t, &a, f->chat_id);
	redis_arg(&a, f->reason);
	redis_arg(&a, f->out);
	redis_arg_i64(t, &a, f->raised);
	redis_arg(&a, STR(EPOCH_STEP));
	redis_arg(&a, f->marker);
	redis_arg_i64(t, &a, f->rank);
	redis_eval(t, &redis_scripts[SCRIPT_EPOCH_ROTATE], &a, decode_answer, f, epoch_answered);
}

static struct epoch *epoch_begin(struct task *t, int64_t chat_id, const char *reason, task_fn *next)
{
	struct epoch *f = task_call(t, sizeof(*f), next);

	f->chat_id = chat_id;
	f->reason = str_of(reason);
	f->out = f->marker = STR("");
	return f;
}

void epoch_rotate(
	struct task *t, int64_t chat_id, const char *reason, int64_t remove_user, task_fn *next)
{
	struct epoch *f = epoch_begin(t, chat_id, reason, next);

	if (remove_user)
		f->out = arena_printf(task_arena(t), "%lld", (long long)remove_user);
	epoch_ask(t);
}

void epoch_rotate_visibility(
	struct task *t, int64_t chat_id, struct str stay, int64_t rank, task_fn *next)
{
	struct epoch *f = epoch_begin(t, chat_id, "visibility", next);

	if (stay.p)
		f->out = arena_printf(task_arena(t), "but " STR_FMT, STR_ARG(stay));
	f->rank = rank;
	epoch_ask(t);
}

void epoch_current(struct task *t, int64_t chat_id, int64_t *out, task_fn *next)
{
	struct epoch *f = epoch_begin(t, chat_id, "", next);

	f->result = out;
	epoch_ask(t);
}
