/* Connections: TCP and Unix stream sockets, bytes in and bytes out, and the listener that accepts
 * them. Knows nothing of HTTP or WebSocket.
 *
 * Reading: bytes are read into one buffer of the process and handed up from there; what the owner
 * does not consume is kept by the connection and handed up again, in front of what comes next. An
 * idle connection holds no buffer. Output: one queue, flushed once a turn with a single gathered
 * write; one write in flight; a soft limit stops reading until it drains, a hard limit closes.
 *
 * Lifetime: conn_close marks, is idempotent, takes a reason; `closed` is called once; the sweep at
 * the end of the turn frees. Writing to a closing connection does nothing. Who stores a connection
 * for later keeps its conn_id (index and generation), never the pointer. */
#ifndef IO_CONN_H
#define IO_CONN_H

#include "base/addr.h"
#include "base/err.h"
#include "base/list.h"
#include "base/str.h"

struct conn;
typedef uint64_t conn_id; /* 0 is nobody */

enum conn_reason {
	CONN_EOF,   /* the peer closed */
	CONN_RESET, /* read or write failed */
	CONN_DONE,  /* we are finished; what is queued is still sent */
	CONN_TIMEOUT,
	CONN_PROTOCOL, /* the peer broke the protocol; what is queued is still sent */
	CONN_OVERFLOW, /* output queue beyond its hard limit, or too long; the peer is reset */
	CONN_SHUTDOWN  /* the process stops */
};
const char *conn_reason_name(enum conn_reason r);

struct conn_ops {
	/* A connection was accepted; sets conn_set_data. */
	void (*opened)(struct conn *c);
	/* `p[0..n)`: all unconsumed bytes, mutable, valid until return. Returns how many were
	 * consumed. Not called while paused or closing. Who leaves more than 1 MiB unconsumed loses
	 * the connection (CONN_PROTOCOL): bound what you wait for. */
	size_t (*input)(struct conn *c, char *p, size_t n);
	/* The peer closed its sending side; told behind its last byte, so not while paused in front
	 * of some. Default (NULL): conn_close(CONN_EOF). */
	void (*eof)(struct conn *c);
	/* The output queue fell to zero after a write was pending. May be NULL. */
	void (*drained)(struct conn *c);
	/* Last call, from the turn's end: forget c. What was queued before CONN_DONE or
	 * CONN_PROTOCOL is sent after it (5 s at most; conn_stats counts it as open until then). */
	void (*closed)(struct conn *c, enum conn_reason r);
};

void *conn_data(const struct conn *c);
void conn_set_data(struct conn *c, void *data);
void conn_set_ops(
	struct conn *c, const struct conn_ops *ops); /* upgrade: another owner takes over */
const struct addr *conn_peer(const struct conn *c);
conn_id conn_id_of(const struct conn *c);
struct conn *conn_by_id(conn_id id); /* NULL when it is gone or closing */

/* An encoded message shared by many connections: immutable, counted. */
struct frame;
struct frame *frame_new(struct str bytes); /* copies; one reference */
struct frame *frame_ref(struct frame *f);
void frame_unref(struct frame *f);

void conn_write(struct conn *c, const void *p, size_t n); /* copied */
void conn_write_frame(struct conn *c, struct frame *f);   /* takes a reference of its own */
size_t conn_queued(const struct conn *c);                 /* bytes not yet taken by the kernel */
/* It is about to be written to: the processor fetches it meanwhile. For loops over many. */
void conn_expect(const struct conn *c);
void conn_close(struct conn *c, enum conn_reason r);
bool conn_closing(const struct conn *c);
/* Pause: input is not called (reading goes on up to one buffer, then stops). Resume calls it from
 * the ready queue with what was kept. */
void conn_pause(struct conn *c);
void conn_resume(struct conn *c);
/* One timer a connection, ms from now; 0 clears. Fires conn_close(CONN_TIMEOUT) unless `fn` is set.
 */
void conn_timeout(struct conn *c, int64_t ms, void (*fn)(struct conn *c));
void conn_limits(
	struct conn *c, size_t soft, size_t hard); /* output bytes; default 256 KiB, 4 MiB */

/* ---- listening ---- */
struct listener;
/* `where`: "host:port" with a numeric host ("127.0.0.1:8080", "[::1]:0", "0.0.0.0:80") or
 * "unix:/path" (a stale socket file is replaced, mode 0660). On failure ERR_UNAVAILABLE and a
 * sentence in why[200]. Out of descriptors: one is kept in reserve, the newcomer is accepted and
 * closed at once, and accepting rests 100 ms; those connected are served on. */
enum err listener_open(struct listener **out, struct str where, const struct conn_ops *ops,
	char why[200]) MUST_CHECK;
/* Who connects from now on speaks TLS (io/tls.h, which must be set up): `opened` comes when the
 * handshake is over, everything else is as it is without. For each such connection up to 64 KiB are
 * encrypted ahead of what the kernel takes, and 33 KiB are held as long as it lives. */
void listener_secure(struct listener *l);
int listener_port(const struct listener *l); /* 0 for a Unix socket */
void listener_close(struct listener *l);     /* stops accepting; connections live on */

struct conn_stats {
	uint64_t accepted, refused, open, bytes_in, bytes_out;
};
struct conn_stats conn_stats(void);
void conn_close_all(enum conn_reason r);
void conn_setup(int64_t max_connections); /* after loop_init; 0: from the descriptor limit */
void conn_teardown(void);

#endif
