/* Signing in and ending sessions: PostgreSQL first, then Redis.
 *
 *   session_login  sign_in() in PostgreSQL (with others: sign_ins()) -> session_drop (evicted) and
 *                  session_put in Redis
 *   session_end…   the update is committed -> session_drop in Redis
 *
 * What is committed counts: when the step in Redis fails, the answer is the same. Redis hears of it
 * all the same, one way or the other:
 *  - Redis was away: `unsent` keeps what it has to be told, and session_reconcile tells it before
 *    commands are let in again.
 *  - The process died, or the task's time was up, between commit and Redis: session_reconcile of
 * any process that connects within five minutes reads it from PostgreSQL; at the latest the session
 * is checked again 60 s after it was checked last (later only while PostgreSQL is away). A login
 * puts its session in as not yet checked, so that one that ended before it got there is found out
 * by its first use, even when a Redis that came back empty has lost the tombstone.
 *
 * To add a way for sessions to end: a reason, and sessions_end() in the transaction of what ends
 * them or session_end_all behind it. */
#include "store/session_private.h"

#include "base/config.h"
#include "gen/schema.h"

/* A drop_list of sessions whose end Redis has not heard of. */
static struct buf unsent;

struct str hash_hex(struct task *t, const uint8_t hash[HASH_LEN])
{
	char *hex = arena_alloc(task_arena(t), HASH_HEX);

	hex_encode(hash, HASH_LEN, hex);
	return str_make(hex, HASH_HEX);
}

void session_public_id(const uint8_t token_hash[HASH_LEN], char out[SESSION_ID_LEN])
{
	uint8_t hash[HASH_LEN];

	secret_hash(str_make((const char *)token_hash, HASH_LEN), hash);
	hex_encode(hash, SESSION_ID_LEN / 2, out);
}

struct str drop_list(struct task *t, struct str gone, const char *reason)
{
	struct buf b = {0};
	struct str rest = gone, list;

	while (rest.p && rest.n > 0) {
		struct str hash = str_cut(&rest, ' '), user = str_cut(&rest, ' ');
		struct str why = reason ? str_of(reason) : str_cut(&rest, ' ');
		uint8_t raw[HASH_LEN];
		char id[SESSION_ID_LEN];

		if (!hex_decode(hash, raw, HASH_LEN))
			PANIC("a hash that is none");
		session_public_id(raw, id);
		buf_printf(&b, "%s" STR_FMT " " STR_FMT " %.*s " STR_FMT, b.n ? " " : "",
			STR_ARG(hash), STR_ARG(user), SESSION_ID_LEN, id, STR_ARG(why));
	}
	list = arena_str(task_arena(t), buf_view(&b));
	buf_free(&b);
	return list;
}

/* ---- Redis ---- */

static enum err in_decode(struct task *t, const struct redis_value *v, void *out)
{
	(void)t;
	*(bool *)out = redis_i64(v) == 1;
	return OK;
}

void session_put(struct task *t, const struct session_seat *s, bool *in, task_fn *next)
{
	struct redis_args a = {0};

	redis_key(t, &a, "portal:session:" STR_FMT, STR_ARG(s->hash));
	redis_key(t, &a, "portal:ended:" STR_FMT, STR_ARG(s->hash));
	redis_key(t, &a, "portal:sessions:%lld", (long long)s->user_id);
	redis_key(t, &a, "portal:marker");
	redis_arg(&a, s->hash);
	redis_arg_i64(t, &a, s->user_id);
	redis_arg(&a, s->live);
	redis_arg(&a, s->marker.p ? s->marker : STR(""));
	redis_arg_i64(t, &a, config.max_sessions);
	redis_arg(&a, s->checked ? STR("1") : STR("0"));
	redis_eval(t, &redis_scripts[SCRIPT_SESSION_PUT], &a, in_decode, in, next);
}

void session_drop(struct task *t, struct str gone, task_fn *next)
{
	struct redis_args a = {0};

	redis_arg(&a, gone);
	redis_eval(t, &redis_scripts[SCRIPT_SESSION_DROP], &a, NULL, NULL, next);
}

struct session_tell {
	struct str gone;
	bool again;
};

static void told(struct task *t)
{
	struct session_tell *f = task_frame(t);

	if (task_err(t) != OK && redis_is_up() && !f->again) { /* it was just coming back */
		f->again = true;
		task_catch(t);
		session_drop(t, f->gone, told);
		return;
	}
	if (task_err(t) != OK) {
		buf_str(&unsent, f->gone);
		buf_char(&unsent, ' ');
	}
	task_return(t);
}

void session_tell(struct task *t, struct str gone, const char *reason, task_fn *next)
{
	struct session_tell *f;

	if (gone.n == 0) {
		task_next(t, next);
		return;
	}
	f = task_call(t, sizeof(*f), next);
	f->gone = drop_list(t, gone, reason);
	task_catch(t);
	session_drop(t, f->gone, told);
}

/* ---- signing in ---- */

struct session_login {
	struct login *out;
	uint8_t hash[HASH_LEN];
	struct fault fault;
	struct session_seat seat;
	struct str gone;
	bool in;
};

#define LOGIN_COLUMNS                                                                              \
	"user_id, username, avatar_source, state, permission_level, subscription_level,"           \
	" subscription_expires_at, subscription_granted_by, last_activity_at, permission_since,"   \
	" registered_at, updated_at, platform, platform_user_id, platform_username,"               \
	" platform_avatar_url, linked_at, last_authenticated_at,"                                  \
	" outcome, reason, until, created_at, expires_at, live, gone"

/* Limits and days are the same for all. */
PG_STMT(session_open_many, OP_WRITE,
	"SELECT nr, " LOGIN_COLUMNS " FROM sign_ins($1, $2, $3, $4, $5, $6, $7, $8, $9,"
	" ($10::integer[])[1], ($11::integer[])[1], ($12::integer[])[1])");
PG_STMT_SHARED(session_open_one, OP_WRITE, session_open_many,
	"SELECT " LOGIN_COLUMNS " FROM sign_in($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)");

static enum err login_decode(struct task *t, const struct pg_rows *r, void *out)
{
	struct session_login *f = out;
	const int at = USER_WIDTH;
	struct str outcome = pg_text(r, 0, at);

	if (str_eq(outcome, STR("unknown")))
		return ERR_USER_NOT_FOUND;
	if (str_eq(outcome, STR("banned")) || str_eq(outcome, STR("timeout"))) {
		f->fault.err =
			str_eq(outcome, STR("banned")) ? ERR_ACCOUNT_BANNED : ERR_ACCOUNT_TIMEOUT;
		f->fault.has_ban = true;
		f->fault.reason = pg_text_copy(t, r, 0, at + 1);
		f->fault.expires_at = pg_time(r, 0, at + 2);
		return OK;
	}
	f->out->created = str_eq(outcome, STR("created"));
	f->out->created_at = pg_time(r, 0, at + 3);
	f->out->expires_at = pg_time(r, 0, at + 4);
	f->seat.user_id = pg_i64(r, 0, 0);
	f->seat.live = pg_text_copy(t, r, 0, at + 5);
	f->gone = pg_text_copy(t, r, 0, at + 6);
	return user_decode(t, r, &f->out->user);
}

/* A session that could not be put in is found in PostgreSQL by its first use. */
static void login_seated(struct task *t)
{
	const struct session_login *f = task_frame(t);

	session_tell(t, f->gone, "evicted", task_return);
}

static void login_written(struct task *t)
{
	struct session_login *f = task_frame(t);

	if (f->fault.err) {
		task_fail_with(t, f->fault);
		return;
	}
	task_catch(t);
	session_put(t, &f->seat, &f->in, login_seated);
}

void session_login(struct task *t, const struct login_ask *ask, struct login *out, task_fn *next)
{
	struct session_login *f = task_call(t, sizeof(*f), next);
	struct pg_args a = {0};

	f->out = out;
	secret_token(out->token);
	secret_hash(str_make(out->token, TOKEN_TEXT), f->hash);
	f->seat.hash = hash_hex(t, f->hash);
	pg_arg_str(t, &a, ask->platform);
	pg_arg_str(t, &a, ask->platform_user_id);
	pg_arg_str(t, &a, ask->username);
	pg_arg_str(t, &a, ask->avatar_url);
	pg_arg_bool(&a, ask->web);
	pg_arg_bytes(&a, f->hash, HASH_LEN);
	pg_arg_str(
		t, &a, str_make(out->token + TOKEN_TEXT - SESSION_SUFFIX_LEN, SESSION_SUFFIX_LEN));
	pg_arg_str(t, &a, ask->client_ip);
	pg_arg_str(t, &a, ask->user_agent);
	pg_arg_i64(t, &a, config.max_sessions);
	pg_arg_i64(t, &a, config.session_days);
	pg_arg_i64(t, &a, config.admin_session_days);
	pg_query(t, &session_open_one, &a, login_decode, f, login_written);
}

/* ---- ending ---- */

struct session_over {
	int64_t *ended;
	const char *reason;
	struct str gone;
};

PG_STMT(session_end_one, OP_WRITE,
	"WITH over AS (UPDATE sessions s SET ended_at = clock_timestamp(), end_reason = $2"
	" WHERE s.token_hash = $1 AND s.ended_at IS NULL AND s.expires_at > now()"
	" RETURNING s.token_hash, s.user_id)"
	" SELECT count(*), coalesce(string_agg(encode(o.token_hash, 'hex') || ' ' || o.user_id, ' "
	"'), '')"
	" FROM over o");
PG_STMT(session_end_many, OP_WRITE, "SELECT ended, gone FROM sessions_end($1, $2, $3, $4)");

static enum err over_decode(struct task *t, const struct pg_rows *r, void *out)
{
	struct session_over *f = out;

	if (f->ended)
		*f->ended = pg_i64(r, 0, 0);
	f->gone = pg_text_copy(t, r, 0, 1);
	return OK;
}

static void over_committed(struct task *t)
{
	const struct session_over *f = task_frame(t);

	session_tell(t, f->gone, f->reason, task_return);
}

static struct session_over *over_begin(
	struct task *t, const char *reason, int64_t *ended, task_fn *next)
{
	struct session_over *f = task_call(t, sizeof(*f), next);

	f->reason = reason;
	f->ended = ended;
	return f;
}

void session_end(struct task *t, const uint8_t token_hash[HASH_LEN], const char *reason,
	int64_t *ended, task_fn *next)
{
	struct session_over *f = over_begin(t, reason, ended, next);
	struct pg_args a = {0};

	pg_arg_bytes(&a, token_hash, HASH_LEN);
	pg_arg_str(t, &a, str_of(reason));
	pg_query(t, &session_end_one, &a, over_decode, f, over_committed);
}

static void end_many(struct task *t, int64_t user_id, const uint8_t *but, struct str suffix,
	const char *reason, int64_t *ended, task_fn *next)
{
	struct session_over *f = over_begin(t, reason, ended, next);
	struct pg_args a = {0};

	pg_arg_i64(t, &a, user_id);
	if (but)
		pg_arg_bytes(&a, but, HASH_LEN);
	else
		pg_arg_null(&a);
	pg_arg_str(t, &a, suffix);
	pg_arg_str(t, &a, str_of(reason));
	pg_query(t, &session_end_many, &a, over_decode, f, over_committed);
}

void session_end_suffix(struct task *t, int64_t user_id, struct str suffix, const uint8_t *but,
	int64_t *ended, task_fn *next)
{
	end_many(t, user_id, but, suffix, "destroyed", ended, next);
}

void session_end_all(struct task *t, int64_t user_id, const uint8_t *but, const char *reason,
	int64_t *ended, task_fn *next)
{
	end_many(t, user_id, but, STR_NULL, reason, ended, next);
}

/* ---- another end ---- */

static void forgotten(struct task *t)
{
	task_return(t);
}

void session_forget(struct task *t, int64_t user_id, task_fn *next)
{
	struct redis_args a = {0};

	redis_key(t, &a, "portal:sessions:%lld", (long long)user_id);
	task_call(t, 0, next);
	task_catch(t);
	redis_eval(t, &redis_scripts[SCRIPT_SESSION_FORGET], &a, NULL, NULL, forgotten);
}

/* ---- Redis is back ---- */

struct session_reconcile {
	size_t sent; /* bytes of `unsent` */
	struct session_over lost;
};

PG_STMT(session_ended_lately, OP_READ,
	"SELECT count(*), coalesce(string_agg(encode(token_hash, 'hex') || ' ' || user_id || ' ' "
	"|| "
	"coalesce(end_reason, 'expired'), ' '), '')"
	" FROM sessions WHERE ended_at > now() - interval '5 minutes'");

static void reconcile_read(struct task *t);

static void reconcile_sent(struct task *t)
{
	struct session_reconcile *f = task_frame(t);

	buf_drop(&unsent, f->sent);
	if (unsent.n)
		task_next(t, reconcile_read); /* came in meanwhile */
	else
		task_return(t);
}

/* PostgreSQL may be away; what this process knows must arrive all the same. */
static void reconcile_read(struct task *t)
{
	struct session_reconcile *f = task_frame(t);
	struct str known = arena_str(task_arena(t), buf_view(&unsent));
	struct redis_args a = {0};
	char life[TOKEN_TEXT];

	secret_token(life);
	redis_arg(&a, STR("SET"));
	redis_arg(&a, STR("portal:marker"));
	redis_arg(&a, str_make(life, TOKEN_TEXT));
	redis_arg(&a, STR("NX"));
	redis_call(t, OP_WRITE, &a, NULL, NULL, reconcile_sent);
	f->sent = known.n;
	if (known.n)
		session_drop(t, known, reconcile_sent);
	if (f->lost.gone.n)
		session_drop(t, drop_list(t, f->lost.gone, NULL), reconcile_sent);
}

void session_reconcile(struct task *t, task_fn *next)
{
	struct session_reconcile *f = task_call(t, sizeof(*f), next);
	struct pg_args a = {0};

	task_catch(t);
	pg_query(t, &session_ended_lately, &a, over_decode, &f->lost, reconcile_read);
}
