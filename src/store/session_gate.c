/* The gate: who calls, and who has called too often. One round trip to Redis when all is well.
 *
 *   gate_pass -> gate_look -> gate_looked -+-> done (live, dead, over a limit)
 *                                          +-> session_find in PostgreSQL -> gate_found
 *                                                -> live: session_put -> done, or gate_look again
 *                                                -> dead: session_drop, counted as dead by
 * gate_look
 *   a session remembered: gate_pass -> gate_recall -> gate_recalled -+-> done
 *                                                                    +-> gate_look, uncounted
 *
 * gate_look is one script. It takes Redis five times as long as the commands that it runs, so a
 * session that it has just found live is remembered (store/known.h) and asked for by commands of
 * their own, in one write. What they answer is Redis' word of this moment; when it is any other
 * than that the session stands as it stood and its person's window runs on, the hit is taken back
 * and the script decides as for a stranger.
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
#include "store/known.h"

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
	struct known_session known;
	bool same;         /* is it still as it was known? */
	struct str person; /* the person's counter, when it was hit */
	int64_t hits, left_ms;
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
		.reset = left_ms > 0 ? (left_ms + 999) / 1000 : 0,
		.over = count > max,
	};
}

static struct str limit_counter(struct task *t, const struct limit *l)
{
	return arena_printf(task_arena(t), "portal:rate:%s:" STR_FMT, l->tier, STR_ARG(l->key));
}

static struct str person_counter(struct task *t, const struct gate_ask *ask, int64_t user_id)
{
	return arena_printf(
		task_arena(t), "portal:rate:%s:%lld", ask->user_tier, (long long)user_id);
}

static bool limit_on(const struct limit *l)
{
	return l->key.p && l->max;
}

static enum err number_decode(struct task *t, const struct redis_value *v, void *out)
{
	(void)t;
	*(int64_t *)out = redis_i64(v);
	return OK;
}

/* Of a counter whose window runs. 1: it has ended after all, and this one would never end. */
static void counter_hit(struct task *t, struct str counter, int64_t *hits, task_fn *next)
{
	struct redis_args a = {0};

	redis_arg(&a, STR("INCR"));
	redis_arg(&a, counter);
	redis_call(t, OP_READ, &a, number_decode, hits, next);
}

static void counter_back(struct task *t, struct str counter, int64_t hits, task_fn *next)
{
	struct redis_args a = {0};

	redis_key(t, &a, STR_FMT, STR_ARG(counter));
	redis_arg_i64(t, &a, hits);
	redis_eval(t, &redis_scripts[SCRIPT_RATE_BACK], &a, NULL, NULL, next);
}

/* Of one that is used up: whoever is refused hears from Redis for how long, not from memory. Below
 * 0: it has just ended. */
static void counter_left(struct task *t, struct str counter, int64_t *left_ms, task_fn *next)
{
	struct redis_args a = {0};

	redis_arg(&a, STR("PTTL"));
	redis_arg(&a, counter);
	redis_call(t, OP_READ, &a, number_decode, left_ms, next);
}

struct rate_call {
	struct rate *out;
	struct str counter;
	int64_t hits, left_ms, window_ms;
};

static enum err rate_decode(struct task *t, const struct redis_value *v, void *out)
{
	struct rate_call *f = out;
	int64_t left_ms = redis_i64(redis_at(v, 1));

	(void)t;
	*f->out = rate_of(f->out->max, redis_i64(redis_at(v, 0)), left_ms);
	known_window_put(f->counter, left_ms);
	return OK;
}

static void rate_count(struct task *t, struct rate_call *f, task_fn *next)
{
	struct redis_args a = {0};

	redis_key(t, &a, STR_FMT, STR_ARG(f->counter));
	redis_arg_i64(t, &a, f->window_ms);
	redis_eval(t, &redis_scripts[SCRIPT_RATE], &a, rate_decode, f, next);
}

static void rate_known(struct task *t)
{
	const struct rate_call *f = task_frame(t);

	*f->out = rate_of(f->out->max, f->hits, f->left_ms);
	task_return(t);
}

static void rate_recalled(struct task *t)
{
	struct rate_call *f = task_frame(t);

	if (f->hits == 1) {
		counter_back(t, f->counter, f->hits, task_return);
		rate_count(t, f, task_return);
	} else if (f->hits > f->out->max) {
		counter_left(t, f->counter, &f->left_ms, rate_known);
	} else {
		rate_known(t);
	}
}

void rate_hit(
	struct task *t, const struct limit *l, int64_t window_s, struct rate *out, task_fn *next)
{
	struct rate_call *f;

	*out = (struct rate){.max = l->key.p ? l->max : 0};
	if (out->max == 0) {
		task_next(t, next);
		return;
	}
	f = task_call(t, sizeof(*f), next);
	f->out = out;
	f->window_ms = window_s * 1000;
	f->counter = limit_counter(t, l);
	f->left_ms = known_window_left(f->counter);
	if (f->left_ms > 0)
		counter_hit(t, f->counter, &f->hits, rate_recalled);
	else
		rate_count(t, f, task_return);
}

/* ---- looking ---- */

/* {value, generation}: one that was kept under another generation, or none ("-"), is none. */
static enum err with_decode(struct task *t, const struct redis_value *v, void *out)
{
	struct gate_result *r = out;
	struct str kept = redis_str(redis_at(v, 0)), generation = redis_str(redis_at(v, 1));

	if (!generation.p)
		generation = STR("0");
	r->generation = arena_str(task_arena(t), generation);
	r->with =
		str_eq(str_cut(&kept, ' '), generation) ? arena_str(task_arena(t), kept) : STR_NULL;
	return OK;
}

/* Sockets ask once a minute and are not worth remembering; an address that is counted first may
 * forbid to count the person. */
static bool gate_remembers(const struct gate_ask *ask)
{
	return ask->has_token && ask->user_tier && !limit_on(&ask->address);
}

static enum err gate_decode(struct task *t, const struct redis_value *v, void *out)
{
	struct gate *f = out;
	struct rate rate = rate_of(
		redis_i64(redis_at(v, 2)), redis_i64(redis_at(v, 3)), redis_i64(redis_at(v, 4)));

	f->state = (enum gate_state)redis_i64(redis_at(v, 0));
	f->out->user_id = redis_i64(redis_at(v, 1));
	if (f->out->rate.max == 0 || (rate.max && (rate.over || rate.left < f->out->rate.left)))
		f->out->rate = rate; /* an earlier look has counted others */
	f->seat.marker = arena_str(task_arena(t), redis_str(redis_at(v, 5)));
	if (f->state == GATE_LIVE && gate_remembers(&f->ask)) {
		known_session_put(f->ask.token_hash, f->out->user_id, redis_i64(redis_at(v, 6)),
			redis_i64(redis_at(v, 7)));
		if (rate.max)
			known_window_put(person_counter(t, &f->ask, f->out->user_id),
				redis_i64(redis_at(v, 4)));
	}
	return f->ask.with ? with_decode(t, redis_at(v, 8), f->out) : OK;
}

static void limit_key(struct task *t, struct redis_args *a, const struct limit *l)
{
	/* One that is off is not looked at; an ACL knows portal:* only. */
	struct str counter = limit_on(l) ? limit_counter(t, l) : STR("portal:rate:");

	redis_key(t, a, STR_FMT, STR_ARG(counter));
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
	redis_arg_i64(t, &a, limit_on(&ask->address) ? ask->address.max : 0);
	redis_arg_i64(t, &a, limit_on(&ask->dead) ? ask->dead.max : 0);
	redis_arg(&a, ask->user_tier && ask->user_max ? str_of(ask->user_tier) : STR(""));
	redis_arg_i64(t, &a, ask->user_max);
	redis_arg(&a, ask->with ? str_of(ask->with) : STR(""));
	redis_eval(t, &redis_scripts[SCRIPT_GATE], &a, gate_decode, f, gate_looked);
}

/* ---- a session that is remembered ---- */

static enum err same_decode(struct task *t, const struct redis_value *v, void *out)
{
	struct gate *f = out;

	(void)t;
	f->same = redis_i64(redis_at(v, 0)) == f->known.user_id &&
		  redis_i64(redis_at(v, 1)) == f->known.checked;
	return OK;
}

static void gate_counted(struct task *t)
{
	const struct gate *f = task_frame(t);

	f->out->live = true;
	f->out->user_id = f->known.user_id;
	if (f->person.p)
		f->out->rate = rate_of(f->ask.user_max, f->hits, f->left_ms);
	task_return(t);
}

static void gate_recalled(struct task *t)
{
	struct gate *f = task_frame(t);

	if (!f->same || f->hits == 1) {
		known_session_forget(f->ask.token_hash);
		if (f->person.p)
			counter_back(t, f->person, f->hits, gate_looked);
		gate_look(t);
	} else if (f->person.p && f->hits > f->ask.user_max) {
		counter_left(t, f->person, &f->left_ms, gate_counted);
	} else {
		gate_counted(t);
	}
}

static void gate_ask_session(struct task *t, struct gate *f)
{
	struct redis_args a = {0};

	redis_arg(&a, STR("HMGET"));
	redis_key(t, &a, "portal:session:" STR_FMT, STR_ARG(f->seat.hash));
	redis_arg(&a, STR("u"));
	redis_arg(&a, STR("c"));
	redis_call(t, OP_READ, &a, same_decode, f, gate_recalled);
}

static void gate_read_with(struct task *t, struct gate *f)
{
	struct redis_args a = {0};

	redis_arg(&a, STR("MGET"));
	redis_key(t, &a, "portal:%s:%lld", f->ask.with, (long long)f->known.user_id);
	redis_key(t, &a, "portal:%s:all", f->ask.with);
	redis_call(t, OP_READ, &a, with_decode, f->out, gate_recalled);
}

/* False: nothing that helps is known, and nothing was asked. */
static bool gate_recall(struct task *t)
{
	struct gate *f = task_frame(t);
	const struct known_session *known =
		gate_remembers(&f->ask) ? known_session(f->ask.token_hash) : NULL;

	if (!known)
		return false;
	f->known = *known;
	if (f->ask.user_max) {
		struct str counter = person_counter(t, &f->ask, known->user_id);

		f->left_ms = known_window_left(counter);
		if (f->left_ms == 0)
			return false;
		f->person = counter;
		counter_hit(t, counter, &f->hits, gate_recalled);
	}
	gate_ask_session(t, f);
	if (f->ask.with)
		gate_read_with(t, f);
	return true;
}

void gate_pass(struct task *t, const struct gate_ask *ask, struct gate_result *out, task_fn *next)
{
	struct gate *f;

	*out = (struct gate_result){0};
	if (!ask->has_token && !limit_on(&ask->dead)) { /* nobody but the address */
		rate_hit(t, &ask->address, 60, &out->rate, next);
		return;
	}
	f = task_call(t, sizeof(*f), next);
	f->ask = *ask;
	f->out = out;
	f->seat.hash = ask->has_token ? hash_hex(t, ask->token_hash) : STR("");
	if (!gate_recall(t))
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
