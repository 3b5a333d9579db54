/* Searches and direct chats, as people begin and end them.
 *
 *   match_enqueue (-> ids for chats, when none is in reserve) -> enqueue_try -> match_try
 *     -> enqueued, or what Redis does not know of the person: PostgreSQL -> enqueue_try
 *   match_leave, match_close -> match_drop -> match_end
 *
 * Owns the reserve: ids of chats that were asked for and not used. One whose answer was lost may be
 * a chat's, and is forgotten.
 *
 * To keep something more of a search: schema/redis/match_try.lua, struct try, sql_match_person. To
 * end something else with a direct chat: schema/redis/match_end.lua. */
#include "store/match.h"

#include "base/clock.h"
#include "base/config.h"
#include "gen/schema.h"
#include "io/pg.h"
#include "io/redis.h"
#include "store/match_private.h"
#include "store/shown.h"
#include "store/user.h"

static const char *const reasons[MATCH_REASONS] = {"left", "grace", "expired", "gone"};
static struct match_stats stats;

struct match_stats match_stats(void)
{
	return stats;
}

const char *match_reason_name(int i)
{
	return reasons[i];
}

/* ---- ids ---- */

static int64_t reserve[RESERVE];
static size_t reserved;

bool reserve_take(int64_t *id)
{
	if (reserved == 0)
		return false;
	*id = reserve[--reserved];
	return true;
}

void reserve_keep(int64_t id)
{
	if (reserved < RESERVE)
		reserve[reserved++] = id;
}

#define NEXT_ID "nextval('chats_id_seq')"

PG_STMT(sql_match_ids, OP_WRITE, "SELECT " NEXT_ID " FROM generate_series(1, $1::bigint)");

/* `out`: the first of them is the task's own; NULL: none is. */
static enum err ids_decode(struct task *t, const struct pg_rows *r, void *out)
{
	int i = 0;

	(void)t;
	if (out)
		*(int64_t *)out = pg_i64(r, i++, 0);
	for (; i < pg_count(r); i++)
		reserve_keep(pg_i64(r, i, 0));
	return OK;
}

static void ids_ask(struct task *t, size_t count, int64_t *first, task_fn *next)
{
	struct pg_args a = {0};

	pg_arg_i64(t, &a, (int64_t)count);
	pg_query(t, &sql_match_ids, &a, ids_decode, first, next);
}

void reserve_fill(struct task *t, size_t count, task_fn *next)
{
	if (count <= reserved)
		task_next(t, next);
	else
		ids_ask(t, count - reserved, NULL, next);
}

/* ---- where a person stands ---- */

static struct str copy(struct task *t, const struct redis_value *v, size_t i)
{
	return arena_str(task_arena(t), redis_str(redis_at(v, i)));
}

static int64_t us(const struct redis_value *v, size_t i)
{
	return redis_i64(redis_at(v, i)) * 1000;
}

static enum err status_decode(struct task *t, const struct redis_value *v, void *out)
{
	struct match_status *s = out;

	*s = (struct match_status){.state = (enum match_state)redis_i64(redis_at(v, 0))};
	if (s->state == MATCH_SEARCHING) {
		s->interests = copy(t, v, 1);
		s->queued_at = us(v, 2);
		s->expires_at = us(v, 3);
	} else if (s->state == MATCH_MATCHED) {
		s->chat_id = redis_i64(redis_at(v, 1));
		s->interests = copy(t, v, 2);
		s->peer = copy(t, v, 3);
		s->queued_at = us(v, 4);
		s->expires_at = us(v, 5);
		s->online = redis_i64(redis_at(v, 6));
	}
	return OK;
}

void match_status(struct task *t, int64_t user_id, struct match_status *out, task_fn *next)
{
	struct redis_args a = {0};

	redis_arg_i64(t, &a, user_id);
	redis_eval(t, &redis_scripts[SCRIPT_MATCH_STATUS], &a, status_decode, out, next);
}

/* ---- the pairing step ---- */

/* The settings of the step, as its script reads them. */
static struct str settings_text(struct task *t)
{
	const int64_t list[] = {config.match_grace, config.match_away, config.match_expiry,
		config.match_life, config.match_alone, KNOWN_SECONDS};
	struct buf b = {0};
	struct str text;

	for (size_t i = 0; i < sizeof(list) / sizeof(*list); i++) {
		buf_i64(&b, list[i] * 1000);
		buf_char(&b, ' ');
	}
	text = arena_str(task_arena(t), buf_view(&b));
	buf_free(&b);
	return text;
}

static struct str time_text(struct task *t, int64_t at)
{
	char text[TIME_LEN];

	time_format(at, text);
	return arena_str(task_arena(t), str_make(text, TIME_LEN));
}

static struct match_status stands_now(
	struct task *t, const struct try *f, const struct redis_value *v)
{
	if (f->outcome == TRY_MATCHED)
		return (struct match_status){.state = MATCH_MATCHED,
			.chat_id = f->chat_id,
			.peer = copy(t, v, 3),
			.interests = copy(t, v, 4),
			.queued_at = us(v, 5),
			.expires_at = us(v, 5) + config.match_life * 1000000};
	return (struct match_status){.state = MATCH_SEARCHING,
		.interests = f->tags,
		.queued_at = us(v, 2),
		.expires_at = us(v, 2) + config.match_expiry * 1000000};
}

static enum err try_decode(struct task *t, const struct redis_value *v, void *out)
{
	struct try *f = out;

	f->outcome = (enum try_outcome)redis_i64(redis_at(v, 0));
	f->fresh = redis_i64(redis_at(v, 1)) == 1;
	if (f->outcome == TRY_UNKNOWN)
		return OK; /* it is tried again */
	if (f->outcome != TRY_MATCHED || !f->fresh)
		reserve_keep(f->chat_id);
	else
		stats.pairs++;
	if (f->fresh && f->stands)
		*f->stands = stands_now(t, f, v);
	return OK;
}

void match_try(struct task *t, struct try *f, task_fn *next)
{
	struct redis_args a = {0};

	redis_arg_i64(t, &a, f->user_id);
	redis_arg_i64(t, &a, f->chat_id);
	redis_arg(&a, f->tags.n ? STR("1") : STR("0"));
	redis_arg(&a, settings_text(t));
	if (f->tags.n) {
		redis_arg(&a, f->tags);
		redis_arg(
			&a, time_text(t, (clock_us() / 1000 + config.match_expiry * 1000) * 1000));
	}
	if (f->person.p) {
		redis_arg(&a, f->person);
		redis_arg(&a, f->blocked);
	}
	redis_eval(t, &redis_scripts[SCRIPT_MATCH_TRY], &a, try_decode, f, next);
}

/* ---- beginning a search ---- */

PG_STMT(sql_match_person, OP_READ,
	"SELECT u.username, " AVATAR_OF(
		"u") ", u.permission_level,"
		     " (SELECT ' ' || string_agg(a.id || ' ', '') FROM user_avoids(u.id) a (id))"
		     " FROM users u WHERE u.id = $1::bigint AND u.deleted_at IS NULL"
		     " AND user_state(u.restriction, u.restricted_until) = 'active'");

static enum err person_decode(struct task *t, const struct pg_rows *r, void *out)
{
	struct try *f = out;
	struct buf b = {0};
	struct json_out j;

	if (pg_count(r) == 0)
		return ERR_AUTH_REQUIRED;
	json_out_init(&j, &b);
	write_chat_person(&j, f->user_id, pg_text(r, 0, 0), pg_text(r, 0, 1), (int)pg_i64(r, 0, 2));
	f->person = arena_str(task_arena(t), buf_view(&b));
	buf_free(&b);
	f->blocked = pg_null(r, 0, 3) ? STR(" ") : pg_text_copy(t, r, 0, 3);
	return OK;
}

static void enqueue_try(struct task *t);

static void enqueued(struct task *t)
{
	struct try *f = task_frame(t);
	struct pg_args a = {0};

	if (f->outcome == TRY_UNKNOWN) {
		pg_arg_i64(t, &a, f->user_id);
		pg_query(t, &sql_match_person, &a, person_decode, f, enqueue_try);
	} else if (f->outcome == TRY_CLOSED) {
		task_fail(t, ERR_AUTH_REQUIRED);
	} else if (f->fresh) {
		task_return(t);
	} else {
		task_fail(t, f->outcome == TRY_MATCHED ? ERR_MATCH_SLOT_LIMIT
						       : ERR_MATCH_ALREADY_SEARCHING);
	}
}

static void enqueue_try(struct task *t)
{
	match_try(t, task_frame(t), enqueued);
}

void match_enqueue(
	struct task *t, int64_t user_id, struct str tags, struct match_status *out, task_fn *next)
{
	struct try *f = task_call(t, sizeof(*f), next);

	f->user_id = user_id;
	f->tags = arena_str(task_arena(t), tags);
	f->stands = out;
	if (reserve_take(&f->chat_id))
		enqueue_try(t);
	else
		ids_ask(t, RESERVE_AT_ONCE, &f->chat_id, enqueue_try);
}

void match_forget(struct task *t, int64_t user_id, task_fn *next)
{
	struct redis_args a = {0};

	redis_arg(&a, STR("SET"));
	redis_key(t, &a, "portal:match:known:%lld", (long long)user_id);
	redis_arg(&a, STR("-"));
	redis_arg(&a, STR("PX"));
	redis_arg_i64(t, &a, KNOWN_QUIET_MS);
	redis_call(t, OP_WRITE, &a, NULL, NULL, next);
}

/* ---- ending ---- */

static enum err dropped_decode(struct task *t, const struct redis_value *v, void *out)
{
	struct dropped *d = out;

	(void)t;
	if (!d)
		return OK;
	d->ended = redis_i64(redis_at(v, 0)) == 1;
	d->chat_id = redis_i64(redis_at(v, 1));
	return OK;
}

void match_drop(
	struct task *t, int64_t user_id, const char *reason, struct dropped *out, task_fn *next)
{
	struct redis_args a = {0};

	redis_arg_i64(t, &a, user_id);
	redis_arg(&a, str_of(reason));
	redis_arg_i64(t, &a, config.match_expiry * 1000);
	redis_eval(t, &redis_scripts[SCRIPT_MATCH_DROP], &a, dropped_decode, out, next);
}

static uint64_t *ended_of(const char *reason)
{
	size_t i = 0;

	while (strcmp(reasons[i], reason) != 0)
		i++;
	return &stats.ended[i];
}

static enum err ended_decode(struct task *t, const struct redis_value *v, void *out)
{
	(void)t;
	*(uint64_t *)out += (uint64_t)redis_i64(redis_at(v, 0));
	return OK;
}

void match_end(struct task *t, int64_t chat_id, const char *reason, int64_t user_id, bool due,
	task_fn *next)
{
	struct redis_args a = {0};

	redis_arg_i64(t, &a, chat_id);
	redis_arg(&a, str_of(reason));
	if (user_id)
		redis_arg_i64(t, &a, user_id);
	else
		redis_arg(&a, STR(""));
	redis_arg(&a, due ? STR("1") : STR("0"));
	redis_arg_i64(t, &a, config.match_recent * 1000);
	redis_eval(t, &redis_scripts[SCRIPT_MATCH_END], &a, ended_decode, ended_of(reason), next);
}

void match_dequeue(struct task *t, int64_t user_id, task_fn *next)
{
	match_drop(t, user_id, "dequeued", NULL, next);
}

struct leave {
	int64_t user_id;
	struct dropped dropped;
};

static void leave_dropped(struct task *t)
{
	const struct leave *f = task_frame(t);

	if (f->dropped.ended)
		task_return(t);
	else if (f->dropped.chat_id == 0)
		task_fail(t, ERR_MATCH_NO_ACTIVE_DIRECT);
	else
		match_end(t, f->dropped.chat_id, "left", f->user_id, false, task_return);
}

void match_leave(struct task *t, int64_t user_id, task_fn *next)
{
	struct leave *f = task_call(t, sizeof(*f), next);

	f->user_id = user_id;
	match_drop(t, user_id, "dequeued", &f->dropped, leave_dropped);
}

/* What Redis does not hear of: the search is found by the sweep, the chat ends with its grace. */
static void closed(struct task *t)
{
	task_return(t);
}

static void close_dropped(struct task *t)
{
	const struct leave *f = task_frame(t);

	if (task_err(t) != OK || f->dropped.chat_id == 0) {
		task_return(t);
		return;
	}
	task_catch(t);
	match_end(t, f->dropped.chat_id, "gone", f->user_id, false, closed);
}

void match_close(struct task *t, int64_t user_id, task_fn *next)
{
	struct leave *f = task_call(t, sizeof(*f), next);

	f->user_id = user_id;
	task_catch(t);
	match_drop(t, user_id, "gone", &f->dropped, close_dropped);
}

/* ---- direct chats ---- */

static enum err direct_decode(struct task *t, const struct redis_value *v, void *out)
{
	struct direct *d = out;

	if (redis_is_nil(redis_at(v, 0)))
		return ERR_CHAT_NOT_FOUND;
	for (size_t i = 0; i < 2; i++) {
		d->people[i] = redis_i64(redis_at(v, i));
		d->persons[i] = copy(t, v, 2 + i);
	}
	d->created_at = us(v, 4);
	d->ends_at = us(v, 5);
	return OK;
}

static enum err count_decode(struct task *t, const struct redis_value *v, void *out)
{
	(void)t;
	*(int64_t *)out = redis_i64(v);
	return OK;
}

void direct_read(struct task *t, int64_t chat_id, struct direct *out, task_fn *next)
{
	static const char *const fields[] = {"x", "y", "px", "py", "c", "u"};
	struct redis_args hmget = {0}, hlen = {0};

	*out = (struct direct){.id = chat_id};
	redis_arg(&hmget, STR("HMGET"));
	redis_arg(&hmget, arena_printf(task_arena(t), "portal:direct:%lld", (long long)chat_id));
	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++)
		redis_arg(&hmget, str_of(fields[i]));
	redis_call(t, OP_READ, &hmget, direct_decode, out, next);
	redis_arg(&hlen, STR("HLEN"));
	redis_arg(
		&hlen, arena_printf(task_arena(t), "portal:room:%lld:people", (long long)chat_id));
	redis_call(t, OP_READ, &hlen, count_decode, &out->online, next);
}

static enum err reason_decode(struct task *t, const struct redis_value *v, void *out)
{
	*(struct str *)out = redis_is_nil(v) ? STR_NULL : arena_str(task_arena(t), redis_str(v));
	return OK;
}

void direct_end_reason(struct task *t, int64_t chat_id, struct str *out, task_fn *next)
{
	struct redis_args a = {0};

	redis_arg(&a, STR("GET"));
	redis_key(t, &a, "portal:chat:%lld:ended", (long long)chat_id);
	redis_call(t, OP_READ, &a, reason_decode, out, next);
}
