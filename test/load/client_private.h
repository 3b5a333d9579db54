/* Private to the client: what its files share. */
#ifndef LOAD_CLIENT_PRIVATE_H
#define LOAD_CLIENT_PRIVATE_H

#include <uv.h>

#include "client.h"
#include "io/loop.h"
#include "wire/ws.h"

struct origin {
	char *url;
	char *host; /* for the Host header */
	struct sockaddr_storage addr;
};

extern struct client_stats client_counts;
extern int64_t client_ack_ms;

/* One buffer for whatever is read: it is parsed or copied before anybody else reads. */
void client_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *out);
void client_read_mark(void); /* the time of this read */
uint32_t client_random(void);

void socks_setup(void); /* client_sock.c, for client_setup */
void socks_teardown(void);

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
