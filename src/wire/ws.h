/* WebSocket (RFC 6455), the server's side, on wslay: bytes <-> messages. No sockets, no extensions.
 *
 * A reader is fed what a connection has received and not consumed. The common case, a whole
 * unfragmented message in the bytes at hand, is unmasked where it lies. A message that is partial
 * or fragmented has a wslay context (4.3 KB) and a buffer until its end; an idle reader holds
 * neither.
 *
 * Text is checked for UTF-8 as it comes and refused at the first byte that cannot be right. What
 * comes of a stream of bytes does not depend on how it is cut into calls. */
#ifndef WIRE_WS_H
#define WIRE_WS_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

/* Close codes (section 7.4.1) that servers send. */
enum ws_code {
	WS_NORMAL = 1000,
	WS_GOING_AWAY = 1001,
	WS_PROTOCOL_ERROR = 1002,
	WS_NO_CODE = 1005,  /* never on the wire: the peer's close frame had none */
	WS_ABNORMAL = 1006, /* never on the wire: the connection ended without a close frame */
	WS_BAD_DATA = 1007, /* text that is no UTF-8 */
	WS_POLICY = 1008,
	WS_TOO_BIG = 1009,
	WS_INTERNAL_ERROR = 1011
};

enum ws_opcode {
	WS_OP_TEXT = 1,
	WS_OP_BINARY = 2,
	WS_OP_CLOSE = 8,
	WS_OP_PING = 9,
	WS_OP_PONG = 10
};

/* ---- reading ---- */

/* One a connection, embedded. */
struct ws_reader {
	struct ws_partial *partial; /* NULL: between messages */
	uint32_t max;               /* the largest message, bytes */
};
void ws_reader_init(struct ws_reader *r, uint32_t max);
void ws_reader_release(struct ws_reader *r); /* forgets a partial message */
bool ws_reader_idle(const struct ws_reader *r);

enum ws_result {
	WS_MORE, /* all bytes consumed, no whole message left in them */
	WS_TEXT, /* valid UTF-8 */
	WS_BINARY,
	WS_PING, /* answer with a pong of the same payload */
	WS_PONG,
	WS_CLOSE, /* code: the peer's, WS_NO_CODE when it gave none; data: its reason, valid UTF-8
		   */
	WS_BAD /* code: WS_PROTOCOL_ERROR, WS_BAD_DATA or WS_TOO_BIG; close with it, read no more */
};
struct ws_message {
	struct str data;
	uint16_t code;
};
/* The next message of p[0..n), which is changed. *consumed bytes are done with; what stands behind
 * them is untouched and comes again, in front of what follows. *out lives until the next call, so
 * call until WS_MORE (n may be 0): that gives the memory of a message back. */
enum ws_result ws_read(struct ws_reader *r, char *p, size_t n, struct ws_message *out,
	size_t *consumed) MUST_CHECK;

/* ---- writing: frames of a server, unmasked, unfragmented ---- */

#define WS_HEADER_MAX  10
#define WS_CONTROL_MAX 125 /* payload of ping, pong, close */
/* The header of a frame with n bytes of payload; returns its length. */
size_t ws_header(char out[WS_HEADER_MAX], enum ws_opcode op, size_t n);
void ws_put(struct buf *b, enum ws_opcode op, struct str payload);
/* WS_NO_CODE: a close frame without a code. The reason (UTF-8) is cut to what fits, between two
 * characters. */
void ws_put_close(struct buf *b, uint16_t code, struct str reason);

/* ---- the opening handshake ---- */

#define WS_ACCEPT_LEN 28
/* Sec-WebSocket-Accept for a Sec-WebSocket-Key; false when the key is not 16 bytes of base64. */
bool ws_accept(struct str key, char out[WS_ACCEPT_LEN]);

#endif
