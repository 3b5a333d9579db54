/* Chats and memberships as they are read.
 *
 * To add a column: schema/, CHAT_COLUMNS, decode_chat, struct chat, and write_chat in api/. */
#include "store/chat.h"

#include "io/pg.h"
#include "store/user.h"

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

static enum visibility visibility_of(struct str name)
{
	for (int v = VISIBILITY_OFFICIAL; v <= VISIBILITY_DIRECT; v++)
		if (str_eq(name, str_of(visibility_names[v])))
			return (enum visibility)v;
	PANIC("visibility " STR_FMT, STR_ARG(name));
}

/* People present in a chat are those with a live socket in its room. */
static int64_t chat_online(int64_t chat_id)
{
	(void)chat_id;
	return 0;
}

/* Of rows c (chats) and o (its owner). */
#define CHAT_COLUMNS                                                                               \
	"c.id, c.name, c.label, c.slug, c.description, c.avatar_url, c.visibility, c.owner_id,"    \
	" o.username, " AVATAR_OF(                                                                 \
		"o") ", (SELECT count(*) FROM chat_members m WHERE m.chat_id = c.id"               \
		     "  AND m.user_id IS DISTINCT FROM c.owner_id),"                               \
		     " c.created_at, c.last_activity_at, c.wipe_preset, c.history_visible"

PG_STMT(sql_chats_of, OP_READ,
	"SELECT " CHAT_COLUMNS " FROM (SELECT id FROM chats WHERE owner_id = $1::bigint"
	"  UNION SELECT j.chat_id FROM chat_members j JOIN chats p ON p.id = j.chat_id"
	"   WHERE j.user_id = $1::bigint AND p.visibility = 'private') mine"
	" JOIN chats c ON c.id = mine.id LEFT JOIN users o ON o.id = c.owner_id"
	" ORDER BY c.last_activity_at DESC, c.id DESC");

static void decode_chat(struct task *t, const struct pg_rows *r, int row, struct chat *c)
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
	c->online = chat_online(c->id);
}

static enum err decode_chats(struct task *t, const struct pg_rows *r, void *out)
{
	struct chat_list *list = out;

	list->count = (size_t)pg_count(r);
	list->rows = arena_array(task_arena(t), struct chat, list->count);
	for (size_t i = 0; i < list->count; i++)
		decode_chat(t, r, (int)i, &list->rows[i]);
	return OK;
}

void chats_of(struct task *t, int64_t user_id, struct chat_list *out, task_fn *next)
{
	struct pg_args a = {0};

	pg_arg_i64(t, &a, user_id);
	pg_query(t, &sql_chats_of, &a, decode_chats, out, next);
}
