/* A stream of WebSocket bytes read in pieces of any size, and what came of it as text: equal texts
 * are equal results. All that is not consumed comes again in memory of its own, exactly as large,
 * after each message too when `fresh`, so that a sanitizer sees a byte read too far and a slice
 * that stayed behind. For fuzz_ws.c and test_ws.c. */
#ifndef TEST_WS_PIECES_H
#define TEST_WS_PIECES_H

#include "wire/ws.h"

#include <stdlib.h>

#define PIECES_MAX 8192 /* largest message */

struct pieces {
	size_t (*step)(void *arg); /* how many bytes come next; 0: all that are left */
	void *arg;
	bool fresh;
	enum ws_result last; /* out: the last message, and its code */
	uint16_t code;
};

static inline const char *pieces_name(enum ws_result r)
{
	static const char *const names[] = {
		"more", "text", "binary", "ping", "pong", "close", "bad"};

	return names[r];
}

static inline char *pieces_move(char *p, const char *rest, size_t n)
{
	char *to = malloc(n + (n == 0));

	ASSERT(to);
	if (n > 0)
		memcpy(to, rest, n);
	free(p);
	return to;
}

static inline enum ws_result pieces_read(
	const char *data, size_t n, struct pieces *how, struct buf *text)
{
	struct ws_reader reader;
	enum ws_result result = WS_MORE;
	size_t had = 0, have = 0; /* bytes of data given; bytes in p */
	char *p = NULL;

	ws_reader_init(&reader, PIECES_MAX);
	while (result != WS_CLOSE && result != WS_BAD) {
		struct ws_message m;
		size_t used, at = 0;
		size_t more = how->step(how->arg);
		char *grown;

		if (had == n)
			break;
		more = more == 0 || more > n - had ? n - had : more;
		grown = malloc(have + more);
		ASSERT(grown);
		if (have > 0)
			memcpy(grown, p, have);
		memcpy(grown + have, data + had, more);
		free(p);
		p = grown;
		have += more;
		had += more;
		do {
			result = ws_read(&reader, p + at, have - at, &m, &used);
			ASSERT(used <= have - at);
			at += used;
			if (result == WS_MORE)
				break;
			how->last = result;
			how->code = m.code;
			buf_printf(text, "%s %u %zu:", pieces_name(result), m.code, m.data.n);
			buf_str(text, m.data);
			buf_lit(text, "\n");
			if (how->fresh) {
				p = pieces_move(p, p + at, have - at);
				have -= at;
				at = 0;
			}
		} while (result != WS_CLOSE && result != WS_BAD);
		ASSERT(result != WS_MORE || at == have);
		p = pieces_move(p, p + at, have - at);
		have -= at;
	}
	if (result == WS_MORE)
		buf_printf(text, "%s\n", ws_reader_idle(&reader) ? "idle" : "partial");
	ws_reader_release(&reader);
	free(p);
	return result;
}

#endif
