/* A request read in pieces of any size, and what came of it as text: equal texts are equal results.
 * Each piece comes in memory of its own, exactly as large, so that a sanitizer sees a byte read too
 * far and a slice that stayed behind. For fuzz_http.c and test_http.c. */
#ifndef TEST_HTTP_PIECES_H
#define TEST_HTTP_PIECES_H

#include "wire/http.h"

#include <stdlib.h>

static inline void pieces_slice(struct buf *text, const char *name, struct str s, struct str bytes)
{
	buf_printf(text, "%s=", name);
	if (!s.p) {
		buf_lit(text, "none\n");
		return;
	}
	if (!str_eq(s, STR("/")))
		ASSERT(s.p >= bytes.p && s.p + s.n <= bytes.p + bytes.n);
	buf_str(text, s);
	buf_lit(text, "\n");
}

static inline void pieces_request(struct buf *text, const struct http_request *r, struct str bytes)
{
	buf_printf(text, "method=%d http10=%d keep=%d upgrade=%d expect=%d\n", (int)r->method,
		r->http10, r->keep_alive, r->upgrade, r->expect_continue);
	pieces_slice(text, "target", r->target, bytes);
	pieces_slice(text, "path", r->path, bytes);
	pieces_slice(text, "query", r->query, bytes);
	pieces_slice(text, "host", r->host, bytes);
	pieces_slice(text, "cookie", r->cookie, bytes);
	pieces_slice(text, "origin", r->origin, bytes);
	pieces_slice(text, "content_type", r->content_type, bytes);
	pieces_slice(text, "api_key", r->api_key, bytes);
	pieces_slice(text, "correlation_id", r->correlation_id, bytes);
	pieces_slice(text, "user_agent", r->user_agent, bytes);
	for (int i = 0; i < r->header_count; i++) {
		pieces_slice(text, "name", r->headers[i].name, bytes);
		pieces_slice(text, "value", r->headers[i].value, bytes);
	}
	pieces_slice(text, "body", r->body, bytes);
}

/* Feeds data[0..n), step() bytes more each time (0: all that is left), until there is a result. */
static inline enum http_result pieces_read(
	const char *data, size_t n, size_t (*step)(void *arg), void *arg, struct buf *text)
{
	static struct http_request request;
	struct http_reader reader;
	enum http_result result = HTTP_MORE;
	size_t have = 0, consumed = 0;
	char *p = NULL;

	http_reader_init(&reader);
	while ((result == HTTP_MORE || result == HTTP_HEAD_DONE) && have < n) {
		size_t more = step(arg);
		char *grown;

		more = more == 0 || more > n - have ? n - have : more;
		grown = malloc(have + more);
		ASSERT(grown);
		if (have > 0)
			memcpy(grown, p, have);
		memcpy(grown + have, data + have, more);
		free(p);
		p = grown;
		have += more;
		result = http_read(&reader, p, have, &request, &consumed);
		if (result == HTTP_HEAD_DONE)
			ASSERT(http_reader_in_body(&reader));
		else if (result != HTTP_MORE)
			ASSERT(http_reader_idle(&reader));
	}
	if (result == HTTP_HEAD_DONE)
		result = HTTP_MORE;
	buf_printf(text, "result=%d consumed=%zu\n", (int)result, consumed);
	if (result == HTTP_DONE) {
		ASSERT(consumed > 0 && consumed <= have);
		pieces_request(text, &request, str_make(p, consumed));
	}
	http_reader_release(&reader);
	free(p);
	return result;
}

#endif
