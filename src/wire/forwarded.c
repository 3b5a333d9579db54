/* The client's address behind proxies.
 *
 * Owns nothing. Entries are read from the right, where those that proxies of ours have written
 * stand; the first that none of them can have vouched for is the client, and nothing to its left is
 * read. */
#include "wire/forwarded.h"

struct walk {
	const struct cidr *trusted;
	size_t n;
	struct addr *client;
	int hops;
	bool found;
};

static bool is_trusted(const struct addr *a, const struct cidr *trusted, size_t n)
{
	if (a->unix_peer)
		return true;
	for (size_t i = 0; i < n; i++) {
		if (cidr_has(&trusted[i], a))
			return true;
	}
	return false;
}

static bool port_valid(struct str port)
{
	int64_t number;

	return port.n <= 5 && str_to_i64(port, &number) && number >= 0 && number <= 65535;
}

/* "1.2.3.4", "1.2.3.4:567", "::1", "[::1]", "[::1]:80" */
static bool entry_parse(struct str entry, struct addr *out)
{
	ptrdiff_t colon;

	if (str_starts(entry, STR("["))) {
		struct str port = entry, host = str_cut(&port, ']');

		if (!port.p || (port.n > 0 && (port.p[0] != ':' || !port_valid(str_from(port, 1)))))
			return false;
		return addr_parse(str_from(host, 1), out) && memchr(host.p, ':', host.n);
	}
	colon = str_find(entry, ':');
	if (colon >= 0 && str_find(str_from(entry, (size_t)colon + 1), ':') < 0) {
		if (!port_valid(str_from(entry, (size_t)colon + 1)))
			return false;
		entry.n = (size_t)colon;
	}
	return addr_parse(entry, out);
}

/* One header's list, from its end; false ends the walk. */
static bool walk_value(void *arg, struct str value)
{
	struct walk *w = arg;

	for (;;) {
		const char *comma = memrchr(value.p, ',', value.n);
		struct str entry = comma ? str_from(value, (size_t)(comma - value.p) + 1) : value;
		struct addr a;

		if (w->hops++ == FORWARDED_HOPS_MAX || !entry_parse(str_trim(entry), &a))
			return false;
		*w->client = a;
		w->found = true;
		if (!is_trusted(&a, w->trusted, w->n))
			return false;
		if (!comma)
			return true;
		value.n = (size_t)(comma - value.p);
	}
}

bool forwarded_client(const struct addr *peer, const struct http_request *r,
	const struct cidr *trusted, size_t n, struct addr *out)
{
	struct walk w = {.trusted = trusted, .n = n, .client = out};

	*out = *peer;
	if (is_trusted(peer, trusted, n))
		http_header_each_back(r, "x-forwarded-for", walk_value, &w);
	return w.found;
}
