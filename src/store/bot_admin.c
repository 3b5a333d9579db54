/* Bots under administration. Who may do what is decided by rules/permission.h from a bot that was
 * read before; each change holds only while what was decided upon still stands (struct bot *seen
 * and who acts), so that a transfer or a demotion in between cannot be overrun.
 *
 * To add a change: a statement by CHANGE, and a function here. */
#include "store/bot_private.h"

void bot_key_make(struct bot_key *out)
{
	memcpy(out->text, BOT_KEY_PREFIX, sizeof(BOT_KEY_PREFIX) - 1);
	secret_token(out->text + sizeof(BOT_KEY_PREFIX) - 1);
	secret_hash(str_make(out->text, BOT_KEY_TEXT), out->hash);
}

PG_STMT(sql_bot_create, OP_WRITE,
	"SELECT b.outcome, b.bot_id FROM (SELECT 1 WHERE ranks_as($5::bigint, $9::bigint)) still,"
	" LATERAL bot_create($1::bigint, $2::bigint, $3::text, $4::text,"
	"  $5::bigint, $6::bigint, $7::boolean, $8::bytea) b");

static enum err decode_created(struct task *t, const struct pg_rows *r, void *out)
{
	struct str word;

	(void)t;
	if (pg_count(r) == 0)
		return ERR_ACCESS_DENIED;
	word = pg_text(r, 0, 0);
	*(int64_t *)out = pg_i64(r, 0, 1);
	if (str_eq(word, STR("unknown")))
		return ERR_USER_NOT_FOUND;
	return str_eq(word, STR("again")) ? ERR_ACCESS_DENIED : OK;
}

void bot_create(struct task *t, const struct bot_new *b, int64_t *id, task_fn *next)
{
	struct pg_args a = {0};

	bot_arg_id(t, &a, b->by.id);
	pg_arg_i64(t, &a, b->by.level);
	pg_arg_str(t, &a, b->name);
	pg_arg_str(t, &a, b->platform);
	bot_arg_id(t, &a, b->owner_id);
	pg_arg_i64(t, &a, b->rate_limit_per_hour);
	pg_arg_bool(&a, b->login);
	pg_arg_bytes(&a, arena_dup(task_arena(t), b->key_hash, HASH_LEN), HASH_LEN);
	if (b->by.id)
		pg_arg_i64(t, &a, b->owner_level);
	else
		pg_arg_null(&a);
	pg_query(t, &sql_bot_create, &a, decode_created, id, next);
}

/* can_manage_bot as a condition: $1 the actor, $2 the level. */
PG_STMT_PLANNED(sql_bots_managed, OP_READ,
	"WITH found AS MATERIALIZED ("
	" SELECT b.id FROM bots b LEFT JOIN users o ON o.id = b.owner_id"
	"  WHERE b.deleted_at IS NULL AND ($2::bigint = 3 OR (NOT b.login"
	"   AND (b.owner_id = $1::bigint OR o.permission_level < $2::bigint)))),"
	" page AS (SELECT id FROM found ORDER BY id OFFSET $3::bigint LIMIT $4::bigint)"
	" SELECT (SELECT count(*) FROM found), true, " BOT_COLUMNS(
		BOT_GROUP_IDS) " FROM (VALUES (1)) one (x) LEFT JOIN page p ON true LEFT JOIN bots "
			       "b ON b.id = p.id"
			       " LEFT JOIN users o ON o.id = b.owner_id ORDER BY b.id");

void bots_managed(struct task *t, int64_t actor, int level, int64_t offset, int64_t limit,
	struct bot_page *out, task_fn *next)
{
	struct pg_args a = {0};

	pg_arg_i64(t, &a, actor);
	pg_arg_i64(t, &a, level);
	pg_arg_i64(t, &a, offset);
	pg_arg_i64(t, &a, limit);
	pg_query(t, &sql_bots_managed, &a, bot_decode_page, out, next);
}

/* ---- changes to a bot that was seen ---- */

/* The change and its entry in the audit log; $1 to $6 are of seen_args. The entry is of the owner
 * that the bot had. */
#define CHANGE(event_, set_, holds_, data_)                                                        \
	"WITH held AS (SELECT acts_as($4::bigint, $5::bigint) AS yes),"                            \
	" done AS (UPDATE bots SET " set_ ", updated_at = now() WHERE id = $1::bigint"             \
	"  AND deleted_at IS NULL AND owner_id IS NOT DISTINCT FROM $2::bigint"                    \
	"  AND login = $3::boolean AND ranks_as($2::bigint, $6::bigint)"                           \
	"  AND (SELECT h.yes FROM held h)" holds_ " RETURNING id, name),"                          \
	" said AS MATERIALIZED (SELECT d.id, audit_write('bot." event_                             \
	"', $4::bigint, $2::bigint, NULL, jsonb_build_object('bot_id', d.id, 'name', "             \
	"d.name)" data_ ") FROM done d)"                                                           \
	" SELECT h.yes, s.id IS NOT NULL FROM held h LEFT JOIN said s ON true"

static struct pg_args seen_args(struct task *t, struct person by, const struct bot *seen)
{
	struct pg_args a = {0};

	pg_arg_i64(t, &a, seen->id);
	bot_arg_id(t, &a, seen->owner_id);
	pg_arg_bool(&a, seen->login);
	bot_arg_id(t, &a, by.id);
	pg_arg_i64(t, &a, by.level);
	pg_arg_i64(t, &a, seen->owner_level);
	return a;
}

static enum err decode_done(struct task *t, const struct pg_rows *r, void *out)
{
	(void)t;
	*(bool *)out = pg_bool(r, 0, 1);
	return pg_bool(r, 0, 0) ? OK : ERR_ACCESS_DENIED;
}

PG_STMT(sql_bot_update, OP_WRITE,
	CHANGE("update",
		"name = coalesce($7::text, name), owner_id = coalesce($8::bigint, owner_id),"
		" rate_limit_per_hour = coalesce($9::integer, rate_limit_per_hour),"
		" bot_type = coalesce($10::smallint, bot_type),"
		" is_active = coalesce($11::integer = 1, is_active),"
		" login = coalesce($12::integer = 1, login)",
		" AND ($8::bigint IS NULL OR EXISTS (SELECT FROM users h WHERE h.id = $8::bigint"
		"  AND h.deleted_at IS NULL FOR KEY SHARE))",
		" || jsonb_strip_nulls(jsonb_build_object('owner_id', $8::bigint,"
		" 'rate_limit_per_hour', $9::integer, 'bot_type', $10::smallint,"
		" 'is_active', $11::integer = 1, 'login', $12::integer = 1))"));

void bot_update(struct task *t, struct person by, const struct bot *seen, const struct bot_edit *e,
	bool *done, task_fn *next)
{
	struct pg_args a = seen_args(t, by, seen);

	pg_arg_str(t, &a, e->name);
	bot_arg_id(t, &a, e->owner_id);
	bot_arg_id(t, &a, e->rate_limit_per_hour);
	bot_arg_id(t, &a, e->type);
	bot_arg_given(t, &a, e->is_active);
	bot_arg_given(t, &a, e->login);
	pg_query(t, &sql_bot_update, &a, decode_done, done, next);
}

PG_STMT(sql_bot_rekey, OP_WRITE, CHANGE("regenerate-key", "key_hash = $7::bytea", "", ""));

void bot_rekey(struct task *t, struct person by, const struct bot *seen,
	const uint8_t key_hash[HASH_LEN], bool *done, task_fn *next)
{
	struct pg_args a = seen_args(t, by, seen);

	pg_arg_bytes(&a, arena_dup(task_arena(t), key_hash, HASH_LEN), HASH_LEN);
	pg_query(t, &sql_bot_rekey, &a, decode_done, done, next);
}

PG_STMT(sql_bot_reset, OP_WRITE,
	CHANGE("reset-stats", "group_ids = '{}', users = 0, latency_ms = NULL", "", ""));

void bot_reset(struct task *t, struct person by, const struct bot *seen, bool *done, task_fn *next)
{
	struct pg_args a = seen_args(t, by, seen);

	pg_query(t, &sql_bot_reset, &a, decode_done, done, next);
}

PG_STMT(sql_bot_delete, OP_WRITE,
	CHANGE("delete", "deleted_at = now(), is_active = false, login = false", "", ""));

void bot_delete(struct task *t, struct person by, const struct bot *seen, bool *done, task_fn *next)
{
	struct pg_args a = seen_args(t, by, seen);

	pg_query(t, &sql_bot_delete, &a, decode_done, done, next);
}
