/* X-Forwarded-For: one header a line. Whatever stands there, an untrusted peer is itself, and an
 * address is only believed when everything to its right is trusted. */
#include "wire/forwarded.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct http_request r;
	struct str rest = str_make((const char *)data, n);
	struct cidr trusted[2];
	struct addr peer, stranger, out;

	ASSERT(cidr_parse(STR("10.0.0.0/8"), &trusted[0]) &&
		cidr_parse(STR("fd00::/8"), &trusted[1]));
	ASSERT(addr_parse(STR("10.1.2.3"), &peer) && addr_parse(STR("192.0.2.1"), &stranger));
	r.header_count = 0;
	while (rest.p && r.header_count < HTTP_HEADERS_MAX)
		r.headers[r.header_count++] = (struct http_header){
			.name = STR("X-Forwarded-For"), .value = str_trim(str_cut(&rest, '\n'))};
	ASSERT(!forwarded_client(&stranger, &r, trusted, 2, &out) && addr_eq(&out, &stranger));
	if (!forwarded_client(&peer, &r, trusted, 2, &out))
		ASSERT(addr_eq(&out, &peer));
	else if (cidr_has(&trusted[0], &out) || cidr_has(&trusted[1], &out))
		ASSERT(!out.unix_peer);
	return 0;
}
