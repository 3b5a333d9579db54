/* Connections against plain sockets of the same process: bytes both ways, limits, ends, ids. */
#include "conn_rig.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

#define MIB ((size_t)1024 * 1024)

/* ---- bytes in, bytes out ---- */

static void echo_over_tcp(void **state)
{
	char text[ADDR_TEXT];

	(void)state;
	rig_serve_one(&rig_ops);
	addr_format(conn_peer(rig.server), text);
	assert_string_equal(text, "127.0.0.1");
	rig_assert_echo();
	assert_int_equal(conn_stats().accepted, 1);
	assert_int_equal(conn_stats().bytes_in, 5);
	assert_int_equal(conn_stats().bytes_out, 5);
}

static void echo_over_tcp6(void **state)
{
	struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	char text[ADDR_TEXT], why[200];

	(void)state;
	if (listener_open(&rig.listener, STR("[::1]:0"), &rig_ops, why) != OK) {
		rig.listener = NULL;
		skip(); /* a machine without IPv6 */
	}
	a.sin6_port = htons((uint16_t)listener_port(rig.listener));
	rig.client = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0);
	assert_true(
		connect(rig.client, (struct sockaddr *)&a, sizeof(a)) == 0 || errno == EINPROGRESS);
	rig_until(rig_opened);
	addr_format(conn_peer(rig.server), text);
	assert_string_equal(text, "::1");
	rig_assert_echo();
}

static bool all_sent_is_read(void)
{
	return conn_stats().bytes_in == rig.sent;
}

/* Messages of three bytes; only whole ones are consumed. */
static size_t consume_threes(struct conn *c, char *p, size_t n)
{
	(void)c;
	for (size_t i = 0; i + 3 <= n; i += 3)
		assert_memory_equal(p + i, "abc", 3);
	return n - n % 3;
}

static void unconsumed_bytes_are_kept_at_every_split(void **state)
{
	static const char stream[] = "abcabcabcabc";
	size_t n = sizeof(stream) - 1;

	(void)state;
	rig_serve_one(&rig_ops);
	rig.consume = consume_threes;
	for (size_t a = 0; a <= n; a++) {
		for (size_t b = a; b <= n; b++) {
			rig.expected = rig.heard.n + n;
			rig_send(stream, a);
			rig_until(all_sent_is_read);
			rig_send(stream + a, b - a);
			rig_until(all_sent_is_read);
			rig_send(stream + b, n - b);
			rig_until(rig_heard);
			assert_int_equal(rig.heard.n, rig.expected);
		}
	}
}

static void pause_holds_input_and_bounds_it(void **state)
{
	static char block[65536];
	size_t sent = 0;
	ssize_t n;

	(void)state;
	rig_serve_one(&rig_ops);
	conn_pause(rig.server);
	rig_send("x", 1);
	rig_settle();
	assert_int_equal(rig.heard.n, 0);
	conn_resume(rig.server);
	rig.expected = 1;
	rig_until(rig_heard);

	conn_pause(rig.server);
	while ((n = send(rig.client, block, sizeof(block), MSG_NOSIGNAL)) > 0) {
		sent += (size_t)n;
		rig_settle();
	}
	assert_true(conn_stats().bytes_in <= 2 * 65536);
	assert_true(sent > conn_stats().bytes_in);
	assert_int_equal(rig.heard.n, 1);
	conn_resume(rig.server);
	rig.expected += sent;
	rig_until(rig_heard);
}

static size_t consume_one_and_pause(struct conn *c, char *p, size_t n)
{
	(void)p;
	(void)n;
	conn_pause(c);
	return 1;
}

static bool resumed_to_end(void)
{
	if (rig.server)
		conn_resume(rig.server);
	return rig.heard.n >= rig.expected && rig.closed == 1;
}

static void end_comes_behind_the_last_byte(void **state)
{
	(void)state;
	rig_serve_one(&rig_ops);
	rig.consume = consume_one_and_pause;
	rig_send("abcdef", 6);
	shutdown(rig.client, SHUT_WR);
	rig_settle();
	assert_int_equal(rig.closed, 0);
	rig.expected = 6;
	rig_until(resumed_to_end);
	assert_int_equal(rig.heard.n, 6);
	assert_int_equal(rig.reason, CONN_EOF);
}

static size_t consume_one_then_all(struct conn *c, char *p, size_t n)
{
	(void)p;
	if (rig.heard.n > 0)
		return n;
	conn_pause(c);
	conn_resume(c);
	return 1;
}

/* The end is read in the same turn as the bytes, which a resume is about to hand up. */
static void end_comes_behind_what_a_resume_hands_up(void **state)
{
	static char block[65536]; /* all of the reader's room, so it reads on */
	size_t sent = 0;

	(void)state;
	rig_serve_one(&rig_ops);
	rig.consume = consume_one_then_all;
	while (sent < sizeof(block)) {
		ssize_t n = send(rig.client, block, sizeof(block) - sent, MSG_NOSIGNAL);

		assert_true(n > 0);
		sent += (size_t)n;
	}
	shutdown(rig.client, SHUT_WR);
	rig_until(rig_closed);
	assert_int_equal(rig.reason, CONN_EOF);
	assert_int_equal(rig.heard.n, sent);
}

static bool is_ended(void)
{
	return rig.ends == 1;
}

static void half_closed_peer_gets_its_reply(void **state)
{
	(void)state;
	rig_serve_one(&rig_halfway_ops);
	rig_send("q", 1);
	shutdown(rig.client, SHUT_WR);
	rig_until(is_ended);
	conn_write(rig.server, "reply", 5);
	conn_close(rig.server, CONN_DONE);
	rig_until(rig_ended);
	assert_true(rig.client_end);
	assert_int_equal(rig.received.n, 5);
	rig_until(rig_none_open);
	assert_int_equal(rig.ends, 1);
}

static size_t upgraded_input(struct conn *c, char *p, size_t n)
{
	(void)c;
	buf_str(&rig.heard, STR("|"));
	buf_put(&rig.heard, p, n);
	return n;
}

static void upgraded_closed(struct conn *c, enum conn_reason r)
{
	rig_ops.closed(c, r);
}

static const struct conn_ops upgraded_ops = {.input = upgraded_input, .closed = upgraded_closed};

static size_t consume_two(struct conn *c, char *p, size_t n)
{
	(void)p;
	assert_true(n >= 2);
	conn_set_ops(c, &upgraded_ops);
	return 2;
}

static void another_owner_gets_the_rest(void **state)
{
	(void)state;
	rig_serve_one(&rig_ops);
	rig.consume = consume_two;
	rig_send("GEtail", 6);
	rig.expected = 7;
	rig_until(rig_heard);
	assert_memory_equal(rig.heard.p, "GE|tail", 7);
}

/* ---- much output ---- */

static char *pattern(size_t n)
{
	char *p = malloc(n);

	assert_non_null(p);
	for (size_t i = 0; i < n; i++)
		p[i] = (char)(i * 31 + i / 251);
	return p;
}

static bool slowly_received(void)
{
	rig_take(40000);
	return rig.received.n >= rig.expected;
}

static void slow_reader_stops_our_reading(void **state)
{
	char *big = pattern(12 * MIB);

	(void)state;
	rig_serve_one(&rig_ops);
	conn_limits(rig.server, 64 * 1024, 16 * MIB);
	rig.expected = 12 * MIB;
	conn_write(rig.server, big, 1);
	conn_write(rig.server, big + 1, 5 * MIB);
	rig_settle();
	conn_write(rig.server, big + 1 + 5 * MIB, rig.expected - 1 - 5 * MIB);
	rig_settle();
	assert_true(conn_queued(rig.server) > 64 * 1024);
	conn_write(
		rig.server, big, 10); /* while a write is pending: the last part goes by itself */
	rig.expected += 10;
	assert_true(
		conn_queued(rig.server) < rig.expected); /* what the kernel has is not counted */
	rig_send("more", 4);
	rig_settle();
	assert_int_equal(rig.heard.n, 0);
	assert_int_equal(rig.drains, 0);

	rig_until(slowly_received);
	assert_memory_equal(rig.received.p, big, 12 * MIB);
	assert_memory_equal(rig.received.p + 12 * MIB, big, 10);
	rig.expected = 4;
	rig_until(rig_heard);
	rig_settle();
	assert_int_equal(rig.drains, 1);
	assert_int_equal(conn_stats().bytes_out, 12 * MIB + 10);
	free(big);
}

static void too_much_output_closes(void **state)
{
	char *big = pattern(MIB);

	(void)state;
	rig_serve_one(&rig_ops);
	for (int i = 0; i < 6; i++) {
		conn_write(rig.server, big, MIB);
		assert_int_equal(rig.closed, 0); /* never from within a write */
	}
	assert_true(conn_closing(rig.server));
	rig_until(rig_closed);
	assert_int_equal(rig.reason, CONN_OVERFLOW);
	rig_until(rig_none_open);
	rig_until(rig_ended);
	assert_true(rig.client_reset); /* nothing is left with the kernel for it either */
	free(big);
}

/* Frames made one behind the other may leave as one, but only where a queue has them so, and whole;
 * each may go before its bytes. */
static void frames_may_join(void **state)
{
	struct buf want = {0};

	(void)state;
	rig_serve_one(&rig_ops);
	for (size_t i = 0; i < 2000; i++) {
		static char bytes[40000];
		struct str text = str_make(bytes, i % 97 == 0 ? sizeof(bytes) : 5 + i % 29);
		struct frame *f;

		memset(bytes, 'a' + (int)(i % 26), text.n);
		f = frame_new(text);
		for (int times = (i % 5 != 0) + (i % 11 == 0); times > 0; times--) {
			conn_write_frame(rig.server, f);
			buf_str(&want, text);
		}
		frame_unref(f);
		if (i % 13 == 0) {
			conn_write(rig.server, "own", 3);
			buf_lit(&want, "own");
		}
		if (i % 50 == 0)
			rig_settle();
	}
	rig.expected = want.n;
	rig_until(rig_received);
	assert_int_equal(rig.received.n, want.n);
	assert_memory_equal(rig.received.p, want.p, want.n);
	buf_free(&want);
}

static void frames_keep_their_order(void **state)
{
	struct frame *frame = frame_new(STR("<shared>"));
	struct frame *nothing = frame_new(STR(""));
	struct buf want = {0};

	(void)state;
	rig_serve_one(&rig_ops);
	for (int i = 0; i < 500; i++) {
		char own[16];
		int n = snprintf(own, sizeof(own), "%d,", i);

		conn_write(rig.server, own, (size_t)n);
		buf_put(&want, own, (size_t)n);
		if (i % 3 == 0)
			continue;
		conn_write_frame(rig.server, frame);
		conn_write_frame(rig.server, nothing);
		buf_lit(&want, "<shared>");
	}
	conn_write(rig.server, NULL, 0);
	frame_unref(frame);
	frame_unref(nothing);
	assert_int_equal(conn_queued(rig.server), want.n);
	rig.expected = want.n;
	rig_until(rig_received);
	assert_int_equal(rig.received.n, want.n);
	assert_memory_equal(rig.received.p, want.p, want.n);
	buf_free(&want);
}

/* ---- ends ---- */

static size_t reply_and_close(struct conn *c, char *p, size_t n)
{
	(void)p;
	conn_write(c, "bye", 3);
	conn_close(c, CONN_DONE);
	conn_close(c, CONN_RESET); /* the first reason counts */
	conn_write(c, "never", 5);
	assert_int_equal(rig.closed, 0);
	return n;
}

static void close_sends_what_is_queued(void **state)
{
	(void)state;
	rig_serve_one(&rig_ops);
	rig.consume = reply_and_close;
	rig_send("x", 1);
	rig_until(rig_ended);
	assert_true(rig.client_end);
	assert_int_equal(rig.received.n, 3);
	assert_int_equal(rig.reason, CONN_DONE);
	assert_int_equal(conn_stats().open, 1); /* lingers */
	rig_close();
	rig_until(rig_none_open);
}

static void reply_survives_unread_input(void **state)
{
	static char block[65536];
	char *big = pattern(3 * MIB);
	ssize_t n;

	(void)state;
	rig_serve_one(&rig_ops);
	conn_pause(rig.server);
	for (int i = 0; i < 20; i++) {
		n = send(rig.client, block, sizeof(block), MSG_NOSIGNAL);
		assert_true(n > 0 || errno == EAGAIN);
	}
	conn_write(rig.server, big, 3 * MIB);
	conn_close(rig.server, CONN_PROTOCOL);
	rig_until(rig_closed);
	assert_int_equal(rig.reason, CONN_PROTOCOL);
	n = send(rig.client, block, sizeof(block), MSG_NOSIGNAL);
	assert_true(n > 0 || errno == EAGAIN);
	rig_until(rig_ended);
	assert_false(rig.client_reset);
	assert_int_equal(rig.received.n, 3 * MIB);
	assert_memory_equal(rig.received.p, big, 3 * MIB);
	free(big);
}

static void lingering_is_short(void **state)
{
	(void)state;
	rig_serve_one(&rig_ops);
	conn_close(rig.server, CONN_DONE);
	rig_until(rig_ended);
	assert_int_equal(conn_stats().open, 1);
	clock_advance(2000);
	rig_until(rig_none_open);
}

static void draining_is_bounded(void **state)
{
	char *big = pattern(8 * MIB);

	(void)state;
	rig_serve_one(&rig_ops);
	conn_limits(rig.server, MIB, 16 * MIB);
	conn_write(rig.server, big, 8 * MIB);
	conn_close(rig.server, CONN_DONE);
	rig_settle();
	assert_int_equal(rig.closed, 1);
	assert_int_equal(conn_stats().open, 1);
	clock_advance(5000);
	rig_until(rig_none_open);
	free(big);
}

static void reset_is_told(void **state)
{
	struct linger hard = {.l_onoff = 1};

	(void)state;
	rig_serve_one(&rig_ops);
	setsockopt(rig.client, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	rig_close();
	rig_until(rig_closed);
	assert_int_equal(rig.reason, CONN_RESET);
	assert_string_equal(conn_reason_name(rig.reason), "reset");
}

/* Both are there before the server reads: the end alone would be taken for half a close. */
static void reset_behind_the_end_is_told(void **state)
{
	struct linger hard = {.l_onoff = 1};

	(void)state;
	rig_serve_one(&rig_halfway_ops);
	rig_send("q", 1);
	shutdown(rig.client, SHUT_WR);
	setsockopt(rig.client, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	rig_close();
	rig_until(rig_closed);
	assert_int_equal(rig.reason, CONN_RESET);
	assert_int_equal(rig.ends, 0);
}

static unsigned timeouts;

static void on_timeout(struct conn *c)
{
	timeouts++;
	conn_timeout(c, 1000, NULL);
}

static void timeouts_close(void **state)
{
	(void)state;
	rig_serve_one(&rig_ops);
	conn_timeout(rig.server, 1000, NULL);
	conn_timeout(rig.server, 0, NULL);
	clock_advance(2000);
	rig_settle();
	assert_int_equal(rig.closed, 0);
	conn_timeout(rig.server, 1000, on_timeout);
	clock_advance(1100);
	rig_settle();
	assert_int_equal(timeouts, 1);
	assert_int_equal(rig.closed, 0);
	conn_write(rig.server, "408", 3);
	clock_advance(1100);
	rig_until(rig_closed);
	assert_int_equal(rig.reason, CONN_TIMEOUT);
	rig_until(rig_ended);
	assert_int_equal(rig.received.n, 3);
}

static void shutdown_closes_all(void **state)
{
	(void)state;
	rig_serve_one(&rig_ops);
	conn_close(rig.server, CONN_DONE);
	rig_settle();
	assert_int_equal(conn_stats().open, 1);
	conn_close_all(CONN_SHUTDOWN); /* also those that linger */
	rig_until(rig_none_open);
	assert_int_equal(rig.reason, CONN_DONE);
}

/* ---- ids and numbers ---- */

static void ids_are_not_used_twice(void **state)
{
	conn_id first;

	(void)state;
	assert_null(conn_by_id(0));
	rig_serve_one(&rig_ops);
	first = conn_id_of(rig.server);
	assert_true(first != 0);
	assert_ptr_equal(conn_by_id(first), rig.server);
	conn_close(rig.server, CONN_SHUTDOWN);
	assert_null(conn_by_id(first)); /* closing is gone */
	rig_until(rig_none_open);
	rig_close();
	rig.opened = rig.closed = 0;
	rig.client = rig_socket();
	rig_connect(rig.client);
	rig_until(rig_opened);
	assert_true(conn_id_of(rig.server) != first);
	assert_int_equal((uint32_t)conn_id_of(rig.server), (uint32_t)first); /* the same place */
	assert_null(conn_by_id(first));
	assert_null(conn_by_id(UINT64_MAX));
	assert_ptr_equal(conn_by_id(conn_id_of(rig.server)), rig.server);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, rig_setup, rig_teardown)
	const struct CMUnitTest tests[] = {
		T(echo_over_tcp),
		T(echo_over_tcp6),
		T(unconsumed_bytes_are_kept_at_every_split),
		T(pause_holds_input_and_bounds_it),
		T(end_comes_behind_the_last_byte),
		T(end_comes_behind_what_a_resume_hands_up),
		T(half_closed_peer_gets_its_reply),
		T(another_owner_gets_the_rest),
		T(slow_reader_stops_our_reading),
		T(too_much_output_closes),
		T(frames_keep_their_order),
		T(frames_may_join),
		T(close_sends_what_is_queued),
		T(reply_survives_unread_input),
		T(lingering_is_short),
		T(draining_is_bounded),
		T(reset_is_told),
		T(reset_behind_the_end_is_told),
		T(timeouts_close),
		T(shutdown_closes_all),
		T(ids_are_not_used_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
