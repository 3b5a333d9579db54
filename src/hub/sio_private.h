/* Private to hub/sio*.c: clients and sockets. */
#ifndef HUB_SIO_PRIVATE_H
#define HUB_SIO_PRIVATE_H

#include "hub/sio.h"
#include "io/loop.h"

enum sio_state {
	SIO_ST_CONNECTING, /* the owner has not decided */
	SIO_ST_CONNECTED,
	SIO_ST_ENDED /* in no table any more; the owner will be told */
};

struct sio_client { /* what eio keeps for us with its session */
	struct sio_socket *sockets;
	struct partial *partial;     /* an event or ack whose attachments are coming */
	struct sio_timeout *waiting; /* in no namespace */
	uint8_t skip;                /* binary messages to throw away */
	uint8_t count;               /* of sockets */
	_Alignas(16) char extra[];
};

struct sio_socket {
	sio_id id;
	struct sio_client *client; /* NULL: ended */
	struct sio_socket *next;   /* of its client; ended: of those to be told */
	void *data;
	struct sio_waiter *waiters;
	uint32_t last_ack;
	uint8_t state, nsp, why;
};

extern const struct sio_settings *sio_settings;
extern const struct sio_handler *sio_handler;
extern struct sio_stats sio_counts;

/* ---- sio.c ---- */
struct sio_socket *sio_find(sio_id id); /* connecting or connected; NULL when it is gone */
struct str sio_nsp(const struct sio_socket *s);
void sio_socket_emit(struct sio_socket *s, struct str name, int64_t ack, const struct sio_body *b);
void sio_client_send(struct sio_client *c, struct str packet, const struct sio_body *b);

/* ---- sio_ack.c: acks of the client ---- */
void sio_acked(struct sio_socket *s, int64_t id, const struct sio_body *answer);
void sio_waiters_end(struct sio_socket *s); /* answers NULL */

/* ---- sio_client.c: packets of the client ---- */
extern const struct eio_handler sio_eio_handler;
/* In no namespace: closed after connect_timeout. */
void sio_client_wait(struct sio_client *c);
void sio_client_stay(struct sio_client *c); /* it is in one */
/* The socket leaves its client and the table; `disconnected` follows, if it was accepted. */
void sio_socket_end(struct sio_socket *s, enum eio_reason why);
struct sio_socket *sio_socket_new(struct sio_client *c, uint8_t nsp);
void sio_tell_ended(void); /* from the ready queue */

#endif
