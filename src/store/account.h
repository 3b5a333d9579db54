/* What has to follow, in Redis and at sockets, when an account changed or closed. PostgreSQL has it
 * committed already; who has an account's rights is read there by whoever finds nothing in Redis.
 */
#ifndef STORE_ACCOUNT_H
#define STORE_ACCOUNT_H

#include "io/task.h"

/* Name, picture or level: what they say from now on carries it (cards of messages), and rooms show
 * them so to those who join. Never fails: when Redis is away, cards end in a minute, and a room
 * shows it from the person's next join. */
void account_changed(struct task *t, int64_t user_id, task_fn *next);

/* Banned, timed out or deleted, and its sessions ended in the same transaction: `gone` as
 * sessions_end() of schema/ returns them, `reason` as in store/session.h. Their sockets hear
 * session:ended and are disconnected. Never fails: what Redis did not hear, it is told when it is
 * back. All that ends with an account, besides, begins here. */
void account_closed(
	struct task *t, int64_t user_id, struct str gone, const char *reason, task_fn *next);

#endif
