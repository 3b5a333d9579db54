/* Sockets of people, the namespace "/" (contract 4.1): inside api/.
 *
 *   sockets.c         requests under /socket.io/, what the server asks of hub/sio, session ends,
 * drain socket_connect.c  CONNECT: credential, limits, the session's seat -> accepted, chat:list
 *   event.c           events of clients as tasks; flood
 *   catch_up.c        the bus; what sockets missed while it was away (catch_up_*.c)
 *   directory.c       what all get behind CONNECT
 *   presence.c        what Redis is told of sockets and rooms; the lease of the process
 *   room_join.c       room:join, and being put into a direct chat
 *   rooms.c           what else is room:*
 *   bot_sockets.c     the namespace "/bot" (api/bot_socket.h)
 *
 * A struct socket lives from CONNECT until hub/sio has told that it is gone; the task that connects
 * it and the task that gives its seat back may outlive neither. */
#ifndef API_SOCKET_H
#define API_SOCKET_H

#include "api/request.h"
#include "hub/sio.h"
#include "hub/room.h"
#include "store/room.h"
#include "store/session.h"

#define SOCKET_CHECK_MS 60000 /* how often the session of a live socket is looked at */

struct socket {
	sio_id id;
	struct { /* what event.c makes one of */
		int64_t user_id;
		uint8_t token_hash[HASH_LEN];
		struct addr addr;
	} caller;
	bool over; /* its session has ended, or it has gone */
	uint32_t window_hits;
	char session[SESSION_ID_LEN];
	struct list of_session;  /* sockets of its session in this process */
	struct list events;      /* under way: the first runs, the others wait */
	struct timer check;      /* the session: still live? */
	int64_t expires_at;      /* us */
	int64_t window_until;    /* clock_ms; of the flood limit */
	struct task *connecting; /* NULL: accepted, or over */
};

/* What a client's handshake said, kept with its connection until it connects. */
struct visitor {
	uint8_t *key_hash; /* of an X-API-Key, which people have none of; NULL: none was sent */
	bool key_formed;   /* … in a bot key's form */
	bool has_cookie, has_token; /* a cookie psession; one of the right form */
	struct addr addr;
	uint8_t token_hash[HASH_LEN];
#ifdef PORTAL_FAULTS
	char fault[24]; /* for its CONNECT (api/serve.h) */
#endif
};

/* ---- sockets.c ---- */
void sockets_setup(void); /* after config_load, before the first listener */
void sockets_drain(void); /* server:restarting, then the transports close */
void sockets_teardown(void);
bool sockets_path(struct str path);
void sockets_request(struct exchange *x, const struct http_request *r);
void socket_end(struct socket *s, struct str reason); /* session:ended, DISCONNECT, close */

/* ---- socket_connect.c ---- */
void socket_connect(sio_id id, struct str nsp, struct str auth);
void socket_gone(struct socket *s); /* hub/sio says so */
/* CONNECT_ERROR, or for errors that pass the end of the transport. */
void socket_refuse(sio_id id, enum err e);

/* ---- directory.c ---- */
/* An operation of t: the first page of the directory as the viewer sees it, JSON values with commas
 * between them. */
void directory_read(struct task *t, struct person viewer, struct str *out, task_fn *next);

/* ---- presence.c ---- */
void presence_setup(void);
void presence_stop(void); /* before the stores end */
void presence_teardown(void);
struct str presence_process(void); /* this process, as Redis knows it */
bool presence_settled(void);       /* Redis has heard of everything */
/* An operation of t, whose the socket is: it counts from here on, and Redis is told how many the
 * session has here, if that is still live. checked: as session_look says it. */
void presence_seat(
	struct task *t, struct socket *s, int64_t checked, struct seat_taken *out, task_fn *next);
void presence_remove(struct socket *s); /* Redis is told */
/* Those of them that are in the room, or whose join is at the room's script or behind it. */
int64_t presence_in_room(int64_t user_id, const char session[SESSION_ID_LEN], int64_t chat_id);
/* Redis is to hear again how many sockets of the session are in the room. */
void presence_owe(int64_t chat_id, int64_t user_id, const char session[SESSION_ID_LEN]);
/* fn may end the socket. */
void presence_each(void (*fn)(struct socket *s, void *arg), void *arg);
void presence_status_due(int64_t chat_id); /* a script said so */
/* Renews the lease in t: what after an absence of the stores must come first. *same: the sockets
 * of this process are still present, else their transports were closed. */
void presence_renew(struct task *t, bool *same, task_fn *next);

/* ---- catch_up.c: the bus, and what its sockets missed while it was away ---- */
enum err bus_begin(struct str *why) MUST_CHECK; /* after redis_start */
bool bus_caught_up(void);
/* catch_up_room.c: a task that brings the sockets of one room up to date. */
struct task *catch_up_room(const struct room_gap *g, const struct task_ops *ops, void *subject);

/* catch_up_direct.c: a person of this process was paired (!direct, match_try.lua); those who were
 * while the bus was away. */
void direct_made(const struct bus_message *m);
void catch_up_directs(struct task *t, task_fn *next);

/* ---- room_join.c ---- */
/* Brings it into the direct chat of its person, as room:join would, without an ack. `person`: as
 * chats show them, when the chat was made just now; NULL p: they are looked up. Nothing for one
 * that is not accepted yet: its client is told of the chat and joins. */
void room_put(const struct live *l, int64_t chat_id, struct str person);

/* ---- event.c ---- */
void event_serve(struct socket *s, const struct sio_event *e);
void events_orphan(struct socket *s);

#endif
