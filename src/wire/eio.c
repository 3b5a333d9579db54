/* Engine.IO packets: owns nothing; decoded slices point into what the caller gave.
 *
 *   body -> eio_payload_next -> eio_decode -> packet
 *   packet -> eio_put, eio_payload_put… -> body
 *
 * To add a packet type: enum eio_type; its place there is its digit. */
#include "wire/eio.h"

#include "base/json.h"

/* ---- base64, RFC 4648 section 4 ---- */

static int sextet(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+')
		return 62;
	return c == '/' ? 63 : -1;
}

/* Four characters of which the last `pad` are '='; bits that padding cuts off must be zero. */
static bool quantum_decode(const char *p, unsigned pad, struct buf *out)
{
	uint32_t bits = 0;

	for (unsigned i = 0; i < 4; i++) {
		int six = i < 4 - pad ? sextet(p[i]) : 0;

		if (six < 0)
			return false;
		bits = bits << 6 | (uint32_t)six;
	}
	if (bits & ((1u << (8 * pad)) - 1))
		return false;
	for (unsigned i = 0; i < 3 - pad; i++)
		buf_char(out, (char)(bits >> (16 - 8 * i)));
	return true;
}

static bool base64_decode(struct str s, struct buf *out)
{
	unsigned pad = 0;

	if (s.n % 4 != 0)
		return false;
	if (s.n > 0 && s.p[s.n - 1] == '=')
		pad = s.p[s.n - 2] == '=' ? 2 : 1;
	buf_reserve(out, s.n / 4 * 3);
	for (size_t i = 0; i < s.n; i += 4)
		if (!quantum_decode(s.p + i, i + 4 == s.n ? pad : 0, out))
			return false;
	return true;
}

static void base64_put(struct buf *b, struct str s)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	buf_reserve(b, (s.n + 2) / 3 * 4);
	for (size_t i = 0; i < s.n; i += 3) {
		uint32_t bits = 0;

		for (size_t k = i; k < i + 3; k++)
			bits = bits << 8 | (k < s.n ? (uint8_t)s.p[k] : 0u);
		for (unsigned k = 0; k < 4; k++)
			buf_char(b, i + k > s.n ? '=' : digits[bits >> (18 - 6 * k) & 63]);
	}
}

/* ---- reading ---- */

bool eio_decode(struct str text, struct buf *binary, struct eio_packet *out)
{
	if (text.n == 0)
		return false;
	*out = (struct eio_packet){.data = str_from(text, 1)};
	if (text.p[0] == 'b') {
		binary->n = 0;
		if (!base64_decode(out->data, binary))
			return false;
		out->type = EIO_MESSAGE;
		out->binary = true;
		out->data = buf_view(binary);
		return true;
	}
	out->type = (enum eio_type)(text.p[0] - '0');
	return text.p[0] >= '0' && text.p[0] <= '0' + EIO_NOOP;
}

bool eio_payload_next(struct str *rest, struct buf *binary, struct eio_packet *out, bool *bad)
{
	if (!rest->p)
		return false;
	*bad = !eio_decode(str_cut(rest, EIO_SEPARATOR), binary, out);
	return !*bad;
}

/* ---- writing ---- */

void eio_put(struct buf *b, enum eio_type type, struct str data)
{
	buf_char(b, (char)('0' + type));
	buf_str(b, data);
}

static void separate(struct buf *b)
{
	if (b->n > 0)
		buf_char(b, EIO_SEPARATOR);
}

void eio_payload_put(struct buf *b, struct str packet)
{
	separate(b);
	buf_str(b, packet);
}

void eio_payload_put_binary(struct buf *b, struct str data)
{
	separate(b);
	buf_char(b, 'b');
	base64_put(b, data);
}

void eio_put_open(struct buf *b, const struct eio_open *o)
{
	struct json_out j;

	buf_char(b, '0' + EIO_OPEN);
	json_out_init(&j, b);
	json_obj(&j);
	json_kstr(&j, "sid", o->sid);
	json_key(&j, "upgrades");
	json_arr(&j);
	if (o->can_upgrade)
		json_z(&j, "websocket");
	json_end(&j);
	json_ki64(&j, "pingInterval", o->ping_interval);
	json_ki64(&j, "pingTimeout", o->ping_timeout);
	json_ki64(&j, "maxPayload", (int64_t)o->max_payload);
	json_end(&j);
}
