/* The head of a request, looked at a second time.
 *
 * Owns nothing. llhttp has found the target and the headers; head_shape proves that those slices,
 * joined by exactly the separators of RFC 9112, are the whole head, so that nothing stands between
 * them that another parser could read differently. Then the target is taken apart and the headers
 * with a meaning here are taken in.
 *
 * To give another header a field of its own: add it to struct http_request, to header_take, and to
 * the slices that move with the bytes (request_rebase in http_read.c). */
#include "wire/http_head.h"

const char http_root_path[] = "/";

static const char *skip_blank(const char *at, const char *end)
{
	while (at < end && (*at == ' ' || *at == '\t'))
		at++;
	return at;
}

static bool is_crlf(const char *at, const char *end)
{
	return end - at >= 2 && at[0] == '\r' && at[1] == '\n';
}

/* method SP target SP HTTP/1.x CRLF; NULL, or where the headers start. */
static const char *request_line_shape(
	struct http_request *r, const char *p, const char *end, struct str method)
{
	const char *at = p;

	while (is_crlf(at, end)) /* section 2.2: empty lines in front are ignored */
		at += 2;
	if ((size_t)(end - at) <= method.n || memcmp(at, method.p, method.n) != 0)
		return NULL;
	at += method.n;
	if (*at != ' ' || at + 1 != r->target.p)
		return NULL;
	at = r->target.p + r->target.n;
	if (end - at < 11 || memcmp(at, " HTTP/1.", 8) != 0 || (at[8] != '0' && at[8] != '1') ||
		!is_crlf(at + 9, end))
		return NULL;
	r->http10 = at[8] == '0';
	return at + 11;
}

/* *( name ":" OWS value OWS CRLF ) CRLF */
static bool head_shape(struct http_request *r, const char *p, const char *end, struct str method)
{
	const char *at = request_line_shape(r, p, end, method);

	for (int i = 0; at && i < r->header_count; i++) {
		struct http_header *h = &r->headers[i];

		if (h->name.p != at || h->name.n == 0 || at[h->name.n] != ':')
			return false;
		at = skip_blank(at + h->name.n + 1, end);
		if (!h->value.p)
			h->value = str_make(at, 0);
		h->value = str_trim(h->value);
		if (h->value.n > 0 && h->value.p != at)
			return false;
		at = skip_blank(at + h->value.n, end);
		if (!is_crlf(at, end))
			return false;
		at += 2;
	}
	return at && is_crlf(at, end) && at + 2 == end;
}

/* uri-host [":" port] (RFC 3986, section 3.2.2); no user, no list. */
static bool host_valid(struct str host)
{
	static const bool of_host[256] = {['0' ... '9'] = true,
		['a' ... 'z'] = true,
		['A' ... 'Z'] = true,
		['-'] = true,
		['.'] = true,
		['_'] = true,
		['~'] = true,
		['%'] = true,
		['!'] = true,
		['$'] = true,
		['&'] = true,
		['\''] = true,
		['('] = true,
		[')'] = true,
		['*'] = true,
		['+'] = true,
		[';'] = true,
		['='] = true,
		[':'] = true,
		['['] = true,
		[']'] = true};

	for (size_t i = 0; i < host.n; i++) {
		if (!of_host[(unsigned char)host.p[i]])
			return false;
	}
	return host.n > 0;
}

static bool starts_nocase(struct str s, struct str prefix)
{
	return s.n >= prefix.n && str_eq_nocase(str_make(s.p, prefix.n), prefix);
}

/* scheme "://" authority: takes it off *rest. */
static bool authority_cut(struct str *rest, struct str *authority)
{
	size_t scheme = starts_nocase(*rest, STR("http://")) ? 7 : 8, n = 0;

	if (scheme == 8 && !starts_nocase(*rest, STR("https://")))
		return false;
	*rest = str_from(*rest, scheme);
	while (n < rest->n && rest->p[n] != '/' && rest->p[n] != '?')
		n++;
	*authority = str_make(rest->p, n);
	*rest = str_from(*rest, n);
	return host_valid(*authority);
}

/* Section 3.2. The authority of the absolute form replaces Host. */
static bool target_split(struct http_request *r)
{
	struct str rest = r->target;

	if (str_find(rest, '#') >= 0)
		return false;
	if (str_eq(rest, STR("*"))) {
		r->path = rest;
		return r->method == HTTP_OPTIONS;
	}
	if (!str_starts(rest, STR("/")) && !authority_cut(&rest, &r->host))
		return false;
	r->path = str_cut(&rest, '?');
	r->query = rest;
	if (r->path.n == 0)
		r->path = str_make(http_root_path, 1);
	return true;
}

static bool set_once(struct str *slot, struct str value)
{
	if (slot->p)
		return false;
	*slot = value;
	return true;
}

static void set_first(struct str *slot, struct str value)
{
	if (!slot->p)
		*slot = value;
}

/* `lower`: of letters and '-' only. A header's name is a token, which llhttp has checked: the bit
 * that makes letters small changes no other character of a token into a letter or '-'. */
static bool name_is(struct str name, const char *lower)
{
	for (size_t i = 0; i < name.n; i++) {
		if ((name.p[i] | 0x20) != lower[i])
			return false;
	}
	return true;
}

/* Takes in a header that has a meaning here; false: it must not be there. */
static bool header_take(struct http_request *r, const struct http_header *h, struct str *host,
	struct http_framing *f)
{
	struct str v = h->value;

	switch (h->name.n) {
	case 4:
		return !name_is(h->name, "host") || (set_once(host, v) && host_valid(v));
	case 6:
		if (name_is(h->name, "cookie"))
			set_first(&r->cookie, v);
		else if (name_is(h->name, "origin"))
			return set_once(&r->origin, v);
		else if (name_is(h->name, "expect") && str_eq_nocase(v, STR("100-continue")))
			r->expect_continue = !r->http10;
		return true;
	case 9:
		return !name_is(h->name, "x-api-key") || set_once(&r->api_key, v);
	case 10:
		if (name_is(h->name, "user-agent"))
			set_first(&r->user_agent, v);
		return true;
	case 12:
		return !name_is(h->name, "content-type") || set_once(&r->content_type, v);
	case 14: /* llhttp has read it: digits, once, within 64 bits */
		if (name_is(h->name, "content-length"))
			f->has_length = true;
		return true;
	case 16:
		if (name_is(h->name, "x-correlation-id"))
			set_first(&r->correlation_id, v);
		return true;
	case 17: /* in a 1.0 request its framing is not to be trusted (section 6.1) */
		if (!name_is(h->name, "transfer-encoding"))
			return true;
		if (f->chunked || r->http10 || !str_eq_nocase(v, STR("chunked")))
			return false;
		f->chunked = true;
		return true;
	default:
		return true;
	}
}

bool http_head_check(
	struct http_request *r, const char *p, size_t n, struct str method, struct http_framing *f)
{
	struct str host = STR_NULL;

	if (!head_shape(r, p, p + n, method) || !target_split(r))
		return false;
	for (int i = 0; i < r->header_count; i++) {
		if (!header_take(r, &r->headers[i], &host, f))
			return false;
	}
	if (f->chunked && f->has_length)
		return false;
	if (!host.p && !r->http10)
		return false;
	if (!r->host.p)
		r->host = host;
	return true;
}
