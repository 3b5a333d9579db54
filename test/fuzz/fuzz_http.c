/* Requests: read in one piece, byte by byte and in random pieces; all must give the same, and what
 * is taken for a request must have been framed without any byte that parsers disagree about. */
#include "http_pieces.h"

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

static void check_head(const char *p, size_t n)
{
	const char *end;

	for (; n >= 2 && p[0] == '\r' && p[1] == '\n'; n -= 2)
		p += 2;
	end = memmem(p, n, "\r\n\r\n", 4);
	ASSERT(end);
	for (; p < end; p++) {
		unsigned char c = (unsigned char)*p;

		if (c == '\r')
			ASSERT(p[1] == '\n' && p[2] != ' ' && p[2] != '\t');
		else if (c == '\n')
			ASSERT(p[-1] == '\r');
		else
			ASSERT(c == '\t' || (c >= ' ' && c != 0x7f));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const char *p = (const char *)data;
	struct buf whole = {0}, pieces = {0};
	uint32_t seed = 0;

	for (size_t i = 0; i < n; i++)
		seed = seed * 31 + data[i];
	if (pieces_read(p, n, step_all, NULL, &whole) == HTTP_DONE)
		check_head(p, n);
	pieces_read(p, n, step_random, &seed, &pieces);
	ASSERT(str_eq(buf_view(&whole), buf_view(&pieces)));
	if (n <= 1024) {
		pieces.n = 0;
		pieces_read(p, n, step_one, NULL, &pieces);
		ASSERT(str_eq(buf_view(&whole), buf_view(&pieces)));
	}
	buf_free(&whole);
	buf_free(&pieces);
	return 0;
}
