/* Messages of a chat: a Redis stream, newest HISTORY_MAX (contract 3.2). Content passes through as
 * it came; nothing here reads it.
 *
 * Every change is one atomic step (schema/redis/message_*.lua), in which the event is published
 * too, so that the room's channel has the stream's order. Names of keys: message_send.lua.
 *
 * What a send needs to know of the person and the chat is kept as a card in Redis for a minute, so
 * that a send is one round trip. Whoever changes any of it calls, behind the commit:
 *   message_person_changed  name, picture, level, a mute, hard mute, ban, or the lifting of one
 *   message_chat_changed    the chat's name or owner
 * A removal and a change of visibility move the chat's gate, which does the same.
 *
 * portal:chat:{id}:since:{user}: when the person first joined the room, in ms; what SINCE_JOIN
 * reads from. The step that joins a room does SET … NX and PERSIST; the one that takes the last
 * socket out PEXPIRE 86400000; leaving and removal DEL. */
#ifndef STORE_MESSAGE_H
#define STORE_MESSAGE_H

#include "base/json.h"
#include "store/session.h"
#include "store/standing.h"

#define CLIENT_ID_MAX 36

/* ---- sending ---- */

struct message_new {
	int64_t chat_id, user_id;
	char session[SESSION_ID_LEN]; /* public id; must be in the room */
	struct str content;           /* a CiphertextV2 bundle (rules/ciphertext.h) */
	struct str client_id;         /* NULL p: none */
};
/* *id: in the task's arena. BAD_CIPHERTEXT, CHAT_NOT_FOUND, BANNED, MUTED (ttl), NOT_JOINED,
 * EPOCH_MISMATCH (epoch), NO_ROOM_KEY (the session holds no key of the epoch), MESSAGE_RATE
 * (retry_after). */
void message_send(struct task *t, const struct message_new *m, struct str *id, task_fn *next);
/* Plaintext, from nobody, epoch 0; starts no wipe timer. */
void message_system(
	struct task *t, int64_t chat_id, struct str chat_name, struct str text, task_fn *next);

void message_person_changed(struct task *t, int64_t user_id, task_fn *next);
void message_chat_changed(struct task *t, int64_t chat_id, task_fn *next);

/* ---- reading ---- */

/* A message's id: milliseconds and sequence, as Redis writes it. */
bool message_id_ok(struct str id);

struct message_ask {
	int64_t chat_id, user_id;
	int64_t since; /* standing_reads_since */
	struct str after,
		before; /* ids, exclusive; NULL p: none. With after the oldest, else the newest */
	int64_t limit;
};
struct message {
	struct str id;
	int64_t sender_id; /* 0: the system */
	struct str face;   /* JSON behind "sender": {…},"permission_level":… */
	struct str content, client_id;
	int64_t epoch;
};
struct message_list {
	struct message *rows; /* oldest first, in the arena */
	size_t count;
	bool more;         /* there is more in that direction */
	bool gap;          /* `after` is no longer in the stream */
	struct str cursor; /* the id last given out in this chat: what is newer comes live */
};
/* One operation: may run beside others. For room:join: 100 after `after`, else the newest 50. */
#define WINDOW_AFTER  100
#define WINDOW_NEWEST 50
void message_read(
	struct task *t, const struct message_ask *ask, struct message_list *out, task_fn *next);
/* A history item; an array of them. */
void message_write(
	struct json_out *j, const struct message *m, int64_t chat_id, struct str chat_name);
void message_list_write(
	struct json_out *j, const struct message_list *l, int64_t chat_id, struct str chat_name);

/* ---- deleting; events follow in the same step ---- */

/* ACCESS_DENIED, and nothing is deleted, when one is another's and `any` is false. Ids that are not
 * there are passed over. */
void message_delete(struct task *t, int64_t chat_id, int64_t user_id, bool any,
	const struct str *ids, size_t n, int64_t *deleted, task_fn *next);
void message_delete_of(
	struct task *t, int64_t chat_id, int64_t user_id, int64_t *deleted, task_fn *next);
void message_delete_last(
	struct task *t, int64_t chat_id, int64_t count, int64_t *deleted, task_fn *next);
/* Empties the stream: portal:cleared {epoch, reason "clear"}, the epoch rotates, the wipe timer
 * ends, then `text` (NULL p: that they were cleared) as a system message. All in one step. */
void message_clear(struct task *t, int64_t chat_id, struct str chat_name, struct str text,
	int64_t *cleared, task_fn *next);
/* The same by a person, which the chat's activity tells. */
void message_clear_by(struct task *t, const struct standing *by, int64_t *cleared, task_fn *next);

#endif
