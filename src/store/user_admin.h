/* What operators do to accounts besides punishing them (store/moderation.h): levels and
 * subscriptions, with their history and their entry in the audit log, and the lists to work with.
 * The administration endpoints and portalctl share it. */
#ifndef STORE_USER_ADMIN_H
#define STORE_USER_ADMIN_H

#include "io/task.h"
#include "rules/permission.h"
#include "rules/subscription.h"

struct user_line {                                /* a row of a list for operators */
	int64_t id, created_at, last_activity_at; /* us; 0: null */
	struct str username, avatar_url, state;
	int permission_level, subscription_level; /* subscription as it counts now */
	struct str platforms;                     /* "discord, telegram" */
};
struct user_lines {
	struct user_line *rows;
	size_t count;
	int64_t total;
};
struct user_filter {
	struct str q;     /* part of a name in any case, or an exact id; NULL p: all */
	struct str state; /* active, timeout, banned; NULL p: all */
	int level;        /* of enum level; LEVEL_NONE: all */
	int64_t offset, limit;
};
/* By id. */
void user_list(struct task *t, const struct user_filter *f, struct user_lines *out, task_fn *next);

/* The id of a person named by id ("17") or by name ("@name" or "name"). USER_NOT_FOUND. */
void user_resolve(struct task *t, struct str who, int64_t *id, task_fn *next);

/* Everything that operators may know of a person, as the members of one JSON object: account,
 * platforms, moderation, chats and bots that `viewer` may administer, histories; sessions for
 * Owners only. USER_NOT_FOUND. */
void user_dossier(struct task *t, int64_t id, struct person viewer, struct str *out, task_fn *next);

/* Who acts on whom, with the levels that permission was decided upon. `by` of id 0: the command
 * line, which may everything; then nothing was decided upon, and the level of `person` does not
 * matter. */
struct by {
	struct person by, person;
};
/* The changes below act only while these levels hold and `by` is neither banned nor timed out;
 * *done false: they do not, and whoever asked looks again and decides again. */

/* Sets permission_level (0-3); *old: the level before. A promotion to Admin or Owner leaves the
 * person's sessions ADMIN_SESSION_DAYS at most. LAST_OWNER when it would leave none;
 * USER_NOT_FOUND. */
void user_set_level(
	struct task *t, const struct by *who, int level, int *old, bool *done, task_fn *next);

/* Grants a subscription level (1-3) until `days` from now (0: for ever) or, with level 0, takes it
 * away (nothing, when there is none); *old: the level before, as it counted. TRIAL_USED for a
 * second Trial; USER_NOT_FOUND. */
struct subscription_grant {
	int level;
	int64_t days;
	struct str reason; /* NULL p: none */
};
void user_set_subscription(struct task *t, const struct by *who, const struct subscription_grant *g,
	int *old, bool *done, task_fn *next);

/* Subscriptions that count now; those that end first come first. */
struct subscriber {
	int64_t id, expires_at, granted_by, created_at, updated_at; /* us; 0: null */
	struct str username, avatar_url;
	int level;
};
struct subscribers {
	struct subscriber *rows;
	size_t count;
	int64_t total;
};
void subscriptions_active(
	struct task *t, int64_t offset, int64_t limit, struct subscribers *out, task_fn *next);

#endif
