/* Sessions of new sockets, many at once: when all come back together, a look at each by itself (as
 * the gate does for requests) would be most of what the stores do.
 *
 *   session_look -> looks (one script for all) -> looked -> live, dead, too often, unknown
 *                                                  -> old: checks (one statement for all) ->
 * checked
 *
 * A session that was checked here is marked so by the script that counts its socket
 * (store/room.h), which sees whether it has ended meanwhile. What is not plainly live (unknown to
 * Redis, ended in PostgreSQL) is not judged here: the gate is asked, which puts back, drops and
 * counts (session_gate.c).
 *
 * Lifetime: what is asked points into the arena of its task, which has not ended while batch_asker
 * says so. To look at something else of a session: session_look.lua or session_check. */
#include "store/session_private.h"

#include "base/config.h"
#include "gen/schema.h"
#include "io/batch.h"

struct look {
	struct str hash; /* hex */
	struct str address;
	bool old;
	struct session_look *out;
};
struct look_asked {
	struct batch_item item;
	struct look *look;
};

static struct look *look_at(const struct task *t, size_t i)
{
	return ((const struct look_asked *)batch_at(t, i))->look;
}

static void look_join(struct task *t, struct batch *b, task_fn *next)
{
	struct look *f = task_frame(t);
	struct look_asked *a = batch_join(t, b, sizeof(*a), OP_READ, next);

	a->look = f;
}

/* ---- Redis ---- */

static enum err looks_decode(struct task *t, const struct redis_value *v, void *out)
{
	(void)out;
	for (size_t i = 0; i < batch_count(t); i++) {
		struct str user = redis_str(redis_at(v, 2 * i));
		struct look *f = batch_asker(t, i) ? look_at(t, i) : NULL;

		if (!f)
			continue;
		f->out->over = str_eq(user, STR("-"));
		f->out->live = str_to_i64(user, &f->out->user_id);
		f->old = redis_i64(redis_at(v, 2 * i + 1)) == 1;
	}
	return OK;
}

static void looks_ask(struct task *t)
{
	struct redis_args a = {0};
	struct buf entries = {0};

	for (size_t i = 0; i < batch_count(t); i++) {
		buf_str(&entries, look_at(t, i)->hash);
		buf_char(&entries, ' ');
		buf_str(&entries, look_at(t, i)->address);
		buf_char(&entries, ' ');
	}
	redis_arg_i64(t, &a, config.rate_handshake);
	redis_arg(&a, buf_view(&entries));
	redis_eval(t, &redis_scripts[SCRIPT_SESSION_LOOK], &a, looks_decode, NULL, batch_end);
	buf_free(&entries);
}

/* ---- PostgreSQL ---- */

/* Live, and among the latest logins that the person may have. LIMIT makes it look each up by its
 * hash, whatever it thinks of a table that it has not analysed yet. */
PG_STMT(session_check, OP_READ,
	"SELECT x.n, s.expires_at FROM unnest((SELECT $1::text[])) WITH ORDINALITY x (hash, n),"
	" LATERAL (SELECT * FROM sessions WHERE token_hash = decode(x.hash, 'hex') LIMIT 1) s"
	" WHERE s.ended_at IS NULL AND s.expires_at > now()"
	" AND EXISTS (SELECT FROM users u WHERE u.id = s.user_id AND u.deleted_at IS NULL"
	"  OFFSET 0) AND"
	"  (SELECT count(*) FROM sessions l WHERE l.user_id = s.user_id AND l.ended_at IS NULL"
	"   AND l.expires_at > now() AND (l.created_at, l.id) > (s.created_at, s.id)) < $2");

static enum err checks_decode(struct task *t, const struct pg_rows *r, void *out)
{
	(void)out;
	for (int row = 0; row < pg_count(r); row++) {
		size_t i = (size_t)pg_i64(r, row, 0) - 1;

		if (batch_asker(t, i))
			look_at(t, i)->out->checked = pg_time(r, row, 1);
	}
	return OK;
}

static void checks_ask(struct task *t)
{
	struct str hashes[BATCH_MOST];
	struct pg_args a = {0};

	for (size_t i = 0; i < batch_count(t); i++)
		hashes[i] = look_at(t, i)->hash;
	pg_arg_strs(t, &a, hashes, batch_count(t));
	pg_arg_i64(t, &a, config.max_sessions);
	pg_query(t, &session_check, &a, checks_decode, NULL, batch_end);
}

/* ---- one of them ---- */

static void checked(struct task *t)
{
	const struct look *f = task_frame(t);

	f->out->live = f->out->checked > 0;
	task_return(t);
}

static void looked(struct task *t)
{
	static struct batch checks = {.name = "session checks", .ask = checks_ask};
	const struct look *f = task_frame(t);

	if (f->old)
		look_join(t, &checks, checked);
	else
		task_return(t);
}

void session_look(struct task *t, const uint8_t hash[HASH_LEN], struct str address,
	struct session_look *out, task_fn *next)
{
	static struct batch looks = {.name = "session looks", .ask = looks_ask};
	struct look *f = task_call(t, sizeof(*f), next);

	*out = (struct session_look){0};
	*f = (struct look){.hash = hash_hex(t, hash), .address = address, .out = out};
	look_join(t, &looks, looked);
}
