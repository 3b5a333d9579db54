/* Frames and packets of the clients: bytes <-> slices. No sockets, no memory but the buffers given.
 *
 *   frame_read -> packet_read -> client_sock.c       frame_put <- packet_put_event <- sock_ask
 *
 * The server's codec (src/wire) is not used for what comes in: a client must see what a server
 * wrote wrong, and hands arguments on without checking them as JSON.
 *
 * To add a packet: enum packet_type, packet_read, and sock_packet in client_sock.c. */
#include <stdlib.h>

#include "client_private.h"

#define FIN    0x80u
#define MASKED 0x80u

/* ---- WebSocket ---- */

enum frame_result frame_read(char *p, size_t n, struct frame_in *out, size_t *consumed)
{
	const uint8_t *u = (const uint8_t *)p;
	size_t head = 2;
	uint64_t length;

	if (n < head)
		return FRAME_MORE;
	length = u[1];
	if ((u[0] & 0xF0u) != FIN || (u[0] & 0x0Fu) == 0 || length > 127)
		return FRAME_BAD; /* fragmented, extended or masked */
	if (length >= 126) {
		size_t wide = length == 126 ? 2 : 8;

		head += wide;
		if (n < head)
			return FRAME_MORE;
		length = 0;
		for (size_t i = 2; i < head; i++)
			length = length << 8 | u[i];
	}
	if (length > CLIENT_MESSAGE_MAX)
		return FRAME_BAD;
	if (n - head < length)
		return FRAME_MORE;
	out->op = (enum ws_opcode)(u[0] & 0x0Fu);
	out->data = str_make(p + head, length);
	*consumed = head + length;
	return FRAME_DONE;
}

static void mask(char *p, size_t n, uint32_t key)
{
	uint64_t wide = (uint64_t)key << 32 | key, word;
	size_t i = 0;

	for (; i + 8 <= n; i += 8) {
		memcpy(&word, p + i, 8);
		word ^= wide;
		memcpy(p + i, &word, 8);
	}
	for (; i < n; i++)
		p[i] = (char)(p[i] ^ (char)(wide >> (8 * (i % 8))));
}

void frame_put(struct buf *b, enum ws_opcode op, const struct str *parts, size_t count)
{
	uint32_t key = client_random();
	size_t n = 0, head, at;
	char *p;

	for (size_t i = 0; i < count; i++)
		n += parts[i].n;
	p = buf_reserve(b, WS_HEADER_MAX + 4 + n);
	head = ws_header(p, op, n);
	p[1] = (char)((uint8_t)p[1] | MASKED);
	memcpy(p + head, &key, 4);
	at = head + 4;
	for (size_t i = 0; i < count; i++) {
		if (parts[i].n > 0)
			memcpy(p + at, parts[i].p, parts[i].n);
		at += parts[i].n;
	}
	mask(p + head + 4, n, key);
	b->n += at;
}

void sock_encode(struct buf *b, struct str data, bool binary)
{
	frame_put(b, binary ? WS_OP_BINARY : WS_OP_TEXT, &data, 1);
}

/* ---- Socket.IO ---- */

static struct str nsp_prefix(const char *nsp, char out[130])
{
	size_t n = nsp ? strlen(nsp) : 0;

	if (n <= 1)
		return STR("");
	ASSERT(n < 129);
	memcpy(out, nsp, n);
	out[n] = ',';
	return str_make(out, n + 1);
}

static struct str id_text(int64_t id, char out[24])
{
	size_t at = 24;

	if (id < 0)
		return STR("");
	do {
		out[--at] = (char)('0' + id % 10);
		id /= 10;
	} while (id > 0);
	return str_make(out + at, 24 - at);
}

void packet_put_event(struct buf *b, const char *nsp, int64_t id, struct str name, struct str args)
{
	char prefix[130], digits[24];
	const struct str parts[] = {STR("42"), nsp_prefix(nsp, prefix), id_text(id, digits),
		STR("[\""), name, args.n > 0 ? STR("\",") : STR("\""), args, STR("]")};

	frame_put(b, WS_OP_TEXT, parts, sizeof(parts) / sizeof(parts[0]));
}

void packet_put_ack(struct buf *b, const char *nsp, int64_t id, struct str args)
{
	char prefix[130], digits[24];
	const struct str parts[] = {
		STR("43"), nsp_prefix(nsp, prefix), id_text(id, digits), STR("["), args, STR("]")};

	frame_put(b, WS_OP_TEXT, parts, sizeof(parts) / sizeof(parts[0]));
}

void sock_encode_event(struct buf *b, const char *nsp, struct str name, struct str args)
{
	packet_put_event(b, nsp, -1, name, args);
}

/* ["name",args…] */
static bool event_read(struct str json, struct packet *out)
{
	const char *end;

	if (json.n < 4 || json.p[0] != '[' || json.p[1] != '"' || json.p[json.n - 1] != ']')
		return false;
	end = memchr(json.p + 2, '"', json.n - 2);
	if (!end)
		return false;
	out->name = str_make(json.p + 2, (size_t)(end - json.p) - 2);
	end++;
	if (*end == ',')
		end++;
	out->args = str_make(end, (size_t)(json.p + json.n - 1 - end));
	return true;
}

static void message_read(struct str text, struct packet *out)
{
	static const enum packet_type types[] = {
		PACKET_CONNECT, PACKET_CLOSE, PACKET_EVENT, PACKET_ACK, PACKET_REFUSED};
	unsigned digit = text.n > 0 ? (unsigned)(text.p[0] - '0') : 9;
	struct str rest = str_from(text, 1);

	if (digit >= sizeof(types) / sizeof(types[0]))
		return;
	if (rest.n > 0 && rest.p[0] == '/') {
		ptrdiff_t comma = str_find(rest, ',');

		rest = comma < 0 ? STR("") : str_from(rest, (size_t)comma + 1);
	}
	for (; rest.n > 0 && rest.p[0] >= '0' && rest.p[0] <= '9'; rest = str_from(rest, 1))
		out->id = (out->id < 0 ? 0 : out->id * 10) + (rest.p[0] - '0');
	out->type = types[digit];
	out->args = rest;
	if (out->type == PACKET_EVENT && !event_read(rest, out))
		out->type = PACKET_OTHER;
	if (out->type == PACKET_ACK)
		out->args = slice_inside(rest);
}

void packet_read(struct str text, struct packet *out)
{
	*out = (struct packet){.type = PACKET_OTHER, .id = -1};
	if (text.n == 0)
		return;
	out->args = str_from(text, 1);
	if (text.p[0] == '4')
		message_read(out->args, out);
	else if (text.p[0] == '2')
		out->type = PACKET_PING;
	else if (text.p[0] == '0')
		out->type = PACKET_OPEN;
	else if (text.p[0] == '1')
		out->type = PACKET_CLOSE;
}

/* ---- values of raw JSON ---- */

static const char *space_skip(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
		p++;
	return p;
}

/* p: behind the opening quote. Returns what stands behind the closing one. */
static const char *string_skip(const char *p, const char *end)
{
	for (const char *q; p < end && (q = memchr(p, '"', (size_t)(end - p))) != NULL; p = q + 1) {
		const char *slash = q;

		while (slash > p && slash[-1] == '\\')
			slash--;
		if ((q - slash) % 2 == 0)
			return q + 1;
	}
	return end;
}

static const char *value_skip(const char *p, const char *end)
{
	int depth = 0;

	while (p < end) {
		char c = *p;

		if (c == '"') {
			p = string_skip(p + 1, end);
			if (depth == 0)
				return p;
			continue;
		}
		if (depth == 0 && (c == ',' || c == '}' || c == ']'))
			return p;
		if (c == '{' || c == '[')
			depth++;
		p++;
		if ((c == '}' || c == ']') && --depth == 0)
			return p;
	}
	return p;
}

bool slice_member(struct str *rest, struct str *key, struct str *value)
{
	const char *p, *end, *q;

	if (rest->n == 0)
		return false;
	end = rest->p + rest->n;
	p = space_skip(rest->p, end);
	if (p < end && (*p == '{' || *p == ','))
		p = space_skip(p + 1, end);
	if (p == end || *p != '"')
		return false;
	q = string_skip(p + 1, end);
	*key = str_make(p + 1, (size_t)(q - p) - 2);
	p = space_skip(q, end);
	if (p == end || *p != ':')
		return false;
	p = space_skip(p + 1, end);
	q = value_skip(p, end);
	*rest = str_make(q, (size_t)(end - q));
	while (q > p && (q[-1] == ' ' || q[-1] == '\n' || q[-1] == '\r' || q[-1] == '\t'))
		q--;
	*value = str_make(p, (size_t)(q - p));
	return true;
}

struct str slice_get(struct str object, const char *key)
{
	struct str wanted = str_of(key), name, value;

	while (slice_member(&object, &name, &value))
		if (str_eq(name, wanted))
			return value;
	return STR_NULL;
}

struct str slice_text(struct str value)
{
	if (value.n < 2 || value.p[0] != '"')
		return STR_NULL;
	return str_make(value.p + 1, value.n - 2);
}

int64_t slice_i64(struct str value, int64_t otherwise)
{
	int64_t n;

	return value.n > 0 && str_to_i64(value, &n) ? n : otherwise;
}

struct str slice_inside(struct str array)
{
	if (array.n < 2 || array.p[0] != '[' || array.p[array.n - 1] != ']')
		return STR_NULL;
	return str_make(array.p + 1, array.n - 2);
}

bool slice_next(struct str *rest, struct str *value)
{
	const char *end, *p, *q;

	if (rest->n == 0)
		return false;
	end = rest->p + rest->n;
	p = space_skip(rest->p, end);
	q = value_skip(p, end);
	*value = str_make(p, (size_t)(q - p));
	q = space_skip(q, end);
	if (q < end && *q == ',')
		q++;
	*rest = str_make(q, (size_t)(end - q));
	return value->n > 0;
}
