/* Private to this folder: an identity is a certificate with its key and all that is set up for it;
 * a session is the TLS of one connection. Memory to memory: the connection reads and writes the
 * socket. */
#ifndef IO_TLS_PRIVATE_H
#define IO_TLS_PRIVATE_H

#include "io/outq.h"
#include "io/tls.h"

/* ---- identities (tls_identity.c); counted ---- */

struct mbedtls_ssl_config;
struct identity;
/* One reference; NULL and a sentence in `why`. */
struct identity *identity_load(struct str cert, struct str key, char why[TLS_WHY]);
struct identity *identity_ref(struct identity *i);
void identity_unref(struct identity *i); /* NULL is nothing */
const struct mbedtls_ssl_config *identity_config(const struct identity *i);
void identity_log(const struct identity *i); /* name and last day */

/* ---- sessions (tls.c) ---- */

struct tls;
enum tls_state {
	TLS_SHAKING,
	TLS_OPEN,
	TLS_ENDED, /* the peer has said that it sends no more; it may still read */
	TLS_BROKEN /* what is on the wire is still to be sent, nothing else */
};
/* `advanced` is called after each step of the handshake, from the loop. */
struct tls *tls_new(void (*advanced)(void *owner), void *owner);
void tls_free(struct tls *t); /* NULL is nothing */
enum tls_state tls_state(const struct tls *t);
bool tls_waiting(
	const struct tls *t); /* for its turn in the handshake: nothing more can be taken */
/* Bytes of the socket. An open session reads them where they are: call tls_read until it gives none
 * before they go away. */
void tls_take(struct tls *t, const char *p, size_t n);
size_t tls_read(struct tls *t, char *to, size_t room); /* plaintext; 0: none for now */
/* Encrypts the front of the queue and drops it there: as much as makes the wire worth a write. With
 * `last`, a farewell goes behind the last byte, once. */
void tls_seal(struct tls *t, struct outq *from, bool last);
struct outq *tls_wire(struct tls *t); /* to be sent as it is */

#endif
