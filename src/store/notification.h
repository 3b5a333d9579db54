/* Notifications. PostgreSQL keeps them; Redis keeps each person's number of unread ones for a
 * moment under portal:unread:{user}, which the gate reads along. Whoever makes or reads a
 * notification deletes that key after the commit. */
#ifndef STORE_NOTIFICATION_H
#define STORE_NOTIFICATION_H

#include "io/task.h"

/* A count that was under way while a notification was made may be kept: it is wrong for so long. */
#define UNREAD_CACHE_SECONDS 15

/* The person's own, and those for everyone that are not older than the account. */
void unread_count(struct task *t, int64_t user_id, int64_t *out, task_fn *next);
void unread_cache(struct task *t, int64_t user_id, int64_t unread, task_fn *next);
/* Behind the commit that made or read one. */
void unread_forget(struct task *t, int64_t user_id, task_fn *next);

#endif
