/* What clients write and read in chats. The content of messages: well-formed CiphertextV2 bundles
 * that say, where the nonce stands, whose message they are and when it was due. Nobody encrypts
 * here: the server cannot tell, and the run can prove that what came is what was sent.
 *
 * 24 bytes of a stamp are 32 characters of base64; the rest of ct is the same in all messages and
 * made once. Owns that rest. */
#include <mbedtls/base64.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/secret.h"
#include "chat.h"

#define STAMP_BYTES 24
#define STAMP_TEXT  32
#define TAG_BYTES   16
#define BLOB_TEXT   96 /* 72 bytes */
#define SHARE_MAX   64

_Static_assert(sizeof(struct stamp) == STAMP_BYTES, "a stamp stands where the nonce stands");

static struct buf tail; /* base64 of what follows the stamp, and the end of the bundle */

static size_t base64(const void *p, size_t n, char *out, size_t room)
{
	size_t written = 0;

	if (mbedtls_base64_encode((unsigned char *)out, room, &written, p, n) != 0)
		PANIC("base64 of %zu bytes", n);
	return written;
}

struct str random_base64(char *out, size_t bytes)
{
	uint8_t raw[96];
	size_t room = (bytes + 2) / 3 * 4;
	char text[129];

	ASSERT(bytes <= sizeof(raw));
	secret_random(raw, bytes);
	ASSERT(base64(raw, bytes, text, sizeof(text)) == room);
	memcpy(out, text, room);
	return str_make(out, room);
}

void content_setup(size_t bytes)
{
	size_t n = TAG_BYTES + bytes, room = (n + 2) / 3 * 4 + 1;
	uint8_t *raw;

	if (tail.n >= room)
		return;
	raw = malloc(n);
	tail.n = 0;
	if (!raw)
		PANIC("no memory");
	secret_random(raw, n);
	tail.n = base64(raw, n, buf_reserve(&tail, room), room);
	buf_lit(&tail, "\\\"}\"");
	free(raw);
}

void content_teardown(void)
{
	buf_free(&tail);
}

void content_put(struct buf *b, int64_t epoch, const struct stamp *s)
{
	char text[STAMP_TEXT + 1];

	buf_lit(b, "\"{\\\"v\\\":2,\\\"epoch\\\":");
	buf_i64(b, epoch);
	buf_lit(b, ",\\\"ct\\\":\\\"");
	base64(s, sizeof(*s), text, sizeof(text));
	buf_put(b, text, STAMP_TEXT);
	buf_str(b, buf_view(&tail));
}

static bool content_read(struct str json_string, struct stamp *out)
{
	static const char mark[] = "\\\"ct\\\":\\\"";
	const char *at = json_string.n > 0
				 ? memmem(json_string.p, json_string.n, mark, sizeof(mark) - 1)
				 : NULL;
	size_t left, n = 0;

	if (!at)
		return false;
	at += sizeof(mark) - 1;
	left = (size_t)(json_string.p + json_string.n - at);
	return left >= STAMP_TEXT &&
	       mbedtls_base64_decode((unsigned char *)out, sizeof(*out), &n,
		       (const unsigned char *)at, STAMP_TEXT) == 0 &&
	       n == sizeof(*out);
}

bool content_fits(
	struct str json_string, uint32_t client, uint32_t number, int64_t room, struct stamp *out)
{
	return content_read(json_string, out) && out->run == run.id && out->client == client &&
	       out->number == number && out->room == (uint32_t)room;
}

void client_id_write(char out[CLIENT_ID_MAX], uint32_t client, uint32_t number)
{
	snprintf(out, CLIENT_ID_MAX, "%08x-%u-%u", run.id, client, number);
}

bool client_id_read(struct str text, uint32_t *client, uint32_t *number)
{
	char mine[10];
	int64_t a, b;
	struct str rest = str_from(text, 9);

	snprintf(mine, sizeof(mine), "%08x-", run.id);
	if (!str_starts(text, str_make(mine, 9)) || !str_to_i64(str_cut(&rest, '-'), &a) ||
		!rest.p || !str_to_i64(rest, &b))
		return false;
	*client = (uint32_t)a;
	*number = (uint32_t)b;
	return a >= 0;
}

/* ---- messages ---- */

struct item item_read(struct str json)
{
	struct item m = {0};
	struct str key, value;

	while (slice_member(&json, &key, &value)) {
		if (str_eq(key, STR("id")))
			m.id = slice_text(value);
		else if (str_eq(key, STR("content")))
			m.content = value;
		else if (str_eq(key, STR("client_id")))
			m.client_id = slice_text(value);
		else if (str_eq(key, STR("chat_id")))
			m.chat_id = value;
	}
	return m;
}

struct stream_at stream_read(struct str id)
{
	struct str rest = id;
	int64_t ms, seq;

	if (!str_to_i64(str_cut(&rest, '-'), &ms) || !rest.p || !str_to_i64(rest, &seq))
		return (struct stream_at){0};
	return (struct stream_at){(uint64_t)ms, (uint64_t)seq};
}

bool is_behind(struct stream_at a, struct stream_at b)
{
	return a.ms > b.ms || (a.ms == b.ms && a.seq > b.seq);
}

/* ---- keys ---- */

void key_share_write(struct buf *b, struct str needed, const char *session)
{
	static char blob[BLOB_TEXT];
	struct str rest = slice_inside(slice_get(needed, "recipients")), one;
	bool mine = !str_eq(slice_get(needed, "make_key"), STR("true"));
	size_t n = 0;

	if (blob[0] == '\0')
		random_base64(blob, sizeof(blob) / 4 * 3);
	buf_printf(b, "{\"chat_id\":%lld,\"epoch\":%lld,\"keys\":[",
		(long long)slice_i64(slice_get(needed, "chat_id"), 0),
		(long long)slice_i64(slice_get(needed, "epoch"), 0));
	while (n < SHARE_MAX && slice_next(&rest, &one)) {
		struct str id = slice_text(slice_get(one, "session_id"));

		mine = mine || str_eq(id, str_of(session));
		buf_printf(b, "%s{\"session_id\":\"" STR_FMT "\",\"blob\":\"%.*s\"}",
			n++ ? "," : "", STR_ARG(id), BLOB_TEXT, blob);
	}
	if (!mine && session[0] != '\0' && n < SHARE_MAX)
		buf_printf(b, "%s{\"session_id\":\"%s\",\"blob\":\"%.*s\"}", n ? "," : "", session,
			BLOB_TEXT, blob);
	buf_lit(b, "]}");
}
