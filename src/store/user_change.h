/* What a person changes about the own account. Each is one transaction. PostgreSQL only. */
#ifndef STORE_USER_CHANGE_H
#define STORE_USER_CHANGE_H

#include "store/code.h"
#include "store/user.h"

struct user_update {
	struct str username;      /* NULL p: leave it; else obeys rules/username.h */
	struct str avatar_source; /* NULL p: leave it; else any text */
	bool taken;               /* answer: the name is someone else's, and was left as it was */
	bool unlinked;            /* answer: no such picture, and it was left as it was */
};
/* Each field stands alone. USER_NOT_FOUND for a deleted account. */
void user_update(struct task *t, int64_t id, struct user_update *u, task_fn *next);

/* PLATFORM_TAKEN when it belongs to someone, or the person has that platform already;
 * USER_NOT_FOUND for a deleted account. */
void identity_link(struct task *t, int64_t user_id, const struct identity *who, task_fn *next);
void identity_unlink(struct task *t, int64_t user_id, struct str platform,
	task_fn *next); /* PLATFORM_NOT_FOUND, LAST_PLATFORM */

/* Ends the sessions, makes the account anonymous, frees its identities, destroys its chats, deletes
 * its bots. INVALID_REQUEST when `username` is not exactly the account's, LAST_OWNER,
 * USER_NOT_FOUND. */
void user_delete(struct task *t, int64_t id, struct str username, task_fn *next);

/* The client's own JSON object, as text. */
void preferences_get(
	struct task *t, int64_t id, struct str *out, task_fn *next); /* USER_NOT_FOUND */
void preferences_set(struct task *t, int64_t id, struct str text, task_fn *next);

#endif
