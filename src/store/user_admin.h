/* What operators do to accounts: levels and subscriptions, with their history. portalctl uses it
 * directly, the administration endpoints with an actor. PostgreSQL only. */
#ifndef STORE_USER_ADMIN_H
#define STORE_USER_ADMIN_H

#include "io/task.h"

struct user_line {                                /* a row of a list for operators */
	int64_t id, created_at, last_activity_at; /* us; 0: null */
	struct str username, state;
	int permission_level, subscription_level;
	struct str platforms; /* "discord, telegram" */
};
struct user_lines {
	struct user_line *rows;
	size_t count;
	int64_t total;
};
/* `q`: part of a name in any case or an exact id; STR_NULL: all. By id. */
void user_list(struct task *t, struct str q, int64_t offset, int64_t limit, struct user_lines *out,
	task_fn *next);

/* The id of a person named by id ("17") or by name ("@name" or "name"). USER_NOT_FOUND. */
void user_resolve(struct task *t, struct str who, int64_t *id, task_fn *next);

/* Sets permission_level (0-3) and writes the history; *old: the level before. A promotion to Admin
 * or Owner also shortens the person's sessions. LAST_OWNER when it would leave none;
 * USER_NOT_FOUND. `actor`: 0 for the command line. */
void user_set_level(struct task *t, int64_t id, int level, int64_t actor, int *old, task_fn *next);

/* Grants a subscription level (1-3) until `days` from now (0: for ever) or, with level 0, takes it
 * away; writes the history; *old: the level before, as it counted. CONFLICT for a second Trial. */
void user_set_subscription(struct task *t, int64_t id, int level, int64_t days, struct str reason,
	int64_t actor, int *old, task_fn *next);

#endif
