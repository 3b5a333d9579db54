/* Private to hub/eio*.c: the session, and what its parts ask of each other. */
#ifndef HUB_EIO_PRIVATE_H
#define HUB_EIO_PRIVATE_H

#include "hub/eio.h"
#include "hub/ws.h"
#include "io/loop.h"
#include "wire/eio.h"

#define EIO_SID_BYTES 16
#define EIO_SID_TEXT  22 /* base64url */

enum eio_state {
	EIO_ST_OPEN,
	EIO_ST_ENDING, /* the owner does not know yet */
	EIO_ST_LAST    /* nobody's; polls may fetch what is left, and the close packet */
};

struct eio {
	struct ws *ws;     /* the transport; NULL: long-polling, or over */
	struct poll *poll; /* NULL: WebSocket */
	uint8_t state, why;
	bool awaits_pong, slow;
	uint64_t key;       /* its name in the table: the first half of the sid */
	uint64_t secret;    /* the other half */
	struct timer timer; /* until the next ping, or for its pong; in EIO_ST_LAST until the end */
	struct eio *next;   /* ending */
	_Alignas(16) char extra[];
};

extern const struct eio_settings *eio_settings;
extern const struct eio_handler *eio_handler;
extern struct eio_stats eio_counts;

/* ---- eio.c ---- */
struct eio *eio_new(void);
void eio_free(struct eio *e); /* from the ready queue or the session's timer only */
void eio_sid(const struct eio *e, char out[EIO_SID_TEXT]);
struct eio *eio_by_sid(struct str sid); /* open, or EIO_ST_LAST */
void eio_end(struct eio *e, enum eio_reason why);
void eio_packet(struct eio *e, const struct eio_packet *p);
void eio_gauge(struct eio *e); /* after output: is the client too slow? */
/* The transport is this WebSocket from now on. */
void eio_take_ws(struct eio *e, struct ws *w);
void eio_ws_detach(struct ws *w); /* its end concerns nobody */

/* ---- eio_request.c ---- */
void eio_answer(struct exchange *x, const struct http_request *r, int status, const char *type,
	struct str body);
/* Lines of headers for an answer to r: the owner's, and what every answer has. */
void eio_headers(struct buf *b, const struct http_request *r, const char *type);

/* ---- eio_poll.c: HTTP long-polling, and the probe of an upgrade ---- */
void poll_open(struct eio *e);
void poll_free(struct eio *e);
void poll_get(struct eio *e, struct exchange *x, const struct http_request *r);
void poll_post(struct eio *e, struct exchange *x, const struct http_request *r);
void poll_send(struct eio *e, struct str packet); /* a packet in text form */
void poll_send_binary(struct eio *e, struct str data);
size_t poll_queued(const struct eio *e);
/* The session ends. True: what is left waits for one more GET. */
bool poll_end(struct eio *e, enum eio_reason why);
void poll_upgrade(struct eio *e, struct exchange *x, const struct ws_handshake *hs);

#endif
