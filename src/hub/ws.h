/* WebSocket connections on io/conn, hub/http and wire/ws: an upgraded exchange to messages,
 * messages to bytes. Knows nothing of Engine.IO.
 *
 *   request -> ws_check -> (later, if need be) ws_open -> message … -> closed
 *                       -> ws_refuse
 *
 * Pings are answered, pongs dropped, fragments put together; a peer that breaks the protocol is
 * closed with the right code (RFC 6455, 7.4.1). Back-pressure is the connection's: conn_queued and
 * conn_limits of ws_conn; above the soft limit nothing more is read.
 *
 * Lifetime: a struct ws from ws_open to the return of `closed`, which is called once, from the end
 * of a loop turn, however the connection ends. Sending on one that is closing does nothing. */
#ifndef HUB_WS_H
#define HUB_WS_H

#include "hub/http.h"
#include "wire/ws.h"

struct ws;

struct ws_handler {
	/* A whole message; `data` lives until return. Not called once ws_close was. */
	void (*message)(struct ws *w, bool text, struct str data);
	/* The output queue fell to zero after it was backed up. May be NULL. */
	void (*drained)(struct ws *w);
	/* Last call: forget w. `code`: that of whoever closed first, WS_NO_CODE for a close frame
	 * without one, WS_ABNORMAL when the connection ended without a close frame; `why`: how the
	 * connection ended. */
	void (*closed)(struct ws *w, uint16_t code, enum conn_reason why);
};

/* ---- the opening handshake (section 4.2) ---- */
enum ws_check {
	WS_CHECK_OK,
	WS_CHECK_BAD,    /* no WebSocket handshake, or a malformed one: 400 */
	WS_CHECK_VERSION /* not version 13: 426 */
};
struct ws_handshake {
	char accept[WS_ACCEPT_LEN];
};
/* Fills *out, which is all that is kept of the request, when it is WS_CHECK_OK. */
enum ws_check ws_check(const struct http_request *r, struct ws_handshake *out) MUST_CHECK;
/* Answers and closes. For owners with error bodies of their own: 426 wants ws_version_header. */
void ws_refuse(struct exchange *x, enum ws_check why);
extern const struct str ws_version_header; /* "Sec-WebSocket-Version: 13\r\n" */
/* Sends 101 and takes the connection from the exchange, which is gone after it. `message` is not
 * called before it returns. max: the largest message, bytes (beyond: closed with 1009). The
 * connection's timer is off; it is the caller's until ws_close. */
struct ws *ws_open(struct exchange *x, const struct ws_handshake *hs, const struct ws_handler *h,
	uint32_t max, void *data);

void *ws_data(const struct ws *w);
/* Another owner takes over, also from inside `message`: the next message is its. */
void ws_set_handler(struct ws *w, const struct ws_handler *h, void *data);
struct conn *ws_conn(
	const struct ws *w); /* for conn_peer, conn_queued, conn_limits, conn_timeout */

/* ---- sending ---- */
void ws_send_text(struct ws *w, struct str text); /* copied; must be valid UTF-8 */
void ws_send_binary(struct ws *w, struct str bytes);
/* One message for many: encoded once, with one reference (frame_unref when all have been sent). */
struct frame *ws_frame(bool text, struct str payload);
void ws_send_frame(struct ws *w, struct frame *f);
void ws_expect(const struct ws *w); /* conn_expect */
/* The close handshake: sends a close frame and ends the connection when the peer's arrives, or
 * after WS_CLOSE_MS. Idempotent. To drop a connection without it: conn_close(ws_conn(w), reason).
 */
#define WS_CLOSE_MS 5000
void ws_close(struct ws *w, uint16_t code, struct str reason);
bool ws_closing(const struct ws *w);

#endif
