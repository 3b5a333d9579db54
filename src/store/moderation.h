/* Moderation (contract 3.4). Everything is committed in PostgreSQL first: the ban, the mute or the
 * restriction, the row of moderation_actions that users/me/punishments shows, the chat's activity
 * and the audit log, all in one transaction (moderate() of schema/0007_administration.sql). Then
 * Redis and the live sockets follow: what they have to hear lies in room_changes until it is done
 * (chat_settle), so it survives a process that dies in between; who is muted or banned is read from
 * PostgreSQL by whoever finds nothing in Redis (store/standing.h).
 *
 * A handler looks, decides by rules/moderation.h, and makes the change, which holds only while
 * what was decided upon still stands; else it looks again. */
#ifndef STORE_MODERATION_H
#define STORE_MODERATION_H

#include "io/task.h"
#include "rules/moderation.h"

/* All that a decision needs, from one statement. */
struct moderation_view {
	int64_t chat_id; /* 0: everywhere */
	struct str chat_name;
	enum visibility visibility;
	struct person owner;         /* id 0, LEVEL_NONE: none */
	bool inside;                 /* the actor is the owner or a member */
	struct person actor, target; /* actor: LEVEL_NONE while banned or timed out */
	struct str target_name;      /* username */
};
/* `chat_id` 0: no chat; `actor` 0: the command line, which may everything. CHAT_NOT_FOUND (also
 * when the actor may not see it, see moderation_sees), USER_NOT_FOUND. */
void moderation_look(struct task *t, int64_t chat_id, int64_t actor, int64_t target,
	struct moderation_view *out, task_fn *next);

struct moderation_act {
	enum moderation what;
	const struct moderation_view *seen;
	int64_t duration; /* s; 0: for ever, until lifted. bans, mutes, timeout */
	struct str reason;
};
/* *done false: levels, owner or visibility are no longer as seen, and nothing was done. What was so
 * already is done anew (a ban gets the new end); lifting what is not there does nothing. A timeout
 * neither shortens one that holds nor touches a ban of the account; an unban of the account lifts
 * both. */
void moderation_do(struct task *t, const struct moderation_act *act, bool *done, task_fn *next);

#endif
