/* Connections: owns the stream handles, what was read and not consumed, and their ids.
 *
 *   accepted: conn_accept -> opened -> on_read -> input -> … conn_write -> (turn) conn_settle:
 * flush closed:   conn_close marks -> (turn) conn_settle: `closed` -> drain -> linger -> conn_kill
 * -> freed
 *
 * Whatever has something to send or is on its way out stands on the list `dirty`; the turn hook
 * settles these and no others. After CONN_DONE and CONN_PROTOCOL what is queued is still sent, then
 * our side is shut and input is thrown away for a moment: closing a socket with unread input would
 * send a reset that destroys the reply on its way (RFC 9112, section 9.6).
 *
 * Lifetime: from conn_accept to on_gone, the close callback of libuv; for its owner it ends with
 * `closed`. A write under way keeps the queue's front where it is until libuv gives it back.
 *
 * TLS is a filter: `tls` makes plaintext of what was read, and of the front of `out` what is on the
 * wire. Without it, `out` itself is. During its handshake nobody owns the connection (shaking_ops).
 *
 * To add a reason: enum conn_reason and conn_reason_name; conn_close decides what it lets through.
 */
#include "io/conn.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "base/buf.h"
#include "io/accept.h"
#include "io/loop.h"
#include "io/outq.h"
#include "io/slots.h"
#include "io/tls_private.h"

#define READ_BYTES   65536         /* one read; also how far a paused connection reads on */
#define KEPT_MAX     (1024 * 1024) /* an owner that leaves more than this unconsumed is lost */
#define FLUSH_BUFS   64
#define SOFT_DEFAULT (256 * 1024)
#define HARD_DEFAULT (4 * 1024 * 1024)
#define DRAIN_MS     5000
#define LINGER_MS    2000
#define HANDSHAKE_MS 10000
#define FDS_SPARE    64 /* stores, logs, listeners */

enum conn_state {
	ST_OPEN,
	ST_MARKED,    /* conn_close was called; the owner does not know yet */
	ST_DRAINING,  /* nobody's; sends what is queued */
	ST_LINGERING, /* our side is shut; input is thrown away */
	ST_GONE       /* with libuv for closing */
};

struct flight {
	uv_write_t req;
	size_t n;
};

struct conn {
	/* What each message sent touches stands together. */
	struct outq out;
	struct flight *flight; /* the write under way: the first flight->n bytes of the wire */
	struct list dirty;
	uint32_t soft, hard;
	struct tls *tls; /* NULL: plain */
	int fd;
	uint8_t state, reason;
	bool reading : 1, paused : 1;
	bool backed_up : 1; /* a write was pending since the queue was last empty */
	bool throttled : 1; /* output above the soft limit: no input */
	bool ended : 1;     /* the peer closed its sending side */
	bool end_due : 1;   /* … and the owner is not told yet */
	bool broken : 1;    /* no more output: reset, overflow, or out of time */
	struct addr peer;
	const struct conn_ops *ops;
	union {
		void *data;
		const struct conn_ops *owner; /* of a TLS connection that is shaking hands */
	};
	struct ready ready; /* hands up what was kept */
	struct timer timer;
	void (*on_timeout)(struct conn *c);
	struct buf kept; /* read and not consumed */
	conn_id id;
	/* Last: what a TCP connection does not need of it is not allocated. */
	union {
		uv_handle_t handle;
		uv_stream_t stream;
		uv_tcp_t tcp;
		uv_pipe_t pipe;
	} uv;
};

static struct {
	struct slots ids;
	uint64_t max;
	struct list dirty;
	struct turn_hook hook;
	struct conn_stats stats;
	char read[READ_BYTES], plain[READ_BYTES];
} conns;

const char *conn_reason_name(enum conn_reason r)
{
	static const char *const names[] = {
		[CONN_EOF] = "eof",
		[CONN_RESET] = "reset",
		[CONN_DONE] = "done",
		[CONN_TIMEOUT] = "timeout",
		[CONN_PROTOCOL] = "protocol",
		[CONN_OVERFLOW] = "overflow",
		[CONN_SHUTDOWN] = "shutdown",
	};

	return names[r];
}

/* ---- the way out ---- */

static void dirty_add(struct conn *c)
{
	if (list_empty(&c->dirty))
		list_add_tail(&conns.dirty, &c->dirty);
}

void conn_close(struct conn *c, enum conn_reason r)
{
	if (c->state != ST_OPEN)
		return;
	c->state = ST_MARKED;
	c->reason = (uint8_t)r;
	if (r == CONN_RESET || r == CONN_OVERFLOW)
		c->broken = true;
	timer_clear(&c->timer);
	ready_cancel(&c->ready);
	dirty_add(c);
}

bool conn_closing(const struct conn *c)
{
	return c->state != ST_OPEN;
}

/* Reading or writing failed, or a closing connection took too long. */
static void conn_break(struct conn *c)
{
	conn_close(c, CONN_RESET);
	c->broken = true;
	dirty_add(c);
}

static void on_gone(uv_handle_t *h)
{
	struct conn *c = h->data;

	outq_clear(&c->out);
	tls_free(c->tls);
	free(c);
}

static void conn_kill(struct conn *c)
{
	c->state = ST_GONE;
	timer_clear(&c->timer);
	list_remove(&c->dirty);
	buf_free(&c->kept);
	slots_remove(&conns.ids, c->id);
	conns.stats.open--;
	/* Who does not read is reset: the kernel would keep megabytes for it, and its end from it.
	 */
	if (c->reason != CONN_OVERFLOW || c->peer.unix_peer ||
		uv_tcp_close_reset(&c->uv.tcp, on_gone) != 0)
		uv_close(&c->uv.handle, on_gone);
}

static void on_timer(struct timer *t)
{
	struct conn *c = LIST_ITEM(t, struct conn, timer);

	if (c->state != ST_OPEN)
		conn_break(c);
	else if (c->on_timeout)
		c->on_timeout(c);
	else
		conn_close(c, CONN_TIMEOUT);
}

/* ---- input ---- */

static void on_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *b)
{
	(void)h, (void)suggested;
	*b = uv_buf_init(conns.read, sizeof(conns.read));
}

static void on_read(uv_stream_t *s, ssize_t n, const uv_buf_t *b);

static bool input_wanted(const struct conn *c)
{
	return c->state == ST_OPEN && !c->paused && !c->throttled;
}

static void reading_update(struct conn *c)
{
	bool want = !c->ended && !(c->tls && tls_waiting(c->tls));

	if (c->state == ST_OPEN)
		want = want && !c->throttled && !(c->paused && c->kept.n >= READ_BYTES);
	if (want == c->reading)
		return;
	c->reading = want;
	if (!want)
		uv_read_stop(&c->uv.stream);
	else if (uv_read_start(&c->uv.stream, on_alloc, on_read) != 0)
		conn_break(c);
}

static void kept_hand_up(struct conn *c)
{
	size_t used;

	if (c->kept.n == 0 || !input_wanted(c))
		return;
	used = c->ops->input(c, c->kept.p, c->kept.n);
	ASSERT(used <= c->kept.n);
	if (used == c->kept.n)
		buf_free(&c->kept);
	else
		buf_drop(&c->kept, used);
	if (c->kept.n > KEPT_MAX)
		conn_close(c, CONN_PROTOCOL);
}

static void input_take(struct conn *c, char *p, size_t n)
{
	if (c->kept.n == 0 && input_wanted(c)) {
		size_t used = c->ops->input(c, p, n);

		ASSERT(used <= n);
		if (used < n && c->state == ST_OPEN)
			buf_put(&c->kept, p + used, n - used);
	} else {
		buf_put(&c->kept, p, n);
		kept_hand_up(c);
	}
}

/* After the last byte has been handed up, so not while the owner has paused in front of some. */
static void end_hand_up(struct conn *c)
{
	if (!c->end_due || c->state != ST_OPEN || (c->kept.n > 0 && !input_wanted(c)))
		return;
	c->end_due = false;
	if (c->ops->eof)
		c->ops->eof(c);
	else
		conn_close(c, CONN_EOF);
}

static void on_ready(struct ready *r)
{
	struct conn *c = LIST_ITEM(r, struct conn, ready);

	kept_hand_up(c);
	end_hand_up(c);
	reading_update(c);
}

/* Hands up what is in the records that have come. */
static void records_take(struct conn *c)
{
	size_t n;

	while (c->state == ST_OPEN && (n = tls_read(c->tls, conns.plain, READ_BYTES)) > 0)
		input_take(c, conns.plain, n);
	if (tls_state(c->tls) == TLS_BROKEN) {
		conn_close(c, CONN_PROTOCOL);
	} else if (tls_state(c->tls) == TLS_ENDED && !c->ended) {
		c->ended = c->end_due = true;
		if (c->state == ST_OPEN)
			ready_add(&c->ready);
	}
	dirty_add(c); /* TLS may have an answer of its own */
}

static void wire_take(struct conn *c, char *p, size_t n)
{
	if (!c->tls) {
		input_take(c, p, n);
		return;
	}
	tls_take(c->tls, p, n);
	if (tls_state(c->tls) != TLS_SHAKING)
		records_take(c);
}

/* A reset that came behind the end of the stream is told only to who asks. */
static bool reset_waits(const struct conn *c)
{
	int error = 0;
	socklen_t n = sizeof(error);

	return getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &n) != 0 || error != 0;
}

static void on_read(uv_stream_t *s, ssize_t n, const uv_buf_t *b)
{
	struct conn *c = s->data;

	loop_enter();
	if (n > 0) {
		conns.stats.bytes_in += (uint64_t)n;
		if (c->state == ST_OPEN)
			wire_take(c, b->base, (size_t)n);
	} else if (n == UV_EOF && c->state != ST_LINGERING && !reset_waits(c)) {
		c->ended = c->end_due = true;
		if (c->state == ST_OPEN)
			ready_add(&c->ready); /* behind what a resume is about to hand up */
	} else if (n < 0) {
		conn_break(c);
	}
	reading_update(c);
}

void conn_pause(struct conn *c)
{
	c->paused = true;
}

void conn_resume(struct conn *c)
{
	c->paused = false;
	if (c->state == ST_OPEN)
		ready_add(&c->ready);
}

void conn_set_ops(struct conn *c, const struct conn_ops *ops)
{
	c->ops = ops;
	if (c->state == ST_OPEN)
		ready_add(&c->ready); /* what the owner before left is the new one's */
}

/* ---- output ---- */

/* What the kernel gets: `out`, or what TLS made of its front. */
static struct outq *wire(struct conn *c)
{
	return c->tls ? tls_wire(c->tls) : &c->out;
}

static bool wire_fill(struct conn *c)
{
	if (c->tls) {
		tls_seal(c->tls, &c->out, c->state != ST_OPEN);
		if (tls_state(c->tls) == TLS_BROKEN)
			conn_close(c, CONN_PROTOCOL);
	}
	return wire(c)->n > 0;
}

static bool all_sent(struct conn *c)
{
	return c->out.n == 0 && wire(c)->n == 0;
}

static void on_written(uv_write_t *req, int status)
{
	struct conn *c = req->handle->data;
	size_t n = c->flight->n;

	loop_enter();
	free(c->flight);
	c->flight = NULL;
	if (c->state == ST_GONE)
		return;
	if (status < 0) {
		conn_break(c);
		return;
	}
	conns.stats.bytes_out += n;
	outq_drop(wire(c), n);
	dirty_add(c);
}

/* The kernel's buffer is full: libuv sends on when it has room. */
static void flight_begin(struct conn *c)
{
	uv_buf_t bufs[FLUSH_BUFS];
	unsigned count;

	c->backed_up = true;
	c->flight = malloc(sizeof(*c->flight));
	if (!c->flight)
		PANIC("out of memory");
	count = outq_gather(wire(c), bufs, FLUSH_BUFS, &c->flight->n);
	if (uv_write(&c->flight->req, &c->uv.stream, bufs, count, on_written) != 0) {
		free(c->flight);
		c->flight = NULL;
		conn_break(c);
	}
}

/* Past libuv: nothing is under way with it, and send costs the kernel less than write. */
static ssize_t conn_send(const struct conn *c, const uv_buf_t *bufs, unsigned count)
{
	struct msghdr m = {.msg_iov = (struct iovec *)bufs, .msg_iovlen = count};
	ssize_t n;

	n = count == 1 ? send(c->fd, bufs->base, bufs->len, MSG_NOSIGNAL)
		       : sendmsg(c->fd, &m, MSG_NOSIGNAL);
	if (n < 0)
		return errno == EAGAIN || errno == ENOBUFS ? UV_EAGAIN : -errno;
	return n;
}

static void conn_flush(struct conn *c)
{
	uv_buf_t bufs[FLUSH_BUFS];

	while (!c->flight && !c->broken && wire_fill(c)) {
		size_t bytes;
		unsigned count = outq_gather(wire(c), bufs, FLUSH_BUFS, &bytes);
		ssize_t sent = conn_send(c, bufs, count);

		if (sent < 0 && sent != UV_EAGAIN) {
			conn_break(c);
			return;
		}
		if (sent > 0) {
			conns.stats.bytes_out += (uint64_t)sent;
			outq_drop(wire(c), (size_t)sent);
		}
		if (sent < 0 || (size_t)sent < bytes)
			flight_begin(c);
	}
}

size_t conn_queued(const struct conn *c)
{
	size_t n = c->out.n + (c->tls ? tls_wire(c->tls)->n : 0);

	if (!c->flight)
		return n;
	return n - c->flight->n + uv_stream_get_write_queue_size(&c->uv.stream);
}

/* Two lines of the cache hold what sending touches. */
void conn_expect(const struct conn *c)
{
	__builtin_prefetch(c);
	__builtin_prefetch(&c->fd);
}

static void conn_wrote(struct conn *c)
{
	dirty_add(c);
	if (c->out.n > c->hard && conn_queued(c) > c->hard)
		conn_close(c, CONN_OVERFLOW);
}

void conn_write(struct conn *c, const void *p, size_t n)
{
	if (c->state != ST_OPEN || n == 0)
		return;
	outq_put(&c->out, p, n);
	conn_wrote(c);
}

void conn_write_frame(struct conn *c, struct frame *f)
{
	if (c->state != ST_OPEN)
		return;
	outq_frame(&c->out, f);
	conn_wrote(c);
}

/* Above the soft limit nothing is read; below half of it, it is again. */
static void throttle_update(struct conn *c)
{
	if (!c->throttled && conn_queued(c) > c->soft) {
		c->throttled = true;
		reading_update(c);
	} else if (c->throttled && conn_queued(c) <= c->soft / 2) {
		c->throttled = false;
		ready_add(&c->ready);
	}
}

/* ---- once a turn ---- */

static void linger_begin(struct conn *c)
{
	if (c->ended || shutdown(c->fd, SHUT_WR) != 0) {
		conn_kill(c);
		return;
	}
	c->state = ST_LINGERING;
	timer_set(&c->timer, LINGER_MS);
}

static void conn_settle(struct conn *c)
{
	conn_flush(c);
	if (c->state == ST_OPEN) {
		throttle_update(c);
		if (c->backed_up && all_sent(c)) {
			c->backed_up = false;
			if (c->ops->drained)
				c->ops->drained(c);
		}
		return;
	}
	if (c->state == ST_MARKED) {
		c->state = ST_DRAINING;
		buf_free(&c->kept);
		timer_set(&c->timer, DRAIN_MS);
		c->ops->closed(c, (enum conn_reason)c->reason);
		if (c->reason != CONN_DONE && c->reason != CONN_PROTOCOL)
			c->broken = true;
	}
	if (c->broken)
		conn_kill(c);
	else if (c->state == ST_DRAINING && all_sent(c))
		linger_begin(c);
	if (c->state != ST_GONE)
		reading_update(c);
}

static void on_turn(struct turn_hook *h)
{
	struct list *n;

	(void)h;
	while ((n = list_pop(&conns.dirty)) != NULL) {
		conn_expect(LIST_ITEM(conns.dirty.next, struct conn, dirty)); /* the next, if any */
		conn_settle(LIST_ITEM(n, struct conn, dirty));
	}
	outq_turn();
}

/* ---- the handshake of TLS ---- */

static void on_shaken(void *owner)
{
	struct conn *c = owner;

	if (c->state != ST_OPEN)
		return;
	if (tls_state(c->tls) == TLS_OPEN) {
		timer_clear(&c->timer);
		c->ops = c->owner;
		c->data = NULL;
		c->ops->opened(c);
	}
	if (tls_state(c->tls) != TLS_SHAKING)
		records_take(c);
	dirty_add(c);
	reading_update(c);
}

static void shaking_opened(struct conn *c)
{
	c->tls = tls_new(on_shaken, c);
	timer_set(&c->timer, HANDSHAKE_MS);
}

static void shaking_closed(struct conn *c, enum conn_reason r)
{
	(void)c, (void)r;
}

static const struct conn_ops shaking_ops = {.opened = shaking_opened, .closed = shaking_closed};

/* ---- coming and going ---- */

void conn_refuse(int fd)
{
	close(fd);
	conns.stats.refused++;
}

void conn_accept(int fd, const struct addr *peer, const struct conn_ops *ops, bool secure)
{
	struct conn *c;
	int e;

	if (conns.stats.open >= conns.max) {
		conn_refuse(fd);
		return;
	}
	c = calloc(1, peer->unix_peer ? sizeof(*c) : offsetof(struct conn, uv) + sizeof(c->uv.tcp));
	if (!c)
		PANIC("out of memory");
	c->ops = secure ? &shaking_ops : ops;
	if (secure)
		c->owner = ops;
	c->fd = fd;
	c->peer = *peer;
	c->soft = SOFT_DEFAULT;
	c->hard = HARD_DEFAULT;
	list_init(&c->dirty);
	ready_init(&c->ready, on_ready);
	timer_init(&c->timer, on_timer);
	c->id = slots_add(&conns.ids, c);
	conns.stats.accepted++;
	conns.stats.open++;
	if (peer->unix_peer) {
		uv_pipe_init(loop_uv(), &c->uv.pipe, 0);
		e = uv_pipe_open(&c->uv.pipe, fd);
	} else {
		uv_tcp_init(loop_uv(), &c->uv.tcp);
		e = uv_tcp_open(&c->uv.tcp, fd);
	}
	c->uv.handle.data = c;
	c->ops->opened(c);
	if (e != 0) {
		close(fd);
		conn_break(c);
	}
	reading_update(c);
}

void *conn_data(const struct conn *c)
{
	return c->data;
}

void conn_set_data(struct conn *c, void *data)
{
	c->data = data;
}

const struct addr *conn_peer(const struct conn *c)
{
	return &c->peer;
}

conn_id conn_id_of(const struct conn *c)
{
	return c->id;
}

struct conn *conn_by_id(conn_id id)
{
	struct conn *c = slots_get(&conns.ids, id);

	return c && c->state == ST_OPEN ? c : NULL;
}

void conn_timeout(struct conn *c, int64_t ms, void (*fn)(struct conn *c))
{
	if (c->state != ST_OPEN)
		return;
	c->on_timeout = fn;
	if (ms > 0)
		timer_set(&c->timer, ms);
	else
		timer_clear(&c->timer);
}

void conn_limits(struct conn *c, size_t soft, size_t hard)
{
	ASSERT(soft <= hard && hard <= UINT32_MAX);
	c->soft = (uint32_t)soft;
	c->hard = (uint32_t)hard;
}

struct conn_stats conn_stats(void)
{
	return conns.stats;
}

void conn_close_all(enum conn_reason r)
{
	for (uint32_t i = 0; i < conns.ids.used; i++) {
		struct conn *c = slots_at(&conns.ids, i);

		if (!c)
			continue;
		if (c->state != ST_OPEN && r == CONN_SHUTDOWN)
			conn_break(c); /* no more draining */
		else
			conn_close(c, r);
	}
}

/* As many descriptors as the system lets us have, less what others here need. */
static uint64_t fds_for_conns(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) != 0)
		return 1024 - FDS_SPARE;
	if (l.rlim_cur < l.rlim_max) {
		rlim_t had = l.rlim_cur;

		l.rlim_cur = l.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &l) != 0)
			l.rlim_cur = had;
	}
	return l.rlim_cur > 2 * FDS_SPARE ? l.rlim_cur - FDS_SPARE : l.rlim_cur / 2;
}

void conn_setup(int64_t max_connections)
{
	uint64_t possible = fds_for_conns();

	memset(&conns.stats, 0, sizeof(conns.stats));
	conns.max = max_connections > 0 ? (uint64_t)max_connections : possible;
	list_init(&conns.dirty);
	turn_hook_add(&conns.hook, HOOK_CONNS, on_turn);
}

void conn_teardown(void)
{
	conn_close_all(CONN_SHUTDOWN);
	on_turn(&conns.hook);
	turn_hook_remove(&conns.hook);
	slots_free(&conns.ids);
	outq_pool_free();
}
