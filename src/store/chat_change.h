/* Changes to chats. Each is committed in PostgreSQL, together with a row of what Redis and the live
 * sockets have to hear of it (room_changes); chat_settle tells them and takes the row away. When
 * Redis is away the change stands and the row waits: for the chat's next change, or for
 * chat_settle(t, 0, …) after the next connect. */
#ifndef STORE_CHAT_CHANGE_H
#define STORE_CHAT_CHANGE_H

#include "store/chat.h"

/* Does what is due for a chat, or for all (0): takes people out of rooms, rotates epochs, tells
 * rooms that are gone. Never fails: what a store did not take stays due. What somebody else is at
 * already is left to them. */
void chat_settle(struct task *t, int64_t chat_id, task_fn *next);

/* Who may create, and how many: what rules/chat.h is asked with. USER_NOT_FOUND. */
struct chat_maker {
	int permission_level, subscription_level; /* as they count now */
};
void chat_maker(struct task *t, int64_t user_id, struct chat_maker *out, task_fn *next);

struct chat_new {
	struct str name, slug, description; /* slug NULL p: private, unless official */
	int64_t owner_id;
	int64_t slots; /* chats, official ones aside, that the owner may have in all */
	bool official;
	int owner_level; /* of an official one: that permission was decided upon */
};
/* CHAT_SLOTS, SLUG_TAKEN, USER_NOT_FOUND. ACCESS_DENIED: the owner no longer has that level. */
void chat_create(struct task *t, const struct chat_new *c, int64_t *id, task_fn *next);

/* Who changes a chat, and the level that permission was decided upon. */
struct chat_by {
	struct person who; /* id 0: the command line */
	bool platform; /* by the administration: the audit log tells of it, as it does of a change
			  by anybody but the owner */
};
/* The changes below act only while the chat is as `seen` in what decides about permission (owner
 * and the owner's level, visibility); *done false: it is not, and whoever asked looks again and
 * decides again. ACCESS_DENIED: who acts no longer has that level. They settle what is due. */
struct chat_edit { /* NULL p and -1: leave it */
	struct str name, description, wipe_preset;
	int history_visible; /* 0, 1 */
	bool slug_given, label_given;
	struct str slug, label; /* NULL p: none */
};
/* A slug makes a chat public, none private; an official one stays official. A private chat's
 * messages are dropped before it becomes public. SLUG_TAKEN. */
void chat_update(struct task *t, struct chat_by by, const struct chat *seen,
	const struct chat_edit *e, bool *done, task_fn *next);
/* Behind chat_update, the chat read anew: restarts the wipe timer and says so when a preset was
 * given, tells the room (room:config). Never fails. */
void chat_tell(struct task *t, const struct chat *c, const struct chat_edit *e, task_fn *next);
void chat_delete(
	struct task *t, struct chat_by by, const struct chat *seen, bool *done, task_fn *next);
void chat_transfer(struct task *t, struct chat_by by, const struct chat *seen, int64_t heir,
	bool *done, task_fn *next);

/* CHAT_NOT_FOUND: no such chat, or a private one of others; CONFLICT: the owner. */
void chat_leave(struct task *t, int64_t chat_id, int64_t user_id, task_fn *next);

/* INVITE_NOT_FOUND for dead and unknown codes, BANNED. *joined: a membership was made. */
struct chat_join {
	int64_t chat_id;
	struct str method;
	bool joined;
};
void chat_join(
	struct task *t, struct str code, int64_t user_id, struct chat_join *out, task_fn *next);

#endif
