/* The WebSocket codec: owns nothing but what a reader points at.
 *
 *   ws_read -> whole_read: a plain message that is all there -> unmasked in place
 *           -> ws_partial_read: everything else, and all errors of framing
 *
 * whole_read is a short cut and nothing more: it takes what it is sure of, and leaves the rest to
 * wslay. fuzz_ws holds the two against each other.
 *
 * Lifetime: a partial message from its first byte until the call after its end, or
 * ws_reader_release. */
#include "wire/ws.h"

#include <mbedtls/base64.h>
#include <mbedtls/md.h>

#include "wire/ws_partial.h"

#define FIN    0x80
#define MASKED 0x80

/* ---- reading ---- */

void ws_reader_init(struct ws_reader *r, uint32_t max)
{
	*r = (struct ws_reader){.max = max};
}

void ws_reader_release(struct ws_reader *r)
{
	if (r->partial)
		ws_partial_free(r->partial);
	r->partial = NULL;
}

bool ws_reader_idle(const struct ws_reader *r)
{
	return !r->partial;
}

static void unmask(char *p, size_t n, const char mask[4])
{
	uint64_t wide, word;
	size_t i = 0;

	memcpy(&wide, mask, 4);
	memcpy((char *)&wide + 4, mask, 4);
	for (; i + 8 <= n; i += 8) {
		memcpy(&word, p + i, 8);
		word ^= wide;
		memcpy(p + i, &word, 8);
	}
	for (; i < n; i++)
		p[i] = (char)(p[i] ^ mask[i % 4]);
}

/* A masked, unfragmented text or binary frame of less than 64 KiB that is all there; WS_MORE for
 * anything else. */
static enum ws_result whole_read(
	uint32_t max, char *p, size_t n, struct ws_message *out, size_t *consumed)
{
	const uint8_t *u = (const uint8_t *)p;
	size_t head = 6, length;
	bool text;

	if (n < head || (u[0] != (FIN | WS_OP_TEXT) && u[0] != (FIN | WS_OP_BINARY)) ||
		!(u[1] & MASKED))
		return WS_MORE;
	length = u[1] ^ MASKED;
	if (length == 127)
		return WS_MORE;
	if (length == 126) {
		head = 8;
		length = (size_t)(u[2] << 8 | u[3]);
		if (length < 126)
			return WS_MORE;
	}
	if (length > max || n < head + length)
		return WS_MORE;
	text = u[0] == (FIN | WS_OP_TEXT);
	unmask(p + head, length, p + head - 4);
	*consumed = head + length;
	*out = (struct ws_message){.data = str_make(p + head, length)};
	if (!text || utf8_valid(out->data))
		return text ? WS_TEXT : WS_BINARY;
	*out = (struct ws_message){.data = STR(""), .code = WS_BAD_DATA};
	return WS_BAD;
}

enum ws_result ws_read(
	struct ws_reader *r, char *p, size_t n, struct ws_message *out, size_t *consumed)
{
	if (r->partial && ws_partial_spent(r->partial))
		ws_reader_release(r);
	*consumed = 0;
	*out = (struct ws_message){.data = STR("")};
	if (!r->partial) {
		enum ws_result result = whole_read(r->max, p, n, out, consumed);

		if (result != WS_MORE || n == 0)
			return result;
		r->partial = ws_partial_new();
	}
	return ws_partial_read(r->partial, r->max, p, n, out, consumed);
}

/* ---- writing ---- */

size_t ws_header(char out[WS_HEADER_MAX], enum ws_opcode op, size_t n)
{
	int bytes = n > 65535 ? 8 : n > 125 ? 2 : 0; /* of the length, behind the first two */

	out[0] = (char)(FIN | (int)op);
	out[1] = (char)(bytes == 8 ? 127 : bytes == 2 ? 126 : (int)n);
	for (int i = 0; i < bytes; i++)
		out[2 + i] = (char)(n >> (8 * (bytes - 1 - i)));
	return 2 + (size_t)bytes;
}

void ws_put(struct buf *b, enum ws_opcode op, struct str payload)
{
	b->n += ws_header(buf_reserve(b, WS_HEADER_MAX + payload.n), op, payload.n);
	buf_str(b, payload);
}

void ws_put_close(struct buf *b, uint16_t code, struct str reason)
{
	char payload[WS_CONTROL_MAX];
	size_t n = reason.n;

	if (code == WS_NO_CODE) {
		ws_put(b, WS_OP_CLOSE, STR(""));
		return;
	}
	if (n > sizeof(payload) - 2)
		for (n = sizeof(payload) - 2; n > 0 && (reason.p[n] & 0xC0) == 0x80;)
			n--;
	payload[0] = (char)(code >> 8);
	payload[1] = (char)code;
	if (n > 0)
		memcpy(payload + 2, reason.p, n);
	ws_put(b, WS_OP_CLOSE, str_make(payload, 2 + n));
}

/* ---- the opening handshake ---- */

bool ws_accept(struct str key, char out[WS_ACCEPT_LEN])
{
	static const char guid[36] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"; /* section 1.3 */
	unsigned char nonce[18], digest[20], text[24 + sizeof(guid)], base64[WS_ACCEPT_LEN + 1];
	size_t n = 0;

	if (key.n != 24 || mbedtls_base64_decode(nonce, sizeof(nonce), &n,
				   (const unsigned char *)key.p, key.n) != 0)
		return false;
	if (n != 16)
		return false;
	memcpy(text, key.p, key.n);
	memcpy(text + key.n, guid, sizeof(guid));
	if (mbedtls_md(mbedtls_md_info_from_type(MBEDTLS_MD_SHA1), text, sizeof(text), digest) !=
			0 ||
		mbedtls_base64_encode(base64, sizeof(base64), &n, digest, sizeof(digest)) != 0)
		PANIC("a hash of %zu bytes failed", sizeof(text));
	memcpy(out, base64, WS_ACCEPT_LEN);
	return true;
}
