/* Bots as they are read, and what they tell about themselves. Administration is in bot_admin.c.
 *
 * Results are copied into the task's arena by the decoders and end with the task.
 *
 * To add a column: schema/, BOT_COLUMNS, bot_decode, struct bot, and its writer in api/bots.c. */
#include "store/bot.h"

#include "io/pg.h"
#include "rules/permission.h"
#include "store/bot_private.h"
#include "store/user.h"

int bot_type_of(struct str word)
{
	static const char *const names[][2] = {
		[BOT_OFFICIAL] = {"official", "1"},
		[BOT_VERIFIED] = {"verified", "2"},
		[BOT_COMMUNITY] = {"community", "3"},
	};

	for (int type = BOT_OFFICIAL; type <= BOT_COMMUNITY; type++)
		if (str_eq(word, str_of(names[type][0])) || str_eq(word, str_of(names[type][1])))
			return type;
	return 0;
}

#define BOT_CALLER "b.id, b.platform, b.login, b.rate_limit_per_hour"
#define BOT_ALIVE  "b.deleted_at IS NULL AND b.is_active"

PG_STMT(sql_bots_by_keys, OP_READ,
	"SELECT a.nr, " BOT_CALLER
	" FROM unnest((SELECT $1::bytea[])) WITH ORDINALITY AS a (hash, nr)"
	" JOIN bots b ON b.key_hash = a.hash AND " BOT_ALIVE " ORDER BY a.nr");
PG_STMT_SHARED(sql_bot_by_key, OP_READ, sql_bots_by_keys,
	"SELECT " BOT_CALLER " FROM bots b WHERE b.key_hash = $1::bytea AND " BOT_ALIVE);

static enum err decode_key(struct task *t, const struct pg_rows *r, void *out)
{
	struct bot *b = out;

	if (pg_count(r) == 0)
		return ERR_INVALID_API_KEY;
	b->id = pg_i64(r, 0, 0);
	b->platform = pg_text_copy(t, r, 0, 1);
	b->login = pg_bool(r, 0, 2);
	b->rate_limit_per_hour = pg_i64(r, 0, 3);
	return OK;
}

void bot_by_key(struct task *t, const uint8_t key_hash[HASH_LEN], struct bot *out, task_fn *next)
{
	struct pg_args a = {0};

	pg_arg_bytes(&a, arena_dup(task_arena(t), key_hash, HASH_LEN), HASH_LEN);
	pg_query(t, &sql_bot_by_key, &a, decode_key, out, next);
}

void bot_decode(struct task *t, const struct pg_rows *r, int row, int first, struct bot *b)
{
	b->id = pg_i64(r, row, first);
	b->owner_id = pg_i64(r, row, first + 1);
	b->owner_level = pg_null(r, row, first + 2) ? LEVEL_NONE : (int)pg_i64(r, row, first + 2);
	b->name = pg_text_copy(t, r, row, first + 3);
	b->platform = pg_text_copy(t, r, row, first + 4);
	b->avatar_url = pg_text_copy(t, r, row, first + 5);
	b->type = (enum bot_type)pg_i64(r, row, first + 6);
	b->login = pg_bool(r, row, first + 7);
	b->is_active = pg_bool(r, row, first + 8);
	b->rate_limit_per_hour = pg_i64(r, row, first + 9);
	b->groups = pg_i64(r, row, first + 10);
	b->users = pg_i64(r, row, first + 11);
	b->latency_ms = pg_null(r, row, first + 12) ? -1 : pg_i64(r, row, first + 12);
	b->last_activity_at = pg_time(r, row, first + 13);
	b->created_at = pg_time(r, row, first + 14);
	b->updated_at = pg_time(r, row, first + 15);
	b->group_ids = pg_text_copy(t, r, row, first + 16);
}

enum err bot_decode_page(struct task *t, const struct pg_rows *r, void *out)
{
	struct bot_page *page = out;

	page->total = pg_i64(r, 0, 0);
	page->details = pg_bool(r, 0, 1);
	page->count = pg_null(r, 0, 2) ? 0 : (size_t)pg_count(r);
	page->rows = arena_array(task_arena(t), struct bot, page->count);
	for (size_t i = 0; i < page->count; i++)
		bot_decode(t, r, (int)i, 2, &page->rows[i]);
	return OK;
}

PG_STMT(sql_bot_by_id, OP_READ,
	"SELECT " BOT_COLUMNS(BOT_GROUP_IDS) " FROM bots b LEFT JOIN users o ON o.id = b.owner_id"
					     " WHERE b.id = $1::bigint AND b.deleted_at IS NULL");

static enum err decode_bot(struct task *t, const struct pg_rows *r, void *out)
{
	if (pg_count(r) == 0)
		return ERR_BOT_NOT_FOUND;
	bot_decode(t, r, 0, 0, out);
	return OK;
}

void bot_by_id(struct task *t, int64_t id, struct bot *out, task_fn *next)
{
	struct pg_args a = {0};

	pg_arg_i64(t, &a, id);
	pg_query(t, &sql_bot_by_id, &a, decode_bot, out, next);
}

/* ---- browsing ---- */

#define VIEWER(n)                                                                                  \
	"viewer AS (SELECT EXISTS (SELECT FROM users v WHERE v.id = " n "::bigint"                 \
	" AND v.permission_level >= 2 AND v.deleted_at IS NULL) AS admin)"

/* At least one row, so that the total is there on a page past the end too. */
PG_STMT_PLANNED(sql_bots_browse, OP_READ,
	"WITH " VIEWER(
		"$4") ","
		      " found AS MATERIALIZED (SELECT b.id FROM bots b WHERE b.deleted_at IS NULL"
		      "  AND (b.is_active OR (SELECT admin FROM viewer))"
		      "  AND ($1::text IS NULL OR has_part(b.name, $1::text))"
		      "  AND ($2::bigint IS NULL OR b.owner_id = $2::bigint)"
		      "  AND ($3::bigint IS NULL OR b.bot_type = $3::bigint)),"
		      " page AS (SELECT id FROM found ORDER BY id OFFSET $5::bigint LIMIT "
		      "$6::bigint)"
		      " SELECT (SELECT count(*) FROM found), viewer.admin, " BOT_COLUMNS(
			      "NULL::text") " FROM viewer LEFT JOIN page p ON true LEFT JOIN bots "
					    "b ON b.id = p.id"
					    " LEFT JOIN users o ON o.id = b.owner_id ORDER BY "
					    "b.id");

void bots_browse(struct task *t, const struct bot_filter *f, struct bot_page *out, task_fn *next)
{
	struct pg_args a = {0};

	pg_arg_str(t, &a, f->q);
	bot_arg_id(t, &a, f->owner);
	bot_arg_id(t, &a, f->type);
	pg_arg_i64(t, &a, f->viewer);
	pg_arg_i64(t, &a, f->offset);
	pg_arg_i64(t, &a, f->limit);
	pg_query(t, &sql_bots_browse, &a, bot_decode_page, out, next);
}

PG_STMT(sql_bot_for, OP_READ,
	"WITH " VIEWER("$2") " SELECT 1, viewer.admin, " BOT_COLUMNS(
		"NULL::text") " FROM viewer JOIN bots b ON b.is_active OR viewer.admin LEFT JOIN "
			      "users o ON o.id = b.owner_id"
			      " WHERE b.id = $1::bigint AND b.deleted_at IS NULL");

static enum err decode_for(struct task *t, const struct pg_rows *r, void *out)
{
	return pg_count(r) == 0 ? ERR_BOT_NOT_FOUND : bot_decode_page(t, r, out);
}

void bot_for(struct task *t, int64_t id, int64_t viewer, struct bot_page *out, task_fn *next)
{
	struct pg_args a = {0};

	pg_arg_i64(t, &a, id);
	pg_arg_i64(t, &a, viewer);
	pg_query(t, &sql_bot_for, &a, decode_for, out, next);
}

/* ---- what a bot tells ---- */

PG_STMT(sql_bot_tell, OP_WRITE,
	"UPDATE bots SET name = coalesce($2::text, name),"
	" avatar_url = nullif(coalesce($3::text, avatar_url), ''),"
	" group_ids = coalesce($4::text[], group_ids), users = coalesce($5::bigint, users),"
	" latency_ms = coalesce($6::integer, latency_ms), last_activity_at = now(), updated_at = "
	"now()"
	" WHERE id = $1::bigint AND deleted_at IS NULL RETURNING created_at, updated_at");

static enum err decode_told(struct task *t, const struct pg_rows *r, void *out)
{
	struct bot_report *report = out;

	(void)t;
	if (pg_count(r) == 0)
		return ERR_BOT_NOT_FOUND;
	report->created_at = pg_time(r, 0, 0);
	report->updated_at = pg_time(r, 0, 1);
	return OK;
}

void bot_tell(struct task *t, int64_t id, struct bot_report *r, task_fn *next)
{
	struct pg_args a = {0};

	pg_arg_i64(t, &a, id);
	pg_arg_str(t, &a, r->name);
	pg_arg_str(t, &a, avatar_safe(r->avatar_url));
	pg_arg_strs(t, &a, r->group_ids, r->group_count);
	bot_arg_given(t, &a, r->users);
	bot_arg_given(t, &a, r->latency_ms);
	pg_query(t, &sql_bot_tell, &a, decode_told, r, next);
}
