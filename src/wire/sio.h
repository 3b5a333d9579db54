/* Socket.IO packets, protocol version 5: bytes <-> structures. No sockets.
 *
 *   <type>[<attachments>-][<namespace>,][<ack id>][<JSON>]
 *
 * The JSON of a received packet is checked once, whole, and not kept as a tree: each argument stays
 * the raw slice that was sent, to be spliced into what goes out or parsed by who wants its values.
 * In a packet with attachments an argument holds {"_placeholder":true,"num":k} where the k-th of
 * the binary messages that follow belongs. */
#ifndef WIRE_SIO_H
#define WIRE_SIO_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/str.h"

#define SIO_ARGS_MAX        16 /* behind the event's name; more is no packet */
#define SIO_ATTACHMENTS_MAX 10
#define SIO_NAMESPACE_MAX   128              /* bytes */
#define SIO_ACK_MAX         9007199254740991 /* 2^53 - 1 */
#define SIO_ACK_NONE        (-1)

enum sio_type { /* in the order of their digits */
	SIO_CONNECT,
	SIO_DISCONNECT,
	SIO_EVENT,
	SIO_ACK,
	SIO_CONNECT_ERROR,
	SIO_BINARY_EVENT,
	SIO_BINARY_ACK
};

struct sio_args {
	size_t n;
	struct str v[SIO_ARGS_MAX]; /* each a whole JSON value, as sent */
};

struct sio_packet {
	enum sio_type type;
	unsigned attachments; /* 1..SIO_ATTACHMENTS_MAX with the BINARY types, else 0 */
	struct str nsp;       /* "/" when none was named */
	int64_t id;           /* SIO_ACK_NONE: none */
	struct str name;      /* of an event, unescaped, from the arena; else NULL p */
	struct str data;      /* CONNECT and CONNECT_ERROR: the JSON object; NULL p: none */
	struct sio_args args; /* of events and acks */
};

/* Decodes a text message of valid UTF-8; slices point into it or into the arena. False: no packet
 * (unknown type, malformed or over-long part, JSON that is not what the type asks for, a reserved
 * event name, an ack without id, a placeholder that names no attachment). */
bool sio_decode(struct arena *a, struct str text, struct sio_packet *out);

/* ---- writing: these append and do not fail ---- */
void sio_put_connect(struct buf *b, struct str nsp, struct str sid);
/* `error`: a JSON object, {"message":…,"data":…} */
void sio_put_connect_error(struct buf *b, struct str nsp, struct str error);
void sio_put_disconnect(struct buf *b, struct str nsp);

struct sio_out {
	struct str nsp;
	int64_t id; /* event: SIO_ACK_NONE or what the ack shall carry; ack: the event's */
	const struct str *args; /* raw JSON */
	size_t n;
	unsigned attachments; /* that the caller sends behind it */
};
void sio_put_event(struct buf *b, struct str name, const struct sio_out *o);
void sio_put_ack(struct buf *b, const struct sio_out *o);

#endif
