/* Private to wire/http*.c: what a request's head must look like beyond what llhttp checks, and what
 * follows from it. */
#ifndef WIRE_HTTP_HEAD_H
#define WIRE_HTTP_HEAD_H

#include "wire/http.h"

/* How the body is delimited (RFC 9112, section 6). */
struct http_framing {
	bool has_length;
	bool chunked;
};

/* p[0..n) is a whole head, `r` has its target and headers (values untrimmed, those that are empty
 * with NULL p). True: values are trimmed, and path, query, host, http10, expect_continue and the
 * named headers are filled. */
bool http_head_check(
	struct http_request *r, const char *p, size_t n, struct str method, struct http_framing *f);
extern const char
	http_root_path[]; /* "/": the path of http://host; the one slice not in the bytes fed */

#endif
