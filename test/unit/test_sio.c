/* Socket.IO packets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "wire/sio.h"

static struct arena arena;

static int setup(void **state)
{
	(void)state;
	arena_init(&arena);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_release(&arena);
	return 0;
}

static void assert_text(struct str got, const char *want)
{
	assert_non_null(got.p);
	assert_int_equal(got.n, strlen(want));
	assert_memory_equal(got.p, want, got.n);
}

static struct sio_packet decoded(const char *text)
{
	struct sio_packet p;

	if (!sio_decode(&arena, str_of(text), &p))
		fail_msg("no packet: %s", text);
	return p;
}

static void refused(const char *const *texts, size_t n)
{
	struct sio_packet p;

	for (size_t i = 0; i < n; i++)
		if (sio_decode(&arena, str_of(texts[i]), &p))
			fail_msg("a packet: %s", texts[i]);
}
#define REFUSED(...)                                                                               \
	do {                                                                                       \
		static const char *const texts_[] = {__VA_ARGS__};                                 \
		refused(texts_, sizeof(texts_) / sizeof(texts_[0]));                               \
	} while (0)

static void connects(void **state)
{
	struct sio_packet p = decoded("0");

	(void)state;
	assert_int_equal(p.type, SIO_CONNECT);
	assert_text(p.nsp, "/");
	assert_null(p.data.p);
	p = decoded("0{\"token\":\"123\"}");
	assert_text(p.data, "{\"token\":\"123\"}");
	p = decoded("0/bot");
	assert_text(p.nsp, "/bot");
	p = decoded("0/bot,{}");
	assert_text(p.nsp, "/bot");
	assert_text(p.data, "{}");
	REFUSED("0[]", "0null", "0\"x\"", "0{", "0/bot,1", "0{}{}");
}

static void leaves(void **state)
{
	(void)state;
	assert_text(decoded("1").nsp, "/");
	assert_text(decoded("1/custom,").nsp, "/custom");
	REFUSED("1{}", "1/custom,[]");
}

static void events(void **state)
{
	struct sio_packet p = decoded("2[\"message\",1,\"2\",{\"3\":[true]}]");

	(void)state;
	assert_int_equal(p.type, SIO_EVENT);
	assert_int_equal(p.id, SIO_ACK_NONE);
	assert_text(p.name, "message");
	assert_int_equal(p.args.n, 3);
	assert_text(p.args.v[0], "1");
	assert_text(p.args.v[1], "\"2\"");
	assert_text(p.args.v[2], "{\"3\":[true]}");
	p = decoded("2/bot,12[\"x\"]");
	assert_text(p.nsp, "/bot");
	assert_int_equal(p.id, 12);
	assert_int_equal(p.args.n, 0);
}

static void slices_are_as_sent(void **state)
{
	struct sio_packet p = decoded(
		"2 [ \"a\\u0062\" , {\"k\" : \",]}\\\"\\\\\"} , [ 1 , [2,3] ] ,\n-1.50e3 ] ");

	(void)state;
	assert_text(p.name, "ab");
	assert_int_equal(p.args.n, 3);
	assert_text(p.args.v[0], "{\"k\" : \",]}\\\"\\\\\"}");
	assert_text(p.args.v[1], "[ 1 , [2,3] ]");
	assert_text(p.args.v[2], "-1.50e3");
}

static void bad_events(void **state)
{
	(void)state;
	REFUSED("2", "2[]", "2{}", "2[1]", "2[null]", "2[\"x\"", "2[\"x\"]]", "2[\"x\",]",
		"2abc[\"x\"]", "2-1[\"x\"]", "2[\"x\",{\"a\":1,\"a\":2}]", "2\"x\"", "2/bot",
		"2/bot,");
	REFUSED("2[\"connect\"]", "2[\"connect_error\"]", "2[\"disconnect\"]",
		"2[\"disconnecting\"]", "2[\"newListener\"]", "2[\"removeListener\"]",
		"2[\"dis\\u0063onnect\"]");
	REFUSED("", "7", "abc", "-", "4[]", "41", "4\"no\"");
}

static void acks(void **state)
{
	struct sio_packet p = decoded("3456[1,{}]");

	(void)state;
	assert_int_equal(p.type, SIO_ACK);
	assert_int_equal(p.id, 456);
	assert_int_equal(p.args.n, 2);
	assert_text(p.args.v[1], "{}");
	assert_int_equal(decoded("3/bot,0[]").args.n, 0);
	REFUSED("3", "3[]", "31", "31{}", "3/bot,[]");
}

static void bounds(void **state)
{
	char text[400] = "0/";
	struct sio_packet p;

	(void)state;
	assert_int_equal(decoded("29007199254740991[\"x\"]").id, SIO_ACK_MAX);
	REFUSED("29007199254740992[\"x\"]", "299999999999999999999999[\"x\"]");
	memset(text + 2, 'n', SIO_NAMESPACE_MAX);
	assert_false(sio_decode(&arena, str_make(text, 2 + SIO_NAMESPACE_MAX), &p));
	assert_true(sio_decode(&arena, str_make(text, 1 + SIO_NAMESPACE_MAX), &p));
	snprintf(text, sizeof(text), "2[\"x\",1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16]");
	assert_int_equal(decoded(text).args.n, SIO_ARGS_MAX);
	REFUSED("2[\"x\",1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17]");
}

static void attachments(void **state)
{
	struct sio_packet p = decoded("52-[\"m\",{\"_placeholder\":true,\"num\":0},"
				      "{\"a\":[{\"_placeholder\":true,\"num\":1}]}]");

	(void)state;
	assert_int_equal(p.type, SIO_BINARY_EVENT);
	assert_int_equal(p.attachments, 2);
	assert_text(p.args.v[0], "{\"_placeholder\":true,\"num\":0}");
	p = decoded("61-/bot,789[{\"_placeholder\":true,\"num\":0}]");
	assert_int_equal(p.type, SIO_BINARY_ACK);
	assert_int_equal(p.id, 789);
	REFUSED("5[\"x\"]", "50-[\"x\"]", "511-[\"x\"]", "51[\"x\"]", "5-[\"x\"]",
		"5999999-[\"x\"]", "5-1-[\"x\"]", "51-", "61-[]", "51-{}");
	REFUSED("51-[\"x\",{\"_placeholder\":true,\"num\":1}]",
		"51-[\"x\",{\"_placeholder\":true,\"num\":-1}]",
		"51-[\"x\",{\"_placeholder\":true,\"num\":\"0\"}]",
		"51-[\"x\",{\"_placeholder\":true}]",
		"51-[\"x\",[{\"a\":{\"_placeholder\":true,\"num\":0.5}}]]");
}

static void writing(void **state)
{
	struct str args[] = {STR("{\"a\":1}"), STR("null")};
	struct sio_out out = {STR("/"), SIO_ACK_NONE, args, 2, 0};
	struct buf b = {0};

	(void)state;
	sio_put_connect(&b, STR("/"), STR("id"));
	sio_put_connect(&b, STR("/bot"), STR("id"));
	assert_text(buf_view(&b), "0{\"sid\":\"id\"}0/bot,{\"sid\":\"id\"}");
	b.n = 0;
	sio_put_connect_error(&b, STR("/random"), STR("{\"message\":\"Invalid namespace\"}"));
	sio_put_disconnect(&b, STR("/bot"));
	assert_text(buf_view(&b), "4/random,{\"message\":\"Invalid namespace\"}1/bot,");
	b.n = 0;
	sio_put_event(&b, STR("say \"x\""), &out);
	assert_text(buf_view(&b), "2[\"say \\\"x\\\"\",{\"a\":1},null]");
	b.n = 0;
	out = (struct sio_out){STR("/bot"), 7, args, 1, 2};
	sio_put_event(&b, STR("x"), &out);
	sio_put_ack(&b, &out);
	assert_text(buf_view(&b), "52-/bot,7[\"x\",{\"a\":1}]62-/bot,7[{\"a\":1}]");
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(connects),
		cmocka_unit_test(leaves),
		cmocka_unit_test(events),
		cmocka_unit_test(slices_are_as_sent),
		cmocka_unit_test(bad_events),
		cmocka_unit_test(acks),
		cmocka_unit_test(bounds),
		cmocka_unit_test(attachments),
		cmocka_unit_test(writing),
	};

	return cmocka_run_group_tests_name("sio", tests, setup, teardown);
}
