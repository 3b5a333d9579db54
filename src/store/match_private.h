/* Steps of the matcher, for the files of store/match_*.c. */
#ifndef STORE_MATCH_PRIVATE_H
#define STORE_MATCH_PRIVATE_H

#include "store/match.h"

/* ---- ids for chats ---- */
/* Those that were reserved and not used, RESERVE of them at most; others are forgotten. */
bool reserve_take(int64_t *id); /* false: there is none */
void reserve_keep(int64_t id);
/* Into the reserve. */
void reserve_fill(struct task *t, size_t count, task_fn *next);
#define RESERVE         1024
#define RESERVE_AT_ONCE 32 /* asked for by a search that finds none */

/* ---- match_try.lua ---- */
#define KNOWN_SECONDS  600                    /* person and blocks are kept for the next search */
#define KNOWN_QUIET_MS (2 * TASK_DEADLINE_MS) /* not behind a change; of scripts too: 10000 */

enum try_outcome {
	TRY_IDLE,
	TRY_SEARCHING,
	TRY_MATCHED,
	TRY_CLOSED,
	TRY_UNKNOWN /* Redis does not know person and blocks: again, with both */
};
struct
try {
	int64_t user_id, chat_id;   /* chat_id: reserved; kept again when it was not used */
	struct str tags;            /* of a new search; "": they are looked at again */
	struct str person, blocked; /* as PostgreSQL has them; NULL p: as Redis knows them */
	enum try_outcome outcome;
	bool fresh;                  /* this step did it */
	struct match_status *stands; /* where they stand then, when it was fresh; or NULL */
};
void match_try(struct task *t, struct try *f, task_fn *next);

/* ---- match_drop.lua, match_end.lua ---- */
struct dropped {
	bool ended;
	int64_t chat_id; /* they are in; 0: none */
};
void match_drop(
	struct task *t, int64_t user_id, const char *reason, struct dropped *out, task_fn *next);
/* `user_id`: whose doing or whose grace it is; 0: nobody's. `due`: only if it is. */
void match_end(struct task *t, int64_t chat_id, const char *reason, int64_t user_id, bool due,
	task_fn *next);

#endif
