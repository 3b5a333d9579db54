/* Private to hub/room*.c: sockets, people, rooms, and what waits for those that are on their way
 * in.
 */
#ifndef HUB_ROOM_PRIVATE_H
#define HUB_ROOM_PRIVATE_H

#include "base/map.h"
#include "hub/room.h"

#define GATE_MAX 0x7fffffffU

/* What one socket or room may have waiting; with more its sockets are closed (and come back). */
#define KEPT_MAX 4096

/* An event encoded for many, kept by those that are on their way in. */
struct note {
	struct eio_shared shared;
	struct stream_id position; /* 0-0: none */
	uint32_t gate;             /* of a removal; 0: none */
	uint32_t refs;
	bool leaves; /* who gets it leaves the room behind it */
};

struct kept { /* zero-initialised is valid and empty */
	struct note **v;
	uint32_t n, cap;
};

struct joining { /* of a member: joins are under way */
	struct kept kept;
	uint64_t serial;         /* tells a join whether the membership is still its own */
	uint32_t joins, entered; /* entered: those whose room's script may have let it in */
};

struct member { /* a socket in a room, or on its way in; a socket in many rooms has many */
	struct live *live;
	struct room *room;
	struct member *next;     /* of the socket */
	struct joining *joining; /* NULL: none under way */
	struct stream_id cursor;
	uint32_t at;         /* its place in room->members */
	uint32_t joined : 1; /* it is in, and not only on its way */
	uint32_t gate : 31;  /* of the room, when it came in */
};

struct person {
	int64_t id;
	struct list sockets;
};

struct live {
	sio_id sio;
	struct person *person;
	struct list of_person;
	struct member *members;
	union {
		struct kept *opening;  /* until it is open */
		struct sio_socket *to; /* … then; its end comes behind ours */
	};
	char session[LIVE_SESSION_LEN];
	uint32_t at; /* its place among all */
	bool open;
};

struct held { /* a message for a room that is behind */
	char *bytes;
	struct bus_message m;
};

struct room {
	int64_t id;
	struct member **members;
	uint32_t count, cap;
	bool behind;
	int64_t present;
	struct stream_id last; /* of the last message handed out */
	struct held *held;
	uint32_t held_n, held_cap;
};

struct hub_rooms {
	struct map by_sio, people, rooms;
	struct live **all;
	uint32_t count, cap;
	uint64_t losses, serial;
	int64_t roster_max;
	char process[32];
	size_t process_n;
	struct live_stats stats;
};
extern struct hub_rooms hub_rooms;

/* ---- room.c ---- */
struct member *member_find(const struct live *l, int64_t chat_id);
void member_free(struct member *m); /* leaves; frees the room behind the last */
struct person *person_find(int64_t user_id);
struct room *room_find(int64_t chat_id);
/* Room for one more pointer. */
void *array_grow(void *v, uint32_t n, uint32_t *cap, size_t size);

/* ---- room_deliver.c ---- */
void kept_free(struct kept *k);
/* Sends what was kept for it; the member may be gone after it. */
void member_flush(struct member *m, struct kept *k);
void room_give(struct room *r, const struct bus_message *m);

/* ---- room_behind.c ---- */
void room_hold(struct room *r, const struct bus_message *m);
void room_held_free(struct room *r);

#endif
