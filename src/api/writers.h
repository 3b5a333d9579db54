/* JSON of the things that several endpoints show. Each writes one whole value, or, where the name
 * says fields, the members of an object that is open. Shapes: api/routes.c. */
#ifndef API_WRITERS_H
#define API_WRITERS_H

#include "base/json.h"
#include "store/bot.h"
#include "store/chat.h"
#include "store/user.h"

/* A member that is null where the id is 0. */
void write_id(struct json_out *j, const char *key, int64_t id);
void write_user(struct json_out *j, const struct user *u);       /* fields of @user, GET me */
void write_profile(struct json_out *j, const struct profile *p); /* fields of @profile */
void write_person(struct json_out *j, int64_t id, struct str username, struct str avatar_url);
/* A person as chats show them. */
void write_chat_person(struct json_out *j, int64_t id, struct str username, struct str avatar_url,
	int permission_level);

enum bot_view {
	BOT_PUBLIC,  /* @bot for everyone */
	BOT_DETAILS, /* @bot for Admins and above */
	BOT_FULL     /* @bot_full */
};
void write_bot(struct json_out *j, const struct bot *b, enum bot_view view);

void write_chat(struct json_out *j, const struct chat *c, bool manager); /* config for managers */

#endif
