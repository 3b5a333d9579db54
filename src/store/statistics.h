/* How many people, bots and chats there are. PostgreSQL counts them when something changes
 * (schema/0006_notifications.sql); to ask costs a few index look-ups. Redis knows who is connected
 * (portal:online, store/room.h) and which direct chats there are (portal:match:chats). */
#ifndef STORE_STATISTICS_H
#define STORE_STATISTICS_H

#include "io/task.h"

struct statistics {
	int64_t people, online;
	int64_t by_level[4]; /* people by what their subscription amounts to now */
	int64_t bots[4];     /* by type; [0] is none */
	int64_t public_chats, private_chats, direct_chats; /* public: official ones too */
};
void statistics_read(struct task *t, struct statistics *out, task_fn *next);

#endif
