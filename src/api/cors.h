/* Cross-site rules (contract 0.3): which origins may read answers, and which may post with the
 * cookie. */
#ifndef API_CORS_H
#define API_CORS_H

#include "base/addr.h"
#include "base/buf.h"
#include "wire/http.h"

/* The entry of ALLOWED_ORIGINS that the request names; NULL: none. */
const struct str *cors_listed(const struct http_request *r);
/* Is the request's Origin this server's own? Host and port must be those of the Host header. The
 * scheme is what a trusted proxy says in X-Forwarded-Proto; without it https where cookies are
 * Secure, else either. `peer_trusted`: the connection comes from a trusted proxy. */
bool cors_own(const struct http_request *r, bool peer_trusted);
/* The header lines of an answer, and those of a preflight's. `listed` may be NULL. */
void cors_headers(struct buf *b, const struct str *listed);
void cors_preflight(struct buf *b, const struct str *listed);

#endif
