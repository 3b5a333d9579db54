/* Bots under administration. Who may do what is decided by rules/permission.h from a bot that was
 * read before; each change holds only while what was decided upon still stands (struct bot *seen),
 * so that a transfer in between cannot be overrun.
 *
 * To add a change: a statement that ends in STILL, and a function here. */
#include "store/bot_private.h"

void bot_key_make(struct bot_key *out)
{
	memcpy(out->text, BOT_KEY_PREFIX, sizeof(BOT_KEY_PREFIX) - 1);
	secret_token(out->text + sizeof(BOT_KEY_PREFIX) - 1);
	secret_hash(str_make(out->text, BOT_KEY_TEXT), out->hash);
}

/* The lock waits for a deletion of the owner that is under way, and then sees it. */
PG_STMT(sql_bot_create, OP_WRITE,
	"INSERT INTO bots (name, platform, owner_id, rate_limit_per_hour, login, key_hash)"
	" SELECT $1::text, $2::text, u.id, $4::integer, $5::boolean, $6::bytea"
	" FROM users u WHERE u.id = $3::bigint AND u.deleted_at IS NULL FOR KEY SHARE"
	" RETURNING id");
PG_STMT(sql_bot_create_ownerless, OP_WRITE,
	"INSERT INTO bots (name, platform, owner_id, rate_limit_per_hour, login, key_hash)"
	" VALUES ($1::text, $2::text, $3::bigint, $4::integer, $5::boolean, $6::bytea) RETURNING "
	"id");

static enum err decode_created(struct task *t, const struct pg_rows *r, void *out)
{
	(void)t;
	if (pg_count(r) == 0)
		return ERR_USER_NOT_FOUND;
	*(int64_t *)out = pg_i64(r, 0, 0);
	return OK;
}

void bot_create(struct task *t, const struct bot_new *b, int64_t *id, task_fn *next)
{
	struct pg_args a = {0};

	pg_arg_str(t, &a, b->name);
	pg_arg_str(t, &a, b->platform);
	bot_arg_id(t, &a, b->owner_id);
	pg_arg_i64(t, &a, b->rate_limit_per_hour);
	pg_arg_bool(&a, b->login);
	pg_arg_bytes(&a, arena_dup(task_arena(t), b->key_hash, HASH_LEN), HASH_LEN);
	pg_query(t, b->owner_id ? &sql_bot_create : &sql_bot_create_ownerless, &a, decode_created,
		id, next);
}

/* can_manage_bot as a condition: $1 the actor, $2 the level. */
PG_STMT(sql_bots_managed, OP_READ,
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

#define STILL                                                                                      \
	", updated_at = now() WHERE id = $1::bigint AND deleted_at IS NULL"                        \
	" AND owner_id IS NOT DISTINCT FROM $2::bigint AND login = $3::boolean"

static struct pg_args seen_args(struct task *t, const struct bot *seen)
{
	struct pg_args a = {0};

	pg_arg_i64(t, &a, seen->id);
	bot_arg_id(t, &a, seen->owner_id);
	pg_arg_bool(&a, seen->login);
	return a;
}

static enum err decode_done(struct task *t, const struct pg_rows *r, void *out)
{
	(void)t;
	*(bool *)out = pg_affected(r) > 0;
	return OK;
}

PG_STMT(sql_bot_update, OP_WRITE,
	"UPDATE bots SET name = coalesce($4::text, name), owner_id = coalesce($5::bigint, "
	"owner_id),"
	" rate_limit_per_hour = coalesce($6::integer, rate_limit_per_hour),"
	" bot_type = coalesce($7::smallint, bot_type), is_active = coalesce($8::integer = 1, "
	"is_active),"
	" login = coalesce($9::integer = 1, login)" STILL
	" AND ($5::bigint IS NULL OR EXISTS (SELECT FROM users h WHERE h.id = $5::bigint"
	"  AND h.deleted_at IS NULL FOR KEY SHARE))");

void bot_update(
	struct task *t, const struct bot *seen, const struct bot_edit *e, bool *done, task_fn *next)
{
	struct pg_args a = seen_args(t, seen);

	pg_arg_str(t, &a, e->name);
	bot_arg_id(t, &a, e->owner_id);
	bot_arg_id(t, &a, e->rate_limit_per_hour);
	bot_arg_id(t, &a, e->type);
	bot_arg_given(t, &a, e->is_active);
	bot_arg_given(t, &a, e->login);
	pg_query(t, &sql_bot_update, &a, decode_done, done, next);
}

PG_STMT(sql_bot_rekey, OP_WRITE, "UPDATE bots SET key_hash = $4::bytea" STILL);

void bot_rekey(struct task *t, const struct bot *seen, const uint8_t key_hash[HASH_LEN], bool *done,
	task_fn *next)
{
	struct pg_args a = seen_args(t, seen);

	pg_arg_bytes(&a, arena_dup(task_arena(t), key_hash, HASH_LEN), HASH_LEN);
	pg_query(t, &sql_bot_rekey, &a, decode_done, done, next);
}

PG_STMT(sql_bot_reset, OP_WRITE,
	"UPDATE bots SET group_ids = '{}', users = 0, latency_ms = NULL" STILL);

void bot_reset(struct task *t, const struct bot *seen, bool *done, task_fn *next)
{
	struct pg_args a = seen_args(t, seen);

	pg_query(t, &sql_bot_reset, &a, decode_done, done, next);
}

PG_STMT(sql_bot_delete, OP_WRITE,
	"UPDATE bots SET deleted_at = now(), is_active = false, login = false" STILL);

void bot_delete(struct task *t, const struct bot *seen, bool *done, task_fn *next)
{
	struct pg_args a = seen_args(t, seen);

	pg_query(t, &sql_bot_delete, &a, decode_done, done, next);
}
