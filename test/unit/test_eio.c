/* Engine.IO packets and payloads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "wire/eio.h"

static void assert_text(struct str got, const char *want)
{
	assert_int_equal(got.n, strlen(want));
	assert_memory_equal(got.p, want, got.n);
}

static void text_packets(void **state)
{
	static const char *const texts[] = {"0{}", "1", "2probe", "3", "4hello", "5", "6"};
	struct buf binary = {0};
	struct eio_packet p;

	(void)state;
	for (int type = EIO_OPEN; type <= EIO_NOOP; type++) {
		assert_true(eio_decode(str_of(texts[type]), &binary, &p));
		assert_int_equal(p.type, type);
		assert_false(p.binary);
		assert_text(p.data, texts[type] + 1);
	}
	assert_false(eio_decode(STR(""), &binary, &p));
	assert_false(eio_decode(STR("7"), &binary, &p));
	assert_false(eio_decode(STR("abc"), &binary, &p));
	assert_false(eio_decode(STR("/"), &binary, &p));
	buf_free(&binary);
}

static void binary_packets_either_way(void **state)
{
	static const char *const texts[] = {"b", "bAA==", "bAQI=", "bAQID", "b/+8=", "bAQIDBA=="};
	static const uint8_t bytes[][4] = {{0}, {0}, {1, 2}, {1, 2, 3}, {0xff, 0xef}, {1, 2, 3, 4}};
	static const size_t lengths[] = {0, 1, 2, 3, 2, 4};
	struct buf binary = {0}, again = {0};
	struct eio_packet p;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		assert_true(eio_decode(str_of(texts[i]), &binary, &p));
		assert_int_equal(p.type, EIO_MESSAGE);
		assert_true(p.binary);
		assert_int_equal(p.data.n, lengths[i]);
		assert_memory_equal(p.data.p, bytes[i], lengths[i]);
		again.n = 0;
		eio_payload_put_binary(&again, p.data);
		assert_text(buf_view(&again), texts[i]);
	}
	buf_free(&binary);
	buf_free(&again);
}

static void base64_is_strict(void **state)
{
	static const char *const bad[] = {"bA", "bAA", "bAAA", "b=", "b====", "bA===", "bAA=A",
		"bAB==", "bAAB=", "bAA==AAAA", "bA-_A", "bAA A", "bAA\nA"};
	struct buf binary = {0};
	struct eio_packet p;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(eio_decode(str_of(bad[i]), &binary, &p));
	buf_free(&binary);
}

static void payloads(void **state)
{
	struct str rest = STR("4a\x1e"
			      "bAQI=\x1e"
			      "2");
	struct buf binary = {0}, again = {0};
	struct eio_packet p;
	bool bad = false;

	(void)state;
	assert_true(eio_payload_next(&rest, &binary, &p, &bad));
	assert_text(p.data, "a");
	assert_true(eio_payload_next(&rest, &binary, &p, &bad));
	assert_true(p.binary);
	assert_text(p.data, "\x01\x02");
	assert_true(eio_payload_next(&rest, &binary, &p, &bad));
	assert_int_equal(p.type, EIO_PING);
	assert_false(eio_payload_next(&rest, &binary, &p, &bad));
	assert_false(bad);

	eio_payload_put(&again, STR("4a"));
	eio_payload_put_binary(&again, STR("\x01\x02"));
	eio_payload_put(&again, STR("2"));
	assert_text(buf_view(&again), "4a\x1e"
				      "bAQI=\x1e"
				      "2");
	buf_free(&binary);
	buf_free(&again);
}

static void bad_payloads(void **state)
{
	static const char *const texts[] = {"", "\x1e", "4a\x1e",
		"4a\x1e\x1e"
		"4b",
		"4a\x1ex",
		"\x1e"
		"4a"};
	struct buf binary = {0};
	struct eio_packet p;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct str rest = str_of(texts[i]);
		bool bad = false;

		while (eio_payload_next(&rest, &binary, &p, &bad))
			;
		assert_true(bad);
	}
	buf_free(&binary);
}

static void handshake(void **state)
{
	struct eio_open o = {.sid = STR("abc"),
		.can_upgrade = true,
		.ping_interval = 300,
		.ping_timeout = 200,
		.max_payload = 1000000};
	struct buf b = {0};

	(void)state;
	eio_put_open(&b, &o);
	assert_text(buf_view(&b),
		"0{\"sid\":\"abc\",\"upgrades\":[\"websocket\"],\"pingInterval\":300,"
		"\"pingTimeout\":200,\"maxPayload\":1000000}");
	b.n = 0;
	o.can_upgrade = false;
	eio_put_open(&b, &o);
	assert_text(buf_view(&b), "0{\"sid\":\"abc\",\"upgrades\":[],\"pingInterval\":300,"
				  "\"pingTimeout\":200,\"maxPayload\":1000000}");
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_packets),
		cmocka_unit_test(binary_packets_either_way),
		cmocka_unit_test(base64_is_strict),
		cmocka_unit_test(payloads),
		cmocka_unit_test(bad_payloads),
		cmocka_unit_test(handshake),
	};

	return cmocka_run_group_tests_name("eio", tests, NULL, NULL);
}
