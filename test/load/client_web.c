/* HTTP/1.1 requests: owns the connections of a web, and the requests that wait for one.
 *
 *   web_ask -> waiting -> link_start (an idle link, or a new one) -> (tunnel) link_send
 *           -> on_read: (tunnel) llhttp -> answered
 *           -> (lost, late) status 0
 *
 * Lifetime: an ask lives until its callback returned; a link until its handle is closed. The links
 * of a web that was freed close by themselves. */
#include <llhttp.h>
#include <stdlib.h>

#include "base/clock.h"
#include "client_private.h"

struct ask {
	struct list node;
	struct buf request;
	web_fn *fn;
	void *arg;
	int64_t asked_ns, sent_ns;
};

struct link {
	struct list node; /* in its web's idle or busy */
	uv_tcp_t tcp;
	struct tunnel *tunnel; /* NULL: plain */
	struct buf sending;    /* of the tunnel: what the kernel did not take at once */
	uv_connect_t connect;
	uv_write_t write;
	struct web *web; /* NULL: closing */
	struct ask *ask; /* NULL: idle */
	struct timer timer;
	llhttp_t parser;
	struct buf head, body;
	int status; /* of the answer; 0: not complete */
	bool keeps, connected;
};

struct web {
	const struct origin *origin;
	struct list idle, busy, waiting;
	unsigned links, most;
	int64_t timeout_ms;
	struct ready ready; /* the waiting are looked at */
};

/* ---- answers ---- */

static void ask_end(struct ask *k, const struct web_answer *a)
{
	k->fn(k->arg, a);
	buf_free(&k->request);
	free(k);
}

static void ask_fail(struct ask *k, const char *why)
{
	ask_end(k, &(struct web_answer){.head = STR(""),
			   .body = STR(""),
			   .why = why,
			   .asked_ns = k->asked_ns,
			   .sent_ns = k->sent_ns});
}

/* The value of the next line of that name, taken off `rest`. */
static struct str header_next(struct str *rest, struct str key)
{
	while (rest->n > 0) {
		struct str line = str_cut(rest, '\n');

		if (line.n > key.n && line.p[key.n] == ':' &&
			str_eq_nocase(str_make(line.p, key.n), key)) {
			line = str_from(line, key.n + 1);
			if (line.n > 0 && line.p[line.n - 1] == '\r')
				line.n--;
			return str_trim(line);
		}
	}
	return STR_NULL;
}

struct str web_header(const struct web_answer *a, const char *name)
{
	struct str rest = a->head;

	return header_next(&rest, str_of(name));
}

struct str web_cookie(const struct web_answer *a, const char *name)
{
	struct str rest = a->head, line;

	while ((line = header_next(&rest, STR("set-cookie"))).p) {
		struct str value = line, key = str_cut(&value, '=');

		if (str_eq(key, str_of(name)) && value.p)
			return str_cut(&value, ';');
	}
	return STR_NULL;
}

/* ---- parsing ---- */

static int on_field(llhttp_t *p, const char *at, size_t n)
{
	struct link *l = p->data;

	buf_put(&l->head, at, n);
	return 0;
}

static int on_field_end(llhttp_t *p)
{
	struct link *l = p->data;

	buf_lit(&l->head, ": ");
	return 0;
}

static int on_value_end(llhttp_t *p)
{
	struct link *l = p->data;

	buf_lit(&l->head, "\r\n");
	return 0;
}

static int on_body(llhttp_t *p, const char *at, size_t n)
{
	struct link *l = p->data;

	if (n > CLIENT_MESSAGE_MAX - l->body.n)
		return -1;
	buf_put(&l->body, at, n);
	return 0;
}

static int on_complete(llhttp_t *p)
{
	struct link *l = p->data;

	if (p->status_code < 200) /* 100: another follows */
		return 0;
	l->status = p->status_code;
	l->keeps = llhttp_should_keep_alive(p) != 0;
	return HPE_PAUSED;
}

static const llhttp_settings_t settings = {.on_header_field = on_field,
	.on_header_field_complete = on_field_end,
	.on_header_value = on_field,
	.on_header_value_complete = on_value_end,
	.on_body = on_body,
	.on_message_complete = on_complete};

/* ---- links ---- */

static void on_closed(uv_handle_t *h)
{
	struct link *l = h->data;

	tunnel_free(l->tunnel);
	buf_free(&l->sending);
	buf_free(&l->head);
	buf_free(&l->body);
	free(l);
}

/* Its ask, if any, is the caller's. */
static void link_close(struct link *l)
{
	list_remove(&l->node);
	timer_clear(&l->timer);
	l->web->links--;
	ready_add(&l->web->ready);
	l->web = NULL;
	uv_close((uv_handle_t *)&l->tcp, on_closed);
}

static void link_lost(struct link *l, const char *why)
{
	struct ask *k = l->ask;

	link_close(l);
	if (k)
		ask_fail(k, why);
}

static void on_late(struct timer *t)
{
	link_lost(LIST_ITEM(t, struct link, timer), "no answer came in time");
}

static void link_answered(struct link *l)
{
	struct ask *k = l->ask;
	struct web_answer a = {.status = l->status,
		.head = buf_view(&l->head),
		.body = buf_view(&l->body),
		.asked_ns = k->asked_ns,
		.sent_ns = k->sent_ns};
	struct buf head = l->head, body = l->body; /* the link may go while the callback reads */

	l->ask = NULL;
	l->head = l->body = (struct buf){0};
	timer_clear(&l->timer);
	list_remove(&l->node);
	list_add_tail(&l->web->idle, &l->node);
	ready_add(&l->web->ready);
	if (!l->keeps || uv_stream_get_write_queue_size((uv_stream_t *)&l->tcp) > 0)
		link_close(l);
	ask_end(k, &a);
	buf_free(&head);
	buf_free(&body);
}

static void bytes_take(struct link *l, const char *p, size_t n)
{
	if (!l->ask) {
		link_lost(l, NULL);
		return;
	}
	switch (llhttp_execute(&l->parser, p, n)) {
	case HPE_OK:
		break;
	case HPE_PAUSED:
		link_answered(l);
		break;
	default:
		link_lost(l, "what it answers is not HTTP");
	}
}

static void wire_send(struct link *l);

static void tunnel_bytes_take(struct link *l, const char *p, size_t n)
{
	struct str plain;

	tunnel_take(l->tunnel, p, n);
	while (l->web && tunnel_read(l->tunnel, &plain))
		bytes_take(l, plain.p, plain.n);
	if (l->web)
		wire_send(l); /* a step of the handshake, an alert, or what waited for its end */
	if (l->web && tunnel_why(l->tunnel))
		link_lost(l, tunnel_why(l->tunnel));
}

static void link_ended(struct link *l, int status)
{
	if (status == UV_EOF && l->ask && llhttp_finish(&l->parser) == HPE_PAUSED)
		link_answered(l); /* a body that ends with the connection */
	else if (status == UV_EOF)
		link_lost(l,
			l->tunnel ? tunnel_ended(l->tunnel) : "the server closed the connection");
	else
		link_lost(l, uv_strerror(status));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *b)
{
	struct link *l = stream->data;

	loop_enter();
	if (n == 0)
		return;
	client_read_mark();
	if (n < 0)
		link_ended(l, (int)n);
	else if (l->tunnel)
		tunnel_bytes_take(l, b->base, (size_t)n);
	else
		bytes_take(l, b->base, (size_t)n);
}

static void on_written(uv_write_t *w, int status)
{
	struct link *l = LIST_ITEM(w, struct link, write);

	loop_enter();
	if (l->web && l->tunnel && status == 0) /* a failure shows in reading too */
		wire_send(l);
}

/* From `bytes`, which stay where they are until on_written. */
static void bytes_send(struct link *l, const struct buf *bytes, size_t n)
{
	uv_buf_t b = uv_buf_init(bytes->p + n, (unsigned)(bytes->n - n));
	int e = uv_write(&l->write, (uv_stream_t *)&l->tcp, &b, 1, on_written);

	if (e != 0)
		link_lost(l, uv_strerror(e));
}

static size_t bytes_try(struct link *l, const struct buf *bytes)
{
	uv_buf_t b = uv_buf_init(bytes->p, (unsigned)bytes->n);
	int n = uv_try_write((uv_stream_t *)&l->tcp, &b, 1);

	return n > 0 ? (size_t)n : 0;
}

static void wire_send(struct link *l)
{
	struct buf *wire = tunnel_wire(l->tunnel);
	size_t n;

	if (wire->n == 0 || uv_stream_get_write_queue_size((uv_stream_t *)&l->tcp) > 0)
		return;
	buf_free(&l->sending);
	n = bytes_try(l, wire);
	l->sending = *wire;
	*wire = (struct buf){0};
	if (n < l->sending.n)
		bytes_send(l, &l->sending, n);
}

static void link_send(struct link *l)
{
	const struct buf *r = &l->ask->request;
	size_t n;

	llhttp_init(&l->parser, HTTP_RESPONSE, &settings);
	l->parser.data = l;
	l->status = 0;
	l->head.n = l->body.n = 0;
	l->ask->sent_ns = clock_ns();
	if (l->tunnel) {
		tunnel_put(l->tunnel, buf_view(r));
		wire_send(l);
		return;
	}
	n = bytes_try(l, r);
	if (n < r->n)
		bytes_send(l, r, n);
}

static void on_connected(uv_connect_t *c, int status)
{
	struct link *l = c->data;

	loop_enter();
	if (!l->web)
		return;
	if (status != 0) {
		link_lost(l, uv_strerror(status));
		return;
	}
	uv_tcp_nodelay(&l->tcp, 1);
	l->connected = true;
	if (l->web->origin->tls)
		l->tunnel = tunnel_new(l->web->origin->tls);
	uv_read_start((uv_stream_t *)&l->tcp, client_alloc, on_read);
	link_send(l);
}

static struct link *link_new(struct web *w)
{
	struct link *l = calloc(1, sizeof(*l));

	if (!l)
		PANIC("no memory");
	l->web = w;
	w->links++;
	list_init(&l->node);
	timer_init(&l->timer, on_late);
	uv_tcp_init(loop_uv(), &l->tcp);
	l->tcp.data = l->connect.data = l;
	return l;
}

static void link_start(struct web *w, struct ask *k)
{
	struct list *n = list_pop(&w->idle);
	struct link *l = n ? LIST_ITEM(n, struct link, node) : link_new(w);
	int e;

	list_add_tail(&w->busy, &l->node);
	l->ask = k;
	timer_set(&l->timer, w->timeout_ms);
	if (l->connected) {
		link_send(l);
		return;
	}
	e = uv_tcp_connect(&l->connect, &l->tcp, origin_addr(w->origin), on_connected);
	if (e != 0)
		link_lost(l, uv_strerror(e));
}

static void waiting_look(struct ready *r)
{
	struct web *w = LIST_ITEM(r, struct web, ready);
	struct list *n;

	while ((!list_empty(&w->idle) || w->links < w->most) && (n = list_pop(&w->waiting)))
		link_start(w, LIST_ITEM(n, struct ask, node));
}

/* ---- the web ---- */

struct web *web_new(const struct origin *o, unsigned connections, int64_t timeout_ms)
{
	struct web *w = calloc(1, sizeof(*w));

	if (!w)
		PANIC("no memory");
	*w = (struct web){.origin = o, .most = connections, .timeout_ms = timeout_ms};
	list_init(&w->idle);
	list_init(&w->busy);
	list_init(&w->waiting);
	ready_init(&w->ready, waiting_look);
	return w;
}

void web_free(struct web *w)
{
	struct list *n;

	while (!list_empty(&w->busy))
		link_lost(LIST_ITEM(w->busy.next, struct link, node), NULL);
	while (!list_empty(&w->idle))
		link_close(LIST_ITEM(w->idle.next, struct link, node));
	while ((n = list_pop(&w->waiting)))
		ask_fail(LIST_ITEM(n, struct ask, node), NULL);
	ready_cancel(&w->ready);
	free(w);
}

void web_ask(struct web *w, const char *method, struct str path, struct str headers,
	struct str body, web_fn *fn, void *arg)
{
	struct ask *k = calloc(1, sizeof(*k));

	if (!k)
		PANIC("no memory");
	k->fn = fn;
	k->arg = arg;
	k->asked_ns = clock_ns();
	buf_printf(&k->request, "%s " STR_FMT " HTTP/1.1\r\nHost: %s\r\n", method, STR_ARG(path),
		w->origin->host);
	buf_str(&k->request, headers);
	if (body.n > 0)
		buf_printf(&k->request,
			"Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n", body.n);
	else
		buf_printf(&k->request, "%s\r\n",
			strcmp(method, "POST") == 0 ? "Content-Length: 0\r\n" : "");
	buf_str(&k->request, body);
	list_init(&k->node);
	list_add_tail(&w->waiting, &k->node);
	ready_add(&w->ready);
}
