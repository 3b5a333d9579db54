/* Events for live sockets, published on Redis to every process (the bus). The hub of each process
 * hands them to its sockets; nothing here knows sockets. Lua scripts that change a room publish by
 * themselves, in the same atomic step, so that the bus has the stream's order.
 *
 * Channels: portal:room:{chat_id}, portal:user:{user_id}, portal:all.
 * A message is one line and then the event's data, a JSON object:
 *
 *     <audience> <event> <position> <who>\n{…}          a part that is absent is "-"
 *
 * audience: one of enum audience, as a letter.
 *
 * position: an id of the room's stream, of events that tell what became of it. A socket whose join
 *   has read the stream up to that id or a later one does not get the event. Of message:new its id;
 *   of portal:cleared that of a message that was published in the same step. Of TO_REMOVED the
 *   room's gate (store/epoch.h) behind the removal: a socket whose join saw that value came after
 *   it, and stays. TO_LAST has none. Of TO_CONTROL position and who are what the event says.
 *
 * who: see enum audience. With TO_ROOM, TO_ROSTER and TO_FEW: who is left out; a session id
 *   (typing), or on portal:user "@{chat_id}": the sockets in that room (which was told, too). */
#ifndef STORE_EVENT_H
#define STORE_EVENT_H

#include "base/json.h"
#include "io/task.h"

enum audience {
	TO_ROOM = 'r',    /* every socket in the room; on portal:user: every socket of the person;
			     on portal:all: every socket */
	TO_ROSTER = 'o',  /* room, but only while at most ROSTER_MAX sessions are present */
	TO_FEW = 'f',     /* room, but only while at most 50 are present (typing, read marks) */
	TO_SESSION = 's', /* of these the sockets of one session; who: {user_id}:{session_id} */
	TO_ONE = '1', /* of these one, in the process that `position` names; who: as TO_SESSION */
	TO_REMOVED = 'x', /* the room's sockets of the person `who` (user id): they leave the room
			     behind it (room:kicked); without an event and data they just leave */
	TO_LAST = 'd',    /* every socket in the room: all leave it behind it (room:destroyed) */
	TO_ENDED = 'e',   /* on portal:user: the sockets of session `who`, which are disconnected
			     behind it (session:ended) */
	TO_COUNT = 'n',   /* no event, no data: `who` sessions are present in the room now, for
			     TO_ROSTER and TO_FEW */
	TO_CONTROL = 'c'  /* the process itself; the event's name begins with '!' */
};

struct event {
	char channel[48];
	enum audience audience;
	const char *name;
	struct str position, who; /* NULL p: absent; may be set, and must live until event_send */
	struct buf data;          /* write one JSON object with `json` */
	struct json_out json;
};
/* In the task's arena; freed with it. */
struct event *event_to_room(struct task *t, int64_t chat_id, enum audience a, const char *name);
struct event *event_to_user(struct task *t, int64_t user_id, enum audience a, const char *name);
struct event *event_to_all(struct task *t, enum audience a, const char *name);
/* Publishes: an operation of t, like a function of several. An event is news, not truth: when Redis
 * is away it is dropped and `next` runs all the same (whoever missed it looks again after the bus
 * is back). */
void event_send(struct task *t, struct event *e, task_fn *next);

#endif
