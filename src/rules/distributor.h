/* When this process looks at which room to have its key handed out (contract 3.3). What a look does
 * is one step in Redis (schema/redis/key_ask.lua), which answers when to look again; this is the
 * book of what is due. Plain memory; times are milliseconds of one clock that only goes forward.
 *
 *   touch (something changed) -> next -> looked (nobody waits: forgotten) | looked (again in n ms)
 *
 * A room is looked at once at a time; looks at it start at least DISTRIBUTOR_GAP_MS apart, so that
 * a thousand joins cost ten looks a second. */
#ifndef RULES_DISTRIBUTOR_H
#define RULES_DISTRIBUTOR_H

#include "base/map.h"

#define DISTRIBUTOR_GAP_MS  100
#define DISTRIBUTOR_AT_ONCE 256 /* looks under way; the others wait for one to end */

struct due;
struct distributor { /* zero-initialised is valid and empty */
	struct map rooms;
	struct due **heap; /* of the rooms that are not being looked at */
	size_t waiting, room, looking;
};

/* Something changed in the room: it is due now, or at the end of the gap. */
void distributor_touch(struct distributor *d, int64_t chat_id, int64_t now);
/* A room that is due; its look has begun. 0: none now. */
int64_t distributor_next(struct distributor *d, int64_t now);
/* Milliseconds until distributor_next may have one; -1: nothing is due until the next call of
 * touch or looked. */
int64_t distributor_wait(const struct distributor *d, int64_t now);
/* The look has ended; `again`: ms until the next, 0: nobody waits there. */
void distributor_looked(struct distributor *d, int64_t chat_id, int64_t now, int64_t again);
void distributor_free(struct distributor *d); /* empty again */

#endif
