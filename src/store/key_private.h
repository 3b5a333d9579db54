/* What the files of keys share: the steps in Redis, each repeated until it has what it asks for. */
#ifndef STORE_KEY_PRIVATE_H
#define STORE_KEY_PRIVATE_H

#include "io/redis.h"
#include "store/key.h"

/* First element of an answer; the scripts in schema/redis/key_*.lua say which they give. */
enum key_code {
	KEY_OK = 0,
	KEY_CIRCLE = -1,  /* read who is entitled from PostgreSQL */
	KEY_EPOCH = -2,   /* make the epoch */
	KEY_CEILING = -3, /* rotate where the ceiling is raised */
	KEY_NOT_JOINED = -4,
	KEY_MISMATCH = -5,
	KEY_EXISTS = -6,
	KEY_NONE = -7,
	KEY_RATE = -8
};
struct key_answer {
	enum key_code code;
	int64_t a, b;
	struct str text; /* b as text */
};
/* Runs the script; circle, epoch and ceiling are seen to here, and it runs again. CHAT_NOT_FOUND.
 */
void key_step(struct task *t, int64_t chat_id, int script, const struct redis_args *args,
	struct key_answer *out, task_fn *next);

/* One look at a room: asks whom there is to ask now. *again: ms until the next look, 0: nobody
 * waits there. CHAT_NOT_FOUND. */
void key_ask(struct task *t, int64_t chat_id, int64_t *again, task_fn *next);

#endif
