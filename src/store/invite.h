/* Invites to chats. PostgreSQL only. Joining by one: chat_join in store/chat_change.h. */
#ifndef STORE_INVITE_H
#define STORE_INVITE_H

#include "store/chat.h"

#define INVITE_CODE_LEN 16

struct invite {
	struct str code;
	int64_t chat_id, created_by, created_at, expires_at; /* us; expires_at 0: never */
	int64_t uses, max_uses;                              /* max_uses 0: any number */
};
struct invite_list {
	struct invite *rows; /* newest first */
	size_t count;
};

/* Makes an invite to a chat that is still as `seen` (*done, as in store/chat_change.h): fills in
 * what is not given: code, created_at. INVITE_QUOTA. */
void invite_create(
	struct task *t, const struct chat *seen, struct invite *i, bool *done, task_fn *next);
void invites_live(struct task *t, int64_t chat_id, struct invite_list *out, task_fn *next);
/* INVITE_NOT_FOUND: no live one of that chat. */
void invite_revoke(struct task *t, int64_t chat_id, struct str code, task_fn *next);

#endif
