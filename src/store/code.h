/* Login codes, in Redis only (contract section 1). A code is found by its keyed hash and kept
 * sealed. The layout and the atomic steps are in schema/redis/code_*.lua. */
#ifndef STORE_CODE_H
#define STORE_CODE_H

#include "base/secret.h"
#include "io/task.h"

struct identity {
	struct str platform, platform_user_id;
	struct str username, avatar_url; /* as the bot last told; may be NULL */
};

struct code {
	char text[CODE_LEN];
	int64_t expires_at; /* us */
};

/* A web code for (identity, address): the one that is pending, or a new one. Fails with
 * TOO_MANY_PENDING_CODES and retry_after. */
struct code_asked {
	int64_t expires_at; /* us */
	struct str push;    /* name of the code, for push_next; NULL p: no push is due */
};
void code_request(struct task *t, const struct identity *who, struct str addr_key,
	struct code_asked *out, task_fn *next);
/* The one live bot code of the identity, or a new one. */
void code_for_bot(struct task *t, const struct identity *who, struct code *out, task_fn *next);
/* The newest pending web codes of the identity, newest first; remembers name and avatar with them.
 */
#define CODES_SHOWN 10
void code_pending(struct task *t, const struct identity *who, struct code out[CODES_SHOWN],
	size_t *count, task_fn *next);

struct code_claim {
	bool web;
	struct identity who; /* name and avatar that waited with the code, or NULL */
	int64_t expires_at;  /* us */
};
/* Consumes the code in one atomic step. Fails with INVALID_CODE (and counts the failure), or
 * RATE_LIMITED with retry_after when the budget of failures is used up. `web_only`: a bot code is
 * INVALID_REQUEST and stays. */
void code_take(struct task *t, struct str code, struct str addr_key, bool web_only,
	struct code_claim *out, task_fn *next);
/* Puts a code that was taken back, with the time it had, because what it was taken for failed; not
 * when it is over or another has its place. For the task that took it, which must not answer with
 * success any more: so a code still succeeds at most once. */
void code_return(struct task *t, struct str code, struct str addr_key,
	const struct code_claim *claim, task_fn *next);

struct code_listed {
	struct identity who; /* platform and id only */
	struct code code;
};
/* A pending code by its name (code_asked.push). INVALID_CODE: it is over or used. */
void code_named(struct task *t, struct str name, struct code_listed *out, task_fn *next);
/* Every pending web code, with whom it is for: portalctl demo on a developer's machine. Walks the
 * keys of Redis, so never for a server. */
void code_list_web(struct task *t, struct code_listed **out, size_t *count, task_fn *next);

#endif
