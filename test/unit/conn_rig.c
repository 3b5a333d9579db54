/* The rig of conn_rig.h. The client's side is worked by the conditions that rig_until waits for;
 * they never block. */
#include "conn_rig.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

#define PATIENCE_NS INT64_C(10000000000)

struct rig rig = {.client = -1};

/* ---- waiting ---- */

static struct turn_hook watch;
static struct timer pulse;
static bool (*condition)(void);
static int64_t give_up_at;

static void pulse_fire(struct timer *t)
{
	timer_set(t, 5);
}

static void watch_turn(struct turn_hook *h)
{
	(void)h;
	if (condition && (condition() || clock_ns() > give_up_at)) {
		condition = NULL;
		loop_stop();
	}
}

void rig_until(bool (*what)(void))
{
	condition = what;
	give_up_at = clock_ns() + PATIENCE_NS;
	loop_run();
	assert_true(clock_ns() < give_up_at);
}

static unsigned turns_left;

static bool turns_over(void)
{
	return turns_left-- == 0;
}

void rig_settle(void)
{
	turns_left = 4;
	rig_until(turns_over);
}

/* ---- the server's side ---- */

static void on_opened(struct conn *c)
{
	rig.server = c;
	rig.opened++;
	conn_set_data(c, &rig.opened);
}

static size_t on_input(struct conn *c, char *p, size_t n)
{
	size_t used;

	assert_false(conn_closing(c));
	assert_true(n > 0);
	used = rig.consume ? rig.consume(c, p, n) : n;
	buf_put(&rig.heard, p, used);
	return used;
}

static void on_drained(struct conn *c)
{
	assert_int_equal(conn_queued(c), 0);
	rig.drains++;
}

static void on_closed(struct conn *c, enum conn_reason r)
{
	assert_ptr_equal(conn_data(c), &rig.opened);
	assert_null(conn_by_id(conn_id_of(c)));
	conn_write(c, "late", 4);
	conn_close(c, CONN_RESET);
	if (c == rig.server)
		rig.server = NULL;
	rig.reason = r;
	rig.closed++;
}

static void on_eof(struct conn *c)
{
	(void)c;
	rig.ends++;
}

const struct conn_ops rig_ops = {
	.opened = on_opened, .input = on_input, .drained = on_drained, .closed = on_closed};
const struct conn_ops rig_halfway_ops = {
	.opened = on_opened, .input = on_input, .eof = on_eof, .closed = on_closed};

/* ---- the client's side ---- */

bool rig_opened(void)
{
	return rig.opened == 1;
}

int rig_socket(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int room = 65536; /* what the system would buffer for us differs */

	assert_true(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	return fd;
}

void rig_connect(int fd)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
		.sin_port = htons((uint16_t)listener_port(rig.listener)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	assert_true(connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0 || errno == EINPROGRESS);
}

void rig_serve(const char *where, const struct conn_ops *ops)
{
	char why[200] = "";

	if (listener_open(&rig.listener, str_of(where), ops, why) != OK)
		fail_msg("%s", why);
}

void rig_serve_one(const struct conn_ops *ops)
{
	rig_serve("127.0.0.1:0", ops);
	rig.client = rig_socket();
	rig_connect(rig.client);
	rig_until(rig_opened);
}

void rig_send(const void *p, size_t n)
{
	assert_int_equal(send(rig.client, p, n, MSG_NOSIGNAL), n);
	rig.sent += n;
}

/* Reads what is there, `most` bytes of it. */
void rig_take(size_t most)
{
	while (most > 0 && !rig.client_end && !rig.client_reset) {
		size_t want = most < 65536 ? most : 65536;
		ssize_t n = recv(rig.client, buf_reserve(&rig.received, want), want, 0);

		if (n > 0) {
			rig.received.n += (size_t)n;
			most -= (size_t)n;
		} else if (n == 0) {
			rig.client_end = true;
		} else {
			rig.client_reset = errno != EAGAIN;
			return;
		}
	}
}

bool rig_received(void)
{
	rig_take(SIZE_MAX);
	return rig.received.n >= rig.expected;
}

bool rig_heard(void)
{
	return rig.heard.n >= rig.expected;
}

bool rig_ended(void)
{
	rig_take(SIZE_MAX);
	return rig.client_end || rig.client_reset;
}

bool rig_closed(void)
{
	return rig.closed == 1;
}

bool rig_none_open(void)
{
	return conn_stats().open == 0;
}

void rig_close(void)
{
	close(rig.client);
	rig.client = -1;
}

/* ---- around each test ---- */

int rig_setup(void **state)
{
	(void)state;
	loop_init();
	conn_setup(0);
	turn_hook_add(&watch, HOOK_LATE, watch_turn);
	timer_init(&pulse, pulse_fire);
	timer_set(&pulse, 5);
	rig.sent = 0;
	rig.server = NULL;
	rig.consume = NULL;
	rig.opened = rig.closed = rig.drains = rig.ends = 0;
	rig.client_end = rig.client_reset = false;
	return 0;
}

int rig_teardown(void **state)
{
	(void)state;
	timer_clear(&pulse);
	turn_hook_remove(&watch);
	if (rig.client >= 0)
		rig_close();
	if (rig.listener)
		listener_close(rig.listener);
	rig.listener = NULL;
	conn_teardown();
	assert_int_equal(rig.opened, rig.closed); /* each exactly once */
	assert_int_equal(conn_stats().open, 0);
	assert_true(loop_close());
	buf_free(&rig.heard);
	buf_free(&rig.received);
	return 0;
}

size_t rig_echo(struct conn *c, char *p, size_t n)
{
	conn_write(c, p, n);
	return n;
}

void rig_assert_echo(void)
{
	rig.consume = rig_echo;
	rig_send("hello", 5);
	rig.expected = 5;
	rig_until(rig_received);
	assert_memory_equal(rig.received.p, "hello", 5);
	rig_close();
	rig_until(rig_closed);
	assert_int_equal(rig.reason, CONN_EOF);
	rig_until(rig_none_open);
}
