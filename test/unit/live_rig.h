/* Sockets of signed-in people on a real bus, for tests of hub/room: opening and joining as tasks
 * that stop between their two steps. On sio_rig; chats and people are numbered from 990000. */
#ifndef TEST_UNIT_LIVE_RIG_H
#define TEST_UNIT_LIVE_RIG_H

#include "sio_rig.h"

#include "hub/room.h"

#define CHAT      990017
#define OTHER     990018
#define ANNA      990001
#define BERT      990002
#define SESSION_A "aaaaaaaaaaaaaaaa"
#define SESSION_B "bbbbbbbbbbbbbbbb"
#define PROCESS   STR("00c0ffee") /* ROSTER_MAX is 3 */

extern int live_backs; /* how often the bus came */

/* Setup and teardown; the latter asserts that no socket, room or channel is left. */
int live_begin(void **state);
int live_end(void **state);
void live_bus_begin(void);
void close_it(struct live *l, void *unused); /* a live_fn */

struct opening {
	struct step step;
	sio_id sio;
	int64_t user;
	const char *session;
	bool gone; /* closed before it was opened */
	int go;    /* 0: wait behind live_open, 1: on, 2: fail */
};
void open_begin(struct task *t); /* a step's first; its subject is the opening */
struct live *open_as(sio_id sio, int64_t user, const char *session);
void peer_open(struct peer *p, int64_t user, const char *session);

struct joiner {
	struct step step;
	sio_id sio;
	int64_t chat;
	struct join *join;
	struct stream_id cursor;
	enum err check;
	bool waits;
	int go; /* as above; on: "ack" is emitted in front of live_joined */
};
/* Until its room is confirmed: from here on events are kept. */
void join_start(struct joiner *j, const struct peer *p, int64_t chat);
enum err join_go(struct joiner *j, uint64_t ms, uint64_t seq);
void join_wait(struct joiner *j);                         /* until it has ended */
void join_now(struct peer *p, int64_t chat, uint64_t ms); /* all of it, with the ack */

void publish_room(const char *text); /* in CHAT */
void publish_user(int64_t user, const char *text);

#endif
