/* Who is present in rooms and who is connected (contract 3.3, 4). A socket belongs to a session and
 * to a process; a session is present in a room while any process has a socket of it there.
 *
 * Redis; a session is its public id, a process 8 hex digits:
 *   portal:room:{chat}:present   hash session:process -> sockets there
 *   portal:room:{chat}:joined    sorted set user:session, longest present first
 *   portal:room:{chat}:people    hash user -> present sessions (its length: online)
 *   portal:room:{chat}:persons   hash user -> how chats show the person (see store/account.h)
 *   portal:chat:{chat}:since:{user}  see store/message.h
 *   portal:chat:{chat}:gate      see store/epoch.h
 *   portal:sockets:{user}        hash session:process -> sockets
 *   portal:online, portal:online:session   who is connected (store/chat.h)
 *   portal:processes, portal:processes:dead  sorted sets by the end of a lease, of a claim
 *   portal:process:{process}:rooms, …:people   what has to be swept when it dies
 *
 * Counts are set, never added to: whoever was not heard tells again, and a count that comes twice
 * does no harm. */
#ifndef STORE_ROOM_H
#define STORE_ROOM_H

#include "store/session.h"

#define PROCESS_ID_LEN 8
#define LEASE_MS       7000 /* with the tick that finds it dead: 10 s at most */

/* ---- joining ---- */
/* The gate (store/epoch.h), to be read before PostgreSQL is asked. */
void room_gate(struct task *t, int64_t chat_id, struct str *out, task_fn *next);

struct room_seat { /* a session's sockets in a room, in this process */
	int64_t chat_id, user_id;
	struct str session;
	struct str process;
	int64_t sockets;
};
struct room_ask {
	struct room_seat seat;
	struct str gate, person; /* person: as JSON */
	int64_t rank;            /* directory_rank */
	bool tells;              /* who is there and the key are wanted too */
};
enum room_outcome {
	ROOM_JOINED,
	ROOM_AGAIN,   /* somebody was taken out, or the visibility changed meanwhile */
	ROOM_NO_EPOCH /* epoch_current first */
};
struct room_joined {
	enum room_outcome outcome;
	int64_t epoch, sessions;
	bool status_due;
	/* with `tells`: */
	int64_t online;
	bool keyed;                       /* a session of the person holds the key */
	struct str blob, from_public_key; /* NULL p: none */
	struct str members;               /* a JSON array; NULL p: more than ROSTER_MAX */
};
void room_enter(struct task *t, const struct room_ask *ask, struct room_joined *out, task_fn *next);

/* ---- leaving ---- */
struct room_left {
	int64_t sessions; /* that left */
	bool status_due;
};
/* seat.sockets are what is left; seat.session NULL p: all of a dead process. `emptied`: the process
 * has nobody else there. `on_purpose`: room:leave. */
void room_exit(struct task *t, const struct room_seat *seat, bool emptied, bool on_purpose,
	struct room_left *out, task_fn *next);
/* A second after a status_due, by whoever was told: chat:status. */
void room_status(struct task *t, int64_t chat_id, task_fn *next);

struct room_ids {
	int64_t *v;
	size_t count;
};
/* Which of these people may not be there: banned, not of a private or direct chat, or it is gone.
 */
void room_misfits(struct task *t, int64_t chat_id, const struct room_ids *people,
	struct room_ids *out, task_fn *next);

/* ---- connecting ---- */
enum seat_outcome {
	SEAT_OK,
	SEAT_ENDED, /* the session has */
	SEAT_FULL
};
struct socket_seat {
	int64_t user_id;
	struct str session;
	int64_t sockets;           /* in this process */
	const uint8_t *token_hash; /* one more: looked at, and counted; NULL: one less */
	int64_t checked;           /* us; as session_look says it */
};
struct seat_taken { /* one more */
	enum seat_outcome outcome;
	int64_t expires_at;  /* us; of the session */
	int64_t direct_chat; /* that the person is in; 0: none */
};
/* Of many sessions (BATCH_MOST at most), in the order given. `out`: one for each, or NULL. */
void sockets_count(struct task *t, struct str process, const struct socket_seat *seats, size_t n,
	struct seat_taken *out, task_fn *next);

/* ---- processes ---- */
struct lease {
	bool lost;         /* it was taken for dead: its sockets are no longer present */
	struct str marker; /* of this life of Redis: another one after it came back empty */
	struct str dead;   /* to be swept by the caller; NULL p: none */
};
void process_renew(
	struct task *t, struct str process, bool had, bool look, struct lease *out, task_fn *next);
/* Its people are disconnected; its rooms are left by room_exit one by one, then process_forget. */
void process_sweep(struct task *t, struct str process, struct room_ids *out, task_fn *next);
void process_forget(struct task *t, struct str process, task_fn *next);

#endif
