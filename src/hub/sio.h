/* A Socket.IO server (protocol version 5) on hub/eio: clients, and their sockets in namespaces.
 * Knows nothing of Portal. One to a process.
 *
 *   opened -> connect -> sio_accept -> event … -> disconnected -> closed
 *                     -> sio_reject
 *
 * A client is a connection; a socket is a client in one namespace. Sockets are named by sio_id,
 * which is never used twice: a call that names one that is gone does nothing, so ids may be kept
 * as long as one likes. JSON passes through as raw slices: it is checked once when it comes in, and
 * spliced into what goes out. Rates are the owner's to limit.
 *
 * Nothing here calls back before it returns: `disconnected`, `closed` and the answers of
 * sio_emit_ack come from the ready queue or a timer. */
#ifndef HUB_SIO_H
#define HUB_SIO_H

#include "hub/eio.h"
#include "wire/sio.h"

typedef uint64_t sio_id; /* 0 is nobody */

#define SIO_SOCKETS_MAX 4 /* namespaces that one client may be in */

struct sio_settings {
	struct eio_settings eio;      /* `extra`: bytes of the owner's in each client, sio_extra */
	int64_t connect_timeout;      /* ms that a client may be in no namespace */
	const struct str *namespaces; /* any other is answered "Invalid namespace" */
	uint8_t namespace_count;
	bool attachments; /* false: binary attachments are thrown away as they come */
};

/* Arguments on their way in or out. With attachments an argument holds
 * {"_placeholder":true,"num":k} where the k-th belongs. */
struct sio_body {
	const struct str *args; /* raw JSON values */
	size_t n;
	const struct str *attachments;
	unsigned attachment_count;
};

struct sio_event {
	struct str name;
	/* Of an event whose attachments were thrown away: attachment_count > 0, attachments NULL.
	 */
	struct sio_body body;
	int64_t ack; /* for sio_ack; SIO_ACK_NONE: none is wanted */
};

struct sio_handler {
	/* A client begins: keep what `connect` will need of the request in `extra`. May be NULL. */
	void (*opened)(void *extra, const struct http_request *r, const struct addr *peer);
	/* It ended; its sockets did before. May be NULL. */
	void (*closed)(void *extra);
	/* A client wants to enter a namespace: sio_accept or sio_reject, now or later. `auth`: the
	 * JSON object that it sent, "{}" when none; lives until return. */
	void (*connect)(sio_id s, struct str nsp, struct str auth);
	/* An event; its slices live until return. */
	void (*event)(sio_id s, const struct sio_event *e);
	/* An accepted socket is gone, as is its id. EIO_CLIENT and EIO_SERVER also for those who
	 * left the namespace only. */
	void (*disconnected)(sio_id s, void *data, enum eio_reason why);
	/* As in hub/eio.h. May be NULL. */
	void (*headers)(const struct http_request *r, struct buf *headers);
};

/* Once, before the first listener; both are kept, not copied. Requests go to eio_request. */
void sio_serve(const struct sio_settings *s, const struct sio_handler *h);

/* False: it has gone meanwhile. The client is told CONNECT {sid}; what is emitted now follows. */
bool sio_accept(sio_id s, void *data);
/* CONNECT_ERROR with a JSON object: {"message":…,"data":…}. The client may try again. */
void sio_reject(sio_id s, struct str error);

bool sio_alive(sio_id s);
void *sio_data(sio_id s);           /* what sio_accept was given; NULL when it is gone */
void *sio_extra(sio_id s);          /* its client's; NULL when it is gone */
struct str sio_namespace(sio_id s); /* NULL p when it is gone */
size_t sio_queued(sio_id s);        /* bytes that its client has not taken */

void sio_emit(sio_id s, struct str name, const struct sio_body *b);
void sio_ack(sio_id s, int64_t ack, const struct sio_body *b);

/* One event for many sockets of a namespace, encoded once. m: zero-initialised. No attachments. */
void sio_share(
	struct eio_shared *m, struct str nsp, struct str name, const struct str *args, size_t n);
/* What an id stands for, for who sends to many. NULL: not accepted, or gone; valid until its
 * `disconnected` returns. */
struct sio_socket;
struct sio_socket *sio_socket_of(sio_id s);
/* eio_shared_free when all have it. s: may be NULL, or at its end: nothing is sent. */
void sio_send(struct sio_socket *s, const struct eio_shared *m);
void sio_expect(const struct sio_socket *s); /* conn_expect; s as in sio_send */

/* Emits and waits for the ack: `fn` is called once, with NULL when none came in time or the socket
 * went; its slices live until return. */
struct sio_waiter;
typedef void sio_ack_fn(void *arg, const struct sio_body *answer);
struct sio_waiter *sio_emit_ack(sio_id s, struct str name, const struct sio_body *b,
	int64_t timeout_ms, sio_ack_fn *fn, void *arg);
void sio_ack_forget(struct sio_waiter *w); /* before fn was called: it will not be */

/* Sends DISCONNECT: the socket leaves its namespace, and a stock client does not come back by
 * itself. close: its connection ends behind that, with its other sockets. */
void sio_disconnect(sio_id s, bool close);
/* Ends the connection of a socket, accepted or not yet, with all its sockets, after what was sent
 * before. A stock client comes back. */
void sio_close(sio_id s);
void sio_close_all(void);

struct sio_stats {
	size_t sockets; /* accepted ones */
	uint64_t events, emitted;
};
struct sio_stats sio_stats(void);

/* Ends and frees what is left; after the last loop turn, before conn_teardown. */
void sio_teardown(void);

#endif
