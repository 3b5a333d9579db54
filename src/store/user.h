/* People: accounts, identities on platforms, and the public view of them. PostgreSQL only.
 * Strings of results live in the task's arena. What changes an account: store/user_change.h; what
 * is kept about a person besides: store/user_record.h. */
#ifndef STORE_USER_H
#define STORE_USER_H

#include "io/task.h"

struct identity_row {
	struct str platform, platform_user_id, platform_username, platform_avatar_url;
	int64_t linked_at, last_authenticated_at; /* us; 0: null */
};

struct user { /* the private profile, contract section 2, GET me */
	int64_t id;
	struct str username, avatar_url, avatar_source, state;
	int permission_level, subscription_level; /* subscription as it counts now */
	int64_t subscription_expires_at, subscription_granted_by;           /* 0: null */
	int64_t last_activity_at, permission_since, created_at, updated_at; /* us; 0: null */
	struct identity_row *identities; /* earliest linked first */
	size_t identity_count;
};
/* For a statement that begins with the columns of the private profile, a row for each identity.
 * USER_NOT_FOUND: no row. `out`: a struct user. */
#define USER_WIDTH 18
struct pg_rows;
enum err user_decode(struct task *t, const struct pg_rows *r, void *out);
/* USER_NOT_FOUND when absent or deleted. */
void user_by_id(struct task *t, int64_t id, struct user *out, task_fn *next);
void user_by_name(
	struct task *t, struct str username, struct user *out, task_fn *next); /* any case */

/* What everyone may see. */
struct profile {
	int64_t id;
	struct str username, avatar_url;
	int subscription_level; /* as it counts now */
};
void profile_by_id(
	struct task *t, int64_t id, struct profile *out, task_fn *next); /* USER_NOT_FOUND */
void profile_by_name(struct task *t, struct str username, struct profile *out, task_fn *next);

struct profile_page {
	struct profile *rows; /* by name; subscription_level is not read */
	size_t count;
	int64_t total;
};
/* `q`: part of a name in any case, or an exact id; at least one character. */
void profile_search(struct task *t, struct str q, int64_t offset, int64_t limit,
	struct profile_page *out, task_fn *next);

/* The person an identity belongs to, with what a bot login needs. USER_NOT_FOUND. */
struct identity_owner {
	int64_t user_id;
	struct str state, restriction_reason;
	int64_t restricted_until; /* us; 0: for ever */
	int64_t bot_logins;
	struct str username, avatar_url;
	int subscription_level;
};
void user_by_identity(struct task *t, struct str platform, struct str platform_user_id,
	struct identity_owner *out, task_fn *next);
/* Name and avatar as the bot saw them; nothing for an identity without an account. An avatar URL
 * with
 * "/bot" in its path is kept as "" (contract section 1). */
void identity_refresh(struct task *t, struct str platform, struct str platform_user_id,
	struct str username, struct str avatar_url, task_fn *next);
struct str avatar_safe(struct str url); /* "" for one that may hold a bot's token, else `url` */

void user_level(struct task *t, int64_t id, int *level, task_fn *next); /* USER_NOT_FOUND */

/* ---- for statements of store/ that show people ---- */
/* The picture that `avatar_source` of row `u` names: a linked platform, discord_0..5 (Discord's
 * default pictures), or '' for the earliest linked. Text of SQL and not a function, because
 * PostgreSQL plans a function with a query in it anew at each call. */
#define AVATAR_OF(u)                                                                               \
	"CASE WHEN left(" u ".avatar_source, 8) = 'discord_'"                                      \
	" THEN '" DISCORD_AVATAR "' || right(" u ".avatar_source, 1) || '.png'"                    \
	" ELSE (SELECT nullif(a.platform_avatar_url, '') FROM identities a"                        \
	"  WHERE a.user_id = " u ".id AND (" u ".avatar_source = '' OR a.platform = " u            \
	".avatar_source) ORDER BY a.linked_at, a.platform LIMIT 1) END"
#define DISCORD_AVATAR "https://cdn.discordapp.com/embed/avatars/"

#endif
