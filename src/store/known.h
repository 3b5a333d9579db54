/* What this process remembers between requests so that Redis is asked less: whose a session is, and
 * until when a counter's window runs. Both are guesses about what Redis will say, never an answer:
 * whoever goes by one reads the session and hits the counter in Redis all the same, and takes the
 * long way when what comes back is not what was remembered.
 *
 * Bounded: KNOWN_SLOTS of each, found by a hash; who comes later takes the place. 1.1 MiB when all
 * are taken; a page of them costs memory once something is in it. */
#ifndef STORE_KNOWN_H
#define STORE_KNOWN_H

#include "base/secret.h"

#define KNOWN_SLOTS     16384 /* a power of two */
#define KNOWN_MS        60000 /* the longest that anything is remembered */
#define KNOWN_MARGIN_MS 100   /* the last moment of a window is Redis' own: commands take time */

struct known_session {
	uint8_t hash[HASH_LEN];
	int64_t user_id;
	int64_t checked; /* field c of the session, as Redis had it */
	int64_t until;   /* clock_ms */
};
/* Live, and to be checked against PostgreSQL in `fresh_ms`. */
void known_session_put(
	const uint8_t hash[HASH_LEN], int64_t user_id, int64_t checked, int64_t fresh_ms);
/* NULL: not known, or about to be checked. */
const struct known_session *known_session(const uint8_t hash[HASH_LEN]);
void known_session_forget(const uint8_t hash[HASH_LEN]);

/* `counter`: its key in Redis, which ends in `left_ms`. One that runs for longer than KNOWN_MS is
 * not remembered yet. */
void known_window_put(struct str counter, int64_t left_ms);
/* Milliseconds until it ends; 0: not known, or it may end before Redis is asked. */
int64_t known_window_left(struct str counter);

#endif
