/* Chats, as contract 3.1 shows them. PostgreSQL keeps chats and memberships. */
#ifndef STORE_CHAT_H
#define STORE_CHAT_H

#include "io/task.h"
#include "rules/permission.h"

struct chat {
	int64_t id;
	struct str name, label, slug, description, avatar_url;
	enum visibility visibility;
	int64_t owner_id; /* 0: none */
	struct str owner_username, owner_avatar_url;
	int64_t member_count;                 /* without the owner */
	int64_t online;                       /* people present */
	int64_t created_at, last_activity_at; /* us */
	struct str wipe_preset;
	bool history_visible;
};
struct chat_list {
	struct chat *rows;
	size_t count;
};
/* Those the person owns, and the private ones joined; the latest active first. */
void chats_of(struct task *t, int64_t user_id, struct chat_list *out, task_fn *next);

const char *visibility_name(enum visibility v);

#endif
