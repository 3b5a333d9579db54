/* Listeners: Unix sockets and their files, addresses, limits, and running out of descriptors. */
#include "conn_rig.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static char dir[64], path[100], where_path[120];

static void path_make(void)
{
	const char *base = getenv("TMPDIR");

	snprintf(dir, sizeof(dir), "%s/portal-XXXXXX", base ? base : P_tmpdir);
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/s", dir);
	snprintf(where_path, sizeof(where_path), "unix:%s", path);
}

static void path_connect(void)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	memcpy(a.sun_path, path, strlen(path) + 1);
	rig.client = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	assert_int_equal(connect(rig.client, (struct sockaddr *)&a, sizeof(a)), 0);
}

static void echo_over_unix(void **state)
{
	struct stat st;

	(void)state;
	path_make();
	rig_serve(where_path, &rig_ops);
	assert_int_equal(listener_port(rig.listener), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
	path_connect();
	rig_until(rig_opened);
	assert_true(conn_peer(rig.server)->unix_peer);
	rig_assert_echo();
	listener_close(rig.listener);
	rig.listener = NULL;
	assert_int_not_equal(stat(path, &st), 0);
	rmdir(dir);
}

static bool one_refused(void)
{
	return conn_stats().refused == 1;
}

static void beyond_the_limit_is_refused(void **state)
{
	int first;

	(void)state;
	conn_teardown();
	conn_setup(1);
	rig_serve_one(&rig_ops);
	first = rig.client;
	rig.client = rig_socket();
	rig_connect(rig.client);
	rig_until(one_refused);
	rig_until(rig_ended);
	rig_close();
	rig.client = first;
	rig.client_end = rig.client_reset = false;
	rig_assert_echo();
}

static void out_of_descriptors_is_survived(void **state)
{
	struct rlimit had, none;
	int first, newcomer, next, lowest;

	(void)state;
	rig_serve_one(&rig_ops);
	first = rig.client;
	newcomer = rig_socket();
	next = rig_socket();
	lowest = dup(0);
	close(lowest);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &had), 0);
	none = had;
	none.rlim_cur = (rlim_t)lowest;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);

	rig_connect(newcomer);
	rig.client = newcomer;
	rig_until(one_refused);
	rig_until(rig_ended);
	rig_connect(next);
	rig_settle(); /* accepting rests; those connected are served */
	assert_int_equal(conn_stats().refused, 1);
	rig.client = first;
	rig.client_end = rig.client_reset = false;
	rig.consume = rig_echo;
	rig_send("hello", 5);
	rig.expected = 5;
	rig_until(rig_received);

	assert_int_equal(setrlimit(RLIMIT_NOFILE, &had), 0);
	rig.opened--;
	rig_until(rig_opened); /* after the rest the one who waited */
	rig.opened++;
	assert_int_equal(conn_stats().refused, 1);
	close(newcomer);
	close(next);
}

/* ---- listening ---- */

static void addresses_are_checked(void **state)
{
	static const char *const wrong[] = {"", ":", "8080", "127.0.0.1",
		"127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536", "127.0.0.1:-1", "localhost:80",
		"::1:80:", "[::1]", "[::1:80", "unix:", "1.2.3.4:80"};
	char why[200], port[32];
	struct listener *l;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		why[0] = '\0';
		assert_int_equal(
			listener_open(&l, str_of(wrong[i]), &rig_ops, why), ERR_UNAVAILABLE);
		assert_true(strlen(why) > 20);
	}
	rig_serve("127.0.0.1:0", &rig_ops);
	snprintf(port, sizeof(port), "127.0.0.1:%d", listener_port(rig.listener));
	assert_int_equal(listener_open(&l, str_of(port), &rig_ops, why), ERR_UNAVAILABLE);
	assert_non_null(strstr(why, port));
}

static void only_stale_socket_files_are_replaced(void **state)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	struct listener *l;
	struct stat st;
	char why[200];
	int dead;

	(void)state;
	path_make();
	memcpy(a.sun_path, path, strlen(path) + 1);
	dead = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(dead, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(dead, 1), 0);
	assert_int_equal(listener_open(&l, str_of(where_path), &rig_ops, why), ERR_UNAVAILABLE);
	close(dead); /* as after a crash: the file stays */
	assert_int_equal(stat(path, &st), 0);
	rig_serve(where_path, &rig_ops);
	path_connect();
	rig_until(rig_opened);
	listener_close(rig.listener);
	rig.listener = NULL;

	dead = open(path, O_CREAT | O_WRONLY, 0600); /* no socket: not ours to remove */
	close(dead);
	assert_int_equal(listener_open(&l, str_of(where_path), &rig_ops, why), ERR_UNAVAILABLE);
	assert_int_equal(unlink(path), 0);
	rmdir(dir);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, rig_setup, rig_teardown)
	const struct CMUnitTest tests[] = {
		T(echo_over_unix),
		T(beyond_the_limit_is_refused),
		T(out_of_descriptors_is_survived),
		T(addresses_are_checked),
		T(only_stale_socket_files_are_replaced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
