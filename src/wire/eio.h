/* Engine.IO packets, protocol version 4: bytes <-> structures. No sockets, no timers.
 *
 * Over WebSocket a message carries one packet: text is a type digit and the data, binary is a
 * message's data as it is. Over HTTP long-polling a body carries a payload: packets with 0x1e
 * between them, a binary message being 'b' and base64 (RFC 4648, section 4, with padding).
 *
 * Encoders append to a buffer and do not fail. */
#ifndef WIRE_EIO_H
#define WIRE_EIO_H

#include "base/buf.h"
#include "base/str.h"

#define EIO_SEPARATOR '\x1e'

enum eio_type { /* in the order of their digits */
	EIO_OPEN,
	EIO_CLOSE,
	EIO_PING,
	EIO_PONG,
	EIO_MESSAGE,
	EIO_UPGRADE,
	EIO_NOOP
};

struct eio_packet {
	enum eio_type type;
	bool binary;     /* EIO_MESSAGE: data are bytes, else text */
	struct str data; /* behind the digit, never NULL */
};

/* A text packet, of valid UTF-8 (the caller's to check, once for all packets of a payload). False:
 * no packet. A binary one is decoded into `binary`, which is emptied first; data then point there.
 */
bool eio_decode(struct str text, struct buf *binary, struct eio_packet *out);
/* Takes the next packet off a payload: false when none is left or it is none, which *bad tells.
 * Start with *rest = the body and *bad = false. An empty body is bad. */
bool eio_payload_next(struct str *rest, struct buf *binary, struct eio_packet *out, bool *bad);

/* A text packet as it stands in a WebSocket text message. */
void eio_put(struct buf *b, enum eio_type type, struct str data);
/* A packet behind what a payload holds already, if anything. `packet` is one in text form. */
void eio_payload_put(struct buf *b, struct str packet);
void eio_payload_put_binary(struct buf *b, struct str data);

struct eio_open {
	struct str sid;
	bool can_upgrade; /* `upgrades` is ["websocket"], else [] */
	int64_t ping_interval, ping_timeout;
	size_t max_payload;
};
void eio_put_open(struct buf *b, const struct eio_open *o);

#endif
