/* Frames and messages in parts, with wslay's frame interface: owns a wslay context and the message
 * that is put together.
 *
 *   ws_partial_read -> wslay_frame_recv <- on_recv (the bytes of this call)
 *     -> frame_take: frame_begin (may this frame come now?), payload_take, frame_end -> a message
 *
 * wslay unmasks, finds the ends of frames, and refuses odd lengths and long or fragmented control
 * frames; what it lets through of section 5 is refused here. It reads up to 4 KiB ahead into a
 * buffer of its own. When a message is handed out, what it has read ahead is left to the next call
 * of ws_read, and the context is replaced by a fresh one: so a caller may stop between any two
 * messages.
 *
 * Lifetime: from the first byte of a message that is not all there until the call after its end. */
#include "wire/ws_partial.h"

#include <stdlib.h>
#include <wslay/wslay.h>

/* A check of UTF-8 that may stop anywhere (RFC 3629, section 4). */
struct utf8 {
	uint8_t need;     /* bytes that the character under way still needs */
	uint8_t low, top; /* what the next of them may be */
};

struct ws_partial {
	wslay_frame_context_ptr wslay;
	const char *in; /* what wslay may still take of this call's bytes */
	size_t left;
	size_t ahead;    /* bytes it has taken that belong to no finished frame */
	uint64_t done;   /* payload of the frame under way */
	bool in_frame;   /* its header was checked */
	bool spent;      /* what was handed out ends with the next call */
	uint8_t opcode;  /* of the message under way; 0: none */
	uint8_t control; /* bytes in `signal` */
	struct utf8 utf8;
	struct buf message;
	char signal[WS_CONTROL_MAX]; /* payload of a control frame, which may come inside a message
				      */
};

/* ---- UTF-8 ---- */

static bool utf8_begin(struct utf8 *u, uint8_t b)
{
	u->low = 0x80;
	u->top = 0xBF;
	if (b >= 0xC2 && b <= 0xDF) {
		u->need = 1;
	} else if (b >= 0xE0 && b <= 0xEF) {
		u->need = 2;
		if (b == 0xE0)
			u->low = 0xA0; /* below: overlong */
		else if (b == 0xED)
			u->top = 0x9F; /* above: surrogates */
	} else if (b >= 0xF0 && b <= 0xF4) {
		u->need = 3;
		if (b == 0xF0)
			u->low = 0x90; /* below: overlong */
		else if (b == 0xF4)
			u->top = 0x8F; /* above: past U+10FFFF */
	} else {
		return false;
	}
	return true;
}

/* False at the first byte that cannot stand where it does. */
static bool utf8_take(struct utf8 *u, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (u->need > 0) {
			if (p[i] < u->low || p[i] > u->top)
				return false;
			u->low = 0x80;
			u->top = 0xBF;
			u->need--;
		} else if (p[i] >= 0x80 && !utf8_begin(u, p[i])) {
			return false;
		}
	}
	return true;
}

/* ---- wslay ---- */

static ssize_t on_recv(uint8_t *to, size_t n, int flags, void *arg)
{
	struct ws_partial *q = arg;

	(void)flags;
	if (n > q->left)
		n = q->left;
	if (n > 0)
		memcpy(to, q->in, n);
	q->in += n;
	q->left -= n;
	q->ahead += n;
	return (ssize_t)n; /* 0: it asks for more */
}

static void context_new(struct ws_partial *q)
{
	static const struct wslay_frame_callbacks callbacks = {.recv_callback = on_recv};

	if (wslay_frame_context_init(&q->wslay, &callbacks, q) != 0)
		PANIC("out of memory");
}

struct ws_partial *ws_partial_new(void)
{
	struct ws_partial *q = calloc(1, sizeof(*q));

	if (!q)
		PANIC("out of memory");
	context_new(q);
	return q;
}

void ws_partial_free(struct ws_partial *q)
{
	wslay_frame_context_free(q->wslay);
	buf_free(&q->message);
	free(q);
}

bool ws_partial_spent(const struct ws_partial *q)
{
	return q->spent;
}

/* ---- frames ---- */

static enum ws_result bad(struct ws_message *out, uint16_t code)
{
	*out = (struct ws_message){.data = STR(""), .code = code};
	return WS_BAD;
}

/* Whether the frame that begins may come now. */
static uint16_t frame_begin(struct ws_partial *q, const struct wslay_frame_iocb *f, uint32_t max)
{
	bool begins = f->opcode == WS_OP_TEXT || f->opcode == WS_OP_BINARY;

	if (f->rsv != 0 || !f->mask)
		return WS_PROTOCOL_ERROR;
	q->in_frame = true;
	q->done = 0;
	if (wslay_is_ctrl_frame(f->opcode)) {
		q->control = 0;
		return f->opcode <= WS_OP_PONG ? 0 : WS_PROTOCOL_ERROR;
	}
	if (begins ? q->opcode != 0 : f->opcode != 0 || q->opcode == 0)
		return WS_PROTOCOL_ERROR;
	if (f->payload_length > max - q->message.n)
		return WS_TOO_BIG;
	if (begins)
		q->opcode = f->opcode;
	return 0;
}

static uint16_t payload_take(struct ws_partial *q, const struct wslay_frame_iocb *f)
{
	q->done += f->data_length;
	if (wslay_is_ctrl_frame(f->opcode)) {
		memcpy(q->signal + q->control, f->data, f->data_length);
		q->control = (uint8_t)q->done;
		return 0;
	}
	if (q->opcode == WS_OP_TEXT && !utf8_take(&q->utf8, f->data, f->data_length))
		return WS_BAD_DATA;
	buf_put(&q->message, f->data, f->data_length);
	return 0;
}

/* Section 7.4: what may stand in a close frame. */
static bool code_valid(unsigned code)
{
	return (code >= 1000 && code <= 1014 && code != 1004 && code != WS_NO_CODE &&
		       code != WS_ABNORMAL) ||
	       (code >= 3000 && code <= 4999);
}

static enum ws_result close_read(struct str payload, struct ws_message *out)
{
	const uint8_t *u = (const uint8_t *)payload.p;

	*out = (struct ws_message){.data = str_from(payload, 2), .code = WS_NO_CODE};
	if (payload.n == 0)
		return WS_CLOSE;
	if (payload.n == 1)
		return bad(out, WS_PROTOCOL_ERROR);
	out->code = (uint16_t)(u[0] << 8 | u[1]);
	if (!code_valid(out->code))
		return bad(out, WS_PROTOCOL_ERROR);
	return utf8_valid(out->data) ? WS_CLOSE : bad(out, WS_BAD_DATA);
}

static enum ws_result control_end(struct ws_partial *q, uint8_t opcode, struct ws_message *out)
{
	q->spent = q->opcode == 0;
	out->data = str_make(q->signal, q->control);
	if (opcode == WS_OP_CLOSE)
		return close_read(out->data, out);
	return opcode == WS_OP_PING ? WS_PING : WS_PONG;
}

static enum ws_result frame_end(
	struct ws_partial *q, const struct wslay_frame_iocb *f, struct ws_message *out)
{
	size_t n = (size_t)f->payload_length;

	q->in_frame = false;
	q->ahead -= 6u + (n > 65535 ? 8u : n > 125 ? 2u : 0u) + n; /* header, mask, payload */
	if (wslay_is_ctrl_frame(f->opcode))
		return control_end(q, f->opcode, out);
	if (!f->fin)
		return WS_MORE;
	if (q->utf8.need > 0)
		return bad(out, WS_BAD_DATA);
	q->spent = true;
	out->data = buf_view(&q->message);
	return q->opcode == WS_OP_TEXT ? WS_TEXT : WS_BINARY;
}

static enum ws_result frame_take(struct ws_partial *q, uint32_t max,
	const struct wslay_frame_iocb *f, struct ws_message *out)
{
	uint16_t code = q->in_frame ? 0 : frame_begin(q, f, max);

	if (code == 0)
		code = payload_take(q, f);
	if (code != 0)
		return bad(out, code);
	return q->done < f->payload_length ? WS_MORE : frame_end(q, f, out);
}

enum ws_result ws_partial_read(struct ws_partial *q, uint32_t max, const char *p, size_t n,
	struct ws_message *out, size_t *consumed)
{
	enum ws_result r = WS_MORE;

	q->in = p;
	q->left = n;
	while (r == WS_MORE) {
		struct wslay_frame_iocb f;
		ssize_t got = wslay_frame_recv(q->wslay, &f);

		if (got == WSLAY_ERR_WANT_READ) {
			*consumed = n;
			return WS_MORE;
		}
		r = got < 0 ? bad(out, WS_PROTOCOL_ERROR) : frame_take(q, max, &f, out);
	}
	*consumed = r == WS_BAD ? n : n - q->left - q->ahead;
	if (q->ahead > 0 && !q->spent) {
		wslay_frame_context_free(q->wslay);
		context_new(q);
	}
	q->ahead = 0;
	return r;
}
