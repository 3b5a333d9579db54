/* CORS and the origin rule. Owns nothing; reads ALLOWED_ORIGINS.
 * To expose or allow another header, edit the two literals. */
#include "api/cors.h"
#include "base/config.h"

const struct str *cors_listed(const struct http_request *r)
{
	if (!r->origin.p)
		return NULL;
	for (size_t i = 0; i < config.allowed_origins.count; i++)
		if (str_eq_nocase(r->origin, config.allowed_origins.items[i]))
			return &config.allowed_origins.items[i];
	return NULL;
}

static struct str without_port(struct str host, struct str port)
{
	return str_ends(host, port) ? str_make(host.p, host.n - port.n) : host;
}

bool cors_own(const struct http_request *r, bool peer_trusted)
{
	struct str proto = peer_trusted ? http_header(r, "X-Forwarded-Proto") : STR_NULL;
	bool secure = str_starts(r->origin, STR("https://"));
	struct str rest, port = secure ? STR(":443") : STR(":80");

	if (!r->host.p || r->host.n == 0 || (!secure && !str_starts(r->origin, STR("http://"))))
		return false;
	rest = str_from(r->origin, secure ? 8 : 7);
	if (!str_eq_nocase(without_port(rest, port), without_port(r->host, port)))
		return false;
	if (proto.p)
		return str_eq_nocase(proto, secure ? STR("https") : STR("http"));
	return secure || !config.secure_cookie;
}

void cors_headers(struct buf *b, const struct str *listed)
{
	if (config.allowed_origins.count == 0)
		return;
	buf_lit(b, "Vary: Origin\r\n");
	if (!listed)
		return;
	http_put_header(b, "Access-Control-Allow-Origin", *listed);
	buf_lit(b, "Access-Control-Allow-Credentials: true\r\n"
		   "Access-Control-Expose-Headers: X-Correlation-ID, Retry-After, RateLimit-Limit, "
		   "RateLimit-Remaining, RateLimit-Reset\r\n");
}

void cors_preflight(struct buf *b, const struct str *listed)
{
	if (!listed)
		return;
	buf_lit(b, "Access-Control-Allow-Methods: GET, POST\r\n"
		   "Access-Control-Allow-Headers: Content-Type, X-API-Key, X-Correlation-ID\r\n"
		   "Access-Control-Max-Age: 600\r\n");
}
