/* For tests of connections: a server of one listener on a real loop, and the client as a plain
 * socket of the same process. rig_setup and rig_teardown stand around each test; the latter asserts
 * that every connection was closed exactly once and that the loop is empty. */
#ifndef TEST_CONN_RIG_H
#define TEST_CONN_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/buf.h"
#include "io/conn.h"
#include "io/loop.h"

extern struct rig {
	/* the server's side */
	struct listener *listener;
	struct conn *server;                   /* the newest; NULL once it was closed */
	unsigned opened, closed, drains, ends; /* calls of the ops */
	enum conn_reason reason;
	struct buf heard;                                     /* what input has consumed */
	size_t (*consume)(struct conn *c, char *p, size_t n); /* NULL: everything */
	/* the client's side */
	int client; /* the socket, -1: none */
	uint64_t sent;
	struct buf received;
	bool client_end, client_reset;
	size_t expected; /* bytes, for the conditions below */
} rig;

extern const struct conn_ops rig_ops, rig_halfway_ops; /* the latter outlives the peer's end */

int rig_setup(void **state);
int rig_teardown(void **state);

void rig_serve(const char *where, const struct conn_ops *ops);
void rig_serve_one(const struct conn_ops *ops); /* on TCP, and connects the client */
int rig_socket(void);                           /* TCP, not connected */
void rig_connect(int fd);

void rig_send(const void *p, size_t n);
void rig_take(size_t most); /* receives what is there */
void rig_close(void);
void rig_assert_echo(void);                         /* a round trip, then the client closes */
size_t rig_echo(struct conn *c, char *p, size_t n); /* for rig.consume */

/* Runs the loop until the condition holds; fails the test after ten seconds. */
void rig_until(bool (*what)(void));
void rig_settle(void); /* a few turns with nothing new: what was to happen has happened */
bool rig_opened(void); /* one connection */
bool rig_closed(void); /* one connection */
bool rig_none_open(void);
bool rig_heard(void);    /* rig.expected bytes */
bool rig_received(void); /* rig.expected bytes */
bool rig_ended(void);    /* the client saw an end or a reset */

#endif
