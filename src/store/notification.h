/* Notifications (contract section 7). PostgreSQL keeps them; who has read what is kept per person
 * (schema/0006_notifications.sql). Other parts write one with notify() of that file, inside their
 * own transaction, and tell of it behind the commit with notification_tell.
 *
 * Redis keeps each person's number of unread ones for a moment, and the gate reads it along:
 *   portal:unread:{user}  "<generation> <count>", or "-" for UNREAD_QUIET_MS behind a change of the
 *                         person's own, as long as a count that began before it may take
 *   portal:unread:all     the generation: rises with each notification for everyone, so that what
 *                         was kept before it is out of date
 * A change that could not be told, because Redis was away, shows UNREAD_CACHE_SECONDS later. */
#ifndef STORE_NOTIFICATION_H
#define STORE_NOTIFICATION_H

#include "base/json.h"
#include "io/task.h"
#include "rules/permission.h"

#define UNREAD_CACHE_SECONDS 15
#define UNREAD_QUIET_MS      (2 * TASK_DEADLINE_MS)

struct notification {
	int64_t id, created_by;      /* created_by 0: the server */
	int64_t created_at, read_at; /* us; read_at 0: not yet */
	struct str title, body, type;
};
/* The members of the object that lists and events show. */
void notification_members(struct json_out *j, const struct notification *n);

/* An operation of t, like a function of several: behind the commit of what notify() has written,
 * the person, or everyone, hears of it (notification:new) and is counted anew. It fails never: an
 * event is news, not truth. When Redis or PostgreSQL is away it is not told, and the person finds
 * it in the list. */
void notification_tell(struct task *t, int64_t id, task_fn *next);

/* ---- sending ---- */

struct notification_new {
	struct person by;     /* id 0: the command line */
	const int64_t *users; /* NULL: everyone */
	size_t count;
	struct str title, body, type;
};
/* Writes them with their audit entry, and tells; or nobody is notified. *people: how many, each
 * once (everyone is one). USER_NOT_FOUND: one of them is no account. ACCESS_DENIED: `by` no longer
 * has that level. */
void notification_add(
	struct task *t, const struct notification_new *n, int64_t *people, task_fn *next);

/* ---- reading ---- */

/* A person's are the own ones, and those for everyone that are not older than the account. */
struct notification_list {
	struct notification *rows; /* newest first */
	size_t count;
	int64_t total, unread;
};
void notifications_of(struct task *t, int64_t user_id, int64_t offset, int64_t limit,
	struct notification_list *out, task_fn *next);
/* Committed, then counted anew. NOTIFICATION_NOT_FOUND, also for someone else's;
 * NOTIFICATION_ALREADY_READ. */
void notification_read(
	struct task *t, int64_t user_id, int64_t id, struct notification *out, task_fn *next);
/* *read: how many were unread. */
void notifications_read_all(struct task *t, int64_t user_id, int64_t *read, task_fn *next);

void unread_count(struct task *t, int64_t user_id, int64_t *out, task_fn *next);
/* generation: as the gate found it before the count began. */
void unread_cache(
	struct task *t, int64_t user_id, int64_t unread, struct str generation, task_fn *next);
/* Behind the commit of a change of the person's own. */
void unread_forget(struct task *t, int64_t user_id, task_fn *next);

#endif
