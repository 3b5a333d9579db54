/* TLS against a client of the same process: what passes, what breaks, who waits, which certificate.
 */
#include "tls_peer.h"

#include <errno.h>
#include <mbedtls/x509_crt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/secret.h"
#include "io/tls.h"

#define MIB ((size_t)1024 * 1024)

static char dir[64], cert[100], key[100], other_cert[100], other_key[100];
static struct tls_peer peer = {.fd = -1};
static char why[TLS_WHY];

/* ---- around all tests and each ---- */

static int all_setup(void **state)
{
	const char *base = getenv("TMPDIR");

	(void)state;
	if (secret_setup(STR("")) != OK)
		return -1;
	log_setup(LOG_ERROR, LOG_TEXT);
	snprintf(dir, sizeof(dir), "%s/portal-XXXXXX", base ? base : P_tmpdir);
	if (!mkdtemp(dir))
		return -1;
	snprintf(cert, sizeof(cert), "%s/cert", dir);
	snprintf(key, sizeof(key), "%s/key", dir);
	snprintf(other_cert, sizeof(other_cert), "%s/cert2", dir);
	snprintf(other_key, sizeof(other_key), "%s/key2", dir);
	certificate_make("other", other_cert, other_key);
	return 0;
}

static int all_teardown(void **state)
{
	(void)state;
	unlink(cert);
	unlink(key);
	unlink(other_cert);
	unlink(other_key);
	return rmdir(dir);
}

static int tls_begin(void **state)
{
	certificate_make("first", cert, key);
	rig_setup(state);
	if (tls_setup(str_of(cert), str_of(key), why) != OK)
		fail_msg("%s", why);
	rig_serve("127.0.0.1:0", &rig_ops);
	listener_secure(rig.listener);
	return 0;
}

static int tls_end(void **state)
{
	tls_peer_close(&peer);
	tls_teardown();
	return rig_teardown(state);
}

/* ---- conditions ---- */

static bool shaken(void)
{
	return tls_peer_shake(&peer);
}

static bool answered(void)
{
	tls_peer_read(&peer);
	return peer.received.n >= rig.expected;
}

static bool told_off(void)
{
	tls_peer_read(&peer);
	return peer.result != MBEDTLS_ERR_SSL_WANT_READ;
}

static void connected(void)
{
	tls_peer_open(&peer);
	rig_until(shaken);
	assert_int_equal(peer.result, 0);
	rig_until(rig_opened);
}

static void plainly_connected(void)
{
	rig.client = rig_socket();
	rig_connect(rig.client);
}

static bool accepted_all(void)
{
	return conn_stats().accepted == rig.expected;
}

/* ---- bytes in, bytes out ---- */

static void echo_over_tls(void **state)
{
	char text[ADDR_TEXT];

	(void)state;
	rig.consume = rig_echo;
	connected();
	addr_format(conn_peer(rig.server), text);
	assert_string_equal(text, "127.0.0.1");
	assert_string_equal(mbedtls_ssl_get_version(&peer.ssl), "TLSv1.2");
	assert_string_equal(mbedtls_ssl_get_ciphersuite(&peer.ssl),
		"TLS-ECDHE-ECDSA-WITH-CHACHA20-POLY1305-SHA256");
	assert_string_equal(mbedtls_ssl_get_alpn_protocol(&peer.ssl), "http/1.1");
	tls_peer_write(&peer, "hello", 5);
	rig.expected = 5;
	rig_until(answered);
	assert_memory_equal(peer.received.p, "hello", 5);
	assert_int_equal(mbedtls_ssl_close_notify(&peer.ssl), 0);
	rig_until(rig_closed); /* the socket itself is still open */
	assert_int_equal(rig.reason, CONN_EOF);
	rig_until(told_off);
	assert_int_equal(peer.result, MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY);
	rig_until(rig_none_open);
}

static void an_end_without_farewell_is_an_end(void **state)
{
	(void)state;
	connected();
	tls_peer_write(&peer, "last", 4);
	tls_peer_close(&peer);
	rig_until(rig_closed);
	assert_int_equal(rig.reason, CONN_EOF);
	assert_int_equal(rig.heard.n, 4);
}

static uint64_t bytes_expected;

static bool bytes_have_come(void)
{
	return conn_stats().bytes_in >= bytes_expected;
}

static bool drip_until_shaken(void)
{
	bool over = tls_peer_shake(&peer);

	if (bytes_have_come() && peer.out.n > 0) {
		bytes_expected++;
		tls_peer_send_some(&peer, 1);
	}
	return over && peer.out.n == 0;
}

static bool drip_until_heard(void)
{
	if (bytes_have_come() && peer.out.n > 0) {
		bytes_expected++;
		tls_peer_send_some(&peer, 1);
	}
	return rig.heard.n >= rig.expected;
}

static void records_come_byte_by_byte(void **state)
{
	(void)state;
	bytes_expected = 0;
	tls_peer_open(&peer);
	peer.hold = true;
	rig_until(drip_until_shaken);
	assert_int_equal(peer.result, 0);
	tls_peer_write(&peer, "one", 3);
	tls_peer_write(&peer, "two", 3);
	rig.expected = 6;
	rig_until(drip_until_heard);
	assert_memory_equal(rig.heard.p, "onetwo", 6);
}

static bool shaken_and_held(void)
{
	bool over = tls_peer_shake(&peer);

	if (peer.ssl.state < MBEDTLS_SSL_CLIENT_CHANGE_CIPHER_SPEC)
		tls_peer_send_some(&peer, SIZE_MAX);
	return over || peer.ssl.state > MBEDTLS_SSL_CLIENT_FINISHED;
}

/* Everything the client ever says, from its key on, in one piece and with its end. */
static void what_comes_behind_the_handshake_is_heard(void **state)
{
	mbedtls_ssl_session session;

	(void)state;
	connected();
	mbedtls_ssl_session_init(&session);
	assert_int_equal(mbedtls_ssl_get_session(&peer.ssl, &session), 0);
	tls_peer_close(&peer);
	rig_until(rig_closed);

	tls_peer_open(&peer); /* resumed by its ticket: the client's Finished is the last of the
			     handshake */
	assert_int_equal(mbedtls_ssl_set_session(&peer.ssl, &session), 0);
	mbedtls_ssl_session_free(&session);
	peer.hold = true;
	while (!shaken_and_held())
		rig_settle();
	while (!tls_peer_shake(&peer))
		rig_settle();
	assert_int_equal(peer.result, 0);
	assert_int_equal(rig.opened, 1);
	tls_peer_write(&peer, "request", 7);
	assert_int_equal(mbedtls_ssl_close_notify(&peer.ssl), 0);
	tls_peer_send_some(&peer, SIZE_MAX);
	assert_int_equal(shutdown(peer.fd, SHUT_WR), 0);
	rig_until(rig_none_open);
	assert_int_equal(rig.opened, 2);
	assert_int_equal(rig.closed, 2);
	assert_memory_equal(rig.heard.p, "request", 7);
}

static void big_answers_wait_for_a_slow_reader(void **state)
{
	static char part[100000];
	size_t total = 0;
	struct frame *f;

	(void)state;
	connected();
	for (size_t i = 0; i < sizeof(part); i++)
		part[i] = (char)(i % 251);
	f = frame_new(str_make(part, sizeof(part)));
	conn_limits(rig.server, MIB / 2, 32 * MIB);
	do { /* the kernel takes megabytes */
		conn_write(rig.server, part, sizeof(part));
		conn_write_frame(rig.server, f);
		total += 2 * sizeof(part);
		rig_settle();
	} while (conn_queued(rig.server) < 2 * MIB);
	frame_unref(f);
	assert_int_equal(rig.drains, 0);
	tls_peer_write(&peer, "x", 1); /* not read: too much is queued */
	rig_settle();
	assert_int_equal(rig.heard.n, 0);
	rig.expected = total;
	rig_until(answered);
	assert_int_equal(peer.received.n, total);
	for (size_t at = 0; at < total; at += sizeof(part))
		assert_memory_equal(peer.received.p + at, part, sizeof(part));
	rig.expected = 1;
	rig_until(rig_heard);
	assert_int_equal(rig.drains, 1);
	assert_int_equal(conn_queued(rig.server), 0);
}

static void too_much_output_closes(void **state)
{
	static char part[65536];

	(void)state;
	connected();
	for (int i = 0; i < 200 && rig.closed == 0; i++) {
		if (rig.server)
			conn_write(rig.server, part, sizeof(part));
		rig_settle();
	}
	assert_int_equal(rig.closed, 1);
	assert_int_equal(rig.reason, CONN_OVERFLOW);
}

static void big_requests_pass_a_pause(void **state)
{
	static char block[MIB];

	(void)state;
	connected();
	for (size_t i = 0; i < sizeof(block); i++)
		block[i] = (char)(i % 241);
	conn_pause(rig.server);
	peer.hold = true;
	tls_peer_write(&peer, block, sizeof(block));
	for (int i = 0; i < 20; i++) {
		tls_peer_send_some(&peer, SIZE_MAX);
		rig_settle();
	}
	assert_int_equal(rig.heard.n, 0);
	assert_true(conn_stats().bytes_in < 4 * 65536);
	conn_resume(rig.server);
	rig.expected = sizeof(block);
	while (rig.heard.n < sizeof(block)) {
		tls_peer_send_some(&peer, SIZE_MAX);
		rig_settle();
	}
	assert_memory_equal(rig.heard.p, block, sizeof(block));
}

static void close_sends_what_is_queued_and_a_farewell(void **state)
{
	static char part[500000];

	(void)state;
	connected();
	conn_write(rig.server, part, sizeof(part));
	conn_close(rig.server, CONN_DONE);
	rig_until(told_off);
	assert_int_equal(peer.result, MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY);
	assert_int_equal(peer.received.n, sizeof(part));
	tls_peer_close(&peer);
	rig_until(rig_none_open);
}

/* ---- what breaks ---- */

static void an_altered_record_closes(void **state)
{
	(void)state;
	connected();
	peer.hold = true;
	tls_peer_write(&peer, "attack at dawn", 14);
	peer.out.p[peer.out.n - 1] ^= 1;
	tls_peer_send_some(&peer, SIZE_MAX);
	rig_until(rig_closed);
	assert_int_equal(rig.reason, CONN_PROTOCOL);
	assert_int_equal(rig.heard.n, 0);
	rig_until(told_off);
	assert_int_equal(peer.result, MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE);
	assert_int_equal(peer.ssl.in_msg[1], MBEDTLS_SSL_ALERT_MSG_BAD_RECORD_MAC);
}

static void plain_http_is_told(void **state)
{
	(void)state;
	plainly_connected();
	rig_send("GET /livez HTTP/1.1\r\nHost: a\r\n\r\n", 32);
	rig_until(rig_ended);
	assert_false(rig.client_reset);
	buf_char(&rig.received, '\0');
	assert_ptr_equal(strstr(rig.received.p, "HTTP/1.1 400 Bad Request\r\n"), rig.received.p);
	assert_string_equal(
		strstr(rig.received.p, "\r\n\r\n"), "\r\n\r\nThis port speaks https only.\n");
	assert_non_null(strstr(rig.received.p, "Content-Length: 29\r\n"));
	rig_close();
	rig_until(rig_none_open);
	assert_int_equal(rig.opened, 0);
}

static void other_bytes_end_it(void **state)
{
	static const char *const wrong[] = {"\x80\x2e\x01\x03", "\x16\x03\x01\xff\xff",
		"\x17\x03\x03", "\x16\x03\x01\x00\x05\x01\x00\xff\xff\xff", "\n\n\n\n\n\n\n\n",
		"get / http/1.1\r\n\r\n"};
	static const size_t sizes[] = {4, 5, 3, 10, 8, 18};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		plainly_connected();
		rig_send(wrong[i], sizes[i]);
		shutdown(rig.client, SHUT_WR);
		rig.client_end = rig.client_reset = false;
		rig_until(rig_ended);
		rig_close();
		rig_until(rig_none_open);
		assert_int_equal(rig.opened, 0);
	}
}

static void the_client_leaves_within_its_handshake(void **state)
{
	(void)state;
	tls_peer_open(&peer);
	assert_false(tls_peer_shake(&peer)); /* its hello is on its way */
	tls_peer_close(&peer);
	rig.expected = 1;
	rig_until(accepted_all);
	rig_until(rig_none_open);
	assert_int_equal(rig.opened, 0);
}

static void shutdown_within_a_handshake(void **state)
{
	(void)state;
	tls_peer_open(&peer);
	assert_false(tls_peer_shake(&peer));
	bytes_expected = 1;
	rig_until(bytes_have_come); /* tls_end closes the rest */
}

/* ---- who waits ---- */

#define MANY 24
static struct tls_peer many[MANY];

static void half_open_handshakes_keep_nobody_out(void **state)
{
	(void)state;
	for (int i = 0; i < MANY; i++) {
		tls_peer_open(&many[i]);
		if (i % 2) { /* half of them say hello and nothing more */
			assert_false(tls_peer_shake(&many[i]));
		}
	}
	connected();
	assert_int_equal(conn_stats().open, MANY + 1);
	clock_advance(9000);
	rig_settle();
	assert_int_equal(conn_stats().open, MANY + 1);
	clock_advance(1100);
	rig.expected = 1;
	while (conn_stats().open > 1)
		rig_settle();
	assert_int_equal(rig.opened, 1);
	assert_int_equal(rig.closed, 0); /* who has shaken hands stays */
	for (int i = 0; i < MANY; i++)
		tls_peer_close(&many[i]);
}

static struct {
	struct turn_hook hook;
	uint64_t before, most;
} flights;

static void flights_count(struct turn_hook *h)
{
	uint64_t now = conn_stats().bytes_out;

	(void)h;
	if (now - flights.before > flights.most)
		flights.most = now - flights.before;
	flights.before = now;
}

static bool all_shaken(void)
{
	bool all = true;

	for (int i = 0; i < MANY; i++)
		all = tls_peer_shake(&many[i]) && all;
	return all;
}

static void a_turn_works_on_few_handshakes(void **state)
{
	uint64_t flight;

	(void)state;
	connected();
	flight = conn_stats().bytes_out; /* both of the server's */
	for (int i = 0; i < MANY; i++)
		tls_peer_open(&many[i]);
	flights.before = flight;
	flights.most = 0;
	turn_hook_add(&flights.hook, HOOK_LATE, flights_count);
	rig_until(all_shaken);
	turn_hook_remove(&flights.hook);
	for (int i = 0; i < MANY; i++) {
		assert_int_equal(many[i].result, 0);
		tls_peer_close(&many[i]);
	}
	assert_int_equal(rig.opened, MANY + 1);
	assert_in_range(flights.most, 1, 4 * flight);
	rig.expected = MANY;
	while (rig.closed < MANY)
		rig_settle();
}

/* ---- which certificate ---- */

static void assert_certificate(struct tls_peer *p, const char *name)
{
	char text[100];

	mbedtls_x509_dn_gets(text, sizeof(text), &mbedtls_ssl_get_peer_cert(&p->ssl)->subject);
	assert_string_equal(text + 3, name);
}

static bool again_shaken(void)
{
	return tls_peer_shake(&many[0]);
}

/* Another client connects and is shown this certificate. */
static void assert_newcomer_sees(const char *name)
{
	tls_peer_open(&many[0]);
	rig_until(again_shaken);
	assert_int_equal(many[0].result, 0);
	assert_certificate(&many[0], name);
	tls_peer_close(&many[0]);
}

static void reload_is_for_newcomers(void **state)
{
	(void)state;
	rig.consume = rig_echo;
	connected();
	assert_certificate(&peer, "first");
	certificate_make("second", cert, key);
	assert_newcomer_sees("first"); /* files alone change nothing */
	assert_int_equal(tls_reload(why), OK);
	assert_newcomer_sees("second");
	assert_int_equal(unlink(key), 0);
	assert_int_equal(tls_reload(why), ERR_INVALID_REQUEST);
	assert_non_null(strstr(why, "TLS_KEY"));
	assert_newcomer_sees("second");
	tls_peer_write(&peer, "still here", 10);
	rig.expected = 10;
	rig_until(answered);
	while (rig.closed < 3)
		rig_settle();
}

static void assert_refused(const char *c, const char *k, const char *sentence)
{
	assert_int_equal(tls_check(str_of(c), str_of(k), why), ERR_INVALID_REQUEST);
	if (!strstr(why, sentence))
		fail_msg("\"%s\" does not say \"%s\"", why, sentence);
}

static void bad_files_are_refused_by_name(void **state)
{
	char none[120];

	(void)state;
	snprintf(none, sizeof(none), "%s/none", dir);
	assert_int_equal(tls_check(str_of(cert), str_of(key), why), OK);
	assert_refused(none, key, "TLS_CERT: ");
	assert_refused(none, key, "No such file");
	assert_refused(cert, none, "TLS_KEY: ");
	assert_refused(dir, key, "TLS_CERT: ");
	assert_refused("/dev/zero", key, "TLS_CERT: ");
	assert_refused(key, key, "TLS_CERT: ");
	assert_refused(cert, cert, "TLS_KEY: ");
	assert_refused(cert, other_key, "is not the key of the first certificate");
	chmod(key, 0604);
	assert_refused(cert, key, "mode 0604");
	chmod(key, 0660);
	assert_refused(cert, key, "chmod 600");
	chmod(key, 0640);
	assert_int_equal(tls_check(str_of(cert), str_of(key), why), OK);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, tls_begin, tls_end)
	const struct CMUnitTest tests[] = {
		T(echo_over_tls),
		T(an_end_without_farewell_is_an_end),
		T(records_come_byte_by_byte),
		T(what_comes_behind_the_handshake_is_heard),
		T(big_answers_wait_for_a_slow_reader),
		T(too_much_output_closes),
		T(big_requests_pass_a_pause),
		T(close_sends_what_is_queued_and_a_farewell),
		T(an_altered_record_closes),
		T(plain_http_is_told),
		T(other_bytes_end_it),
		T(the_client_leaves_within_its_handshake),
		T(shutdown_within_a_handshake),
		T(half_open_handshakes_keep_nobody_out),
		T(a_turn_works_on_few_handshakes),
		T(reload_is_for_newcomers),
		T(bad_files_are_refused_by_name),
	};

	return cmocka_run_group_tests(tests, all_setup, all_teardown);
}
