/* A TLS client for unit tests: mbed TLS on a nonblocking socket of the same process, worked by the
 * conditions that rig_until waits for. And certificates to test with. */
#ifndef TEST_TLS_PEER_H
#define TEST_TLS_PEER_H

#include "conn_rig.h"

#define MBEDTLS_ALLOW_PRIVATE_ACCESS /* of a session's state, in mbed TLS 3 */
#include <mbedtls/ssl.h>

struct tls_peer {
	int fd;
	mbedtls_ssl_context ssl;
	mbedtls_ssl_config config;
	struct buf out;      /* made and not sent: tls_peer_send_some */
	bool hold;           /* nothing is sent by itself */
	int result;          /* of the last call */
	struct buf received; /* plaintext */
};

void tls_peer_open(struct tls_peer *p); /* connects to rig.listener */
void tls_peer_close(struct tls_peer *p);
/* Each a step; true when it is over: done or failed (see result). */
bool tls_peer_shake(struct tls_peer *p);
void tls_peer_read(struct tls_peer *p); /* what is there */
void tls_peer_write(struct tls_peer *p, const void *bytes, size_t n);
void tls_peer_send_some(struct tls_peer *p, size_t n); /* of what is held */

/* Writes a key of P-256 and a certificate of its own for it: CN=name. */
void certificate_make(const char *name, const char *cert_path, const char *key_path);

#endif
