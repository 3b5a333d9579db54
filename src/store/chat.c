/* Chats as they are read: one, a person's own, what a code leads to. Lists in directory order are
 * in chat_browse.c, people of chats in chat_people.c.
 *
 * Rows come from PostgreSQL, how many are present from Redis, for all rows of an answer at once.
 * Results are copied into the task's arena and end with the task.
 *
 * To add a column: schema/, CHAT_COLUMNS, chat_decode, struct chat, and write_chat in
 * store/shown.c. */
#include "store/chat_private.h"

#include "base/buf.h"
#include "gen/schema.h"
#include "io/batch.h"
#include "io/redis.h"
#include "store/match.h"

static const char *const visibility_names[] = {
	[VISIBILITY_OFFICIAL] = "official",
	[VISIBILITY_PUBLIC] = "public",
	[VISIBILITY_PRIVATE] = "private",
	[VISIBILITY_DIRECT] = "direct",
};

const char *visibility_name(enum visibility v)
{
	return visibility_names[v];
}

enum visibility visibility_of(struct str name)
{
	for (int v = VISIBILITY_OFFICIAL; v <= VISIBILITY_DIRECT; v++)
		if (str_eq(name, str_of(visibility_names[v])))
			return (enum visibility)v;
	PANIC("visibility " STR_FMT, STR_ARG(name));
}

int level_decode(const struct pg_rows *r, int row, int col)
{
	return pg_null(r, row, col) ? LEVEL_NONE : (int)pg_i64(r, row, col);
}

void chat_decode(struct task *t, const struct pg_rows *r, int row, struct chat *c)
{
	c->id = pg_i64(r, row, 0);
	c->name = pg_text_copy(t, r, row, 1);
	c->label = pg_text_copy(t, r, row, 2);
	c->slug = pg_text_copy(t, r, row, 3);
	c->description = pg_text_copy(t, r, row, 4);
	c->avatar_url = pg_text_copy(t, r, row, 5);
	c->visibility = visibility_of(pg_text(r, row, 6));
	c->owner_id = pg_i64(r, row, 7);
	c->owner_username = pg_text_copy(t, r, row, 8);
	c->owner_avatar_url = pg_text_copy(t, r, row, 9);
	c->member_count = pg_i64(r, row, 10);
	c->created_at = pg_time(r, row, 11);
	c->last_activity_at = pg_time(r, row, 12);
	c->wipe_preset = pg_text_copy(t, r, row, 13);
	c->history_visible = pg_bool(r, row, 14);
	c->owner_level = level_decode(r, row, 15);
}

void chat_direct(struct chat *c, int64_t id, int64_t created_at, int64_t online)
{
	*c = (struct chat){.id = id,
		.name = DIRECT_NAME,
		.description = STR(""),
		.visibility = VISIBILITY_DIRECT,
		.owner_level = LEVEL_NONE,
		.member_count = 2,
		.online = online,
		.created_at = created_at,
		.last_activity_at = created_at};
}

/* ---- who is present ---- */

static enum err decode_online(struct task *t, const struct redis_value *v, void *out)
{
	int64_t *online = out;

	(void)t;
	for (size_t i = 0; i < redis_len(v); i++)
		online[i] = redis_i64(redis_at(v, i));
	return OK;
}

void rooms_online(
	struct task *t, const int64_t *chats, size_t count, int64_t *online, task_fn *next)
{
	struct redis_args a = {0};
	struct buf ids = {0};

	if (count == 0) {
		task_next(t, next);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		buf_i64(&ids, chats[i]);
		buf_char(&ids, ' ');
	}
	redis_arg(&a, buf_view(&ids));
	redis_eval(t, &redis_scripts[SCRIPT_ROOMS_ONLINE], &a, decode_online, online, next);
	buf_free(&ids);
}

/* chats_online -> rows_counted */
struct rows_online {
	struct chat_list *list;
	int64_t *online;
};

static void rows_counted(struct task *t)
{
	const struct rows_online *f = task_frame(t);

	for (size_t i = 0; i < f->list->count; i++)
		f->list->rows[i].online = f->online[i];
	task_return(t);
}

void chats_online(struct task *t, struct chat_list *list, task_fn *next)
{
	struct rows_online *f = task_call(t, sizeof(*f), next);
	int64_t *ids = arena_array(task_arena(t), int64_t, list->count);

	f->list = list;
	f->online = arena_array(task_arena(t), int64_t, list->count);
	for (size_t i = 0; i < list->count; i++)
		ids[i] = list->rows[i].id;
	rooms_online(t, ids, list->count, f->online, rows_counted);
}

/* ---- a person's own: of many people at once ---- */

/* At least one row for each who is there, for the level. LIMIT: see session_look.c. */
PG_STMT(sql_chats_of, OP_READ,
	"SELECT " CHAT_COLUMNS ", v.permission_level, x.n"
	" FROM unnest((SELECT $1::bigint[])) WITH ORDINALITY x (id, n)"
	" JOIN LATERAL (SELECT * FROM users WHERE id = x.id AND deleted_at IS NULL LIMIT 1) v"
	"  ON true LEFT JOIN LATERAL (SELECT c.* FROM"
	"   (SELECT id, true FROM chats WHERE owner_id = v.id"
	"    UNION ALL SELECT chat_id, false FROM chat_members WHERE user_id = v.id) m (id, own),"
	"   LATERAL (SELECT * FROM chats WHERE id = m.id LIMIT 1) c"
	"   WHERE m.own OR (c.visibility = 'private' AND c.owner_id IS DISTINCT FROM v.id)) c"
	"  ON true LEFT JOIN users o ON o.id = c.owner_id"
	" ORDER BY x.n, c.last_activity_at DESC, c.id DESC");

/* chats_of -> (chats_ask, of all who ask) -> chats_read -> chats_online */
struct chats_asked {
	struct batch_item item;
	int64_t user_id;
	struct chat_list *out;
};

/* The rows of one person: from `row` to the one in front of `end`. */
static void decode_own(
	struct task *t, const struct pg_rows *r, int row, int end, struct chat_list *list)
{
	list->viewer_level = level_decode(r, row, CHAT_COLUMN_COUNT);
	if (pg_null(r, row, 0))
		return;
	list->rows = arena_array(task_arena(t), struct chat, (size_t)(end - row));
	while (row < end)
		chat_decode(t, r, row++, &list->rows[list->count++]);
}

static enum err decode_chats(struct task *t, const struct pg_rows *r, void *out)
{
	(void)out;
	for (int row = 0, end; row < pg_count(r); row = end) {
		int64_t n = pg_i64(r, row, CHAT_COLUMN_COUNT + 1);
		struct task *asker = batch_asker(t, (size_t)n - 1);
		const struct chats_asked *a = batch_at(t, (size_t)n - 1);

		for (end = row + 1; end < pg_count(r); end++)
			if (pg_i64(r, end, CHAT_COLUMN_COUNT + 1) != n)
				break;
		if (asker)
			decode_own(asker, r, row, end, a->out);
	}
	return OK;
}

static void chats_ask(struct task *t)
{
	int64_t people[BATCH_MOST];
	struct pg_args a = {0};

	for (size_t i = 0; i < batch_count(t); i++)
		people[i] = ((const struct chats_asked *)batch_at(t, i))->user_id;
	pg_arg_i64s(t, &a, people, batch_count(t));
	pg_query(t, &sql_chats_of, &a, decode_chats, NULL, batch_end);
}

static void chats_read(struct task *t)
{
	struct chat_list **list = task_frame(t);

	chats_online(t, *list, task_return);
}

void chats_of(struct task *t, int64_t user_id, struct chat_list *out, task_fn *next)
{
	static struct batch chats = {.name = "own chats", .ask = chats_ask};
	struct chat_list **list = task_call(t, sizeof(struct chat_list *), next);
	struct chats_asked *a = batch_join(t, &chats, sizeof(*a), OP_READ, chats_read);

	*out = (struct chat_list){.viewer_level = LEVEL_NONE}; /* the account is gone */
	*list = a->out = out;
	a->user_id = user_id;
}

/* ---- one chat ---- */

#define CHAT_VIEW                                                                                  \
	"SELECT " CHAT_COLUMNS                                                                     \
	", " VIEWER_LEVEL("$2") ", EXISTS (SELECT FROM chat_members j WHERE j.chat_id = c.id"      \
				"  AND j.user_id = $2::bigint)"

PG_STMT(sql_chat_view, OP_READ,
	CHAT_VIEW " FROM chats c LEFT JOIN users o ON o.id = c.owner_id WHERE c.id = $1::bigint");
PG_STMT(sql_chat_resolve, OP_READ,
	CHAT_VIEW ", r.method FROM resolve($1::text) r JOIN chats c ON c.id = r.chat_id"
		  " LEFT JOIN users o ON o.id = c.owner_id");

static void decode_view(struct task *t, const struct pg_rows *r, struct chat_view *v)
{
	chat_decode(t, r, 0, &v->chat);
	v->viewer_level = level_decode(r, 0, CHAT_COLUMN_COUNT);
	v->is_member = pg_bool(r, 0, CHAT_COLUMN_COUNT + 1);
}

/* chat_view -> view_read -> (view_direct ->) task_return */
struct view {
	struct chat_view *out;
	int64_t id, viewer;
	bool known; /* to PostgreSQL */
	struct direct direct;
};

static enum err decode_seen(struct task *t, const struct pg_rows *r, void *out)
{
	struct view *f = out;

	f->known = pg_count(r) > 0;
	if (f->known)
		decode_view(t, r, f->out);
	return OK;
}

static enum err decode_resolved(struct task *t, const struct pg_rows *r, void *out)
{
	struct chat_resolved *found = out;

	if (pg_count(r) == 0)
		return ERR_INVITE_NOT_FOUND;
	decode_view(t, r, &found->view);
	found->method = pg_text_copy(t, r, 0, CHAT_COLUMN_COUNT + 2);
	return OK;
}

static void view_direct(struct task *t)
{
	const struct view *f = task_frame(t);
	const struct direct *d = &f->direct;
	struct chat_view *v = f->out;

	*v = (struct chat_view){
		.viewer_level = LEVEL_NONE, .is_member = direct_which(d, f->viewer) >= 0};
	chat_direct(&v->chat, d->id, d->created_at, d->online);
	memcpy(v->chat.people, d->people, sizeof(d->people));
	task_return(t);
}

static void view_read(struct task *t)
{
	struct view *f = task_frame(t);
	struct chat *c = &f->out->chat;

	if (f->known)
		rooms_online(t, &c->id, 1, &c->online, task_return);
	else
		direct_read(t, f->id, &f->direct, view_direct);
}

void chat_view(struct task *t, int64_t id, int64_t viewer, struct chat_view *out, task_fn *next)
{
	struct view *f = task_call(t, sizeof(*f), next);
	struct pg_args a = {0};

	*f = (struct view){.out = out, .id = id, .viewer = viewer};
	pg_arg_i64(t, &a, id);
	chat_arg_id(t, &a, viewer);
	pg_query(t, &sql_chat_view, &a, decode_seen, f, view_read);
}

void chat_resolve(
	struct task *t, struct str code, int64_t viewer, struct chat_resolved *out, task_fn *next)
{
	struct view *f = task_call(t, sizeof(*f), next);
	struct pg_args a = {0};

	*f = (struct view){.out = &out->view, .known = true};
	pg_arg_str(t, &a, code);
	chat_arg_id(t, &a, viewer);
	pg_query(t, &sql_chat_resolve, &a, decode_resolved, out, view_read);
}
