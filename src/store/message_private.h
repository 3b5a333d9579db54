/* What the files about messages share. */
#ifndef STORE_MESSAGE_PRIVATE_H
#define STORE_MESSAGE_PRIVATE_H

#include "store/message.h"

/* `s` as a JSON string, in a buffer that is used again by the next call with it. */
struct str message_json(struct buf *b, struct str s);

/* message_clear; `reason` "clear", or "wipe": only if it is due, else *cleared is -1. */
void message_empty(struct task *t, int64_t chat_id, struct str chat_name, const char *reason,
	struct str text, int64_t *cleared, task_fn *next);

#endif
