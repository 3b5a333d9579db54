/* Internet addresses: text to bytes and back, prefixes.
 *
 * Owns: nothing. All addresses are 16 bytes; IPv4 is ::ffff:a.b.c.d, so there is one comparison. */
#include "base/addr.h"

#include <arpa/inet.h>

static const uint8_t v4_prefix[12] = {[10] = 0xFF, [11] = 0xFF};

bool addr_parse(struct str s, struct addr *out)
{
	char z[ADDR_TEXT];
	bool bracketed = s.n >= 2 && s.p[0] == '[' && s.p[s.n - 1] == ']';

	if (bracketed)
		s = str_make(s.p + 1, s.n - 2);
	if (s.n >= sizeof(z) || str_find(s, 0) >= 0)
		return false;
	if (s.n > 0)
		memcpy(z, s.p, s.n);
	z[s.n] = 0;
	*out = (struct addr){0};
	if (str_find(s, ':') >= 0)
		return inet_pton(AF_INET6, z, out->ip) == 1;
	memcpy(out->ip, v4_prefix, sizeof(v4_prefix));
	return !bracketed && inet_pton(AF_INET, z, out->ip + 12) == 1;
}

bool addr_is_v4(const struct addr *a)
{
	return !a->unix_peer && memcmp(a->ip, v4_prefix, sizeof(v4_prefix)) == 0;
}

bool addr_eq(const struct addr *a, const struct addr *b)
{
	if (a->unix_peer || b->unix_peer)
		return a->unix_peer == b->unix_peer;
	return memcmp(a->ip, b->ip, sizeof(a->ip)) == 0;
}

bool addr_is_loopback(const struct addr *a)
{
	static const uint8_t v6_loopback[16] = {[15] = 1};

	if (addr_is_v4(a))
		return a->ip[12] == 127;
	return a->unix_peer || memcmp(a->ip, v6_loopback, sizeof(v6_loopback)) == 0;
}

/* Clears what stands behind the first `bits`. */
static void mask(uint8_t ip[16], unsigned bits)
{
	for (unsigned i = 0; i<16; i++, bits = bits> 8 ? bits - 8 : 0)
		if (bits < 8)
			ip[i] &= (uint8_t)(0xFF00 >> bits);
}

bool cidr_parse(struct str s, struct cidr *out)
{
	struct str ip = str_cut(&s, '/');
	bool v4 = str_find(ip, ':') < 0;
	int64_t most = v4 ? 32 : 128, bits = most;

	if (!addr_parse(ip, &out->base))
		return false;
	if (s.p && (s.n > 3 || !str_to_i64(s, &bits) || bits < 0 || bits > most || s.p[0] == '-'))
		return false;
	out->bits = (uint8_t)(v4 ? bits + 96 : bits);
	mask(out->base.ip, out->bits);
	return true;
}

bool cidr_has(const struct cidr *c, const struct addr *a)
{
	size_t whole = c->bits / 8;
	unsigned rest = c->bits % 8;

	if (a->unix_peer || memcmp(a->ip, c->base.ip, whole) != 0)
		return false;
	return rest == 0 || (a->ip[whole] ^ c->base.ip[whole]) >> (8 - rest) == 0;
}

/* By hand: a request does it twice, and snprintf takes half a microsecond. */
static size_t format_v4(const uint8_t ip[4], char *out)
{
	char *at = out;

	for (int i = 0; i < 4; i++) {
		if (ip[i] >= 100)
			*at++ = (char)('0' + ip[i] / 100);
		if (ip[i] >= 10)
			*at++ = (char)('0' + ip[i] / 10 % 10);
		*at++ = (char)('0' + ip[i] % 10);
		*at++ = '.';
	}
	*--at = 0;
	return (size_t)(at - out);
}

size_t addr_format(const struct addr *a, char out[ADDR_TEXT])
{
	if (a->unix_peer) {
		memcpy(out, "unix", 5);
		return 4;
	}
	if (addr_is_v4(a))
		return format_v4(a->ip + 12, out);
	inet_ntop(AF_INET6, a->ip, out, ADDR_TEXT);
	return strlen(out);
}

size_t addr_bind_key(const struct addr *a, char out[ADDR_TEXT])
{
	struct addr net = *a;
	size_t n;

	if (a->unix_peer || addr_is_v4(a))
		return addr_format(a, out);
	mask(net.ip, 64);
	n = addr_format(&net, out);
	memcpy(out + n, "/64", 4);
	return n + 3;
}
