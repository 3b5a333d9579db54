/* Private to the client: what its files share. */
#ifndef LOAD_CLIENT_PRIVATE_H
#define LOAD_CLIENT_PRIVATE_H

#include <uv.h>

#include "client.h"
#include "io/loop.h"
#include "wire/ws.h"

#define ADDRS_MAX 8

struct origin {
	char *url;
	char *host;             /* for the Host header */
	struct tls_origin *tls; /* NULL: http */
	struct sockaddr_storage addrs[ADDRS_MAX];
	size_t addr_count, at; /* at: where connections go */
};

extern struct client_stats client_counts;
extern int64_t client_ack_ms;

/* One buffer for whatever is read: it is parsed or copied before anybody else reads. */
void client_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *out);
void client_read_mark(void); /* the time of this read */
uint32_t client_random(void);

const struct sockaddr *origin_addr(const struct origin *o);

void socks_setup(void); /* client_sock.c, for client_setup */
void socks_teardown(void);

/* ---- client_tls.c: TLS of a connection, memory to memory ---- */

struct tls_origin *tls_origin_new(const char *host, char why[CLIENT_WHY]);
void tls_origin_free(struct tls_origin *o); /* NULL is nothing */
void tls_client_teardown(void);

struct tunnel;
struct tunnel *tunnel_new(struct tls_origin *o); /* its hello is on the wire */
void tunnel_free(struct tunnel *t);              /* NULL is nothing */
/* Bytes of the socket: then call tunnel_read until it gives no more, and send what is on the wire.
 */
void tunnel_take(struct tunnel *t, const char *p, size_t n);
bool tunnel_read(
	struct tunnel *t, struct str *plain);        /* valid until the next call, of any tunnel */
void tunnel_put(struct tunnel *t, struct str plain); /* kept until the handshake is over */
struct buf *tunnel_wire(struct tunnel *t);
const char *tunnel_why(const struct tunnel *t);   /* broken, for people; NULL: it is not */
const char *tunnel_ended(const struct tunnel *t); /* what the end of the connection means */

/* ---- client_frame.c: bytes of a socket's connection ---- */

struct frame_in {
	enum ws_opcode op;
	struct str data;
};
enum frame_result {
	FRAME_MORE,
	FRAME_DONE,
	FRAME_BAD
};
/* The first frame of p[0..n); *consumed is set with FRAME_DONE. */
enum frame_result frame_read(char *p, size_t n, struct frame_in *out, size_t *consumed);
/* Appends a masked frame of the parts together. */
void frame_put(struct buf *b, enum ws_opcode op, const struct str *parts, size_t count);

enum packet_type {
	PACKET_OPEN,  /* Engine.IO: args is the handshake's JSON */
	PACKET_PING,  /* Engine.IO */
	PACKET_CLOSE, /* of either */
	PACKET_CONNECT,
	PACKET_REFUSED, /* args: the error */
	PACKET_EVENT,
	PACKET_ACK,
	PACKET_OTHER /* to be passed over */
};
struct packet {
	enum packet_type type;
	int64_t id; /* -1: none */
	struct str name, args;
};
void packet_read(struct str text, struct packet *out);
void packet_put_event(struct buf *b, const char *nsp, int64_t id, struct str name, struct str args);
void packet_put_ack(struct buf *b, const char *nsp, int64_t id, struct str args);

#endif
