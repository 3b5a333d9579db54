/* Events for live sockets, published on Redis to every process (the bus). The hub of each process
 * hands them to its sockets; nothing here knows sockets. Lua scripts that change a room publish by
 * themselves, in the same atomic step, so that the bus has the stream's order.
 *
 * Channels: portal:room:{chat_id}, portal:user:{user_id}, portal:all.
 * A message is one line and then the event's data, a JSON object:
 *
 *     <audience> <event> <stream id or -> <except: a session id or ->\n{…}
 *
 * audience: one of enum audience, as a letter. `stream id`: of message:new only; a socket that
 * joined behind it does not get it. `except`: this session's sockets are left out (typing). Control
 * messages have an event that starts with '!': they are not sent to clients but handled by the
 * process (hub/bus.h lists them). */
#ifndef STORE_EVENT_H
#define STORE_EVENT_H

#include "base/json.h"
#include "io/task.h"

enum audience {
	TO_ROOM = 'r',   /* every socket in the room; on portal:user: every socket of the person; on
			    portal:all: every socket */
	TO_ROSTER = 'o', /* room, but only while at most ROSTER_MAX sessions are present */
	TO_FEW = 'f',    /* room, but only while at most 50 are present (typing, read marks) */
	TO_CONTROL = 'c' /* the process itself */
};

struct event {
	char channel[48];
	enum audience audience;
	const char *name;
	struct buf data; /* write one JSON object with `json` */
	struct json_out json;
};
/* In the task's arena; freed with it. */
struct event *event_to_room(struct task *t, int64_t chat_id, enum audience a, const char *name);
struct event *event_to_user(struct task *t, int64_t user_id, const char *name);
struct event *event_to_all(struct task *t, const char *name);
/* Publishes: an operation of t. An event is news, not truth: when Redis is away it is dropped and
 * `next` runs all the same (whoever missed it looks again after the bus is back). */
void event_send(struct task *t, struct event *e, task_fn *next);

#endif
