/* Socket.IO packets: owns nothing; what it decodes points into the message or the caller's arena.
 *
 *   text -> sio_decode: type, attachments, namespace, id -> payload_decode: JSON checked, cut into
 *           arguments
 *   sio_put_* -> put_head -> JSON spliced
 *
 * To add a packet type: enum sio_type (its place is its digit) and its case in payload_decode. */
#include "wire/sio.h"

#include "base/json.h"

#define WALK_DEPTH 64 /* what json_parse lets through */

/* ---- the parts of a packet, taken off the front ---- */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static struct str take_digits(struct str *s)
{
	struct str digits = {s->p, 0};

	while (digits.n < s->n && is_digit(s->p[digits.n]))
		digits.n++;
	*s = str_from(*s, digits.n);
	return digits;
}

static bool take_number(struct str *s, int64_t max, int64_t *out)
{
	struct str digits = take_digits(s);

	return digits.n > 0 && str_to_i64(digits, out) && *out <= max;
}

static bool take_attachments(struct str *s, struct sio_packet *p)
{
	int64_t count;

	if (!take_number(s, SIO_ATTACHMENTS_MAX, &count) || count < 1 || s->n == 0 ||
		s->p[0] != '-')
		return false;
	p->attachments = (unsigned)count;
	*s = str_from(*s, 1);
	return true;
}

static bool take_namespace(struct str *s, struct sio_packet *p)
{
	p->nsp = STR("/");
	if (s->n == 0 || s->p[0] != '/')
		return true;
	p->nsp = str_cut(s, ',');
	if (!s->p)
		*s = STR("");
	return p->nsp.n <= SIO_NAMESPACE_MAX;
}

static bool take_id(struct str *s, struct sio_packet *p)
{
	bool may =
		p->type != SIO_CONNECT && p->type != SIO_DISCONNECT && p->type != SIO_CONNECT_ERROR;

	p->id = SIO_ACK_NONE;
	return !may || s->n == 0 || !is_digit(s->p[0]) || take_number(s, SIO_ACK_MAX, &p->id);
}

/* ---- the payload ---- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static struct str trim_blanks(struct str s)
{
	while (s.n > 0 && is_blank(s.p[0]))
		s = str_from(s, 1);
	while (s.n > 0 && is_blank(s.p[s.n - 1]))
		s.n--;
	return s;
}

/* Position behind the string that begins at s.p[at]. */
static size_t string_end(struct str s, size_t at)
{
	for (at++; s.p[at] != '"'; at++)
		if (s.p[at] == '\\')
			at++;
	return at + 1;
}

/* Cuts the next element off what stands between the brackets of a checked array. */
static struct str element_cut(struct str *rest)
{
	size_t at = 0, depth = 0;
	struct str element;

	while (at < rest->n && (depth > 0 || rest->p[at] != ',')) {
		char c = rest->p[at];

		if (c == '"') {
			at = string_end(*rest, at);
			continue;
		}
		if (c == '[' || c == '{')
			depth++;
		else if (c == ']' || c == '}')
			depth--;
		at++;
	}
	element = trim_blanks(str_make(rest->p, at));
	*rest = str_from(*rest, at + 1);
	return element;
}

/* The elements of `text`, a checked array of `n`; the first `skip` are left out. */
static bool args_cut(struct str text, size_t n, size_t skip, struct sio_args *out)
{
	struct str rest = str_make(text.p + 1, text.n - 2);

	if (n - skip > SIO_ARGS_MAX)
		return false;
	for (size_t i = 0; i < n; i++) {
		/* The last is what is left: mostly a long one. */
		struct str element = i + 1 < n ? element_cut(&rest) : trim_blanks(rest);

		if (i >= skip)
			out->v[out->n++] = element;
	}
	return true;
}

static bool name_reserved(struct str name)
{
	static const struct str reserved[] = {STR("connect"), STR("connect_error"),
		STR("disconnect"), STR("disconnecting"), STR("newListener"), STR("removeListener")};

	for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++)
		if (str_eq(name, reserved[i]))
			return true;
	return false;
}

/* Does every placeholder in v name one of `count` attachments? */
static bool placeholders_good(const struct json *v, int64_t count, unsigned depth)
{
	const struct json *num = json_get(v, "num");

	if (json_to_bool(json_get(v, "_placeholder")))
		return json_type(num) == JSON_INT && json_to_i64(num) >= 0 &&
		       json_to_i64(num) < count;
	if (depth == 0)
		return true;
	for (struct json_iter it = json_each(v); json_next(&it);)
		if (!placeholders_good(it.value, count, depth - 1))
			return false;
	return true;
}

static bool event_decode(const struct json *v, struct str text, struct sio_packet *p)
{
	const struct json *name = json_at(v, 0);

	if (json_len(v) == 0 || json_type(name) != JSON_STRING)
		return false;
	p->name = json_to_str(name);
	return !name_reserved(p->name) && args_cut(text, json_len(v), 1, &p->args);
}

static bool payload_decode(struct arena *a, struct str text, struct sio_packet *p)
{
	const struct json *v = text.n > 0 ? json_parse(a, text) : NULL;
	enum json_type type = json_type(v);

	if (!v && text.n > 0)
		return false;
	switch (p->type) {
	case SIO_DISCONNECT:
		return !v;
	case SIO_CONNECT:
	case SIO_CONNECT_ERROR:
		p->data = v ? text : STR_NULL;
		return !v || type == JSON_OBJECT;
	case SIO_EVENT:
	case SIO_BINARY_EVENT:
		return type == JSON_ARRAY && event_decode(v, text, p) &&
		       (p->attachments == 0 || placeholders_good(v, p->attachments, WALK_DEPTH));
	case SIO_ACK:
	case SIO_BINARY_ACK:
		return type == JSON_ARRAY && p->id != SIO_ACK_NONE &&
		       args_cut(text, json_len(v), 0, &p->args) &&
		       (p->attachments == 0 || placeholders_good(v, p->attachments, WALK_DEPTH));
	}
	return false;
}

bool sio_decode(struct arena *a, struct str text, struct sio_packet *out)
{
	struct str rest = str_from(text, 1);

	*out = (struct sio_packet){0};
	if (text.n == 0 || text.p[0] < '0' || text.p[0] > '0' + SIO_BINARY_ACK)
		return false;
	out->type = (enum sio_type)(text.p[0] - '0');
	if (out->type >= SIO_BINARY_EVENT && !take_attachments(&rest, out))
		return false;
	return take_namespace(&rest, out) && take_id(&rest, out) &&
	       payload_decode(a, trim_blanks(rest), out);
}

/* ---- writing ---- */

static void put_head(
	struct buf *b, enum sio_type type, unsigned attachments, struct str nsp, int64_t id)
{
	buf_char(b, (char)('0' + type));
	if (attachments > 0) {
		buf_i64(b, attachments);
		buf_char(b, '-');
	}
	if (nsp.n > 1) {
		buf_str(b, nsp);
		buf_char(b, ',');
	}
	if (id != SIO_ACK_NONE)
		buf_i64(b, id);
}

void sio_put_connect(struct buf *b, struct str nsp, struct str sid)
{
	struct json_out j;

	put_head(b, SIO_CONNECT, 0, nsp, SIO_ACK_NONE);
	json_out_init(&j, b);
	json_obj(&j);
	json_kstr(&j, "sid", sid);
	json_end(&j);
}

void sio_put_connect_error(struct buf *b, struct str nsp, struct str error)
{
	put_head(b, SIO_CONNECT_ERROR, 0, nsp, SIO_ACK_NONE);
	buf_str(b, error);
}

void sio_put_disconnect(struct buf *b, struct str nsp)
{
	put_head(b, SIO_DISCONNECT, 0, nsp, SIO_ACK_NONE);
}

static void put_args(struct json_out *j, const struct sio_out *o)
{
	for (size_t i = 0; i < o->n; i++)
		json_raw(j, o->args[i]);
	json_end(j);
}

void sio_put_event(struct buf *b, struct str name, const struct sio_out *o)
{
	struct json_out j;

	put_head(b, o->attachments ? SIO_BINARY_EVENT : SIO_EVENT, o->attachments, o->nsp, o->id);
	json_out_init(&j, b);
	json_arr(&j);
	json_str(&j, name);
	put_args(&j, o);
}

void sio_put_ack(struct buf *b, const struct sio_out *o)
{
	struct json_out j;

	put_head(b, o->attachments ? SIO_BINARY_ACK : SIO_ACK, o->attachments, o->nsp, o->id);
	json_out_init(&j, b);
	json_arr(&j);
	put_args(&j, o);
}
