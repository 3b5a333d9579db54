/* The WebSocket codec. The corpus of fuzz_ws is the table of streams: a file's name starts with
 * what must come last; each is read whole, cut in two at every byte, and byte by byte.
 * Run from the root. */
#include "../fuzz/ws_pieces.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#define CORPUS "test/fuzz/corpus/ws"

/* First `first` bytes, then pieces of `rest`. */
struct cut {
	size_t first, rest;
};

static size_t cut_step(void *arg)
{
	struct cut *cut = arg;
	size_t step = cut->first ? cut->first : cut->rest;

	cut->first = 0;
	return step;
}

static struct pieces read_cut(struct str bytes, size_t first, size_t rest, struct buf *text)
{
	struct cut cut = {first, rest};
	struct pieces how = {.step = cut_step, .arg = &cut, .fresh = first == 0};

	text->n = 0;
	pieces_read(bytes.p, bytes.n, &how, text);
	return how;
}

/* A frame as clients send it; length: 7, 16 or 64 bits. */
static void put_frame(struct buf *b, unsigned first, struct str payload)
{
	static const char mask[4] = {0x5a, 0x11, (char)0xc3, 0x7f};
	size_t head = ws_header(buf_reserve(b, WS_HEADER_MAX), WS_OP_TEXT, payload.n);

	b->p[b->n] = (char)first;
	b->p[b->n + 1] = (char)(b->p[b->n + 1] | 0x80);
	b->n += head;
	buf_put(b, mask, 4);
	for (size_t i = 0; i < payload.n; i++)
		buf_char(b, (char)(payload.p[i] ^ mask[i % 4]));
}

/* ---- streams ---- */

/* "bad_1007-…": the last message is bad, with that code. "more-…": one is begun. */
static void check_last(const char *name, struct pieces got, const struct buf *text)
{
	bool partial = str_ends(buf_view(text), STR("partial\n"));
	char last[32];

	if (got.last == WS_BAD)
		snprintf(last, sizeof(last), "bad_%u-", got.code);
	else
		snprintf(last, sizeof(last), "%s-", partial ? "more" : pieces_name(got.last));
	if (strncmp(name, last, strlen(last)) != 0)
		fail_msg("%s gave %s", name, last);
}

static void check_case(const char *name, struct str bytes)
{
	struct buf whole = {0}, cut = {0};
	size_t stride = bytes.n < 1024 ? 1 : bytes.n / 64;

	check_last(name, read_cut(bytes, 0, 0, &whole), &whole);
	for (size_t at = 1; at < bytes.n; at += stride) {
		read_cut(bytes, at, 0, &cut);
		if (!str_eq(buf_view(&cut), buf_view(&whole)))
			fail_msg("%s, cut at %zu: " STR_FMT "instead of " STR_FMT, name, at,
				STR_ARG(buf_view(&cut)), STR_ARG(buf_view(&whole)));
	}
	read_cut(bytes, 0, 1, &cut);
	if (!str_eq(buf_view(&cut), buf_view(&whole)))
		fail_msg("%s, byte by byte: " STR_FMT "instead of " STR_FMT, name,
			STR_ARG(buf_view(&cut)), STR_ARG(buf_view(&whole)));
	buf_free(&whole);
	buf_free(&cut);
}

static void test_corpus(void **state)
{
	DIR *dir = opendir(CORPUS);
	int count = 0;

	(void)state;
	assert_non_null(dir);
	for (struct dirent *e; (e = readdir(dir));) {
		char path[512], bytes[16384];
		FILE *f;

		if (e->d_type != DT_REG)
			continue;
		snprintf(path, sizeof(path), CORPUS "/%s", e->d_name);
		f = fopen(path, "rb");
		assert_non_null(f);
		check_case(e->d_name, str_make(bytes, fread(bytes, 1, sizeof(bytes), f)));
		fclose(f);
		count++;
	}
	closedir(dir);
	assert_true(count > 100);
}

/* ---- messages ---- */

static void check_length(size_t n)
{
	struct ws_reader r;
	struct ws_message m;
	struct buf b = {0}, payload = {0};
	size_t used;

	for (size_t i = 0; i < n; i++)
		buf_char(&payload, (char)('a' + i % 26));
	put_frame(&b, 0x81, buf_view(&payload));
	put_frame(&b, 0x82, STR("next"));
	ws_reader_init(&r, (uint32_t)n);
	assert_int_equal(ws_read(&r, b.p, b.n, &m, &used), WS_TEXT);
	assert_true(str_eq(m.data, buf_view(&payload)));
	if (n >= 4) {
		size_t first = used;

		assert_int_equal(ws_read(&r, b.p + first, b.n - first, &m, &used), WS_BINARY);
		assert_true(str_eq(m.data, STR("next")));
		assert_int_equal(first + used, b.n);
		assert_int_equal(ws_read(&r, b.p + b.n, 0, &m, &used), WS_MORE);
		assert_true(ws_reader_idle(&r));
	}
	ws_reader_release(&r);
	buf_free(&b);
	buf_free(&payload);
}

static void test_lengths(void **state)
{
	static const size_t lengths[] = {0, 1, 3, 4, 7, 8, 9, 125, 126, 127, 128, 4095, 4096, 65527,
		65534, 65535, 65536, 65537, 1000000, 16 * 1024 * 1024};

	(void)state;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++)
		check_length(lengths[i]);
}

static void check_limit(uint32_t max, struct str payload, enum ws_result want)
{
	struct ws_reader r;
	struct ws_message m;
	struct buf b = {0};
	size_t used;

	put_frame(&b, 0x82, payload);
	ws_reader_init(&r, max);
	assert_int_equal(ws_read(&r, b.p, b.n, &m, &used), want);
	if (want == WS_BAD)
		assert_int_equal(m.code, WS_TOO_BIG);
	ws_reader_release(&r);
	b.n = 0;
	/* The same in two fragments, with a ping of more than the limit between them. */
	put_frame(&b, 0x02, str_make(payload.p, payload.n / 2));
	put_frame(&b, 0x89, STR("this ping is longer than the limit"));
	put_frame(&b, 0x80, str_from(payload, payload.n / 2));
	ws_reader_init(&r, max);
	assert_int_equal(ws_read(&r, b.p, b.n, &m, &used), WS_PING);
	b.n -= used;
	assert_int_equal(ws_read(&r, memmove(b.p, b.p + used, b.n), b.n, &m, &used), want);
	ws_reader_release(&r);
	buf_free(&b);
}

static void test_limits(void **state)
{
	(void)state;
	check_limit(10, STR("0123456789"), WS_BINARY);
	check_limit(10, STR("01234567890"), WS_BAD);
	check_limit(0, STR(""), WS_BINARY);
	check_limit(0, STR("x"), WS_BAD);
}

/* What stands behind a message is not touched: a caller may stop there. */
static void test_rest_is_untouched(void **state)
{
	struct ws_reader r;
	struct ws_message m;
	struct buf b = {0}, copy = {0};
	size_t used;

	(void)state;
	put_frame(&b, 0x01, STR("frag"));
	put_frame(&b, 0x80, STR("ments"));
	put_frame(&b, 0x81, STR("whole"));
	put_frame(&b, 0x81, STR("again"));
	buf_put(&copy, b.p, b.n);
	ws_reader_init(&r, 100);
	assert_int_equal(ws_read(&r, b.p, b.n, &m, &used), WS_TEXT);
	assert_true(str_eq(m.data, STR("fragments")));
	assert_memory_equal(b.p + used, copy.p + used, b.n - used);
	buf_drop(&b, used);
	buf_drop(&copy, used);
	assert_int_equal(ws_read(&r, b.p, b.n, &m, &used), WS_TEXT);
	assert_true(str_eq(m.data, STR("whole")));
	assert_true(ws_reader_idle(&r));
	assert_memory_equal(b.p + used, copy.p + used, b.n - used);
	ws_reader_release(&r);
	buf_free(&b);
	buf_free(&copy);
}

static void test_small_when_idle(void **state)
{
	(void)state;
	assert_true(sizeof(struct ws_reader) <= 16);
}

/* ---- UTF-8 ---- */

/* The sequence whole (the short way) and in single bytes (wslay's) must be judged alike. */
static void check_utf8(const char *p, size_t n)
{
	bool valid = utf8_valid(str_make(p, n));
	struct buf b = {0};
	struct ws_reader r;
	struct ws_message m;
	enum ws_result result;
	size_t used;

	put_frame(&b, n > 1 ? 0x01 : 0x81, str_make(p, 1));
	for (size_t i = 1; i < n; i++)
		put_frame(&b, i + 1 < n ? 0x00 : 0x80, str_make(p + i, 1));
	ws_reader_init(&r, 100);
	result = ws_read(&r, b.p, b.n, &m, &used);
	if (result != (valid ? WS_TEXT : WS_BAD))
		fail_msg("%02x %02x %02x %02x", (uint8_t)p[0], (uint8_t)p[1], (uint8_t)p[2],
			(uint8_t)p[3]);
	if (!valid)
		assert_int_equal(m.code, WS_BAD_DATA);
	ws_reader_release(&r);
	buf_free(&b);
}

static void test_utf8_is_that_of_str(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 65536; i += i >= 0x8000 ? 1 : 97) {
		char s[4] = {(char)(i >> 8), (char)i, (char)0x80, (char)0xbf};

		for (size_t n = 1; n <= 4; n++)
			check_utf8(s, n);
	}
}

/* Of a frame that is still coming: the byte that cannot be right is refused, none before it. */
static void check_fail_fast(struct str text, size_t wrong)
{
	struct buf b = {0};
	struct ws_reader r;
	struct ws_message m;
	size_t used;

	put_frame(&b, 0x81, text);
	ws_reader_init(&r, 100);
	for (size_t i = 0; i < 6 + wrong; i++)
		assert_int_equal(ws_read(&r, b.p + i, 1, &m, &used), WS_MORE);
	assert_int_equal(ws_read(&r, b.p + 6 + wrong, 1, &m, &used), WS_BAD);
	assert_int_equal(m.code, WS_BAD_DATA);
	ws_reader_release(&r);
	buf_free(&b);
}

static void test_utf8_fails_fast(void **state)
{
	(void)state;
	check_fail_fast(
		STR("\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xf4\x90\x80\x80 more"), 12);
	check_fail_fast(STR("\x80 more"), 0);
	check_fail_fast(STR("ab\xc0\xaf more"), 2);
	check_fail_fast(STR("\xe0\x80\xaf more"), 1);
	check_fail_fast(STR("\xed\xa0\x80 more"), 1);
	check_fail_fast(STR("\xf0\x9f\x98(more"), 3);
}

/* ---- writing ---- */

static void check_header(size_t n, struct str want)
{
	char head[WS_HEADER_MAX];

	assert_int_equal(ws_header(head, WS_OP_BINARY, n), want.n);
	assert_memory_equal(head, want.p, want.n);
}

static void test_headers(void **state)
{
	(void)state;
	check_header(0, STR("\x82\x00"));
	check_header(125, STR("\x82\x7d"));
	check_header(126, STR("\x82\x7e\x00\x7e"));
	check_header(65535, STR("\x82\x7e\xff\xff"));
	check_header(65536, STR("\x82\x7f\0\0\0\0\0\1\0\0"));
	check_header(0x0102030405, STR("\x82\x7f\0\0\0\1\2\3\4\5"));
}

static void test_frames(void **state)
{
	struct buf b = {0};

	(void)state;
	ws_put(&b, WS_OP_TEXT, STR("Hello"));
	ws_put(&b, WS_OP_PONG, STR(""));
	assert_true(str_eq(buf_view(&b), STR("\x81\x05Hello\x8a\x00")));
	buf_free(&b);
}

static void test_close_frames(void **state)
{
	struct buf b = {0};
	char reason[200];

	(void)state;
	ws_put_close(&b, WS_NO_CODE, STR("dropped"));
	ws_put_close(&b, 4000, STR_NULL);
	ws_put_close(&b, WS_GOING_AWAY, STR("bye"));
	assert_true(str_eq(buf_view(&b), STR("\x88\x00\x88\x02\x0f\xa0\x88\x05\x03\xe9"
					     "bye")));
	b.n = 0;
	memset(reason, 'r', sizeof(reason));
	ws_put_close(&b, WS_NORMAL, str_make(reason, 123));
	assert_int_equal(b.n, 2 + 125);
	b.n = 0;
	memcpy(reason + 121, "\xf0\x9f\x98\x80", 4); /* does not fit any more */
	ws_put_close(&b, WS_NORMAL, str_make(reason, sizeof(reason)));
	assert_int_equal(b.n, 2 + 2 + 121);
	assert_int_equal(b.p[1], 2 + 121);
	buf_free(&b);
}

/* ---- the opening handshake ---- */

static void test_accept(void **state)
{
	static const char *const bad[] = {"", "dGhlIHNhbXBsZSBub25jZQ=", "dGhlIHNhbXBsZSBub25jZQ",
		"dGhlIHNhbXBsZSBub25jZTE=", "dGhlIHNhbXBsZSBub25jZTEy",
		"dGhlIHNhbXBsZSBub25jZ!==", "dGhlIHNhbXBsZSBub25j====",
		"dGhlIHNhbXBsZSBub25jZQ==dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZQ==AAAA",
		"dGhlIHNhbXBs-SBub25jZQ=="};
	char out[WS_ACCEPT_LEN];

	(void)state;
	assert_true(ws_accept(STR("dGhlIHNhbXBsZSBub25jZQ=="), out)); /* section 1.3 */
	assert_memory_equal(out, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", WS_ACCEPT_LEN);
	assert_false(ws_accept(STR_NULL, out));
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_false(ws_accept(str_of(bad[i]), out));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_corpus),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_rest_is_untouched),
		cmocka_unit_test(test_small_when_idle),
		cmocka_unit_test(test_utf8_is_that_of_str),
		cmocka_unit_test(test_utf8_fails_fast),
		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_frames),
		cmocka_unit_test(test_close_frames),
		cmocka_unit_test(test_accept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
