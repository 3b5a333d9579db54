/* HTTP/1.1 requests and responses (RFC 9110, 9112) on llhttp: bytes <-> structures. No sockets.
 *
 * A reader is fed all bytes of a connection that no request has consumed yet, always from the first
 * byte of the request; it remembers how far it has parsed, so no byte is parsed twice. The slices
 * of a finished request point into those bytes (a chunked body is put together in place).
 *
 * Framing is strict, because a proxy stands in front and what two parsers read differently is how
 * requests are smuggled: both Content-Length and Transfer-Encoding, any Transfer-Encoding but
 * exactly "chunked", a repeated or odd Content-Length, a bare CR or LF, folded headers, a space
 * before the colon, a missing, empty or repeated Host, control bytes in a value, more than one
 * space in the request line, a version other than 1.0 and 1.1, CONNECT: HTTP_BAD, answer 400 and
 * close. Empty lines before a request are skipped, chunk extensions and trailers are checked and
 * dropped. llhttp parses with every leniency off; what it lets through of the above is refused
 * here. */
#ifndef WIRE_HTTP_H
#define WIRE_HTTP_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#define HTTP_HEAD_MAX    65536 /* request line and headers, bytes */
#define HTTP_BODY_MAX    65536 /* decoded; the limit a reader starts with */
#define HTTP_HEADERS_MAX 100

enum http_method {
	HTTP_GET,
	HTTP_HEAD,
	HTTP_POST,
	HTTP_OPTIONS,
	HTTP_OTHER /* PUT, DELETE, …: answered 405 */
};

struct http_header {
	struct str name;  /* as sent */
	struct str value; /* trimmed */
};

struct http_request {
	enum http_method method;
	struct str target; /* as sent */
	struct str path;   /* raw, without query; "/" when an absolute-form target has none */
	struct str query;  /* raw, after '?'; NULL p when there is none */
	struct str host;   /* Host, or the authority of an absolute-form target */
	bool http10;
	bool keep_alive;
	bool upgrade;         /* Connection: upgrade with an Upgrade header */
	bool expect_continue; /* answered by the server glue before the body comes */
	struct str body;      /* NULL p when there is none (no length, no chunks) */
	/* The headers that every request looks at, found while parsing; NULL p when absent. A
	 * repeated Cookie is joined by the accessor, a repeated Origin, Content-Type or X-API-Key
	 * is HTTP_BAD. */
	struct str cookie, origin, content_type, api_key, correlation_id, user_agent;
	int header_count;
	struct http_header headers[HTTP_HEADERS_MAX]; /* last: only the used ones are ever copied */
};

/* The value of a header (ASCII case-insensitive), the first; NULL p when absent. */
struct str http_header(const struct http_request *r, const char *name);
/* A list header (X-Forwarded-For) from its end: calls fn for each occurrence's value, the last
 * header line first; stops when fn returns false. */
void http_header_each_back(const struct http_request *r, const char *name,
	bool (*fn)(void *arg, struct str value), void *arg);

/* One a connection, embedded. It holds memory of its own only while a request is partly read. */
struct http_reader {
	struct http_partial *partial; /* NULL: no byte of a request seen */
	size_t body_max;
};
void http_reader_init(struct http_reader *r);
void http_reader_release(struct http_reader *r);              /* forgets a partly read request */
void http_reader_body_max(struct http_reader *r, size_t max); /* between requests */

enum http_result {
	HTTP_MORE,      /* incomplete: keep the bytes, feed them again with more behind them */
	HTTP_HEAD_DONE, /* HTTP_MORE, the first time that the head is complete (Expect, timeouts) */
	HTTP_DONE,      /* *consumed bytes were this request */
	HTTP_BAD,       /* 400, close */
	HTTP_TOO_LARGE, /* 413: the body, or the bytes a chunked one is wrapped in; close */
	HTTP_HEAD_TOO_LARGE /* 431, close: HTTP_HEAD_MAX or HTTP_HEADERS_MAX */
};
/* p[0..n): from the first byte of the request; may have moved since the last call, and what was
 * written to it (a chunked body is put together in place) must have been kept. On HTTP_DONE fills
 * *out and *consumed and is ready for the next request. *out is filled as far as known on
 * HTTP_HEAD_DONE, and undefined on the other results. The result does not depend on how the bytes
 * are cut into calls. */
enum http_result http_read(struct http_reader *r, char *p, size_t n, struct http_request *out,
	size_t *consumed) MUST_CHECK;
bool http_reader_idle(const struct http_reader *r); /* no byte of a request seen */
bool http_reader_in_body(const struct http_reader *r);

/* ---- pieces of requests ---- */
/* A cookie's value by name, without quotes; the first; NULL p when absent or malformed (RFC 6265
 * 4.2.1). Other cookies, however odd, do not matter. */
struct str http_cookie(const struct http_request *r, struct str name);
struct str cookie_find(struct str header, struct str name);
/* Percent-decoding of a path segment or (plus: '+' is a space) a query value into out (>= s.n
 * bytes); false on a bad escape, an encoded NUL or invalid UTF-8. */
bool uri_decode(struct str s, bool plus, char *out, size_t *n);
/* Takes "name=value" pairs off a query: false when none is left. Values stay encoded. */
bool query_next(struct str *rest, struct str *name, struct str *value);
/* Media type without parameters equals `type`, in any case? */
bool media_type_is(struct str content_type, struct str type);

/* ---- responses ---- */
/* "HTTP/1.1 200 OK\r\n" + Date (kept per second) ; the caller appends headers with http_put_header,
 * then http_end_head with the body's length (-1: no Content-Length, for 101 and 204). */
void http_begin(struct buf *b, int status);
void http_put_header(
	struct buf *b, const char *name, struct str value); /* control bytes become spaces */
void http_end_head(struct buf *b, int64_t body_length, bool keep_alive);

#endif
