/* The matcher: searches, pairing, direct chats (contract 5). It lives in Redis only; each change is
 * one step of schema/redis/match_*.lua, the first of which (match_try.lua) names the keys, says
 * what holds between any two steps, and why any number of processes may run them.
 *
 *   match_enqueue -> (chat id reserved; person and blocks from PostgreSQL, unless Redis has kept
 * them) -> match_try tick of every process -> match_due -> match_try | match_drop | match_end, each
 * deciding again
 *
 * A direct chat has no row in PostgreSQL. Its id comes from the sequence of all chats, some of
 * which each process keeps in reserve: an id is used once, also when an answer was lost (then it is
 * not used at all). */
#ifndef STORE_MATCH_H
#define STORE_MATCH_H

#include "base/json.h"
#include "store/user.h"

enum match_state {
	MATCH_IDLE,
	MATCH_SEARCHING,
	MATCH_MATCHED
};
struct match_status {
	enum match_state state;
	struct str interests; /* tags parted by spaces; of a chat those that matched */
	int64_t queued_at,
		expires_at; /* us; searching. Matched: when the chat was made, and ends at most */
	/* matched */
	int64_t chat_id, online;
	struct str peer; /* a person of chats, JSON */
};
void match_status(struct task *t, int64_t user_id, struct match_status *out, task_fn *next);

/* tags: no two alike, parted by spaces, or "any" (rules/interest.h).
 * MATCH_ALREADY_SEARCHING, MATCH_SLOT_LIMIT (in a direct chat), AUTH_REQUIRED (the account is gone
 * or closed). */
void match_enqueue(
	struct task *t, int64_t user_id, struct str tags, struct match_status *out, task_fn *next);
/* With a change of name, picture or level: what was kept of them is read anew, and nothing is kept
 * for as long as a search that read it before may be under way. */
void match_forget(struct task *t, int64_t user_id, task_fn *next);
/* Idempotent; a chat goes on. */
void match_dequeue(struct task *t, int64_t user_id, task_fn *next);
/* Ends the search, or the chat (match:ended "left"). MATCH_NO_ACTIVE_DIRECT when there is neither.
 */
void match_leave(struct task *t, int64_t user_id, task_fn *next);
/* The account was closed: search and chat end (match:ended "gone"). Behind the commit; never fails.
 */
void match_close(struct task *t, int64_t user_id, task_fn *next);

/* ---- direct chats ---- */
struct direct {
	int64_t id;
	int64_t people[2];
	struct str persons[2];       /* as chats show them, JSON */
	int64_t created_at, ends_at; /* us */
	int64_t online;              /* people present */
};
int direct_which(const struct direct *d, int64_t user_id); /* 0, 1; -1: none of its people */
/* CHAT_NOT_FOUND when there is none (any more). */
void direct_read(struct task *t, int64_t chat_id, struct direct *out, task_fn *next);
/* Why it has ended, as match:ended says it, for ten minutes; NULL p: it was none, or goes on. */
void direct_end_reason(struct task *t, int64_t chat_id, struct str *out, task_fn *next);

/* ---- blocks: PostgreSQL, then searches learn of it ---- */
/* USER_NOT_FOUND; nobody blocks themselves (INVALID_REQUEST is the handler's). Idempotent. */
void block_set(struct task *t, int64_t user_id, int64_t other, bool on, task_fn *next);
/* Whom a person blocks: all of them, newest first; as profile_search gives people. */
void blocks_read(struct task *t, int64_t user_id, struct profile_page *out, task_fn *next);

/* ---- looking ---- */
struct match_chat {
	int64_t user_id, chat_id;
};
struct match_chats {
	struct match_chat *rows;
	size_t count;
};
/* Those of these people (some thousands at most) who are in a direct chat. */
void match_chats_of(struct task *t, const int64_t *people, size_t count, struct match_chats *out,
	task_fn *next);

struct match_figures { /* of all processes */
	int64_t searches, away, chats, graces;
	int64_t longest;  /* us: how long the one that waits longest has waited */
	struct str *tags; /* of the searches asked for, parted by spaces */
	size_t tags_count;
};
/* With the tags of `count` searches behind the first `offset`, in an order that changes little. */
void match_figures(
	struct task *t, int64_t offset, int64_t count, struct match_figures *out, task_fn *next);

#define MATCH_REASONS 4
const char *match_reason_name(int i);         /* of match:ended */
struct match_stats {                          /* of this process */
	uint64_t pairs, ended[MATCH_REASONS]; /* by reason */
};
struct match_stats match_stats(void);

/* ---- the tick: MATCH_TICK ms ---- */
void match_start(void); /* behind the stores; graces that are running get at least 15 s */
void match_stop(void);

#endif
