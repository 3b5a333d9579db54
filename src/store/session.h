/* Sessions: PostgreSQL is the truth, Redis the fast path (contract 1.1).
 *
 * Redis: portal:session:{hash}  hash {u user, c checked_ms, a created_us, e expires_ms}, expires
 * with it portal:sessions:{user} sorted set of hashes by login time portal:ended:{hash} tombstone,
 * 5 minutes: a look-up that was under way cannot put it back {hash} is the token hash in hex. A
 * session's public id (session_id) is 16 hex digits of the hash of its hash. */
#ifndef STORE_SESSION_H
#define STORE_SESSION_H

#include "base/secret.h"
#include "io/task.h"
#include "store/user.h"

#define SESSION_ID_LEN     16
#define SESSION_SUFFIX_LEN 6 /* of the token, by which people name a session */
void session_public_id(const uint8_t token_hash[HASH_LEN], char out[SESSION_ID_LEN]);

/* ---- the gate: look-up and limits in one round trip ---- */
struct limit {
	struct str
		key; /* who is counted, e.g. "auth" is put in front by the tier; NULL p: no limit */
	const char *tier;
	int64_t max; /* 0: off */
};
struct rate {                     /* what RateLimit-* headers say; max 0: nothing was counted */
	int64_t max, left, reset; /* reset: seconds until the window ends */
	bool over;
};
struct gate_ask {
	struct limit address; /* counted first: LOGIN, PUBLIC, HEALTH; NULL p: none */
	bool has_token;
	uint8_t token_hash[HASH_LEN];
	const char *user_tier; /* counted by the session's person: "auth", "admin"; NULL: none */
	int64_t user_max;
	struct limit dead; /* counted when the session is dead or missing */
	const char *with;  /* read portal:<with>:<user> along, and its generation; NULL: nothing */
};
struct gate_result {
	struct rate rate; /* the one that decides: the first exceeded, else the one with the fewest
			     left */
	bool live;        /* a live session */
	int64_t user_id;
	struct str with, generation; /* with: STR_NULL when there is none of this generation */
};
/* Counts and looks up. A session that Redis has forgotten is looked up in PostgreSQL and put back
 * (unless it ended meanwhile); one not checked for 60 s is checked again (used on as it is while
 * PostgreSQL is away). Never fails for a dead session: result.live tells. People whom this process
 * has just seen cost Redis a fifth of it (store/known.h). */
void gate_pass(struct task *t, const struct gate_ask *ask, struct gate_result *out, task_fn *next);
/* Counts one hit of `l`; for bot keys and hourly limits (window_s). */
void rate_hit(
	struct task *t, const struct limit *l, int64_t window_s, struct rate *out, task_fn *next);

/* ---- the gate of new sockets: many in one round trip ---- */
struct session_look {
	bool over; /* the address has had its handshakes of this minute */
	bool live; /* else gate_pass has the word */
	int64_t user_id;
	int64_t checked; /* us: PostgreSQL has just said that it lives until then; 0: not asked */
};
/* Counts a handshake of the address (addr_bind_key) and looks up, as gate_pass does. */
void session_look(struct task *t, const uint8_t token_hash[HASH_LEN], struct str address,
	struct session_look *out, task_fn *next);

/* ---- signing in ---- */
struct login_ask {
	struct str platform, platform_user_id, username, avatar_url; /* of the identity */
	bool web; /* a web code: may make an account */
	struct str client_ip, user_agent;
};
struct login {
	bool created;
	struct user user;
	char token[TOKEN_TEXT];
	int64_t created_at, expires_at; /* us */
};
/* Finds or makes the account, looks at restrictions, writes the session, ends the oldest beyond the
 * limit (their sockets follow). Fails with USER_NOT_FOUND (a bot code of an unknown identity),
 * ACCOUNT_BANNED, ACCOUNT_TIMEOUT (with reason and expiry in the fault). */
void session_login(struct task *t, const struct login_ask *ask, struct login *out, task_fn *next);

/* ---- ending ---- */
/* reason: evicted logout destroyed banned timeout expired deleted. Committed in PostgreSQL first,
 * then gone from Redis. *ended: how many were live (may be NULL). */
void session_end(struct task *t, const uint8_t token_hash[HASH_LEN], const char *reason,
	int64_t *ended, task_fn *next);
/* Of one person, by the last 6 characters of the token; `but`: never that one (NULL: any). */
void session_end_suffix(struct task *t, int64_t user_id, struct str suffix, const uint8_t *but,
	int64_t *ended, task_fn *next);
void session_end_all(struct task *t, int64_t user_id, const uint8_t *but, const char *reason,
	int64_t *ended, task_fn *next);
/* Behind a commit that ended sessions itself: tells Redis, and through it the sockets. `gone` as
 * sessions_end() of schema/ returns it; `reason` as above. Never fails. */
void session_tell(struct task *t, struct str gone, const char *reason, task_fn *next);
/* Behind a commit that changed when live sessions end: Redis reads them anew. Never fails: when
 * Redis is away, the next check of each brings its new end. */
void session_forget(struct task *t, int64_t user_id, task_fn *next);

/* ---- listing ---- */
struct session_row {
	uint8_t token_hash[HASH_LEN];
	struct str suffix, client_ip, user_agent;
	int64_t created_at, expires_at, ended_at; /* us */
	struct str end_reason;
};
struct session_list {
	struct session_row *rows; /* newest first, in the arena */
	size_t count;
};
void session_list_live(struct task *t, int64_t user_id, struct session_list *out, task_fn *next);
void session_list_history(struct task *t, int64_t user_id, struct session_list *out,
	task_fn *next); /* newest 100, ended ones */

/* Which of these (hashes in hex) PostgreSQL does not know as live. */
struct session_dead {
	struct {
		struct str hash, reason; /* in the arena */
	} * rows;
	size_t count;
};
void session_list_dead(struct task *t, const struct str *hashes, size_t n, struct session_dead *out,
	task_fn *next);

/* After Redis is back, before commands are let in, and when a process has died: what ended in
 * PostgreSQL while it was away (at most the last 5 minutes matter: older cache entries are checked
 * again anyway) goes from Redis too. */
void session_reconcile(struct task *t, task_fn *next);

#endif
