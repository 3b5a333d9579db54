/* Live sockets for tests: a Socket.IO server on a real loop, and its clients (WebSocket) as plain
 * sockets of the same process. What each was sent is kept as text: "[\"name\",{…}];" of each event,
 * "bye;" when its namespace was closed, "end;" when its connection was. On redis_rig. */
#ifndef TEST_UNIT_SIO_RIG_H
#define TEST_UNIT_SIO_RIG_H

#include "redis_rig.h"

#include "base/buf.h"
#include "hub/sio.h"

struct peer {
	int fd;
	sio_id sio; /* its socket on the server; wants to connect, see sio_rig.connect */
	bool ended;
	struct buf received, log;
};

extern struct sio_rig {
	sio_id newest;                  /* that asked to be let in */
	void (*disconnected)(sio_id s); /* may be NULL */
} sio_rig;

void sio_rig_begin(void);
void sio_rig_end(void); /* asserts that nothing is left */

void peer_connect(struct peer *p);                 /* asks to be let in; sio_accept is the test's */
void peer_expect(struct peer *p, const char *log); /* waits until it has had that, and forgets it */
void peer_close(struct peer *p);                   /* and waits until the server knows */
void peer_free(struct peer *p);

#endif
