/* Engine.IO payloads and packets from strangers: what decodes is encoded to the same bytes, and
 * every packet of a payload lies in it. */
#include <stdint.h>

#include "base/err.h"
#include "wire/eio.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void packet_put(struct buf *b, const struct eio_packet *p)
{
	struct buf text = {0};

	if (p->binary) {
		eio_payload_put_binary(b, p->data);
		return;
	}
	eio_put(&text, p->type, p->data);
	eio_payload_put(b, buf_view(&text));
	buf_free(&text);
}

static void packet_check(const struct eio_packet *p, struct str payload)
{
	ASSERT(p->type <= EIO_NOOP);
	ASSERT(!p->binary || p->type == EIO_MESSAGE);
	ASSERT(p->data.p);
	if (!p->binary)
		ASSERT(p->data.p >= payload.p && p->data.p + p->data.n <= payload.p + payload.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str payload = {(const char *)data, size}, rest = payload;
	struct buf binary = {0}, again = {0};
	struct eio_packet p;
	bool bad = false;

	if (!data)
		return 0;
	while (eio_payload_next(&rest, &binary, &p, &bad)) {
		packet_check(&p, payload);
		packet_put(&again, &p);
	}
	if (!bad)
		ASSERT(str_eq(buf_view(&again), payload));
	buf_free(&binary);
	buf_free(&again);
	return 0;
}
