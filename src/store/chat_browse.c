/* Lists of chats in directory order. Redis knows the order of the chats that people are in
 * (schema/redis/directory_busy.lua), an index of PostgreSQL that of the others: what the one says
 * is handed to the other, which puts the page together. So a page costs what stands in it and in
 * front of it, however many chats there are; one that is searched for, whom it finds.
 *
 *   begin -> (the viewer's own and their direct chat: own_found -> own_counted, sorted and cut ->)
 *     busy_ask -> busy_known -> page_read (-> chats_online, of a search)
 *
 * To add a filter: struct chat_filter and sql_chats_search. */
#include "store/chat_private.h"

#include "gen/schema.h"
#include "io/redis.h"
#include "store/match.h"

#include <stdlib.h>

struct own {
	int64_t id, last_activity_at, online;
};
struct browse {
	struct chat_list *out;
	struct chat_filter filter;
	/* the viewer's, in front of all: a direct one, then private ones */
	struct match_status match;
	struct own *own;
	size_t own_count;
	int64_t *ids, *online; /* of own; then of those that are on the page */
	size_t shown;          /* of own */
	/* official chats, how many are in each, public ones, how many: arrays of PostgreSQL; for a
	 * search all of them, without how many */
	struct str busy[4];
};

/* ---- the page ---- */

/* $1: the viewer; `page`: rank, n, id and how many are there, of which there are `total`. Rank 0
 * are the viewer's own, if they still are. At least one row, so that the total is there on a page
 * past the end too. */
#define ROWS_OF(page, total)                                                                       \
	"SELECT " CHAT_COLUMNS ", " VIEWER_LEVEL(                                                  \
		"$1") ", p.online, " total " FROM (VALUES (1)) one (x) LEFT JOIN ((" page          \
		      ") p CROSS JOIN LATERAL (SELECT *"                                           \
		      "   FROM chats k WHERE k.id = p.id AND (p.rank > 0 OR k.owner_id = "         \
		      "$1::bigint"                                                                 \
		      "    OR EXISTS (SELECT FROM chat_members j WHERE j.chat_id = k.id"           \
		      "     AND j.user_id = $1::bigint)) OFFSET 0) c"                              \
		      "  LEFT JOIN users o ON o.id = c.owner_id) ON true ORDER BY p.rank, p.n"

/* $2 to $5: struct browse's busy; $6 $7: offset and limit behind the own; $8 $9: the own that are
 * shown, in order, and how many are in each. */
PG_STMT(sql_chats_page, OP_READ,
	ROWS_OF("SELECT 0 AS rank, m.n, m.id, m.online"
		"  FROM unnest($8::bigint[], $9::bigint[]) WITH ORDINALITY m (id, online, n)"
		" UNION ALL (SELECT 1, o.n, o.id, o.online FROM directory_of('official', "
		"$2::bigint[],"
		"   $3::bigint[], $6::bigint + $7::bigint) WITH ORDINALITY o (id, online, n)"
		"  UNION ALL SELECT 2, d.n, d.id, d.online FROM directory_of('public', "
		"$4::bigint[],"
		"   $5::bigint[], $6::bigint + $7::bigint) WITH ORDINALITY d (id, online, n)"
		"  ORDER BY 1, 2 OFFSET $6::bigint LIMIT $7::bigint)",
		"(SELECT sum(s.n)::bigint FROM (SELECT n, until, name FROM counts"
		" UNION ALL SELECT n, until, name FROM count_deltas) s"
		" WHERE s.until = 'infinity' AND s.name IN ('chat official', 'chat public'))"));

/* $8: a part of the name or slug. */
PG_STMT_PLANNED(sql_chats_search, OP_READ,
	"WITH found AS MATERIALIZED (SELECT c.id, c.visibility, c.last_activity_at FROM chats c"
	" WHERE c.visibility <> 'private' AND has_part(chat_words(c.name, c.slug), "
	"$8::text))" ROWS_OF(
		"SELECT 1 AS rank, row_number() OVER (ORDER BY f.visibility = 'public',"
		"  b.n, f.last_activity_at DESC, f.id DESC) AS n, f.id, 0 AS online FROM found f"
		" LEFT JOIN (SELECT 'official' AS visibility, o.* FROM unnest($2::bigint[]"
		"   || $3::bigint[]) WITH ORDINALITY o (id, n) UNION ALL SELECT 'public', d.*"
		"   FROM unnest($4::bigint[] || $5::bigint[]) WITH ORDINALITY d (id, n)) b"
		"  USING (visibility, id) ORDER BY 2 OFFSET $6::bigint LIMIT $7::bigint",
		"(SELECT count(*) FROM found)"));

static enum err decode_page(struct task *t, const struct pg_rows *r, void *out)
{
	struct chat_list *list = out;

	list->viewer_level = level_decode(r, 0, CHAT_COLUMN_COUNT);
	list->total += pg_i64(r, 0, CHAT_COLUMN_COUNT + 2);
	for (int i = 0; i < pg_count(r) && !pg_null(r, i, 0); i++) {
		struct chat *c = &list->rows[list->count++];

		chat_decode(t, r, i, c);
		c->online = pg_i64(r, i, CHAT_COLUMN_COUNT + 1);
	}
	return OK;
}

static void page_read(struct task *t)
{
	struct browse *f = task_frame(t);

	if (f->filter.q.p)
		chats_online(t, f->out, task_return);
	else
		task_return(t);
}

static void busy_known(struct task *t)
{
	struct browse *f = task_frame(t);
	struct pg_args a = {0};
	int64_t behind = f->filter.offset - f->out->total;

	chat_arg_id(t, &a, f->filter.viewer);
	for (int i = 0; i < 4; i++)
		pg_arg_str(t, &a, f->busy[i]);
	pg_arg_i64(t, &a, behind > 0 ? behind : 0);
	pg_arg_i64(t, &a, f->filter.limit - (int64_t)(f->out->count + f->shown));
	if (f->filter.q.p) {
		pg_arg_str(t, &a, f->filter.q);
		pg_query(t, &sql_chats_search, &a, decode_page, f->out, page_read);
	} else {
		pg_arg_i64s(t, &a, f->ids, f->shown);
		pg_arg_i64s(t, &a, f->online, f->shown);
		pg_query(t, &sql_chats_page, &a, decode_page, f->out, page_read);
	}
}

static enum err decode_busy(struct task *t, const struct redis_value *v, void *out)
{
	struct browse *f = out;

	for (size_t i = 0; i < 4; i++)
		f->busy[i] = arena_str(task_arena(t), redis_str(redis_at(v, i)));
	return OK;
}

static void busy_ask(struct task *t)
{
	struct browse *f = task_frame(t);
	struct redis_args a = {0};

	redis_arg_i64(t, &a, f->filter.q.p ? -1 : f->filter.offset + f->filter.limit);
	redis_eval(t, &redis_scripts[SCRIPT_DIRECTORY_BUSY], &a, decode_busy, f, busy_known);
}

int64_t directory_rank(enum visibility visibility, int64_t last_activity_at)
{
	if (visibility != VISIBILITY_OFFICIAL && visibility != VISIBILITY_PUBLIC)
		return 0;
	return last_activity_at / 1000000 +
	       (visibility == VISIBILITY_OFFICIAL ? INT64_C(1) << 52 : 0);
}

/* ---- the viewer's own ---- */

PG_STMT(sql_chats_own, OP_READ,
	"SELECT c.id, c.last_activity_at FROM chats c WHERE c.visibility = 'private'"
	" AND c.id IN (SELECT p.id FROM chats p WHERE p.owner_id = $1::bigint"
	"  UNION ALL SELECT j.chat_id FROM chat_members j WHERE j.user_id = $1::bigint)");

static enum err decode_own(struct task *t, const struct pg_rows *r, void *out)
{
	struct browse *f = out;

	f->own_count = (size_t)pg_count(r);
	f->own = arena_array(task_arena(t), struct own, f->own_count);
	for (size_t i = 0; i < f->own_count; i++)
		f->own[i] = (struct own){pg_i64(r, (int)i, 0), pg_time(r, (int)i, 1), 0};
	return OK;
}

static int descending(int64_t a, int64_t b)
{
	return (a < b) - (a > b);
}

static int busier_first(const void *x, const void *y)
{
	const struct own *a = x, *b = y;
	int order = descending(a->online, b->online);

	if (order == 0)
		order = descending(a->last_activity_at, b->last_activity_at);
	return order ? order : descending(a->id, b->id);
}

static void own_counted(struct task *t)
{
	struct browse *f = task_frame(t);
	struct chat_list *list = f->out;
	size_t skip = (size_t)f->filter.offset, most = (size_t)f->filter.limit;

	for (size_t i = 0; i < f->own_count; i++)
		f->own[i].online = f->online[i];
	if (f->own_count)
		qsort(f->own, f->own_count, sizeof(*f->own), busier_first);
	list->total = (int64_t)f->own_count;
	if (f->match.state == MATCH_MATCHED) {
		list->total++;
		if (skip == 0) {
			chat_direct(&list->rows[list->count++], f->match.chat_id,
				f->match.queued_at, f->match.online);
			most--;
		} else {
			skip--;
		}
	}
	for (size_t i = skip; i < f->own_count && f->shown < most; i++) {
		f->ids[f->shown] = f->own[i].id;
		f->online[f->shown++] = f->own[i].online;
	}
	busy_ask(t);
}

static void own_found(struct task *t)
{
	struct browse *f = task_frame(t);

	f->ids = arena_array(task_arena(t), int64_t, f->own_count);
	f->online = arena_array(task_arena(t), int64_t, f->own_count);
	for (size_t i = 0; i < f->own_count; i++)
		f->ids[i] = f->own[i].id;
	rooms_online(t, f->ids, f->own_count, f->online, own_counted);
}

void chats_browse(
	struct task *t, const struct chat_filter *filter, struct chat_list *out, task_fn *next)
{
	struct browse *f = task_call(t, sizeof(*f), next);
	struct pg_args a = {0};

	f->out = out;
	f->filter = *filter;
	*out = (struct chat_list){
		.rows = arena_array(task_arena(t), struct chat, (size_t)filter->limit)};
	if (filter->open_only || !filter->viewer) {
		busy_ask(t);
		return;
	}
	pg_arg_i64(t, &a, filter->viewer);
	pg_query(t, &sql_chats_own, &a, decode_own, f, own_found);
	match_status(t, filter->viewer, &f->match, own_found);
}

/* ---- under administration ---- */

/* can_administer_chat and chat_shown as a condition: $1 the actor, $2 the level. At least one row,
 * so that the total is there on a page past the end too. */
PG_STMT_PLANNED(sql_chats_administered, OP_READ,
	"WITH found AS MATERIALIZED (SELECT c.id FROM chats c LEFT JOIN users o ON o.id = "
	"c.owner_id"
	"  WHERE (c.visibility <> 'private' OR $2::bigint = 3 OR c.owner_id = $1::bigint"
	"   OR coalesce(o.permission_level, 0) < $2::bigint)"
	"  AND ($3::text IS NULL OR has_part(chat_words(c.name, c.slug), $3::text))),"
	" page AS (SELECT id FROM found ORDER BY id OFFSET $4::bigint LIMIT $5::bigint)"
	" SELECT " CHAT_COLUMNS ", (SELECT count(*) FROM found)"
	" FROM (VALUES (1)) one (x) LEFT JOIN page p ON true LEFT JOIN chats c ON c.id = p.id"
	" LEFT JOIN users o ON o.id = c.owner_id ORDER BY c.id");

static enum err decode_administered(struct task *t, const struct pg_rows *r, void *out)
{
	struct chat_list *list = out;

	list->total = pg_i64(r, 0, CHAT_COLUMN_COUNT);
	list->count = pg_null(r, 0, 0) ? 0 : (size_t)pg_count(r);
	list->rows = arena_array(task_arena(t), struct chat, list->count);
	for (size_t i = 0; i < list->count; i++)
		chat_decode(t, r, (int)i, &list->rows[i]);
	return OK;
}

static void administered_read(struct task *t)
{
	struct chat_list **list = task_frame(t);

	chats_online(t, *list, task_return);
}

void chats_administered(struct task *t, int64_t actor, int level, const struct chat_filter *filter,
	struct chat_list *out, task_fn *next)
{
	struct chat_list **list = task_call(t, sizeof(struct chat_list *), next);
	struct pg_args a = {0};

	*list = out;
	out->viewer_level = level;
	pg_arg_i64(t, &a, actor);
	pg_arg_i64(t, &a, level);
	pg_arg_str(t, &a, filter->q);
	pg_arg_i64(t, &a, filter->offset);
	pg_arg_i64(t, &a, filter->limit);
	pg_query(t, &sql_chats_administered, &a, decode_administered, out, administered_read);
}
