/* An Engine.IO server (protocol version 4) on hub/http and hub/ws: sessions over HTTP long-polling,
 * over WebSocket, and from the one to the other. Knows nothing of Socket.IO. One to a process.
 *
 *   eio_request -> opened -> message … -> closed
 *
 * The owner routes requests here (OPTIONS stays with it), counts what it wants to limit, and adds
 * its CORS headers. Errors are answered as the reference server does: {"code","message"}, 400 or
 * 403.
 *
 * Lifetime: a struct eio from `opened` to the return of `closed`, which is called once, from the
 * ready queue, however the session ends; never from inside a call of this header. Sending on one
 * that is ending does nothing. */
#ifndef HUB_EIO_H
#define HUB_EIO_H

#include "hub/http.h"

struct eio;

struct eio_settings {
	int64_t ping_interval, ping_timeout; /* ms */
	/* Bytes of a message, and of a POST's body; beyond HTTP_BODY_MAX the latter needs
	 * http_body_max. */
	uint32_t max_payload;
	/* Output not yet taken by the client: more than `soft` for slow_ms, or more than `hard`,
	 * and the session ends (EIO_SLOW). */
	size_t soft, hard;
	int64_t slow_ms;
	size_t max_sessions; /* 0: as many as there are connections */
	size_t extra;        /* bytes that the owner has in each session, zeroed: eio_extra */
};

enum eio_reason {
	EIO_CLIENT,    /* the client closed */
	EIO_TRANSPORT, /* its connection ended */
	EIO_TIMEOUT,   /* no pong */
	EIO_PROTOCOL,  /* the client broke the protocol */
	EIO_SLOW,      /* it took its output too slowly */
	EIO_SERVER     /* eio_close */
};
const char *eio_reason_name(enum eio_reason why);

struct eio_handler {
	/* A session begins; the handshake is on its way, what is sent now follows it. `r` and
	 * `peer` live until return. */
	void (*opened)(struct eio *e, const struct http_request *r, const struct addr *peer);
	/* `data` lives until return. */
	void (*message)(struct eio *e, bool text, struct str data);
	/* Last call: forget e. */
	void (*closed)(struct eio *e, enum eio_reason why);
	/* Appends "Name: value\r\n" lines to an answer to `r`. May be NULL. */
	void (*headers)(const struct http_request *r, struct buf *headers);
};

/* Once, before the first listener; both are kept, not copied. */
void eio_serve(const struct eio_settings *s, const struct eio_handler *h);
/* GET or POST of the Engine.IO path; takes the exchange. */
void eio_request(struct exchange *x, const struct http_request *r);
/* Would this request begin a session? For limits on handshakes. */
bool eio_is_handshake(const struct http_request *r);

enum eio_error { /* the numbers that clients see */
	EIO_UNKNOWN_TRANSPORT,
	EIO_UNKNOWN_SID,
	EIO_BAD_METHOD,
	EIO_BAD_REQUEST,
	EIO_FORBIDDEN, /* 403 */
	EIO_BAD_VERSION
};
/* message: NULL p: the error's own. */
void eio_refuse(
	struct exchange *x, const struct http_request *r, enum eio_error e, struct str message);

void *eio_extra(struct eio *e);
struct eio *eio_of(void *extra);
bool eio_ending(const struct eio *e);
bool eio_is_polling(const struct eio *e);
size_t eio_queued(const struct eio *e); /* bytes that the client has not taken */

void eio_send_text(struct eio *e, struct str data); /* copied; must be valid UTF-8 */
void eio_send_binary(struct eio *e, struct str data);

/* A text message for many, encoded once. Zero-initialised is valid and empty. */
struct eio_shared {
	struct frame *frame; /* for WebSocket */
	struct buf packet;   /* for long-polling */
};
struct buf *eio_share_begin(struct eio_shared *m); /* append the data, then eio_share_end */
void eio_share_end(struct eio_shared *m);
void eio_send_shared(struct eio *e, const struct eio_shared *m);
void eio_expect(const struct eio *e); /* conn_expect */
void eio_shared_free(struct eio_shared *m);

/* Ends the session; what was sent before is still delivered. Idempotent. */
void eio_close(struct eio *e);
/* Ends it because the client broke the protocol (of the layer above). */
void eio_fail(struct eio *e);

struct eio_stats {
	uint64_t opened, upgraded, slow, timed_out;
	size_t open, polling;
};
struct eio_stats eio_stats(void);

void eio_close_all(void);
/* Ends and frees what is left; after the last loop turn, before conn_teardown. */
void eio_teardown(void);

#endif
