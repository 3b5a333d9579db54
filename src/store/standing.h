/* What a person is in a chat, read from PostgreSQL in one statement (of a direct chat from Redis,
 * too): may they see it, speak, manage
 * and moderate (contract 0.5, 3.1, 3.2, 3.4). A picture of one moment: whoever then changes
 * something in Redis makes sure that it still holds (store/message.c, the cards). */
#ifndef STORE_STANDING_H
#define STORE_STANDING_H

#include "io/task.h"
#include "rules/permission.h"

struct standing {
	int64_t chat_id, user_id;
	/* the chat */
	struct str chat_name, wipe_preset;
	enum visibility visibility;
	bool history_visible;
	int64_t owner_id; /* 0: none */
	int owner_level;
	int64_t last_activity_at; /* us */
	bool turning; /* its visibility has changed, its room has not heard (chat_settle) */
	/* the person */
	struct str username, avatar_url; /* avatar_url: NULL when there is none */
	int level;
	bool member;          /* the owner too */
	int64_t member_since; /* us; 0: no membership */
	bool banned;          /* the owner too, by someone above */
	bool muted;           /* there or everywhere, now */
	int64_t muted_until;  /* us; 0: until lifted */
};
/* CHAT_NOT_FOUND when there is no such chat (or person); not for chats that the person may not see:
 * standing_sees. */
void standing_read(
	struct task *t, int64_t chat_id, int64_t user_id, struct standing *out, task_fn *next);

/* False: the chat looks absent (404). Bans do not matter here. */
bool standing_sees(const struct standing *s);
bool standing_manages(const struct standing *s);
bool standing_moderates(const struct standing *s);
/* Since when the person may read, for struct message_ask. */
#define SINCE_START INT64_C(0)  /* everything */
#define SINCE_JOIN  INT64_C(-1) /* since the first join, which Redis knows (store/message.h) */
int64_t standing_reads_since(const struct standing *s); /* ms, or one of these */

#endif
