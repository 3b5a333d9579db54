/* The bus: what other processes (and this one) publish, handed to the sockets of this process
 * (hub/room.h). Message format and channels: store/event.h.
 *
 * A room's channel is subscribed while a socket of this process is in it, a person's while one of
 * theirs is connected, portal:all for good. Order is Redis' order. */
#ifndef HUB_BUS_H
#define HUB_BUS_H

#include "io/redis_sub.h"

enum bus_scope {
	BUS_ALL,
	BUS_USER,
	BUS_ROOM
};

struct bus_message {
	enum bus_scope scope;
	int64_t id; /* of the person or the chat; BUS_ALL: 0 */
	char audience;
	struct str event;
	struct str position; /* a stream id; NULL p: none */
	struct str who;      /* NULL p: nobody */
	struct str data;     /* the JSON object, raw; empty without an event */
};
/* Slices of what it is given. False when malformed: it is logged and dropped. */
bool bus_parse(struct str channel, struct str payload, struct bus_message *out);

struct bus_setup {
	struct str redis_url;
	int64_t timeout_ms;
	void (*control)(const struct bus_message *m); /* audience c */
	/* lost: joins fail from now on, and rooms may miss something. back: the channels are
	 * proven; now rooms_behind_each. Both may be NULL. */
	void (*lost)(void);
	void (*back)(void);
};
/* After redis_start; errors as redis_start. */
enum err bus_start(const struct bus_setup *s, struct str *why) MUST_CHECK;
void bus_stop(void);
bool bus_is_up(void);

/* The channel of a person or a chat; counted, as redis_subscribe. */
void bus_hold(enum bus_scope scope, int64_t id);
void bus_release(enum bus_scope scope, int64_t id);
void bus_await(struct task *t, enum bus_scope scope, int64_t id, task_fn *next);

#endif
