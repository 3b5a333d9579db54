/* Who is behind the proxies: the client's address from the peer and X-Forwarded-For. */
#ifndef WIRE_FORWARDED_H
#define WIRE_FORWARDED_H

#include "base/addr.h"
#include "wire/http.h"

#define FORWARDED_HOPS_MAX 32 /* addresses looked at, from the right */

/* The peer, unless it is trusted (trusted[0..n), or a Unix socket): then the right-most address of
 * all X-Forwarded-For values that is not itself trusted. When none is left, or where an entry is no
 * address (a port behind it is allowed), the last trusted one counts. True: *out is not the peer.
 */
bool forwarded_client(const struct addr *peer, const struct http_request *r,
	const struct cidr *trusted, size_t n, struct addr *out);

#endif
