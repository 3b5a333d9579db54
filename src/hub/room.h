/* The live sockets of this process: by person, by room. A socket is named by its sio id; this file
 * keeps who it is and where it is, and hands it what the bus brings, encoded once for all.
 *
 *   connect:   live_open -> (session checked again) -> sio_accept, what comes first, live_opened
 *   room:join: live_join -> (the room's script) -> join_check, the ack, live_joined
 *   the end:   live_close
 *
 * Both are in two steps so that nothing is lost or doubled in between: what the bus brings in the
 * meantime is kept and sent in the second step. A socket in a room has a cursor, the last message
 * of the room's stream that its join knew of; what stands in the stream up to there is not sent to
 * it (position, store/event.h).
 *
 * Lifetime: a struct live from live_open to live_close. Between steps of a task keep its sio id:
 * the client may leave, and its session may end, which closes it here. Nothing here calls back. */
#ifndef HUB_ROOM_H
#define HUB_ROOM_H

#include "hub/bus.h"
#include "hub/sio.h"

#define LIVE_SESSION_LEN 16 /* of a public session id */

struct stream_id { /* of Redis streams: milliseconds, sequence */
	uint64_t ms, seq;
};
bool stream_id_parse(struct str s, struct stream_id *out); /* "1526919030474-55" */
int stream_id_compare(struct stream_id a, struct stream_id b);

/* ---- sockets ---- */

struct live; /* one socket of a signed-in person */

/* An operation of t: subscribes the person's channel. Behind it the socket is found by live_by_sio;
 * whoever opens checks the session again then, because an end that was published before is missed.
 * It is closed again when t ends without live_opened. sio: not opened yet. */
void live_open(struct task *t, sio_id sio, int64_t user_id, const char session_id[LIVE_SESSION_LEN],
	task_fn *next);
/* NULL: it was closed, also because its session has ended before it was opened. */
struct live *live_by_sio(sio_id sio);
/* Behind sio_accept and what comes first: now it gets what the bus has brought since. */
void live_opened(struct live *l);
void live_close(struct live *l); /* leaves every room; for sio's `disconnected` */

sio_id live_sio(const struct live *l);
int64_t live_user(const struct live *l);
void live_session(const struct live *l, char out[LIVE_SESSION_LEN]);
/* One event to one socket: {event, data}, data being a JSON object. */
void live_emit(const struct live *l, const char *event, struct str data);

/* ---- rooms ---- */

struct join; /* in the arena of its task */

/* An operation of t: subscribes the room's channel, if it is the first here. Undone when t ends
 * without live_joined. In a room that it is in already the socket waits likewise, and stays in. */
struct join *live_join(struct task *t, struct live *l, int64_t chat_id, task_fn *next);
/* In the step that runs the room's script, before it: from here on the socket counts as present. */
void live_entering(struct join *j);
/* OK: send the ack and call live_joined in the same step. ERR_UNAVAILABLE: the bus was away since
 * live_join; ERR_CONFLICT: the socket has left meanwhile, or is gone. Then what the room's script
 * has done is the caller's to undo. */
enum err join_check(const struct join *j) MUST_CHECK;
/* Before live_joined: the room's gate (store/epoch.h) at which the room's script let it in. A
 * removal up to it was before this join, however late it is heard of. */
void live_entered(struct join *j, int64_t gate);
/* cursor: the last id that the room's stream had given when it was read for the ack (not that of
 * its last entry: after a clear there is none). */
void live_joined(struct join *j, struct stream_id cursor);
void live_leave(struct live *l, int64_t chat_id); /* nothing when it is not in */
bool live_in_room(const struct live *l, int64_t chat_id);
/* It is in, or a join of it has called live_entering: what Redis holds of it may not be taken back.
 */
bool live_is_present(const struct live *l, int64_t chat_id);
bool room_here(int64_t chat_id); /* a socket of this process is in it, or joining */

/* How many sessions are present in a room in all processes, as its script last told (or the bus:
 * TO_COUNT); decides the audiences TO_ROSTER and TO_FEW. */
#define ROOM_FEW 50
void room_set_present(int64_t chat_id, int64_t sessions);
/* Once. process: its id, for the audience TO_ONE. */
void room_setup(int64_t roster_max, struct str process);

/* Calls fn for each socket, of this process only; fn may close it, but no other. Sockets that are
 * joining a room are not in it yet; those that are opening count as connected (what is emitted to
 * them goes nowhere, because sio has not accepted them). */
typedef void live_fn(struct live *l, void *arg);
void room_each(int64_t chat_id, live_fn *fn, void *arg);
void person_each(int64_t user_id, live_fn *fn, void *arg);
void everyone_each(live_fn *fn, void *arg);
/* The rooms that a socket is in. fn may not leave them; live_close does that afterwards. */
void live_rooms_each(
	const struct live *l, void (*fn)(struct live *l, int64_t chat_id, void *arg), void *arg);

/* ---- for hub/bus ---- */
void live_deliver(const struct bus_message *m);
void rooms_lost(void); /* the bus is away: every room may miss something */

/* ---- after the bus was away ----
 * What it brings to a room that is behind is kept until the room has caught up: read the stream
 * behind `from`, hand over each message, in order, then say so. */
struct room_gap {
	int64_t chat_id;
	struct stream_id from;
	uint64_t loss;
};
/* fn may change nothing here; it copies the gap and starts a task. */
void rooms_behind_each(void (*fn)(const struct room_gap *g, void *arg), void *arg);
/* False: stop, it is outdated (the bus was lost again, or nobody is left). */
bool room_replay(const struct room_gap *g, struct str position, struct str event, struct str data);
void room_caught_up(const struct room_gap *g);

struct live_stats {
	size_t sockets, people, rooms, memberships, behind;
	uint64_t delivered;
};
struct live_stats live_stats(void);

#endif
