/* Socket.IO sockets: owns them and their table by id, and what is sent to them.
 *
 *   sio_client.c: CONNECT -> sio_socket_new -> connect -> sio_accept | sio_reject
 *   sio_emit, sio_ack -> one packet -> eio;  sio_share -> sio_send to many
 *   sio_disconnect, the client's end -> sio_socket_end -> (ready queue) disconnected -> freed
 *
 * Lifetime: a socket leaves the table at its end, so that its id names nobody, and is freed by the
 * ready queue after its owner was told.
 *
 * To add something to send: a writer in wire/sio.h and a function in "sending" here. */
#include "hub/sio_private.h"

#include <stdlib.h>

#include "base/map.h"
#include "base/secret.h"

#define SCRATCH_KEEP 65536
#define SID_BYTES    15
#define SID_TEXT     20 /* base64url */

const struct sio_settings *sio_settings;
const struct sio_handler *sio_handler;
struct sio_stats sio_counts;

static struct map sockets; /* by id */
static struct sio_socket *ended;
static struct ready ended_ready;
static struct buf scratch; /* a packet while it is put together */

/* ---- sockets ---- */

struct sio_socket *sio_find(sio_id id)
{
	return map_get(&sockets, id);
}

static struct sio_socket *find_connected(sio_id id)
{
	struct sio_socket *s = map_get(&sockets, id);

	return s && s->state == SIO_ST_CONNECTED ? s : NULL;
}

struct str sio_nsp(const struct sio_socket *s)
{
	return sio_settings->namespaces[s->nsp];
}

struct sio_socket *sio_socket_new(struct sio_client *c, uint8_t nsp)
{
	struct sio_socket *s = calloc(1, sizeof(*s));

	if (!s)
		PANIC("out of memory");
	do
		secret_random(&s->id, sizeof(s->id));
	while (s->id == 0 || map_get(&sockets, s->id));
	map_put(&sockets, s->id, s);
	s->nsp = nsp;
	s->client = c;
	s->next = c->sockets;
	c->sockets = s;
	c->count++;
	return s;
}

static void client_unlink(struct sio_socket *s)
{
	struct sio_socket **at = &s->client->sockets;

	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
	s->client->count--;
	if (!s->client->sockets)
		sio_client_wait(s->client);
	s->client = NULL;
}

void sio_socket_end(struct sio_socket *s, enum eio_reason why)
{
	map_remove(&sockets, s->id);
	client_unlink(s);
	if (s->state == SIO_ST_CONNECTING) {
		free(s);
		return;
	}
	sio_counts.sockets--;
	s->state = SIO_ST_ENDED;
	s->why = (uint8_t)why;
	s->next = ended;
	ended = s;
	ready_add(&ended_ready);
}

void sio_tell_ended(void)
{
	struct sio_socket *s;

	while ((s = ended)) {
		ended = s->next;
		sio_waiters_end(s);
		sio_handler->disconnected(s->id, s->data, (enum eio_reason)s->why);
		free(s);
	}
}

static void on_ended(struct ready *r)
{
	(void)r;
	sio_tell_ended();
}

/* ---- sending ---- */

void sio_client_send(struct sio_client *c, struct str packet, const struct sio_body *b)
{
	eio_send_text(eio_of(c), packet);
	for (unsigned i = 0; b && i < b->attachment_count; i++)
		eio_send_binary(eio_of(c), b->attachments[i]);
	sio_counts.emitted++;
}

static void scratch_send(struct sio_client *c, const struct sio_body *b)
{
	sio_client_send(c, buf_view(&scratch), b);
	scratch.n = 0;
	if (scratch.cap > SCRATCH_KEEP)
		buf_free(&scratch);
}

static struct sio_out out_of(const struct sio_socket *s, int64_t id, const struct sio_body *b)
{
	return (struct sio_out){.nsp = sio_nsp(s),
		.id = id,
		.args = b->args,
		.n = b->n,
		.attachments = b->attachment_count};
}

void sio_socket_emit(struct sio_socket *s, struct str name, int64_t ack, const struct sio_body *b)
{
	struct sio_out out = out_of(s, ack, b);

	sio_put_event(&scratch, name, &out);
	scratch_send(s->client, b);
}

void sio_emit(sio_id id, struct str name, const struct sio_body *b)
{
	struct sio_socket *s = find_connected(id);

	if (s)
		sio_socket_emit(s, name, SIO_ACK_NONE, b);
}

void sio_ack(sio_id id, int64_t ack, const struct sio_body *b)
{
	struct sio_socket *s = find_connected(id);
	struct sio_out out;

	if (!s || ack == SIO_ACK_NONE)
		return;
	out = out_of(s, ack, b);
	sio_put_ack(&scratch, &out);
	scratch_send(s->client, b);
}

void sio_share(
	struct eio_shared *m, struct str nsp, struct str name, const struct str *args, size_t n)
{
	struct sio_out out = {.nsp = nsp, .id = SIO_ACK_NONE, .args = args, .n = n};

	sio_put_event(eio_share_begin(m), name, &out);
	eio_share_end(m);
}

struct sio_socket *sio_socket_of(sio_id id)
{
	return find_connected(id);
}

void sio_send(struct sio_socket *s, const struct eio_shared *m)
{
	if (!s || s->state == SIO_ST_ENDED)
		return;
	eio_send_shared(eio_of(s->client), m);
	sio_counts.emitted++;
}

void sio_expect(const struct sio_socket *s)
{
	if (s && s->state != SIO_ST_ENDED)
		eio_expect(eio_of(s->client));
}

/* ---- coming and going ---- */

bool sio_accept(sio_id id, void *data)
{
	struct sio_socket *s = sio_find(id);
	uint8_t raw[SID_BYTES];
	char sid[SID_TEXT];

	if (!s)
		return false;
	ASSERT(s->state == SIO_ST_CONNECTING);
	s->state = SIO_ST_CONNECTED;
	s->data = data;
	sio_counts.sockets++;
	sio_client_stay(s->client);
	secret_random(raw, sizeof(raw));
	base64url_encode(raw, sizeof(raw), sid);
	sio_put_connect(&scratch, sio_nsp(s), str_make(sid, sizeof(sid)));
	scratch_send(s->client, NULL);
	return true;
}

void sio_reject(sio_id id, struct str error)
{
	struct sio_socket *s = sio_find(id);

	if (!s)
		return;
	ASSERT(s->state == SIO_ST_CONNECTING);
	sio_put_connect_error(&scratch, sio_nsp(s), error);
	scratch_send(s->client, NULL);
	sio_socket_end(s, EIO_SERVER);
}

void sio_disconnect(sio_id id, bool close)
{
	struct sio_socket *s = sio_find(id);
	struct sio_client *c = s ? s->client : NULL;

	if (!s)
		return;
	sio_put_disconnect(&scratch, sio_nsp(s));
	scratch_send(c, NULL);
	sio_socket_end(s, EIO_SERVER);
	if (close)
		eio_close(eio_of(c));
}

void sio_close(sio_id id)
{
	struct sio_socket *s = sio_find(id);

	if (s)
		eio_close(eio_of(s->client));
}

/* ---- what is known of a socket ---- */

bool sio_alive(sio_id id)
{
	return find_connected(id);
}

void *sio_data(sio_id id)
{
	struct sio_socket *s = find_connected(id);

	return s ? s->data : NULL;
}

void *sio_extra(sio_id id)
{
	struct sio_socket *s = sio_find(id);

	return s ? s->client->extra : NULL;
}

struct str sio_namespace(sio_id id)
{
	struct sio_socket *s = sio_find(id);

	return s ? sio_nsp(s) : STR_NULL;
}

size_t sio_queued(sio_id id)
{
	struct sio_socket *s = sio_find(id);

	return s ? eio_queued(eio_of(s->client)) : 0;
}

/* ---- all of them ---- */

struct sio_stats sio_stats(void)
{
	return sio_counts;
}

void sio_close_all(void)
{
	eio_close_all();
}

void sio_serve(const struct sio_settings *settings, const struct sio_handler *h)
{
	static struct eio_settings eio;

	sio_settings = settings;
	sio_handler = h;
	eio = settings->eio;
	eio.extra += sizeof(struct sio_client);
	ready_init(&ended_ready, on_ended);
	eio_serve(&eio, &sio_eio_handler);
}

void sio_teardown(void)
{
	eio_teardown();
	ready_cancel(&ended_ready);
	map_free(&sockets);
	buf_free(&scratch);
	sio_counts = (struct sio_stats){0};
}
