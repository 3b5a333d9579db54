/* TLS for a listener: certificate and key of the process. Sessions belong to their connections
 * (io/conn.c), which hand plaintext up as if it had come so: see listener_secure.
 *
 * TLS 1.2, ECDHE with an AEAD; session tickets; ALPN http/1.1; no renegotiation, no client
 * certificates. What a client must have done within 10 s is its handshake; a turn of the loop works
 * on few of them, so that a storm of newcomers does not keep those connected waiting. */
#ifndef IO_TLS_H
#define IO_TLS_H

#include "base/err.h"
#include "base/str.h"

#define TLS_WHY 400 /* room for a sentence to the operator */

/* Both are paths of PEM files: the certificate and, behind it, those between it and the root; the
 * key, not encrypted, which nobody but its owner may change and nobody but owner and group may
 * read. Blocks for the time it takes to read two small files. On failure ERR_INVALID_REQUEST and a
 * sentence that names the setting. */
enum err tls_check(struct str cert, struct str key, char why[TLS_WHY]) MUST_CHECK;
/* Before the first listener_secure, after loop_init and secret_setup. Keeps both paths. */
enum err tls_setup(struct str cert, struct str key, char why[TLS_WHY]) MUST_CHECK;
/* Reads both files again. Who connects from now on is shown the new certificate; those connected go
 * on as they are. On failure nothing has changed. */
enum err tls_reload(char why[TLS_WHY]) MUST_CHECK;
/* After conn_teardown, before loop_close. Nothing when tls_setup was not called. */
void tls_teardown(void);

#endif
