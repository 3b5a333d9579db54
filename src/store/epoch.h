/* Epochs of chat keys (contract 3.3): an integer from 1 that only rises, counted by Redis under a
 * ceiling in PostgreSQL, so that it goes on above everything used when Redis comes back empty.
 *
 * Redis: portal:chat:{id}:epoch, portal:chat:{id}:ceiling; blobs portal:e2ee:chatkey:{id}:{epoch}.
 * portal:chat:{id}:gate counts removals and changes of visibility: a join reads it before it asks
 * PostgreSQL, and begins again when its last step finds another value. A chat without a row in
 * PostgreSQL (direct) gets both where it is made, with a ceiling never reached. */
#ifndef STORE_EPOCH_H
#define STORE_EPOCH_H

#include "io/task.h"

/* In one step: takes remove_user (0: nobody) out of the room (room:kicked with the reason, nothing
 * for "leave"; room:member_left, chat:status), epoch + 1, old blobs dropped, room:epoch_changed to
 * the room, "!keys" to its processes. `reason`: a literal: wipe clear kick ban leave join
 * visibility lost. For "join" at most once a second. CHAT_NOT_FOUND. */
void epoch_rotate(
	struct task *t, int64_t chat_id, const char *reason, int64_t remove_user, task_fn *next);
/* The same, reason "visibility"; with `stay` ("id id …"; NULL p: all stay) everyone else is taken
 * out, for "private". `rank`: directory_rank, now. */
void epoch_rotate_visibility(
	struct task *t, int64_t chat_id, struct str stay, int64_t rank, task_fn *next);
/* The epoch as it is; made when the chat has none yet. CHAT_NOT_FOUND. */
void epoch_current(struct task *t, int64_t chat_id, int64_t *out, task_fn *next);

#endif
