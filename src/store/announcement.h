/* Announcements (contract section 7): for everyone, signed in or not, until they expire. PostgreSQL
 * keeps them. */
#ifndef STORE_ANNOUNCEMENT_H
#define STORE_ANNOUNCEMENT_H

#include "store/notification.h"

struct announcement {
	struct notification item; /* never read */
	int64_t expires_at;       /* us; 0: never */
};
/* As lists and events show it. */
void announcement_write(struct json_out *j, const struct announcement *a);

struct announcement_list {
	struct announcement *rows; /* newest first */
	size_t count;
	int64_t total;
};
/* The live ones. */
void announcements_live(struct task *t, int64_t offset, int64_t limit,
	struct announcement_list *out, task_fn *next);

/* Writes it with its audit entry and tells everyone who is connected (announcement:new). *a: in,
 * who, title, body, type, expires_at; out, all of it. ACCESS_DENIED: they no longer have that
 * level. */
void announcement_create(struct task *t, struct announcement *a, int level, task_fn *next);
/* `by` 0: the command line. NOT_FOUND, ACCESS_DENIED. */
void announcement_delete(struct task *t, struct person by, int64_t id, task_fn *next);

#endif
