/* What the files about chats share. */
#ifndef STORE_CHAT_PRIVATE_H
#define STORE_CHAT_PRIVATE_H

#include "io/pg.h"
#include "store/chat.h"
#include "store/user.h"

/* Of rows c (chats) and o (its owner), for chat_decode; CHAT_COLUMN_COUNT of them. */
#define CHAT_COLUMNS                                                                               \
	"c.id, c.name, c.label, c.slug, c.description, c.avatar_url, c.visibility, c.owner_id,"    \
	" o.username, " AVATAR_OF(                                                                 \
		"o") ", (SELECT count(*) FROM chat_members m WHERE m.chat_id = c.id"               \
		     "  AND m.user_id IS DISTINCT FROM c.owner_id),"                               \
		     " c.created_at, c.last_activity_at, c.wipe_preset, c.history_visible,"        \
		     " o.permission_level"
#define CHAT_COLUMN_COUNT 16
#define VIEWER_LEVEL(n)                                                                            \
	"(SELECT v.permission_level FROM users v WHERE v.id = " n "::bigint AND v.deleted_at IS "  \
	"NULL)"

void chat_decode(struct task *t, const struct pg_rows *r, int row, struct chat *c);
enum visibility visibility_of(struct str name);              /* of the column chats.visibility */
int level_decode(const struct pg_rows *r, int row, int col); /* NULL: LEVEL_NONE */

/* How many people are present in each room. */
void rooms_online(
	struct task *t, const int64_t *chats, size_t count, int64_t *online, task_fn *next);
void chats_online(struct task *t, struct chat_list *list, task_fn *next); /* of its rows */

static inline void chat_arg_id(struct task *t, struct pg_args *a, int64_t v) /* 0: NULL */
{
	if (v == 0)
		pg_arg_null(a);
	else
		pg_arg_i64(t, a, v);
}

#endif
