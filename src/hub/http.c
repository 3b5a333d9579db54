/* The HTTP server: requests of connections, one at a time and in order.
 *
 * Owns a struct http_conn per connection; the exchange of the request that waits for its reply is
 * part of it.
 *
 *   http_opened -> http_input: http_read -> request -> … http_reply -> http_input (the next one)
 *                                        -> broken: reply, close
 *   http_closed: gone, when a reply was due
 *
 * Bytes that come while a reply is due stay with the connection, which is paused: nothing is read
 * ahead but what one buffer holds. How a closing connection still sends what is queued, and lingers
 * so that a reset does not destroy it, is io/conn's part.
 *
 * Lifetime: an http_conn from `opened` to `closed` or http_hijack, an exchange from `request` to
 * its reply or `gone`. To add a reason to refuse: an enum http_result in wire/http.h and its case
 * in http_input. */
#include "hub/http.h"

#include <stdlib.h>

#include "base/config.h"
#include "base/list.h"

#define SCRATCH_KEEP 65536 /* a reply larger than this does not leave its buffer behind */

/* The request that waits for its reply. */
struct exchange {
	void *data;
	void (*gone)(struct exchange *x);
	bool due;     /* else there is none */
	bool watched; /* for the end of the peer's sending side */
	bool head, http10, keep_alive;
};

struct http_conn {
	struct conn *c;
	struct http_reader reader;
	struct list node;
	struct exchange x;
	bool waiting; /* bytes stay with the connection, which is paused or about to resume */
	bool ended;   /* the peer sends no more */
	bool served;  /* a request has come: the next one may be waited for longer */
};

static const struct http_handler *handler;
static struct list conns = {&conns, &conns};
static size_t busy;
static size_t body_max = HTTP_BODY_MAX;
static bool draining;
static struct buf scratch; /* a reply while it is put together */

static struct http_conn *conn_of(const struct exchange *x)
{
	return LIST_ITEM(x, struct http_conn, x);
}

static int64_t seconds(int64_t s)
{
	return s * 1000;
}

/* ---- replies ---- */

static void reply_send(struct conn *c)
{
	conn_write(c, scratch.p, scratch.n);
	scratch.n = 0;
	if (scratch.cap > SCRATCH_KEEP)
		buf_free(&scratch);
}

static void exchange_end(struct exchange *x)
{
	ASSERT(x->due);
	x->due = false;
	busy--;
}

void http_reply(struct exchange *x, int status, struct str headers, struct str body, bool close)
{
	struct http_conn *h = conn_of(x);
	struct conn *c = h->c;
	bool last = h->ended && !h->waiting;
	bool keep = x->keep_alive && !close && !last && !draining;
	bool bodiless = status == 204 || status == 304;

	http_begin(&scratch, status);
	buf_str(&scratch, headers);
	if (keep && x->http10)
		http_put_header(&scratch, "Connection", STR("keep-alive"));
	http_end_head(&scratch, bodiless ? -1 : (int64_t)body.n, keep);
	if (!x->head && !bodiless)
		buf_str(&scratch, body);
	reply_send(c);
	exchange_end(x);
	if (!keep) {
		conn_close(c, CONN_DONE);
		return;
	}
	conn_timeout(c, seconds(config.idle_timeout), NULL);
	if (h->waiting)
		conn_resume(c);
}

static void http_broken(struct http_conn *h, enum err e)
{
	struct buf head = {0}, body = {0};

	handler->broken(e, conn_peer(h->c), &head, &body);
	http_begin(&scratch, err_status(e));
	buf_str(&scratch, buf_view(&head));
	http_end_head(&scratch, (int64_t)body.n, false);
	buf_str(&scratch, buf_view(&body));
	reply_send(h->c);
	buf_free(&head);
	buf_free(&body);
	conn_close(h->c, CONN_PROTOCOL);
}

static void http_conn_free(struct http_conn *h)
{
	list_remove(&h->node);
	http_reader_release(&h->reader);
	free(h);
}

struct conn *http_hijack(struct exchange *x, struct str headers)
{
	struct http_conn *h = conn_of(x);
	struct conn *c = h->c;

	http_begin(&scratch, 101);
	buf_str(&scratch, headers);
	http_end_head(&scratch, -1, true);
	reply_send(c);
	exchange_end(x);
	conn_timeout(c, 0, NULL);
	conn_set_data(c, NULL);
	if (h->waiting)
		conn_resume(c);
	if (h->ended) /* the new owner would not be told */
		conn_close(c, CONN_EOF);
	http_conn_free(h);
	return c;
}

/* ---- requests ---- */

static void pause_input(struct http_conn *h)
{
	h->waiting = true;
	conn_pause(h->c);
}

/* A sender too slow for its request; one that has sent nothing is not talked to. */
static void on_slow(struct conn *c)
{
	struct http_conn *h = conn_data(c);

	if (http_reader_idle(&h->reader))
		conn_close(c, CONN_TIMEOUT);
	else
		http_broken(h, ERR_REQUEST_TIMEOUT);
}

/* May end h: nothing may follow in the caller. */
static void request_begin(struct http_conn *h, const struct http_request *r)
{
	h->x = (struct exchange){.due = true,
		.gone = handler->gone,
		.head = r->method == HTTP_HEAD,
		.http10 = r->http10,
		.keep_alive = r->keep_alive};
	h->served = true;
	busy++;
	conn_timeout(h->c, 0, NULL);
	handler->request(&h->x, r);
}

/* What is left of a request will not be completed. */
static void close_ended(struct conn *c)
{
	conn_close(c, conn_queued(c) > 0 ? CONN_DONE : CONN_EOF);
}

static void request_wait(
	struct http_conn *h, const struct http_request *r, bool head_done, bool was_idle)
{
	if (head_done) {
		if (r->expect_continue)
			conn_write(h->c, "HTTP/1.1 100 Continue\r\n\r\n", 25);
		conn_timeout(h->c, seconds(config.body_timeout), on_slow);
	} else if (was_idle && h->served) {
		conn_timeout(h->c, seconds(config.head_timeout), on_slow);
	}
	if (h->ended)
		close_ended(h->c);
}

static size_t http_input(struct conn *c, char *p, size_t n)
{
	static struct http_request request;
	struct http_conn *h = conn_data(c);
	bool was_idle = http_reader_idle(&h->reader);
	enum http_result result;
	size_t consumed = 0;

	if (h->x.due) {
		pause_input(h);
		return 0;
	}
	h->waiting = false;
	result = http_read(&h->reader, p, n, &request, &consumed);
	switch (result) {
	case HTTP_MORE:
	case HTTP_HEAD_DONE:
		request_wait(h, &request, result == HTTP_HEAD_DONE, was_idle);
		return 0;
	case HTTP_DONE:
		if (consumed < n)
			pause_input(h);
		request_begin(h, &request);
		return consumed;
	case HTTP_BAD:
		http_broken(h, ERR_INVALID_REQUEST);
		break;
	case HTTP_TOO_LARGE:
		http_broken(h, ERR_TOO_LARGE);
		break;
	case HTTP_HEAD_TOO_LARGE:
		http_broken(h, ERR_HEADERS_TOO_LARGE);
		break;
	}
	return n;
}

/* ---- connections ---- */

static void http_opened(struct conn *c)
{
	struct http_conn *h = calloc(1, sizeof(*h));

	if (!h)
		PANIC("out of memory");
	h->c = c;
	http_reader_init(&h->reader);
	http_reader_body_max(&h->reader, body_max);
	list_add_tail(&conns, &h->node);
	conn_set_data(c, h);
	conn_timeout(c, seconds(config.head_timeout), on_slow);
}

static void http_eof(struct conn *c)
{
	struct http_conn *h = conn_data(c);

	h->ended = true;
	if (h->x.due ? h->x.watched : !h->waiting)
		close_ended(c);
}

static void http_closed(struct conn *c, enum conn_reason r)
{
	struct http_conn *h = conn_data(c);

	(void)r;
	if (h->x.due) {
		h->x.gone(&h->x);
		exchange_end(&h->x);
	}
	http_conn_free(h);
}

const struct conn_ops http_conn_ops = {
	.opened = http_opened,
	.input = http_input,
	.eof = http_eof,
	.closed = http_closed,
};

void http_serve(const struct http_handler *h)
{
	handler = h;
	draining = false;
}

void http_body_max(size_t max)
{
	body_max = max;
}

void http_drain(void)
{
	draining = true;
	LIST_FOREACH_SAFE (n, &conns) {
		struct http_conn *h = LIST_ITEM(n, struct http_conn, node);

		if (!h->x.due && http_reader_idle(&h->reader))
			conn_close(h->c, CONN_DONE);
	}
}

size_t http_busy(void)
{
	return busy;
}

bool http_drained(void)
{
	return draining && list_empty(&conns);
}

/* ---- exchanges ---- */

void exchange_set_data(struct exchange *x, void *data)
{
	x->data = data;
}

void *exchange_data(const struct exchange *x)
{
	return x->data;
}

struct conn *exchange_conn(const struct exchange *x)
{
	return conn_of(x)->c;
}

void exchange_watch(struct exchange *x, void (*gone)(struct exchange *x))
{
	x->gone = gone;
	x->watched = true;
}
