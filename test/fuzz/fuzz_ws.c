/* WebSocket streams: read in one piece, in random pieces and byte by byte; all must give the same.
 * In one piece most messages take the short way of ws.c, byte by byte all go through wslay. */
#include "ws_pieces.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static size_t step_all(void *arg)
{
	(void)arg;
	return 0;
}

static size_t step_one(void *arg)
{
	(void)arg;
	return 1;
}

static size_t step_random(void *arg)
{
	uint32_t *seed = arg;

	*seed = *seed * 1664525 + 1013904223;
	return 1 + (*seed >> 24) % 61;
}

/* All that is read is written again, as a server writes it, and has the right length. */
static void check_writing(struct str payload)
{
	struct buf b = {0};
	char head[WS_HEADER_MAX];

	ws_put(&b, WS_OP_BINARY, payload);
	ASSERT(b.n == ws_header(head, WS_OP_BINARY, payload.n) + payload.n);
	b.n = 0;
	ws_put_close(&b, WS_NORMAL, payload);
	ASSERT(b.n >= 4 && b.n <= 2 + WS_CONTROL_MAX && (uint8_t)b.p[1] == b.n - 2);
	if (utf8_valid(payload))
		ASSERT(utf8_valid(str_make(b.p + 4, b.n - 4)));
	buf_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const char *p = (const char *)data;
	struct buf whole = {0}, cut = {0};
	uint32_t seed = 0;

	for (size_t i = 0; i < n; i++)
		seed = seed * 31 + data[i];
	pieces_read(p, n, &(struct pieces){.step = step_all}, &whole);
	pieces_read(p, n, &(struct pieces){.step = step_random, .arg = &seed, .fresh = true}, &cut);
	ASSERT(str_eq(buf_view(&whole), buf_view(&cut)));
	if (n <= 2048) {
		cut.n = 0;
		pieces_read(p, n, &(struct pieces){.step = step_one}, &cut);
		ASSERT(str_eq(buf_view(&whole), buf_view(&cut)));
	}
	check_writing(str_make(p, n));
	buf_free(&whole);
	buf_free(&cut);
	return 0;
}
