/* The content of messages: well-formed CiphertextV2 bundles that say, where the nonce stands, whose
 * message they are and when it was due. Nobody encrypts here: the server cannot tell, and the run
 * can prove that what came is what was sent.
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
	uint8_t *raw = malloc(n);

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

bool content_read(struct str json_string, struct stamp *out)
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
	return a >= 0 && a < (int64_t)chat.mine->clients;
}
