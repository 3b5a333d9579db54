/* End-to-end keys of chats: sessions' public keys, blobs, and who is asked to hand them out
 * (contract 3.3). The server sees no chat key: a blob is opened by the one session it is for.
 *
 * Redis (a session is its public session_id; scripts: schema/redis/key_*.lua):
 *   portal:e2ee:keys:{user}          hash session -> public key (base64), of live sessions
 *   portal:e2ee:owner:{session}      the person of a session that has a key; lives as the session
 *   portal:e2ee:renewed:{session}    ms, for 10 s: when another key took the place of one
 *   portal:e2ee:blobs:{session}      set of {chat}:{epoch} that may keep a blob for it
 *   portal:e2ee:rooms:{session}      set of chats it has joined; who is there says the room
 *   portal:e2ee:chatkey:{chat}:{epoch}  hash "{user}:{session}" -> "blob public-key-of-the-sender"
 *   portal:e2ee:asks:{chat}          who was asked for whom, when, in this epoch (key_ask.lua)
 *   portal:e2ee:circle:{chat}        who is entitled, a copy of PostgreSQL (key_ask.lua). A chat
 *       that PostgreSQL does not know (direct) is given "0 id id " for good where it is made
 *
 * A session is a holder of an epoch when chatkey has its field. Whoever rotates an epoch drops the
 * hash of the old one; asks of another epoch than the current are void. */
#ifndef STORE_KEY_H
#define STORE_KEY_H

#include "base/secret.h"
#include "io/task.h"

#define KEY_BLOB_BYTES 72 /* nonce, tag, chat key */
#define KEY_SHARE_MAX  64 /* recipients of one share, and of one room:key_needed */

/* ---- public keys ---- */
/* Registers the key of a session (checked by secret_public_key); *changed: false when it was that
 * one already. Another key than before drops every blob kept for the session. Its rooms hear
 * portal:key_added. AUTH_REQUIRED when the session has ended meanwhile. */
void key_put(struct task *t, int64_t user_id, const uint8_t token_hash[HASH_LEN],
	struct str public_key, bool *changed, task_fn *next);

/* ---- blobs ---- */
struct key_blob {
	int64_t epoch;
	struct str blob, from_public_key; /* NULL p: none */
};
/* The blob of a session for the current epoch (made when the chat has none). The caller has made
 * sure that the person may see the chat. */
void key_read(struct task *t, int64_t chat_id, int64_t user_id, struct str session,
	struct key_blob *out, task_fn *next);
/* The same for an epoch that the caller knows (out->epoch): one operation, so that many run side by
 * side. */
void key_blob_of(struct task *t, int64_t chat_id, int64_t user_id, struct str session,
	struct key_blob *out, task_fn *next);

struct key_sender {
	int64_t chat_id, epoch; /* the epoch that it takes for the current one */
	int64_t user_id;
	struct str session; /* session_id */
};
/* Stores blobs for others: one atomic step. `entries`: "session blob session blob …", checked, at
 * most KEY_SHARE_MAX pairs. Entries for sessions that are not entitled or hold a blob are skipped.
 * Each session served gets room:key. Fails with NOT_JOINED, EPOCH_MISMATCH (with the current one),
 * KEY_EXISTS, NO_ROOM_KEY. */
struct key_shared {
	int64_t stored, skipped;
};
void key_share(struct task *t, const struct key_sender *from, struct str entries,
	struct key_shared *out, task_fn *next);
/* "My blob does not open": drops it and asks another than its sender; where there is no other, the
 * epoch rotates (once a minute a chat). NOT_JOINED, EPOCH_MISMATCH (with the current one),
 * RATE_LIMITED (3 a minute and session; retry_after). */
void key_request(struct task *t, const struct key_sender *from, task_fn *next);

/* ---- distribution ---- */
/* Something changed that may leave a session of the room without a key, or a key without a giver: a
 * join, a leave, a new epoch, a new key (the control event "!keys" of the bus), the stores were
 * away. Looks soon, and again until nobody waits. Costs nothing now; call it from every process
 * that learns of it. */
void key_room_look(int64_t chat_id);
/* Behind the commit that made someone a member of a private chat. (A removal and a change of
 * visibility are told by the chat's gate.) Never fails. */
void key_member_added(struct task *t, int64_t chat_id, task_fn *next);

void key_stop(void); /* at the end of the process: no look is due any more */

#endif
