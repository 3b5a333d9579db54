/* Internet addresses: IPv4 (kept as v4-mapped IPv6), IPv6, "unix" for a peer on a Unix socket. */
#ifndef BASE_ADDR_H
#define BASE_ADDR_H

#include "base/str.h"

struct addr {
	uint8_t ip[16]; /* network order; IPv4 as ::ffff:a.b.c.d */
	bool unix_peer;
};

struct cidr {
	struct addr base;
	uint8_t bits; /* 0..128, counted on the 16-byte form */
};

bool addr_parse(struct str s, struct addr *out); /* "1.2.3.4", "::1", "[::1]"; no port, no zone */
bool addr_is_v4(const struct addr *a);
bool addr_eq(const struct addr *a, const struct addr *b);
bool addr_is_loopback(const struct addr *a);     /* 127.0.0.0/8, ::1, and a Unix peer */
bool cidr_parse(struct str s, struct cidr *out); /* "10.0.0.0/8", a bare address is a host */
bool cidr_has(const struct cidr *c, const struct addr *a);

#define ADDR_TEXT 46
/* Text of the address ("unix" for a Unix peer), NUL terminated; returns its length. */
size_t addr_format(const struct addr *a, char out[ADDR_TEXT]);
/* What limits and code binding are counted by (contract 0.2): the whole IPv4 address, the /64 of an
 * IPv6 address. Text, NUL terminated; returns its length. */
size_t addr_bind_key(const struct addr *a, char out[ADDR_TEXT]);

#endif
