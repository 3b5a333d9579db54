/* Requests from bytes: the reader.
 *
 * Owns a request's state between two calls of http_read (struct http_partial), which exists only
 * while a request is partly read; one that comes in one piece is parsed on the stack.
 *
 *   http_read -> head_read:  llhttp up to the empty line, then http_head_check
 *             -> body_length, or body_chunked: llhttp again, the chunks moved together in place
 *             -> request_keep when bytes are missing
 *
 * Slices point into the caller's bytes, which may move between calls: request_rebase moves them
 * along. Limits are kept by never showing llhttp more bytes than may be there, so that the result
 * is the same however the bytes are cut. */
#include "wire/http_head.h"

#include <stdlib.h>

/* llhttp names its methods as we name ours. */
#define HTTP_GET     LLHTTP_GET
#define HTTP_HEAD    LLHTTP_HEAD
#define HTTP_POST    LLHTTP_POST
#define HTTP_OPTIONS LLHTTP_OPTIONS
#include <llhttp.h>
#undef HTTP_GET
#undef HTTP_HEAD
#undef HTTP_POST
#undef HTTP_OPTIONS

/* A chunked body may come wrapped in this many bytes; chunks of a few bytes each are an attack on
 * the memory that holds them. */
#define RAW_MAX(body_max) (2 * (body_max) + 4096)

struct reading {
	llhttp_t parser;
	struct http_request *req;
	char *p;
	size_t parsed;   /* bytes that llhttp has seen */
	size_t head_len; /* 0: the head is not complete */
	size_t length;   /* of the body: announced, or put together so far */
	size_t body_max;
	bool chunked;
	bool too_many; /* headers */
	bool too_large;
};

struct http_partial {
	struct reading reading;
	uintptr_t base;          /* where the bytes were */
	struct http_request req; /* allocated only up to its used headers */
};

/* ---- what llhttp calls ---- */

/* A span comes in pieces when the bytes do; a gap would be a folded line. */
static int span_extend(struct str *s, const char *at, size_t n)
{
	if (n == 0)
		return 0;
	if (!s->p)
		*s = str_make(at, n);
	else if (s->p + s->n == at)
		s->n += n;
	else
		return -1;
	return 0;
}

static int on_url(llhttp_t *parser, const char *at, size_t n)
{
	struct reading *g = parser->data;

	return span_extend(&g->req->target, at, n);
}

static int on_header_field(llhttp_t *parser, const char *at, size_t n)
{
	struct reading *g = parser->data;
	struct http_request *r = g->req;
	struct http_header *h = r->header_count > 0 ? &r->headers[r->header_count - 1] : NULL;

	if (g->head_len > 0 || n == 0) /* trailers are dropped */
		return 0;
	if (h && !h->value.p && h->name.p + h->name.n == at) { /* the rest of a cut name */
		h->name.n += n;
		return 0;
	}
	if (r->header_count == HTTP_HEADERS_MAX) {
		g->too_many = true; /* told when the head is complete, if nothing else is wrong */
		return 0;
	}
	r->headers[r->header_count++] = (struct http_header){.name = {at, n}};
	return 0;
}

static int on_header_value(llhttp_t *parser, const char *at, size_t n)
{
	struct reading *g = parser->data;

	if (g->head_len > 0 || g->too_many)
		return 0;
	return span_extend(&g->req->headers[g->req->header_count - 1].value, at, n);
}

static int on_body(llhttp_t *parser, const char *at, size_t n)
{
	struct reading *g = parser->data;

	if (n > g->body_max - g->length) {
		g->too_large = true;
		return -1;
	}
	memmove(g->p + g->head_len + g->length, at, n);
	g->length += n;
	return 0;
}

static int stop_here(llhttp_t *parser)
{
	(void)parser;
	return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
	.on_url = on_url,
	.on_header_field = on_header_field,
	.on_header_value = on_header_value,
	.on_headers_complete = stop_here,
	.on_body = on_body,
	.on_message_complete = stop_here,
};

/* ---- the parts of a request ---- */

static enum http_method method_of(uint8_t method)
{
	switch (method) {
	case LLHTTP_GET:
		return HTTP_GET;
	case LLHTTP_HEAD:
		return HTTP_HEAD;
	case LLHTTP_POST:
		return HTTP_POST;
	case LLHTTP_OPTIONS:
		return HTTP_OPTIONS;
	default:
		return HTTP_OTHER;
	}
}

/* The head is complete: what does it say? HTTP_MORE: it is good. */
static enum http_result head_done(struct reading *g)
{
	struct http_request *r = g->req;
	struct http_framing framing = {0};
	bool keep_named = g->parser.flags & F_CONNECTION_KEEP_ALIVE;

	r->method = method_of(g->parser.method);
	if (g->parser.method == HTTP_CONNECT)
		return HTTP_BAD;
	if (g->too_many)
		return HTTP_HEAD_TOO_LARGE;
	if (!http_head_check(r, g->p, g->head_len,
		    str_of(llhttp_method_name((llhttp_method_t)g->parser.method)), &framing))
		return HTTP_BAD;
	r->keep_alive = !(g->parser.flags & F_CONNECTION_CLOSE) && (!r->http10 || keep_named);
	r->upgrade = g->parser.upgrade && !r->http10;
	g->chunked = framing.chunked;
	if (framing.has_length) {
		if (g->parser.content_length > g->body_max)
			return HTTP_TOO_LARGE;
		g->length = (size_t)g->parser.content_length;
	}
	if (framing.has_length || framing.chunked)
		r->body = str_make(g->p + g->head_len, g->length);
	return HTTP_MORE;
}

/* Shows llhttp bytes up to `limit` from the request's start. HTTP_DONE: it stopped, as told, at
 * g->parsed. */
static enum http_result parse(struct reading *g, size_t n, size_t limit, enum http_result beyond)
{
	size_t end = n < limit ? n : limit;
	llhttp_errno_t e = llhttp_execute(&g->parser, g->p + g->parsed, end - g->parsed);

	if (e == HPE_PAUSED) {
		g->parsed = (size_t)(llhttp_get_error_pos(&g->parser) - g->p);
		llhttp_resume(&g->parser);
		return HTTP_DONE;
	}
	if (e != HPE_OK)
		return g->too_large ? HTTP_TOO_LARGE : HTTP_BAD;
	g->parsed = end;
	return n > limit ? beyond : HTTP_MORE;
}

static enum http_result head_read(struct reading *g, size_t n)
{
	enum http_result result = parse(g, n, HTTP_HEAD_MAX, HTTP_HEAD_TOO_LARGE);

	if (result != HTTP_DONE)
		return result;
	g->head_len = g->parsed;
	return head_done(g);
}

static enum http_result body_chunked(struct reading *g, size_t n, size_t *consumed)
{
	enum http_result result = parse(g, n, g->head_len + RAW_MAX(g->body_max), HTTP_TOO_LARGE);

	g->req->body.n = g->length;
	if (result == HTTP_DONE)
		*consumed = g->parsed;
	return result;
}

static enum http_result body_length(struct reading *g, size_t n, size_t *consumed)
{
	if (n - g->head_len < g->length)
		return HTTP_MORE;
	*consumed = g->head_len + g->length;
	return HTTP_DONE;
}

/* ---- between calls ---- */

static void slice_rebase(struct str *s, uintptr_t from, const char *to)
{
	if (s->p && s->p != http_root_path)
		s->p = to + ((uintptr_t)s->p - from);
}

static void request_rebase(struct http_request *r, uintptr_t from, const char *to)
{
	struct str *slices[] = {&r->target, &r->path, &r->query, &r->host, &r->body, &r->cookie,
		&r->origin, &r->content_type, &r->api_key, &r->correlation_id, &r->user_agent};

	for (size_t i = 0; i < sizeof(slices) / sizeof(slices[0]); i++)
		slice_rebase(slices[i], from, to);
	for (int i = 0; i < r->header_count; i++) {
		slice_rebase(&r->headers[i].name, from, to);
		slice_rebase(&r->headers[i].value, from, to);
	}
}

static size_t request_size(const struct http_request *r)
{
	return offsetof(struct http_request, headers) +
	       sizeof(r->headers[0]) * (size_t)r->header_count;
}

static void reading_begin(
	struct reading *g, struct http_reader *r, char *p, struct http_request *out)
{
	struct http_partial *kept = r->partial;

	if (kept) {
		*g = kept->reading;
		memcpy(out, &kept->req, request_size(&kept->req));
		if (kept->base != (uintptr_t)p)
			request_rebase(out, kept->base, p);
	} else {
		memset(out, 0, offsetof(struct http_request, headers));
		*g = (struct reading){.body_max = r->body_max};
		llhttp_init(&g->parser, HTTP_REQUEST, &settings);
	}
	g->parser.data = g;
	g->req = out;
	g->p = p;
}

static void reading_keep(const struct reading *g, struct http_reader *r)
{
	size_t size = request_size(g->req);
	struct http_partial *kept = realloc(r->partial, offsetof(struct http_partial, req) + size);

	if (!kept)
		PANIC("out of memory");
	kept->reading = *g;
	kept->base = (uintptr_t)g->p;
	memcpy(&kept->req, g->req, size);
	r->partial = kept;
}

enum http_result http_read(
	struct http_reader *r, char *p, size_t n, struct http_request *out, size_t *consumed)
{
	struct reading g;
	enum http_result result = HTTP_MORE;
	bool had_head;

	if (n == 0)
		return HTTP_MORE;
	reading_begin(&g, r, p, out);
	had_head = g.head_len > 0;
	if (!had_head)
		result = head_read(&g, n);
	if (result == HTTP_MORE && g.head_len > 0)
		result = g.chunked ? body_chunked(&g, n, consumed) : body_length(&g, n, consumed);
	if (result != HTTP_MORE) {
		http_reader_release(r);
		return result;
	}
	reading_keep(&g, r);
	return g.head_len > 0 && !had_head ? HTTP_HEAD_DONE : HTTP_MORE;
}

void http_reader_init(struct http_reader *r)
{
	*r = (struct http_reader){.body_max = HTTP_BODY_MAX};
}

void http_reader_release(struct http_reader *r)
{
	free(r->partial);
	r->partial = NULL;
}

void http_reader_body_max(struct http_reader *r, size_t max)
{
	r->body_max = max;
}

bool http_reader_idle(const struct http_reader *r)
{
	return !r->partial;
}

bool http_reader_in_body(const struct http_reader *r)
{
	return r->partial && r->partial->reading.head_len > 0;
}
