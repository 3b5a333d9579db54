/* The Socket.IO server where its echo (test/conformance/sio-echo) does not reach: late answers to
 * CONNECT, acks that the server waits for, shared messages, attachments turned off, slow clients,
 * and the ends of sockets. The client is a raw socket that speaks WebSocket with a mask of zeros,
 * or long-polling. */
#include "conn_rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/secret.h"
#include "hub/sio.h"

#define TEXT 0x81

static struct str namespaces[] = {STR("/"), STR("/bot")};
static struct sio_settings settings;
static struct buf story; /* what the owner was told */
static sio_id entering, inside;
static bool accepts; /* CONNECT at once */

static bool story_has(const char *what)
{
	buf_char(&story, '\0');
	story.n--;
	return strstr(story.p, what);
}

/* ---- the owner ---- */

static void on_opened(void *extra, const struct http_request *r, const struct addr *peer)
{
	assert_true(addr_is_loopback(peer));
	assert_int_equal(*(uint64_t *)extra, 0);
	*(uint64_t *)extra = 7;
	assert_true(str_eq(r->path, STR("/socket.io/")));
}

static void on_extra_closed(void *extra)
{
	assert_int_equal(*(uint64_t *)extra, 7);
	buf_lit(&story, "closed;");
}

static void on_connect(sio_id s, struct str nsp, struct str auth)
{
	assert_false(sio_alive(s));
	assert_null(sio_data(s));
	assert_int_equal(*(uint64_t *)sio_extra(s), 7);
	assert_true(str_eq(sio_namespace(s), nsp));
	buf_printf(&story, "connect " STR_FMT " " STR_FMT ";", STR_ARG(nsp), STR_ARG(auth));
	entering = s;
	if (accepts && sio_accept(s, &story))
		inside = s;
}

static void on_event(sio_id s, const struct sio_event *e)
{
	assert_ptr_equal(sio_data(s), &story);
	buf_printf(&story, "event " STR_FMT " %zu %u%s %d;", STR_ARG(e->name), e->body.n,
		e->body.attachment_count, e->body.attachments ? " had" : "", (int)e->ack);
	if (str_eq(e->name, STR("leave")))
		sio_disconnect(s, false);
	sio_ack(s, e->ack, &(struct sio_body){0}); /* of one that has left: nothing */
}

static void on_disconnected(sio_id s, void *data, enum eio_reason why)
{
	assert_false(sio_alive(s));
	assert_ptr_equal(data, &story);
	buf_printf(&story, "gone %s;", eio_reason_name(why));
}

static const struct sio_handler owner = {
	.opened = on_opened,
	.closed = on_extra_closed,
	.connect = on_connect,
	.event = on_event,
	.disconnected = on_disconnected,
};

static void on_request(struct exchange *x, const struct http_request *r)
{
	eio_request(x, r);
}

static void on_gone(struct exchange *x)
{
	(void)x;
}

static void on_broken(enum err e, const struct addr *peer, struct buf *head, struct buf *body)
{
	(void)e, (void)peer, (void)head, (void)body;
}

static const struct http_handler http = {on_request, on_gone, on_broken};

static int setup(void **state)
{
	settings = (struct sio_settings){
		.eio = {.ping_interval = 25000,
			.ping_timeout = 20000,
			.max_payload = 65536,
			.soft = 256 * 1024,
			.hard = 1024 * 1024,
			.slow_ms = 10000,
			.extra = sizeof(uint64_t)},
		.connect_timeout = 10000,
		.namespaces = namespaces,
		.namespace_count = 2,
	};
	accepts = true;
	entering = inside = 0;
	assert_int_equal(secret_setup(STR("")), OK);
	rig_setup(state);
	http_serve(&http);
	sio_serve(&settings, &owner);
	rig_serve("127.0.0.1:0", &http_conn_ops);
	return 0;
}

static int teardown(void **state)
{
	sio_teardown();
	buf_free(&story);
	return rig_teardown(state);
}

/* ---- the client ---- */

static const char *awaited;

static bool was_received(void)
{
	rig_take(SIZE_MAX);
	return memmem(
		rig.received.p ? rig.received.p : "", rig.received.n, awaited, strlen(awaited));
}

static void await(const char *text)
{
	awaited = text;
	rig_until(was_received);
	rig.received.n = 0;
}

static bool was_told(void)
{
	rig_take(SIZE_MAX);
	return story_has(awaited);
}

static void await_story(const char *text)
{
	awaited = text;
	rig_until(was_told);
}

static void ws_send_frame_raw(uint8_t head, const char *text)
{
	uint8_t frame[6 + 125] = {head, (uint8_t)(0x80 | strlen(text))};

	memcpy(frame + 6, text, strlen(text));
	rig_send(frame, 6 + strlen(text));
}

static void say(const char *text)
{
	ws_send_frame_raw(TEXT, text);
}

static void ws_client(void)
{
	static const char hello[] =
		"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\n"
		"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

	rig.client = rig_socket();
	rig_connect(rig.client);
	rig_settle();
	rig_send(hello, sizeof(hello) - 1);
	await("\"maxPayload\":65536}");
}

static void ws_inside(void)
{
	ws_client();
	say("40");
	await("40{\"sid\":");
	assert_int_equal(sio_stats().sockets, 1);
}

/* ---- coming in ---- */

static void accepted_later(void **state)
{
	(void)state;
	accepts = false;
	ws_client();
	say("40/bot,{\"api_key\":\"x\"}");
	await_story("connect /bot {\"api_key\":\"x\"};");
	sio_emit(entering, STR("early"), &(struct sio_body){0});
	assert_true(sio_accept(entering, &story));
	sio_emit(entering, STR("first"), &(struct sio_body){0});
	await("42/bot,[\"first\"]");
	assert_true(sio_alive(entering));
}

static void rejected_and_tried_again(void **state)
{
	(void)state;
	accepts = false;
	ws_client();
	say("40");
	await_story("connect / {};");
	sio_reject(entering, STR("{\"message\":\"no\",\"data\":{\"code\":\"ERR_AUTH_REQUIRED\"}}"));
	await("44{\"message\":\"no\",\"data\":{\"code\":\"ERR_AUTH_REQUIRED\"}}");
	assert_null(sio_extra(entering));
	accepts = true;
	say("40");
	await("40{\"sid\":");
	assert_false(story_has("gone"));
}

static void left_before_the_answer(void **state)
{
	(void)state;
	accepts = false;
	ws_client();
	say("40");
	await_story("connect / {};");
	rig_close();
	await_story("closed;");
	assert_false(sio_accept(entering, NULL));
	sio_reject(entering, STR("{}"));
	sio_close(entering);
	assert_false(story_has("gone"));
}

static void no_namespace_no_stay(void **state)
{
	(void)state;
	ws_client();
	clock_advance(9000);
	rig_settle();
	assert_false(story_has("closed"));
	clock_advance(1100);
	await_story("closed;");
	rig_until(rig_ended);
}

static void no_namespace_left(void **state)
{
	(void)state;
	ws_inside();
	clock_advance(10100); /* it is in one */
	rig_settle();
	say("41");
	await_story("gone client;");
	rig_settle();
	assert_false(story_has("closed"));
	clock_advance(10100);
	await_story("closed;");
}

/* ---- events ---- */

static void attachments_turned_off(void **state)
{
	(void)state;
	ws_inside();
	say("452-5[\"file\",{\"_placeholder\":true,\"num\":0}]");
	ws_send_frame_raw(0x82, "one");
	ws_send_frame_raw(0x82, "two");
	say("42[\"next\",1]");
	await_story("event file 1 2 5;event next 1 0 -1;");
	ws_send_frame_raw(0x82, "three");
	await_story("gone protocol;closed;");
}

static void a_socket_that_leaves_in_its_event(void **state)
{
	(void)state;
	ws_inside();
	say("421[\"leave\"]");
	await_story("event leave 0 0 1;gone server;");
	await("41");
	assert_false(story_has("closed"));
	say("40");
	await("40{\"sid\":");
}

/* ---- acks to the server ---- */

static unsigned answers, nothings;

static void on_ack(void *arg, const struct sio_body *answer)
{
	assert_ptr_equal(arg, &answers);
	if (!answer) {
		nothings++;
		return;
	}
	answers++;
	buf_printf(&story, "ack " STR_FMT ";", STR_ARG(answer->args[0]));
}

static bool answered(void)
{
	rig_take(SIZE_MAX);
	return answers + nothings == 1;
}

static struct sio_waiter *wait_ack(sio_id s)
{
	struct str arg = STR("{\"code\":1}");

	answers = nothings = 0;
	return sio_emit_ack(s, STR("login:code"), &(struct sio_body){.args = &arg, .n = 1}, 3000,
		on_ack, &answers);
}

static void an_ack(void **state)
{
	(void)state;
	ws_inside();
	wait_ack(inside);
	await("421[\"login:code\",{\"code\":1}]");
	say("432[\"of another\"]");
	say("431[{\"delivered\":true}]");
	say("431[\"again\"]");
	await_story("ack {\"delivered\":true};");
	rig_settle();
	assert_int_equal(answers, 1);
	wait_ack(inside);
	await("422[\"login:code\",{\"code\":1}]");
}

static void no_ack_in_time(void **state)
{
	(void)state;
	ws_inside();
	wait_ack(inside);
	await("421[");
	clock_advance(3100);
	rig_until(answered);
	assert_int_equal(nothings, 1);
	say("431[\"late\"]");
	say("42[\"next\"]");
	await_story("event next");
	assert_int_equal(answers, 0);
}

static void no_ack_from_one_who_left(void **state)
{
	(void)state;
	ws_inside();
	wait_ack(inside);
	await("421[");
	rig_close();
	rig_until(answered);
	assert_int_equal(nothings, 1);
	await_story("gone transport;closed;");
	wait_ack(inside); /* gone from the start */
	assert_int_equal(nothings, 0);
	clock_advance(20);
	rig_until(answered);
	assert_int_equal(nothings, 1);
}

static void an_ack_forgotten(void **state)
{
	(void)state;
	ws_inside();
	sio_ack_forget(wait_ack(inside));
	await("421[");
	say("431[1]");
	say("42[\"next\"]");
	await_story("event next");
	clock_advance(3100);
	rig_settle();
	assert_int_equal(answers + nothings, 0);
}

/* ---- shared messages ---- */

static void share(struct eio_shared *m)
{
	struct str arg = STR("{\"n\":1}");

	sio_share(m, STR("/"), STR("message:new"), &arg, 1);
}

static void one_message_for_both_transports(void **state)
{
	static const char get[] =
		"GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\n\r\n";
	struct eio_shared m = {0};
	char request[200], last[200];
	const char *sid;
	sio_id over_ws;
	int polling, ws;

	(void)state;
	ws_inside();
	over_ws = inside;
	ws = rig.client;
	polling = rig.client = rig_socket();
	rig_connect(polling);
	rig_settle();
	rig_send(get, sizeof(get) - 1);
	awaited = "\"maxPayload\":65536}";
	rig_until(was_received);
	buf_char(&rig.received, '\0');
	sid = strstr(rig.received.p, "\"sid\":\"") + 7;
	snprintf(request, sizeof(request),
		"POST /socket.io/?EIO=4&transport=polling&sid=%.22s HTTP/1.1\r\nHost: x\r\n"
		"Content-Length: 2\r\n\r\n40",
		sid);
	snprintf(last, sizeof(last),
		"GET /socket.io/?EIO=4&transport=polling&sid=%.22s HTTP/1.1\r\nHost: x\r\n\r\n",
		sid);
	rig.received.n = 0;
	rig_send(request, strlen(request));
	await("ok");
	share(&m);
	sio_send(sio_socket_of(over_ws), &m);
	sio_send(sio_socket_of(inside), &m);
	sio_send(sio_socket_of(12345), &m);
	eio_shared_free(&m);
	sio_disconnect(inside, true); /* what was sent is still fetched */
	await_story("gone server;closed;");
	rig_send(last, strlen(last));
	await("\x1e"
	      "42[\"message:new\",{\"n\":1}]\x1e"
	      "41");
	rig_send(last, strlen(last));
	await("\r\n\r\n1"); /* in an answer of its own: clients drop what comes with it */
	rig_send(last, strlen(last));
	await("Session ID unknown");
	close(polling);
	rig.client = ws;
	await("42[\"message:new\",{\"n\":1}]");
}

static void a_slow_client_is_dropped(void **state)
{
	struct eio_shared m = {0};
	struct buf large = {0};
	struct str arg;

	(void)state;
	ws_inside();
	buf_char(&large, '"');
	memset(buf_reserve(&large, 60000), 'x', 60000);
	large.n += 60000;
	buf_char(&large, '"');
	arg = buf_view(&large);
	sio_share(&m, STR("/"), STR("large"), &arg, 1);
	while (sio_queued(inside) <= settings.eio.soft) {
		sio_send(sio_socket_of(inside), &m);
		rig_settle();
	}
	clock_advance(9000);
	rig_settle();
	assert_true(sio_alive(inside));
	clock_advance(1100);
	await_story("gone slow;closed;");
	assert_int_equal(eio_stats().slow, 1);
	eio_shared_free(&m);
	buf_free(&large);
}

static void closing_everything(void **state)
{
	(void)state;
	ws_inside();
	say("40/bot");
	await("40/bot,{");
	assert_int_equal(sio_stats().sockets, 2);
	sio_close_all();
	sio_emit(inside, STR("after"), &(struct sio_body){0});
	await_story("gone server;gone server;closed;");
	assert_int_equal(sio_stats().sockets, 0);
	assert_int_equal(eio_stats().open, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(accepted_later),
		TEST(rejected_and_tried_again),
		TEST(left_before_the_answer),
		TEST(no_namespace_no_stay),
		TEST(no_namespace_left),
		TEST(attachments_turned_off),
		TEST(a_socket_that_leaves_in_its_event),
		TEST(an_ack),
		TEST(no_ack_in_time),
		TEST(no_ack_from_one_who_left),
		TEST(an_ack_forgotten),
		TEST(one_message_for_both_transports),
		TEST(a_slow_client_is_dropped),
		TEST(closing_everything),
	};

	return cmocka_run_group_tests_name("sio_hub", tests, NULL, NULL);
}
