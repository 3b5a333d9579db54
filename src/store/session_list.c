/* Sessions as people see them: the live ones and those that have ended, from PostgreSQL.
 *
 * To add a column: both statements, list_decode, struct session_row. */
#include "store/session_private.h"

#define COLUMNS                                                                                    \
	"SELECT token_hash, token_suffix, client_ip, user_agent, created_at, expires_at,"          \
	" coalesce(ended_at, CASE WHEN expires_at <= now() THEN expires_at END),"                  \
	" coalesce(end_reason, CASE WHEN expires_at <= now() THEN 'expired' END) FROM sessions"    \
	" WHERE user_id = $1"

PG_STMT(session_rows_live, OP_READ,
	COLUMNS " AND ended_at IS NULL AND expires_at > now() ORDER BY created_at DESC, id DESC");
PG_STMT(session_rows_history, OP_READ,
	COLUMNS " AND (ended_at IS NOT NULL OR expires_at <= now())"
		" ORDER BY created_at DESC, id DESC LIMIT 100");

static enum err list_decode(struct task *t, const struct pg_rows *r, void *out)
{
	struct session_list *list = out;

	list->count = (size_t)pg_count(r);
	list->rows = arena_array(task_arena(t), struct session_row, list->count);
	for (int i = 0; i < pg_count(r); i++) {
		struct session_row *s = &list->rows[i];
		struct str hash = pg_text(r, i, 0);

		ASSERT(hash.n == HASH_LEN);
		memcpy(s->token_hash, hash.p, HASH_LEN);
		s->suffix = pg_text_copy(t, r, i, 1);
		s->client_ip = pg_text_copy(t, r, i, 2);
		s->user_agent = pg_text_copy(t, r, i, 3);
		s->created_at = pg_time(r, i, 4);
		s->expires_at = pg_time(r, i, 5);
		s->ended_at = pg_time(r, i, 6);
		s->end_reason = pg_text_copy(t, r, i, 7);
	}
	return OK;
}

static void list_query(struct task *t, const struct pg_stmt *s, int64_t user_id,
	struct session_list *out, task_fn *next)
{
	struct pg_args a = {0};

	pg_arg_i64(t, &a, user_id);
	pg_query(t, s, &a, list_decode, out, next);
}

void session_list_live(struct task *t, int64_t user_id, struct session_list *out, task_fn *next)
{
	list_query(t, &session_rows_live, user_id, out, next);
}

void session_list_history(struct task *t, int64_t user_id, struct session_list *out, task_fn *next)
{
	list_query(t, &session_rows_history, user_id, out, next);
}

PG_STMT(session_rows_dead, OP_READ,
	"SELECT h.hash, coalesce(s.end_reason, 'expired') FROM unnest($1::text[]) h(hash)"
	" LEFT JOIN sessions s ON s.token_hash = decode(h.hash, 'hex')"
	" WHERE s.id IS NULL OR s.ended_at IS NOT NULL OR s.expires_at <= now()");

static enum err dead_decode(struct task *t, const struct pg_rows *r, void *out)
{
	struct session_dead *dead = out;

	dead->count = (size_t)pg_count(r);
	dead->rows = arena_zalloc(task_arena(t), sizeof(*dead->rows) * (dead->count + 1));
	for (int i = 0; i < pg_count(r); i++) {
		dead->rows[i].hash = pg_text_copy(t, r, i, 0);
		dead->rows[i].reason = pg_text_copy(t, r, i, 1);
	}
	return OK;
}

void session_list_dead(
	struct task *t, const struct str *hashes, size_t n, struct session_dead *out, task_fn *next)
{
	struct pg_args a = {0};

	pg_arg_strs(t, &a, hashes, n);
	pg_query(t, &session_rows_dead, &a, dead_decode, out, next);
}
