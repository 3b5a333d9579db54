/* The gate: who calls, and who has called too often. One round trip to Redis when all is well.
 *
 *   gate_pass -> gate_look -> gate_looked -+-> done (live, dead, over a limit)
 *                                          +-> session_find in PostgreSQL -> gate_found
 *                                                -> live: session_put -> done, or gate_look again
 *                                                -> dead: session_drop, counted as dead by
 * gate_look
 *
 * A look-up in PostgreSQL and an end of the session may run at the same time. Whoever ends a
 * session commits first and then leaves a tombstone in Redis, which forbids to put it back; and
 * when Redis was emptied in between, tombstone included, the marker that the look-up saw is
 * another. In both cases the look-up starts again. (schema/redis/gate.lua, session_put.lua)
 *
 * To add something that each request needs: gate.lua, struct gate_ask and gate_result. */
#include "store/session_private.h"

#include "base/config.h"
#include "gen/schema.h"

#define LOOKS 3 /* beyond that the stores are too restless to answer */

enum gate_state {
	GATE_OVER, /* in the order of gate.lua */
	GATE_DEAD,
	GATE_LIVE,
	GATE_OLD,
	GATE_MISSING
};

struct gate {
	struct gate_ask ask;
	struct gate_result *out;
	enum gate_state state;
	struct session_seat seat;
	bool found, in;
	int looks;
};

static void gate_looked(struct task *t);
static void gate_found(struct task *t);
static void gate_put(struct task *t);

/* ---- counting ---- */

static struct rate rate_of(int64_t max, int64_t count, int64_t left_ms)
{
	return (struct rate){
		.max = max,
		.left = count < max ? max - count : 0,
		.reset = (left_ms + 999) / 1000,
		.over = count > max,
	};
}

static void limit_key(struct task *t, struct redis_args *a, const struct limit *l)
{
	if (l->key.p)
		redis_key(t, a, "portal:rate:%s:" STR_FMT, l->tier, STR_ARG(l->key));
	else
		redis_key(t, a, "portal:rate:"); /* not looked at; an ACL knows portal:* only */
}

static enum err rate_decode(struct task *t, const struct redis_value *v, void *out)
{
	struct rate *r = out;

	(void)t;
	*r = rate_of(r->max, redis_i64(redis_at(v, 0)), redis_i64(redis_at(v, 1)));
	return OK;
}

void rate_hit(
	struct task *t, const struct limit *l, int64_t window_s, struct rate *out, task_fn *next)
{
	struct redis_args a = {0};

	*out = (struct rate){.max = l->key.p ? l->max : 0};
	if (out->max == 0) {
		task_next(t, next);
		return;
	}
	limit_key(t, &a, l);
	redis_arg_i64(t, &a, window_s * 1000);
	redis_eval(t, &redis_scripts[SCRIPT_RATE], &a, rate_decode, out, next);
}

/* ---- looking ---- */

static enum err gate_decode(struct task *t, const struct redis_value *v, void *out)
{
	struct gate *f = out;
	struct arena *a = task_arena(t);
	struct rate rate = rate_of(
		redis_i64(redis_at(v, 2)), redis_i64(redis_at(v, 3)), redis_i64(redis_at(v, 4)));

	f->state = (enum gate_state)redis_i64(redis_at(v, 0));
	f->out->user_id = redis_i64(redis_at(v, 1));
	if (f->out->rate.max == 0 || (rate.max && (rate.over || rate.left < f->out->rate.left)))
		f->out->rate = rate; /* an earlier look has counted others */
	f->seat.marker = arena_str(a, redis_str(redis_at(v, 5)));
	f->out->with = arena_str(a, redis_str(redis_at(v, 6)));
	f->out->generation = arena_str(a, redis_str(redis_at(v, 7)));
	return OK;
}

static void gate_look(struct task *t)
{
	struct gate *f = task_frame(t);
	const struct gate_ask *ask = &f->ask;
	struct redis_args a = {0};

	limit_key(t, &a, &ask->address);
	limit_key(t, &a, &ask->dead);
	/* Without a token there is no hash: an ACL knows portal:* only. */
	redis_key(
		t, &a, "portal:session:" STR_FMT, STR_ARG(ask->has_token ? f->seat.hash : STR("")));
	redis_arg_i64(t, &a, ask->address.key.p ? ask->address.max : 0);
	redis_arg_i64(t, &a, ask->dead.key.p ? ask->dead.max : 0);
	redis_arg(&a, ask->user_tier && ask->user_max ? str_of(ask->user_tier) : STR(""));
	redis_arg_i64(t, &a, ask->user_max);
	redis_arg(&a, ask->with ? str_of(ask->with) : STR(""));
	redis_eval(t, &redis_scripts[SCRIPT_GATE], &a, gate_decode, f, gate_looked);
}

void gate_pass(struct task *t, const struct gate_ask *ask, struct gate_result *out, task_fn *next)
{
	struct gate *f = task_call(t, sizeof(*f), next);

	*out = (struct gate_result){0};
	f->ask = *ask;
	f->out = out;
	f->seat.hash = ask->has_token ? hash_hex(t, ask->token_hash) : STR("");
	gate_look(t);
}

PG_STMT(session_find, OP_READ,
	"SELECT s.user_id, l.live FROM sessions s, LATERAL sessions_live(s.user_id, $2) AS l(live)"
	" WHERE s.token_hash = $1 AND s.ended_at IS NULL AND s.expires_at > now()"
	" AND position(encode($1, 'hex') IN l.live) > 0"
	" AND EXISTS (SELECT FROM users u WHERE u.id = s.user_id AND u.deleted_at IS NULL)");

static enum err found_decode(struct task *t, const struct pg_rows *r, void *out)
{
	struct gate *f = out;

	f->found = pg_count(r) == 1;
	if (f->found) {
		f->seat.user_id = pg_i64(r, 0, 0);
		f->seat.live = pg_text_copy(t, r, 0, 1);
	}
	return OK;
}

static void gate_looked(struct task *t)
{
	struct gate *f = task_frame(t);
	struct pg_args a = {0};

	f->out->live = f->state == GATE_LIVE || f->state == GATE_OLD;
	if (f->state < GATE_OLD) {
		task_return(t);
		return;
	}
	if (f->state == GATE_OLD)
		task_catch(t);
	pg_arg_bytes(&a, f->ask.token_hash, HASH_LEN);
	pg_arg_i64(t, &a, config.max_sessions);
	pg_query(t, &session_find, &a, found_decode, f, gate_found);
}

static void gate_found(struct task *t)
{
	struct gate *f = task_frame(t);
	enum err e = task_err(t);

	if (e == ERR_UNAVAILABLE) { /* an old one, and PostgreSQL is away */
		task_return(t);
		return;
	}
	if (e) {
		task_fail(t, e);
		return;
	}
	f->ask.address.key = STR_NULL; /* has been counted */
	if (f->found) {
		f->seat.checked = true;
		session_put(t, &f->seat, &f->in, gate_put);
		return;
	}
	f->ask.has_token = false; /* counts as dead now */
	if (f->state == GATE_MISSING)
		task_next(t, gate_look);
	else
		session_drop(t,
			drop_list(t,
				arena_printf(task_arena(t), STR_FMT " %lld", STR_ARG(f->seat.hash),
					(long long)f->out->user_id),
				"expired"),
			gate_look);
}

static void gate_put(struct task *t)
{
	struct gate *f = task_frame(t);

	if (f->in && f->state == GATE_OLD)
		task_return(t);
	else if (++f->looks < LOOKS)
		task_next(t, gate_look);
	else
		task_fail(t, ERR_UNAVAILABLE);
}
