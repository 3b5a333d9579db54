/* Socket events of clients as tasks, and the tables of events (contract 4.1).
 *
 * A client's event is a row of the same form as an endpoint's (api/route.h): `path` is its name,
 * `reply` the shape of the whole ack. Its subject is a struct request too, so a handler asks for
 * its fields and its caller and replies as it does for HTTP (api/request.h), and one handler may
 * serve both. What it replies becomes the ack: an object, in front of whose members `"ok":true` is
 * put; a failure becomes the error object. Events of one socket run one after the other, in the
 * order in which they came. When the socket goes, the task becomes an orphan.
 *
 *   sio event -> event_begin -> (those before it) -> fields -> row->begin … reply_* -> sio_ack
 *
 * To add a client's event: a row in api/events.c, its handler in the file of its noun. To add a
 * server's event: a row in server_events, which test builds hold nothing against: it is what
 * docs/events.md says. */
#ifndef API_EVENT_H
#define API_EVENT_H

#include "api/route.h"
#include "base/buf.h"
#include "hub/room.h"
#include "store/session.h"

extern const struct route events[]; /* of clients in the namespace "/" */
extern const size_t event_count;
bool event_is(const struct route *r); /* a row of it */

struct server_event {
	const char *name, *audience, *data, *help; /* data: a shape */
};
extern const struct server_event server_events[];
extern const size_t server_event_count;

void events_write_markdown(struct buf *out); /* docs/events.md */
void events_write_asyncapi(struct buf *out); /* docs/asyncapi.json: AsyncAPI 3.0 */

/* ---- for handlers ---- */

/* The caller's socket; NULL for an HTTP request, and when the socket has gone meanwhile: ask in
 * each step. */
struct live *caller_live(const struct task *t);
/* The public id of the caller's session, for both. */
void caller_session(const struct task *t, char out[SESSION_ID_LEN]);

#endif
