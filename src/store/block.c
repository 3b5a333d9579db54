/* Blocks (match.h): a row in PostgreSQL, and what searches know of it in Redis.
 *
 *   block_set -> (a block: Redis is told) -> block_write (committed) -> block_look <-> block_told,
 * until Redis was told what PostgreSQL says behind it
 *
 * A process that dies on the way leaves a search that avoids too many, never one that avoids too
 * few. Of two who change it at once the one that tells Redis last looks last, so what Redis knows
 * in the end is what is committed. */
#include "store/match.h"

#include "gen/schema.h"
#include "io/pg.h"
#include "io/redis.h"

/* The people are held: a deletion that is under way comes before, or takes the row with it. */
PG_STMT(sql_block, OP_WRITE,
	"WITH two AS MATERIALIZED (SELECT u.id FROM users u WHERE u.id IN ($1::bigint, $2::bigint)"
	"  AND u.deleted_at IS NULL ORDER BY u.id FOR SHARE),"
	" made AS (INSERT INTO user_blocks (blocker_id, blocked_id) SELECT $1, $2"
	"  WHERE $3::boolean AND (SELECT count(*) FROM two) = 2 ON CONFLICT DO NOTHING),"
	" gone AS (DELETE FROM user_blocks b WHERE NOT $3 AND b.blocker_id = $1 AND b.blocked_id = "
	"$2)"
	" SELECT FROM two t WHERE t.id = $2");

PG_STMT(sql_avoided, OP_READ, "SELECT $2::bigint IN (SELECT user_avoids($1::bigint))");

struct block {
	int64_t user_id, other;
	bool on;      /* wanted */
	bool avoided; /* as PostgreSQL has it: either blocks the other */
	bool told, told_avoided;
};

static void block_look(struct task *t);

static void block_tell(struct task *t, const struct block *f, bool avoided, task_fn *next)
{
	struct redis_args a = {0};

	redis_arg_i64(t, &a, f->user_id);
	redis_arg_i64(t, &a, f->other);
	redis_arg(&a, avoided ? STR("1") : STR("0"));
	redis_eval(t, &redis_scripts[SCRIPT_MATCH_BLOCK], &a, NULL, NULL, next);
}

static void block_told(struct task *t)
{
	struct block *f = task_frame(t);

	if (f->told && f->told_avoided == f->avoided) {
		task_return(t);
		return;
	}
	f->told = true;
	f->told_avoided = f->avoided;
	block_tell(t, f, f->avoided, block_look);
}

static enum err avoided_decode(struct task *t, const struct pg_rows *r, void *out)
{
	(void)t;
	*(bool *)out = pg_bool(r, 0, 0);
	return OK;
}

static void block_look(struct task *t)
{
	struct block *f = task_frame(t);
	struct pg_args a = {0};

	pg_arg_i64(t, &a, f->user_id);
	pg_arg_i64(t, &a, f->other);
	pg_query(t, &sql_avoided, &a, avoided_decode, &f->avoided, block_told);
}

static enum err known_decode(struct task *t, const struct pg_rows *r, void *out)
{
	(void)t;
	(void)out;
	return pg_count(r) ? OK : ERR_USER_NOT_FOUND;
}

static void block_write(struct task *t)
{
	const struct block *f = task_frame(t);
	struct pg_args a = {0};

	pg_arg_i64(t, &a, f->user_id);
	pg_arg_i64(t, &a, f->other);
	pg_arg_bool(&a, f->on);
	pg_query(t, &sql_block, &a, known_decode, NULL, block_look);
}

void block_set(struct task *t, int64_t user_id, int64_t other, bool on, task_fn *next)
{
	struct block *f = task_call(t, sizeof(*f), next);

	f->user_id = user_id;
	f->other = other;
	f->on = on;
	if (on)
		block_tell(t, f, true, block_write);
	else
		block_write(t);
}

/* ---- one's own ---- */

PG_STMT(sql_blocks, OP_READ,
	"SELECT u.id, u.username, " AVATAR_OF(
		"u") " FROM user_blocks b JOIN users u ON u.id = b.blocked_id"
		     " WHERE b.blocker_id = $1::bigint ORDER BY b.created_at DESC, b.blocked_id");

static enum err blocks_decode(struct task *t, const struct pg_rows *r, void *out)
{
	struct profile_page *page = out;

	page->count = (size_t)pg_count(r);
	page->total = pg_count(r);
	page->rows = arena_array(task_arena(t), struct profile, page->count);
	for (size_t i = 0; i < page->count; i++) {
		page->rows[i].id = pg_i64(r, (int)i, 0);
		page->rows[i].username = pg_text_copy(t, r, (int)i, 1);
		page->rows[i].avatar_url = pg_text_copy(t, r, (int)i, 2);
	}
	return OK;
}

void blocks_read(struct task *t, int64_t user_id, struct profile_page *out, task_fn *next)
{
	struct pg_args a = {0};

	pg_arg_i64(t, &a, user_id);
	pg_query(t, &sql_blocks, &a, blocks_decode, out, next);
}
