/* WebSocket connections: who closes, when, and with which code; stopping between two messages;
 * shared frames. What peers send wrong is in test/server/ws.test.js. */
#include "conn_rig.h"

#include "base/clock.h"
#include "hub/ws.h"

static struct {
	struct ws *w;
	struct buf heard; /* "text;" of each message, "[binary]" */
	unsigned closed, drains;
	uint16_t code;
	enum conn_reason why;
	void (*act)(struct str data); /* what the server does with a message */
} hub;

static void on_message(struct ws *w, bool text, struct str data)
{
	assert_ptr_equal(w, hub.w);
	buf_printf(&hub.heard, text ? STR_FMT ";" : "[" STR_FMT "]", STR_ARG(data));
	if (hub.act)
		hub.act(data);
}

static void on_drained(struct ws *w)
{
	assert_ptr_equal(w, hub.w);
	hub.drains++;
}

static void on_closed(struct ws *w, uint16_t code, enum conn_reason why)
{
	assert_ptr_equal(w, hub.w);
	assert_true(ws_closing(w));
	ws_send_text(w, STR("late"));
	ws_close(w, WS_NORMAL, STR("late"));
	hub.w = NULL;
	hub.closed++;
	hub.code = code;
	hub.why = why;
}

static const struct ws_handler handler = {on_message, on_drained, on_closed};

static void on_request(struct exchange *x, const struct http_request *r)
{
	struct ws_handshake hs;

	assert_int_equal(ws_check(r, &hs), WS_CHECK_OK);
	hub.w = ws_open(x, &hs, &handler, 1000, &hub);
	assert_ptr_equal(ws_data(hub.w), &hub);
}

static void on_gone(struct exchange *x)
{
	(void)x;
}

static void on_broken(enum err e, const struct addr *peer, struct buf *head, struct buf *body)
{
	(void)peer;
	(void)head;
	(void)body;
	fail_msg("%s", err_code(e));
}

/* ---- the client's side ---- */

static bool head_received(void)
{
	rig_take(SIZE_MAX);
	return memmem(rig.received.p, rig.received.n, "\r\n\r\n", 4) != NULL;
}

static bool hub_closed(void)
{
	return hub.closed > 0;
}

static int setup(void **state)
{
	static const struct http_handler http = {on_request, on_gone, on_broken};
	static const char hello[] =
		"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

	rig_setup(state);
	memset(&hub, 0, sizeof(hub));
	http_serve(&http);
	rig_serve("127.0.0.1:0", &http_conn_ops);
	rig.client = rig_socket();
	rig_connect(rig.client);
	rig_settle();
	rig_send(hello, sizeof(hello) - 1);
	rig_until(head_received);
	rig.received.n = 0;
	return 0;
}

static int teardown(void **state)
{
	rig_teardown(state);
	assert_int_equal(hub.closed, 1);
	buf_free(&hub.heard);
	return 0;
}

/* Masked with zeros, which is allowed. */
static void client_put(struct buf *b, unsigned first, struct str payload)
{
	buf_char(b, (char)first);
	buf_char(b, (char)(0x80 | payload.n));
	buf_put(b, "\0\0\0\0", 4);
	buf_str(b, payload);
}

static void client_send(unsigned first, struct str payload)
{
	struct buf b = {0};

	client_put(&b, first, payload);
	rig_send(b.p, b.n);
	buf_free(&b);
}

static void client_expect(struct str bytes)
{
	rig.expected = bytes.n;
	rig_until(rig_received);
	assert_int_equal(rig.received.n, bytes.n);
	assert_memory_equal(rig.received.p, bytes.p, bytes.n);
	rig.received.n = 0;
}

static void expect_closed(uint16_t code, enum conn_reason why)
{
	rig_until(hub_closed);
	assert_int_equal(hub.code, code);
	assert_int_equal(hub.why, why);
}

/* ---- closing ---- */

static void test_the_client_closes(void **state)
{
	(void)state;
	client_send(0x88, STR("\x0f\xa1why"));
	client_expect(STR("\x88\x02\x0f\xa1"));
	rig_until(rig_ended);
	assert_true(rig.client_end);
	expect_closed(4001, CONN_DONE);
}

static void test_the_client_closes_without_a_code(void **state)
{
	(void)state;
	client_send(0x88, STR(""));
	client_expect(STR("\x88\x00"));
	expect_closed(WS_NO_CODE, CONN_DONE);
}

static void test_the_client_breaks_the_protocol(void **state)
{
	(void)state;
	client_send(0xc1, STR("reserved"));
	client_expect(STR("\x88\x02\x03\xea"));
	expect_closed(WS_PROTOCOL_ERROR, CONN_PROTOCOL);
}

static void test_the_client_sends_too_much(void **state)
{
	(void)state;
	for (int i = 0; i < 11; i++)
		client_send(i == 0 ? 0x01 : 0x00, STR("0123456789012345678901234567890123456789"
						      "0123456789012345678901234567890123456789"
						      "01234567890123456789"));
	client_expect(STR("\x88\x02\x03\xf1"));
	expect_closed(WS_TOO_BIG, CONN_PROTOCOL);
	assert_int_equal(hub.heard.n, 0);
}

static void test_the_client_leaves(void **state)
{
	(void)state;
	client_send(0x01, STR("half a mess"));
	rig_close();
	expect_closed(WS_ABNORMAL, CONN_EOF);
}

static void test_the_server_closes(void **state)
{
	(void)state;
	ws_close(hub.w, 4002, STR("bye"));
	ws_close(hub.w, 4003, STR("again"));
	ws_send_text(hub.w, STR("late"));
	assert_true(ws_closing(hub.w));
	client_expect(STR("\x88\x05\x0f\xa2"
			  "bye"));
	/* What comes in between is neither handed up nor answered. */
	client_send(0x81, STR("crossing"));
	client_send(0x89, STR("ping"));
	client_send(0x88, STR("\x0f\xa2"));
	rig_until(rig_ended);
	assert_int_equal(rig.received.n, 0);
	expect_closed(4002, CONN_DONE);
	assert_int_equal(hub.heard.n, 0);
}

static void test_the_client_does_not_answer(void **state)
{
	(void)state;
	ws_close(hub.w, WS_GOING_AWAY, STR(""));
	client_expect(STR("\x88\x02\x03\xe9"));
	clock_advance(WS_CLOSE_MS - 100);
	rig_settle();
	assert_int_equal(hub.closed, 0);
	clock_advance(200);
	expect_closed(WS_GOING_AWAY, CONN_TIMEOUT);
	rig_until(rig_ended);
}

static void test_both_close(void **state)
{
	(void)state;
	client_send(0x88, STR("\x03\xe8"));
	ws_close(hub.w, 4002, STR(""));
	client_expect(STR("\x88\x02\x0f\xa2"));
	rig_until(rig_ended);
	assert_int_equal(rig.received.n, 0);
	expect_closed(4002, CONN_DONE);
}

static void close_now(struct str data)
{
	(void)data;
	ws_send_text(hub.w, STR("last"));
	ws_close(hub.w, WS_POLICY, STR(""));
}

static void test_closing_inside_a_message(void **state)
{
	struct buf b = {0};

	(void)state;
	hub.act = close_now;
	client_put(&b, 0x81, STR("one"));
	client_put(&b, 0x81, STR("two"));
	client_put(&b, 0x89, STR("ping"));
	client_put(&b, 0x88, STR("\x03\xf0"));
	rig_send(b.p, b.n);
	client_expect(STR("\x81\x04last\x88\x02\x03\xf0"));
	expect_closed(WS_POLICY, CONN_DONE);
	assert_true(str_eq(buf_view(&hub.heard), STR("one;")));
	buf_free(&b);
}

static void drop_now(struct str data)
{
	(void)data;
	conn_close(ws_conn(hub.w), CONN_OVERFLOW);
}

static void test_dropping_inside_a_message(void **state)
{
	struct buf b = {0};

	(void)state;
	hub.act = drop_now;
	client_put(&b, 0x01, STR("o"));
	client_put(&b, 0x80, STR("ne"));
	client_put(&b, 0x81, STR("two"));
	rig_send(b.p, b.n);
	expect_closed(WS_ABNORMAL, CONN_OVERFLOW);
	assert_true(str_eq(buf_view(&hub.heard), STR("one;")));
	buf_free(&b);
}

/* ---- messages ---- */

static struct buf other_heard;

static void other_message(struct ws *w, bool text, struct str data)
{
	assert_true(text);
	assert_ptr_equal(ws_data(w), &other_heard);
	buf_str(&other_heard, data);
}

static void change_now(struct str data)
{
	static const struct ws_handler other = {.message = other_message, .closed = on_closed};

	(void)data;
	ws_set_handler(hub.w, &other, &other_heard);
}

static void test_another_owner(void **state)
{
	struct buf b = {0};

	(void)state;
	hub.act = change_now;
	client_put(&b, 0x81, STR("one"));
	client_put(&b, 0x81, STR("two"));
	client_put(&b, 0x88, STR("\x03\xe8"));
	rig_send(b.p, b.n);
	expect_closed(WS_NORMAL, CONN_DONE);
	assert_true(str_eq(buf_view(&hub.heard), STR("one;")));
	assert_true(str_eq(buf_view(&other_heard), STR("two")));
	buf_free(&other_heard);
	buf_free(&b);
}

static void test_sending(void **state)
{
	struct frame *f = ws_frame(true, STR("shared")), *g = ws_frame(false, STR("\xff"));

	(void)state;
	ws_send_text(hub.w, STR("text"));
	ws_send_frame(hub.w, f);
	ws_send_binary(hub.w, STR("\0\1"));
	ws_send_frame(hub.w, g);
	ws_send_frame(hub.w, f);
	ws_send_text(hub.w, STR(""));
	frame_unref(f);
	frame_unref(g);
	client_expect(
		STR("\x81\x04text\x81\x06shared\x82\x02\0\1\x82\x01\xff\x81\x06shared\x81\0"));
	rig_close();
	expect_closed(WS_ABNORMAL, CONN_EOF);
}

static bool backed_up_and_drained(void)
{
	rig_take(SIZE_MAX);
	return hub.drains > 0;
}

static void test_back_pressure(void **state)
{
	static char much[16 * 1024 * 1024]; /* more than the system takes */

	(void)state;
	conn_limits(ws_conn(hub.w), sizeof(much), 2 * sizeof(much));
	ws_send_binary(hub.w, str_make(much, sizeof(much)));
	rig_settle();
	assert_true(conn_queued(ws_conn(hub.w)) > 0);
	rig_until(backed_up_and_drained);
	assert_int_equal(rig.received.n, WS_HEADER_MAX + sizeof(much));
	ws_send_binary(hub.w, str_make(much, sizeof(much)));
	ws_send_binary(hub.w, str_make(much, sizeof(much)));
	expect_closed(WS_ABNORMAL, CONN_OVERFLOW);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_the_client_closes),
		TEST(test_the_client_closes_without_a_code),
		TEST(test_the_client_breaks_the_protocol),
		TEST(test_the_client_sends_too_much),
		TEST(test_the_client_leaves),
		TEST(test_the_server_closes),
		TEST(test_the_client_does_not_answer),
		TEST(test_both_close),
		TEST(test_closing_inside_a_message),
		TEST(test_dropping_inside_a_message),
		TEST(test_another_owner),
		TEST(test_sending),
		TEST(test_back_pressure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
