/* Lists of chats in directory order. The order needs both stores: PostgreSQL tells which chats
 * there are, Redis how busy each is, and the page is then read whole.
 *
 *   begin -> found (and the viewer's direct chat) -> counted (sorted, cut) -> page_read
 *
 * To add a filter: struct chat_filter and sql_chats_found. */
#include "store/chat_private.h"
#include "store/match.h"

#include <stdlib.h>

struct candidate {
	int64_t id, rank, last_activity_at, online;
};
struct browse {
	struct chat_list *out;
	struct chat_filter filter;
	struct candidate *found;
	size_t count;
	int64_t *ids, *online; /* of the candidates; then of the page */
	struct candidate *page;
	size_t page_count;
	struct match_status match; /* of the viewer; their direct chat is in front of all */
};

/* $1: the viewer, $2: a part of the name or slug. */
#define MATCHING "($2::text IS NULL OR has_part(chat_words(c.name, c.slug), $2::text))"

PG_STMT_PLANNED(sql_chats_found, OP_READ,
	"SELECT c.id, CASE c.visibility WHEN 'official' THEN 1 ELSE 2 END, c.last_activity_at"
	" FROM chats c WHERE c.visibility <> 'private' AND " MATCHING
	" UNION ALL SELECT c.id, 0, c.last_activity_at FROM chats c WHERE c.visibility = 'private'"
	"  AND c.id IN (SELECT p.id FROM chats p WHERE p.owner_id = $1::bigint"
	"   UNION ALL SELECT j.chat_id FROM chat_members j WHERE j.user_id = $1::bigint)"
	"  AND " MATCHING);

static enum err decode_found(struct task *t, const struct pg_rows *r, void *out)
{
	struct browse *f = out;

	f->count = (size_t)pg_count(r);
	f->found = arena_array(task_arena(t), struct candidate, f->count);
	for (size_t i = 0; i < f->count; i++) {
		f->found[i].id = pg_i64(r, (int)i, 0);
		f->found[i].rank = pg_i64(r, (int)i, 1);
		f->found[i].last_activity_at = pg_time(r, (int)i, 2);
	}
	return OK;
}

static int descending(int64_t a, int64_t b)
{
	return (a < b) - (a > b);
}

static int busier_first(const void *x, const void *y)
{
	const struct candidate *a = x, *b = y;
	int order = descending(b->rank, a->rank);

	if (order == 0)
		order = descending(a->online, b->online);
	if (order == 0)
		order = descending(a->last_activity_at, b->last_activity_at);
	return order ? order : descending(a->id, b->id);
}

/* Looked at again: it may have become private since. */
PG_STMT(sql_chats_page, OP_READ,
	"SELECT " CHAT_COLUMNS ", " VIEWER_LEVEL(
		"$2") ", x.n::bigint FROM unnest($1::bigint[]) WITH ORDINALITY x (id, n)"
		      " JOIN chats c ON c.id = x.id LEFT JOIN users o ON o.id = c.owner_id"
		      " WHERE c.visibility <> 'private' OR c.owner_id = $2::bigint"
		      "  OR EXISTS (SELECT FROM chat_members j WHERE j.chat_id = c.id"
		      "   AND j.user_id = $2::bigint) ORDER BY x.n");

static enum err decode_page(struct task *t, const struct pg_rows *r, void *out)
{
	struct browse *f = out;
	struct chat_list *list = f->out;

	for (int i = 0; i < pg_count(r); i++) {
		struct chat *c = &list->rows[list->count++];

		chat_decode(t, r, i, c);
		list->viewer_level = level_decode(r, i, CHAT_COLUMN_COUNT);
		c->online = f->page[pg_i64(r, i, CHAT_COLUMN_COUNT + 1) - 1].online;
	}
	return OK;
}

static void counted(struct task *t)
{
	struct browse *f = task_frame(t);
	struct pg_args a = {0};
	size_t skip = (size_t)f->filter.offset, most = (size_t)f->filter.limit;
	struct chat_list *list = f->out;

	for (size_t i = 0; i < f->count; i++)
		f->found[i].online = f->online[i];
	if (f->count)
		qsort(f->found, f->count, sizeof(*f->found), busier_first);
	*list = (struct chat_list){.total = (int64_t)f->count,
		.viewer_level = LEVEL_NONE,
		.rows = arena_array(task_arena(t), struct chat, most)};
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
	skip = skip < f->count ? skip : f->count;
	f->page = f->found + skip;
	f->page_count = f->count - skip < most ? f->count - skip : most;
	for (size_t i = 0; i < f->page_count; i++)
		f->ids[i] = f->page[i].id;
	if (f->page_count == 0) {
		task_return(t);
		return;
	}
	pg_arg_i64s(t, &a, f->ids, f->page_count);
	chat_arg_id(t, &a, f->filter.viewer);
	pg_query(t, &sql_chats_page, &a, decode_page, f, task_return);
}

static void found(struct task *t)
{
	struct browse *f = task_frame(t);

	f->ids = arena_array(task_arena(t), int64_t, f->count);
	f->online = arena_array(task_arena(t), int64_t, f->count);
	for (size_t i = 0; i < f->count; i++)
		f->ids[i] = f->found[i].id;
	rooms_online(t, f->ids, f->count, f->online, counted);
}

void chats_browse(
	struct task *t, const struct chat_filter *filter, struct chat_list *out, task_fn *next)
{
	struct browse *f = task_call(t, sizeof(*f), next);
	int64_t viewer = filter->open_only ? 0 : filter->viewer;
	struct pg_args a = {0};

	f->out = out;
	f->filter = *filter;
	chat_arg_id(t, &a, viewer);
	pg_arg_str(t, &a, filter->q);
	pg_query(t, &sql_chats_found, &a, decode_found, f, found);
	if (viewer)
		match_status(t, viewer, &f->match, found);
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
	struct browse *f = out;
	struct chat_list *list = f->out;

	list->total = pg_i64(r, 0, CHAT_COLUMN_COUNT);
	list->count = pg_null(r, 0, 0) ? 0 : (size_t)pg_count(r);
	list->rows = arena_array(task_arena(t), struct chat, list->count);
	f->ids = arena_array(task_arena(t), int64_t, list->count);
	f->online = arena_array(task_arena(t), int64_t, list->count);
	for (size_t i = 0; i < list->count; i++) {
		chat_decode(t, r, (int)i, &list->rows[i]);
		f->ids[i] = list->rows[i].id;
	}
	return OK;
}

static void administered_counted(struct task *t)
{
	const struct browse *f = task_frame(t);

	for (size_t i = 0; i < f->out->count; i++)
		f->out->rows[i].online = f->online[i];
	task_return(t);
}

static void administered_read(struct task *t)
{
	const struct browse *f = task_frame(t);

	rooms_online(t, f->ids, f->out->count, f->online, administered_counted);
}

void chats_administered(struct task *t, int64_t actor, int level, const struct chat_filter *filter,
	struct chat_list *out, task_fn *next)
{
	struct browse *f = task_call(t, sizeof(*f), next);
	struct pg_args a = {0};

	f->out = out;
	out->viewer_level = level;
	pg_arg_i64(t, &a, actor);
	pg_arg_i64(t, &a, level);
	pg_arg_str(t, &a, filter->q);
	pg_arg_i64(t, &a, filter->offset);
	pg_arg_i64(t, &a, filter->limit);
	pg_query(t, &sql_chats_administered, &a, decode_administered, f, administered_read);
}
