/* JSON of the things that several endpoints show. Each writes one whole value, or, where the name
 * says fields, the members of an object that is open; people and chats: store/shown.h. Shapes:
 * api/routes.c. */
#ifndef API_WRITERS_H
#define API_WRITERS_H

#include "base/json.h"
#include "store/bot.h"
#include "store/match.h"
#include "store/shown.h"
#include "store/user.h"

/* A member that is null where the id is 0. */
void write_id(struct json_out *j, const char *key, int64_t id);
void write_user(struct json_out *j, const struct user *u);       /* fields of @user, GET me */
void write_profile(struct json_out *j, const struct profile *p); /* fields of @profile */

enum bot_view {
	BOT_PUBLIC,  /* @bot for everyone */
	BOT_DETAILS, /* @bot for Admins and above */
	BOT_FULL     /* @bot_full */
};
void write_bot(struct json_out *j, const struct bot *b, enum bot_view view);
/* Of one who is matched: fields of their direct chat. */
void write_direct(struct json_out *j, const struct match_status *s);
void write_interests(struct json_out *j, struct str tags); /* the member: tags parted by spaces */

#endif
