/* What the files of sessions share. */
#ifndef STORE_SESSION_PRIVATE_H
#define STORE_SESSION_PRIVATE_H

#include "io/pg.h"
#include "io/redis.h"
#include "store/session.h"

#define HASH_HEX (2 * HASH_LEN)

struct str hash_hex(struct task *t, const uint8_t hash[HASH_LEN]);

/* Puts one session where look-ups find it; schema/redis/session_put.lua says when it does not. */
struct session_seat {
	struct str hash; /* hex */
	int64_t user_id;
	struct str live;   /* as sessions_live() returns it */
	struct str marker; /* of the look-up; empty: a login */
	bool checked;      /* PostgreSQL was asked just now; else the first use asks */
};
void session_put(struct task *t, const struct session_seat *s, bool *in, task_fn *next);
/* Ended in PostgreSQL: gone from Redis, too, which tells their sockets. `gone`: from drop_list. */
void session_drop(struct task *t, struct str gone, task_fn *next);
/* "hash user session reason hash …" of "hash user hash user …"; reason NULL: of "hash user reason
 * hash …". */
struct str drop_list(struct task *t, struct str gone, const char *reason);

#endif
