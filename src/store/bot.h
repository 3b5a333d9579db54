/* Bots: registration, keys (kept as hashes), figures they report. PostgreSQL only. */
#ifndef STORE_BOT_H
#define STORE_BOT_H

#include "base/secret.h"
#include "io/task.h"
#include "rules/permission.h"

enum bot_type {
	BOT_OFFICIAL = 1,
	BOT_VERIFIED,
	BOT_COMMUNITY
};
/* "official" or "1", "verified" or "2", "community" or "3"; 0 for anything else, an absent one too.
 */
int bot_type_of(struct str word);

struct bot {
	int64_t id, owner_id; /* owner 0: registered by the command line */
	int owner_level;      /* permission level of the owner; -1 without one */
	struct str name, platform, avatar_url;
	enum bot_type type;
	bool login, is_active;
	int64_t rate_limit_per_hour, groups, users, latency_ms; /* latency -1: null */
	struct str group_ids; /* a JSON array of strings; STR_NULL from bots_browse and bot_for */
	int64_t last_activity_at, created_at, updated_at; /* us; 0: null */
};
/* What a request with a key needs: only id, platform, login and rate_limit_per_hour are read.
 * INVALID_API_KEY for unknown, deleted and inactive bots. */
void bot_by_key(struct task *t, const uint8_t key_hash[HASH_LEN], struct bot *out, task_fn *next);
void bot_by_id(struct task *t, int64_t id, struct bot *out, task_fn *next); /* BOT_NOT_FOUND */

/* ---- browsing: Admins and above see inactive bots too, and more of each ---- */
struct bot_page {
	struct bot *rows;
	size_t count;
	int64_t total;
	bool details; /* the viewer is Admin or above, as of now */
};
struct bot_filter {
	struct str q;   /* part of the name, any case; NULL p: any */
	int64_t owner;  /* 0: any */
	int type;       /* of enum bot_type; 0: any */
	int64_t viewer; /* a person's id; 0: not signed in */
	int64_t offset, limit;
};
void bots_browse(struct task *t, const struct bot_filter *f, struct bot_page *out, task_fn *next);
/* One bot as `viewer` may see it: a page of one. BOT_NOT_FOUND. */
void bot_for(struct task *t, int64_t id, int64_t viewer, struct bot_page *out, task_fn *next);

/* ---- what a bot tells about itself ---- */
struct bot_report { /* NULL p and -1: leave it */
	struct str name;
	struct str avatar_url; /* "": none */
	const struct str *group_ids;
	size_t group_count;
	int64_t users, latency_ms;
	int64_t created_at, updated_at; /* answer; us */
};
void bot_tell(struct task *t, int64_t id, struct bot_report *r, task_fn *next); /* BOT_NOT_FOUND */

/* ---- administration; each act leaves an entry in the audit log ---- */
/* A fresh key: what its owner is shown, once, and the hash that is kept. */
#define BOT_KEY_PREFIX "hbot_"
#define BOT_KEY_TEXT   (sizeof(BOT_KEY_PREFIX) - 1 + TOKEN_TEXT)
struct bot_key {
	char text[BOT_KEY_TEXT]; /* no NUL */
	uint8_t hash[HASH_LEN];
};
void bot_key_make(struct bot_key *out);

struct bot_new {
	struct str name, platform;
	int64_t owner_id; /* 0: none */
	int owner_level;  /* decided upon; not by the command line */
	int64_t rate_limit_per_hour;
	bool login;
	uint8_t key_hash[HASH_LEN];
	struct person by; /* who registers it; id 0: the command line */
};
/* A community bot. USER_NOT_FOUND: no such owner. ACCESS_DENIED: `by` or the owner no longer has
 * that level. */
void bot_create(struct task *t, const struct bot_new *b, int64_t *id, task_fn *next);

/* Those that can_manage_bot (rules/permission.h) allows a person of that level. */
void bots_managed(struct task *t, int64_t actor, int level, int64_t offset, int64_t limit,
	struct bot_page *out, task_fn *next);

/* The changes below act only while the bot is as `seen` in what decides about permission (owner and
 * the owner's level, login) and undeleted; *done false: it is not, and whoever asked looks again
 * and decides again. ACCESS_DENIED: `by` (id 0: the command line) no longer has that level. */
struct bot_edit { /* NULL p, 0 and -1: leave it */
	struct str name;
	int64_t owner_id; /* *done is false too when there is no such person */
	int64_t rate_limit_per_hour;
	int type;      /* of enum bot_type */
	int is_active; /* 0, 1 */
	int login;     /* 0, 1 */
};
void bot_update(struct task *t, struct person by, const struct bot *seen, const struct bot_edit *e,
	bool *done, task_fn *next);
void bot_rekey(struct task *t, struct person by, const struct bot *seen,
	const uint8_t key_hash[HASH_LEN], bool *done, task_fn *next);
void bot_reset(struct task *t, struct person by, const struct bot *seen, bool *done, task_fn *next);
void bot_delete(
	struct task *t, struct person by, const struct bot *seen, bool *done, task_fn *next);

#endif
