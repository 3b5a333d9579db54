/* JSON of people and chats: what requests answer with, and what is kept in Redis for events. Each
 * writes one whole value. Shapes: api/routes.c. */
#ifndef STORE_SHOWN_H
#define STORE_SHOWN_H

#include "base/json.h"
#include "store/chat.h"

void write_person(struct json_out *j, int64_t id, struct str username, struct str avatar_url);
/* A person as chats show them. */
void write_chat_person(struct json_out *j, int64_t id, struct str username, struct str avatar_url,
	int permission_level);
void write_chat(struct json_out *j, const struct chat *c, bool manager); /* config for managers */

#endif
