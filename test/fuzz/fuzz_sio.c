/* Socket.IO packets from strangers: what decodes is bounded, every argument is one JSON value, and
 * what is encoded from the parts decodes to them. */
#include <stdint.h>

#include "base/err.h"
#include "base/json.h"
#include "wire/sio.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void packet_check(struct arena *a, const struct sio_packet *p)
{
	bool event = p->type == SIO_EVENT || p->type == SIO_BINARY_EVENT;
	bool binary = p->type == SIO_BINARY_EVENT || p->type == SIO_BINARY_ACK;

	ASSERT(p->type <= SIO_BINARY_ACK);
	ASSERT(p->nsp.n >= 1 && p->nsp.n <= SIO_NAMESPACE_MAX && p->nsp.p[0] == '/');
	ASSERT(p->id >= SIO_ACK_NONE && p->id <= SIO_ACK_MAX);
	ASSERT((p->attachments > 0) == binary && p->attachments <= SIO_ATTACHMENTS_MAX);
	ASSERT((p->name.p != NULL) == event);
	ASSERT(p->args.n <= SIO_ARGS_MAX);
	for (size_t i = 0; i < p->args.n; i++)
		ASSERT(json_parse(a, p->args.v[i]));
	ASSERT(!p->data.p || json_type(json_parse(a, p->data)) == JSON_OBJECT);
}

static void packet_put(struct buf *b, const struct sio_packet *p)
{
	struct sio_out out = {p->nsp, p->id, p->args.v, p->args.n, p->attachments};

	if (p->type == SIO_EVENT || p->type == SIO_BINARY_EVENT)
		sio_put_event(b, p->name, &out);
	else if (p->type == SIO_ACK || p->type == SIO_BINARY_ACK)
		sio_put_ack(b, &out);
	else if (p->type == SIO_CONNECT_ERROR && p->data.p)
		sio_put_connect_error(b, p->nsp, p->data);
	else
		sio_put_disconnect(b, p->nsp);
}

static void packets_equal(const struct sio_packet *p, const struct sio_packet *q)
{
	ASSERT(p->args.n == q->args.n && p->id == q->id && p->attachments == q->attachments);
	ASSERT(str_eq(p->nsp, q->nsp) && str_eq(p->name, q->name));
	for (size_t i = 0; i < p->args.n; i++)
		ASSERT(str_eq(p->args.v[i], q->args.v[i]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = {(const char *)data, size};
	struct sio_packet p, q;
	struct buf again = {0};
	struct arena a;

	if (!data || !utf8_valid(text))
		return 0;
	arena_init(&a);
	if (sio_decode(&a, text, &p)) {
		packet_check(&a, &p);
		packet_put(&again, &p);
		ASSERT(sio_decode(&a, buf_view(&again), &q));
		if (p.name.p || p.type == SIO_ACK || p.type == SIO_BINARY_ACK)
			packets_equal(&p, &q);
	}
	buf_free(&again);
	arena_release(&a);
	return 0;
}
