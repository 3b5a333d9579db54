/* Socket.IO clients: what they send, and the attachments of what they send.
 *
 *   on_opened -> on_message: sio_decode -> packet_serve -> connect_serve | event | ack | leaves
 *                            BINARY_…   -> partial … the last attachment -> packet_deliver
 *   on_closed: every socket's end, then `closed`
 *
 * A client that breaks the protocol (a packet that is none, an event outside a namespace, binary
 * data that nobody announced) is closed, as the reference server does.
 *
 * Lifetime: a struct sio_client lies in its Engine.IO session. A struct partial lives until its
 * last attachment, a struct sio_timeout while the client is in no namespace.
 *
 * To serve another type of packet: packet_serve. */
#include "hub/sio_private.h"

#include <stdlib.h>

#include "base/arena.h"

/* What a message and its attachments may hold together, in messages of max_payload. */
#define PARTIAL_MESSAGES 4

struct partial {
	struct arena arena; /* the packet's text, its name and the attachments */
	struct sio_packet packet;
	struct str attachments[SIO_ATTACHMENTS_MAX];
	unsigned have;
	size_t bytes;
};

struct sio_timeout {
	struct timer timer;
	struct sio_client *client;
};

static void *must(void *p)
{
	if (!p)
		PANIC("out of memory");
	return p;
}

static void client_fail(struct sio_client *c)
{
	eio_fail(eio_of(c));
}

/* ---- a client in no namespace ---- */

static void on_connect_late(struct timer *t)
{
	eio_close(eio_of(LIST_ITEM(t, struct sio_timeout, timer)->client));
}

void sio_client_wait(struct sio_client *c)
{
	struct sio_timeout *w;

	if (c->waiting)
		return;
	w = must(calloc(1, sizeof(*w)));
	w->client = c;
	timer_init(&w->timer, on_connect_late);
	timer_set(&w->timer, sio_settings->connect_timeout);
	c->waiting = w;
}

void sio_client_stay(struct sio_client *c)
{
	if (!c->waiting)
		return;
	timer_clear(&c->waiting->timer);
	free(c->waiting);
	c->waiting = NULL;
}

/* ---- packets ---- */

static struct sio_socket *socket_in(struct sio_client *c, struct str nsp)
{
	struct sio_socket *s = c->sockets;

	while (s && !str_eq(sio_nsp(s), nsp))
		s = s->next;
	return s;
}

static void connect_refuse(struct sio_client *c, struct str nsp, struct str error)
{
	struct buf b = {0};

	sio_put_connect_error(&b, nsp, error);
	sio_client_send(c, buf_view(&b), NULL);
	buf_free(&b);
}

static void connect_serve(struct sio_client *c, const struct sio_packet *p)
{
	struct sio_socket *s;
	uint8_t i = 0;

	while (i < sio_settings->namespace_count && !str_eq(sio_settings->namespaces[i], p->nsp))
		i++;
	if (i == sio_settings->namespace_count) {
		connect_refuse(c, p->nsp, STR("{\"message\":\"Invalid namespace\"}"));
	} else if (socket_in(c, p->nsp) || c->count == SIO_SOCKETS_MAX) {
		client_fail(c);
	} else {
		s = sio_socket_new(c, i);
		sio_handler->connect(s->id, sio_nsp(s), p->data.p ? p->data : STR("{}"));
	}
}

static void event_serve(
	struct sio_socket *s, const struct sio_packet *p, const struct sio_body *body)
{
	struct sio_event e = {.name = p->name, .body = *body, .ack = p->id};

	sio_counts.events++;
	sio_handler->event(s->id, &e);
}

/* The packet is whole; the socket may have left while its attachments came. */
static void packet_deliver(
	struct sio_client *c, const struct sio_packet *p, const struct str *attachments)
{
	struct sio_socket *s = socket_in(c, p->nsp);
	struct sio_body body = {p->args.v, p->args.n, attachments, p->attachments};

	if (!s || s->state != SIO_ST_CONNECTED)
		client_fail(c);
	else if (p->type == SIO_ACK || p->type == SIO_BINARY_ACK)
		sio_acked(s, p->id, &body);
	else
		event_serve(s, p, &body);
}

static void leave_serve(struct sio_client *c, const struct sio_packet *p)
{
	struct sio_socket *s = socket_in(c, p->nsp);

	if (s) /* else ours has crossed it */
		sio_socket_end(s, EIO_CLIENT);
}

static void partial_begin(struct sio_client *c, struct str text)
{
	struct partial *p = must(calloc(1, sizeof(*p)));

	arena_init(&p->arena);
	if (!sio_decode(&p->arena, arena_str(&p->arena, text), &p->packet))
		PANIC("a packet that was one is none");
	p->bytes = text.n;
	c->partial = p;
}

static void packet_serve(struct sio_client *c, const struct sio_packet *p, struct str text)
{
	switch (p->type) {
	case SIO_CONNECT:
		connect_serve(c, p);
		break;
	case SIO_DISCONNECT:
		leave_serve(c, p);
		break;
	case SIO_EVENT:
	case SIO_ACK:
		packet_deliver(c, p, NULL);
		break;
	case SIO_BINARY_EVENT:
	case SIO_BINARY_ACK:
		if (sio_settings->attachments) {
			partial_begin(c, text);
		} else {
			c->skip = (uint8_t)p->attachments;
			packet_deliver(c, p, NULL);
		}
		break;
	case SIO_CONNECT_ERROR:
		client_fail(c);
		break;
	}
}

/* ---- messages ---- */

static void text_serve(struct sio_client *c, struct str text)
{
	struct sio_packet p;
	struct arena a;

	arena_init(&a);
	if (c->partial || c->skip > 0 || !sio_decode(&a, text, &p))
		client_fail(c);
	else
		packet_serve(c, &p, text);
	arena_release(&a);
}

static void partial_free(struct partial *p)
{
	arena_release(&p->arena);
	free(p);
}

static void attachment_serve(struct sio_client *c, struct str data)
{
	struct partial *p = c->partial;

	if (c->skip > 0) {
		c->skip--;
		return;
	}
	if (!p || data.n > (size_t)PARTIAL_MESSAGES * sio_settings->eio.max_payload - p->bytes) {
		client_fail(c);
		return;
	}
	p->bytes += data.n;
	p->attachments[p->have++] = arena_str(&p->arena, data);
	if (p->have < p->packet.attachments)
		return;
	c->partial = NULL;
	packet_deliver(c, &p->packet, p->attachments);
	partial_free(p);
}

static void on_message(struct eio *e, bool text, struct str data)
{
	if (text)
		text_serve(eio_extra(e), data);
	else
		attachment_serve(eio_extra(e), data);
}

/* ---- lifetime ---- */

static void on_opened(struct eio *e, const struct http_request *r, const struct addr *peer)
{
	struct sio_client *c = eio_extra(e);

	sio_client_wait(c);
	if (sio_handler->opened)
		sio_handler->opened(c->extra, r, peer);
}

static void client_free(struct sio_client *c)
{
	sio_client_stay(c);
	if (c->partial)
		partial_free(c->partial);
	c->partial = NULL;
}

static void on_closed(struct eio *e, enum eio_reason why)
{
	struct sio_client *c = eio_extra(e);

	while (c->sockets)
		sio_socket_end(c->sockets, why);
	sio_tell_ended();
	client_free(c);
	if (sio_handler->closed)
		sio_handler->closed(c->extra);
}

static void put_headers(const struct http_request *r, struct buf *headers)
{
	if (sio_handler->headers)
		sio_handler->headers(r, headers);
}

const struct eio_handler sio_eio_handler = {
	.opened = on_opened,
	.message = on_message,
	.closed = on_closed,
	.headers = put_headers,
};
