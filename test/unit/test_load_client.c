/* What the clients of load runs are made of: frames, packets, slices of JSON, histograms. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "../load/client_private.h"
#include "../load/hist.h"

static void is(struct str s, const char *wanted)
{
	if (!wanted) {
		assert_null(s.p);
		return;
	}
	assert_int_equal(s.n, strlen(wanted));
	assert_memory_equal(s.p, wanted, s.n);
}

/* What the client masks, the server's codec unmasks. */
static void frames_out(void **state)
{
	static char text[70000];
	const size_t sizes[] = {0, 1, 7, 8, 9, 125, 126, 127, 65535, 65536, sizeof(text)};
	struct ws_reader r;

	(void)state;
	memset(text, 'x', sizeof(text));
	ws_reader_init(&r, sizeof(text));
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct ws_message m;
		struct buf b = {0};
		size_t used, at = 0;
		enum ws_result got;

		sock_encode(&b, str_make(text, sizes[i]), i % 2);
		while ((got = ws_read(&r, b.p + at, b.n - at, &m, &used)) == WS_MORE && at < b.n)
			at += used;
		assert_int_equal(got, i % 2 ? WS_BINARY : WS_TEXT);
		assert_int_equal(m.data.n, sizes[i]);
		assert_memory_equal(m.data.p, text, sizes[i]);
		buf_free(&b);
	}
	ws_reader_release(&r);
}

static void frames_in(void **state)
{
	static char text[70000];
	const size_t sizes[] = {0, 125, 126, 65535, 65536, sizeof(text)};
	char bad[][4] = {
		{0x01, 0}, {0x40, 0}, {(char)0xC1, 0}, {(char)0x81, (char)0x80}, {(char)0x80, 0}};
	struct frame_in f;
	size_t used = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct buf b = {0};

		ws_put(&b, WS_OP_TEXT, str_make(text, sizes[i]));
		for (size_t n = 0; n < b.n; n += b.n / 50 + 1)
			assert_int_equal(frame_read(b.p, n, &f, &used), FRAME_MORE);
		buf_lit(&b, "next");
		assert_int_equal(frame_read(b.p, b.n, &f, &used), FRAME_DONE);
		assert_int_equal(f.data.n, sizes[i]);
		assert_int_equal(used, b.n - 4);
		buf_free(&b);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(frame_read(bad[i], 4, &f, &used), FRAME_BAD);
}

static void packets(void **state)
{
	const struct {
		const char *text;
		enum packet_type type;
		int64_t id;
		const char *name, *args;
	} cases[] = {
		{"42[\"a:b\",{\"x\":[1,\"]\"]},2]", PACKET_EVENT, -1, "a:b", "{\"x\":[1,\"]\"]},2"},
		{"42[\"a\"]", PACKET_EVENT, -1, "a", ""},
		{"4217[\"a\",1]", PACKET_EVENT, 17, "a", "1"},
		{"42/bot,5[\"a\",1]", PACKET_EVENT, 5, "a", "1"},
		{"4312[{\"ok\":true}]", PACKET_ACK, 12, NULL, "{\"ok\":true}"},
		{"430[]", PACKET_ACK, 0, NULL, ""},
		{"40{\"sid\":\"x\"}", PACKET_CONNECT, -1, NULL, "{\"sid\":\"x\"}"},
		{"44{\"message\":\"no\"}", PACKET_REFUSED, -1, NULL, "{\"message\":\"no\"}"},
		{"0{\"sid\":\"x\"}", PACKET_OPEN, -1, NULL, "{\"sid\":\"x\"}"},
		{"2", PACKET_PING, -1, NULL, ""},
		{"1", PACKET_CLOSE, -1, NULL, ""},
		{"41", PACKET_CLOSE, -1, NULL, ""},
		{"42{}", PACKET_OTHER, -1, NULL, NULL},
		{"42[1]", PACKET_OTHER, -1, NULL, NULL},
		{"49", PACKET_OTHER, -1, NULL, NULL},
		{"4", PACKET_OTHER, -1, NULL, NULL},
		{"6", PACKET_OTHER, -1, NULL, NULL},
		{"", PACKET_OTHER, -1, NULL, NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct packet p;

		packet_read(str_of(cases[i].text), &p);
		assert_int_equal(p.type, cases[i].type);
		if (p.type == PACKET_OTHER)
			continue;
		assert_int_equal(p.id, cases[i].id);
		is(p.name, cases[i].name);
		is(p.args, cases[i].args);
	}
}

static void slices(void **state)
{
	struct str o = STR(" { \"a\" : 1 , \"b\":{\"a\":2,\"s\":\"}\\\"]\"}, \"c\":[ "
			   "1,\"x,\\\\\",[2] ],\"d\":\"q\\\"\","
			   "\"e\":null,\"f\":true }");
	struct str rest, v;

	(void)state;
	is(slice_get(o, "a"), "1");
	is(slice_get(o, "b"), "{\"a\":2,\"s\":\"}\\\"]\"}");
	is(slice_get(slice_get(o, "b"), "a"), "2");
	is(slice_text(slice_get(o, "d")), "q\\\"");
	is(slice_get(o, "e"), "null");
	is(slice_get(o, "f"), "true");
	is(slice_get(o, "g"), NULL);
	is(slice_get(STR_NULL, "a"), NULL);
	is(slice_get(STR("[1]"), "a"), NULL);
	is(slice_get(STR("{}"), "a"), NULL);
	assert_int_equal(slice_i64(slice_get(o, "a"), 9), 1);
	assert_int_equal(slice_i64(slice_get(o, "e"), 9), 9);
	is(slice_text(STR("1")), NULL);

	rest = slice_inside(slice_get(o, "c"));
	assert_true(slice_next(&rest, &v));
	is(v, "1");
	assert_true(slice_next(&rest, &v));
	is(v, "\"x,\\\\\"");
	assert_true(slice_next(&rest, &v));
	is(v, "[2]");
	assert_false(slice_next(&rest, &v));
	rest = slice_inside(STR("[]"));
	assert_false(slice_next(&rest, &v));
	is(slice_inside(STR("{}")), NULL);
}

static void origins(void **state)
{
	const struct {
		const char *url, *host;
	} cases[] = {{"http://127.0.0.1:8080", "127.0.0.1:8080"},
		{"http://127.0.0.1:1/", "127.0.0.1:1"}, {"http://[::1]:80", "[::1]:80"},
		{"http://[::1]", "[::1]"}, {"http://127.0.0.1", "127.0.0.1"},
		{"https://127.0.0.1", "127.0.0.1"}, {"https://[::1]:8443/", "[::1]:8443"},
		{"http://", NULL}, {"https://:443", NULL}, {"127.0.0.1:1", NULL},
		{"http://127.0.0.1:1/v1", NULL}, {"http://127.0.0.1:x", NULL},
		{"http://127.0.0.1:", NULL}, {"http://[::1", NULL}, {"http://[::1]8", NULL},
		{"ftp://127.0.0.1", NULL}};
	char why[CLIENT_WHY];

	(void)state;
	assert_true(client_trust(NULL, true, why)); /* a system without authorities will do */
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct origin *o = origin_new(cases[i].url, why);

		assert_int_equal(o != NULL, cases[i].host != NULL);
		if (!o)
			continue;
		assert_string_equal(o->host, cases[i].host);
		assert_int_equal(origin_is_tls(o), str_starts(str_of(cases[i].url), STR("https")));
		origin_free(o);
	}
}

static void histogram(void **state)
{
	struct hist h = {0};

	(void)state;
	assert_int_equal(hist_at(&h, 0.5), 0);
	for (int64_t v = 1; v <= 100000; v++)
		hist_add(&h, v);
	assert_int_equal(h.count, 100000);
	assert_int_equal(h.max, 100000);
	assert_in_range(hist_at(&h, 0.5), 50000, 50050);
	assert_in_range(hist_at(&h, 0.99), 99000, 99100);
	assert_int_equal(hist_at(&h, 1), 100000);
	assert_in_range(hist_at(&h, 0.001), 100, 100);
	hist_clear(&h);
	hist_add(&h, -5);
	hist_add(&h, INT64_MAX);
	assert_int_equal(hist_at(&h, 0.1), 0);
	assert_true(hist_at(&h, 1) >= (uint64_t)1 << 39);
	hist_free(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_out),
		cmocka_unit_test(frames_in),
		cmocka_unit_test(packets),
		cmocka_unit_test(slices),
		cmocka_unit_test(origins),
		cmocka_unit_test(histogram),
	};
	int failed;

	loop_init();
	client_setup(1000);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	client_teardown();
	return loop_close() ? failed : 1;
}
