/* Sockets: own their connection, what is to be written, the acks waited for, and the way back.
 *
 *   sock_new -> connect -> on_connected: (TLS) GET … Upgrade -> 101 -> (raw) opened
 *            -> {"sid"…} -> CONNECT -> its answer -> opened -> events, acks, pings
 *            -> lost -> closed -> back-off -> connect, perhaps elsewhere
 *
 * What is written in a turn is collected in `out` and leaves in the turn's hook, through the tunnel
 * where there is one. A silent server is
 * found by the time since its last ping, a handshake that hangs by SHAKE_MS.
 *
 * Lifetime: sock_new to sock_free, whose memory goes when its handle is closed. An ack lives until
 * its callback returned. To add a packet: enum packet_type, and packet_take here. */
#include <stdlib.h>

#include "base/clock.h"
#include "client_private.h"

#define SHAKE_MS  10000
#define HEAD_MAX  16384
#define IO_PATH   "/socket.io/?EIO=4&transport=websocket"
#define PONG_TEXT "3"

enum state {
	RESTING, /* no handle: waits for its back-off, or stays away */
	CONNECTING,
	UPGRADING, /* waits for 101 */
	SHAKING,   /* waits for the packets of a handshake */
	OPEN,
	CLOSING
};

struct sock {
	uv_tcp_t tcp;
	struct tunnel *tunnel; /* NULL: plain, or no handle */
	const struct sock_options *o;
	void *data;
	struct buf in, out;
	struct list acks;
	struct list dirty; /* in the list of those that have something to write */
	struct timer timer;
	uint32_t next_ack, silent_ms;
	int32_t wait_ms; /* the next first wait; -1: the back-off */
	uint8_t state, attempts, origin;
	bool writing, freed, stays; /* stays: is not made again */
};

struct ack {
	struct list mine, all; /* its socket's, and all by the time they are due */
	struct sock *s;
	sock_ack_fn *fn;
	void *arg;
	int64_t sent_ns, due;
	uint32_t id;
};

struct pending { /* a write that the kernel did not take at once */
	uv_write_t req;
	struct sock *s;
	struct buf bytes;
};

static struct list dirty, waiting;
static struct turn_hook flush_hook;
static struct timer ack_timer;
static struct buf pong;

/* ---- acks ---- */

static void ack_end(struct ack *a, struct str answer)
{
	list_remove(&a->mine);
	list_remove(&a->all);
	if (list_empty(&waiting))
		timer_clear(&ack_timer); /* or a run that is over would wait for it */
	a->fn(a->s, a->arg, answer, a->sent_ns);
	free(a);
}

static void acks_look(struct timer *t)
{
	while (!list_empty(&waiting)) {
		struct ack *a = LIST_ITEM(waiting.next, struct ack, all);

		if (a->due > clock_ms()) {
			timer_set(t, a->due - clock_ms());
			return;
		}
		ack_end(a, STR_NULL);
	}
}

static void acks_lose(struct sock *s)
{
	struct list lost, *n;

	list_init(&lost); /* what a callback asks anew is not lost with these */
	while ((n = list_pop(&s->acks)) != NULL)
		list_add_tail(&lost, n);
	while (!list_empty(&lost))
		ack_end(LIST_ITEM(lost.next, struct ack, mine), STR_NULL);
}

static void ack_take(struct sock *s, int64_t id, struct str answer)
{
	LIST_FOREACH (n, &s->acks) {
		struct ack *a = LIST_ITEM(n, struct ack, mine);

		if (a->id == id) {
			ack_end(a, answer.p ? answer : STR(""));
			return;
		}
	}
	client_counts.late_acks++;
}

static uint32_t ack_new(struct sock *s, sock_ack_fn *fn, void *arg)
{
	struct ack *a = calloc(1, sizeof(*a));
	bool open = s->state == OPEN;

	if (!a)
		PANIC("no memory");
	*a = (struct ack){.s = s,
		.fn = fn,
		.arg = arg,
		.sent_ns = clock_ns(),
		.due = open ? clock_ms() + client_ack_ms : 0,
		.id = s->next_ack++};
	list_init(&a->mine);
	list_init(&a->all);
	list_add_tail(&s->acks, &a->mine);
	list_add_tail(open ? &waiting : waiting.next, &a->all); /* tail of the first: in front */
	if (!open || !timer_is_set(&ack_timer))
		timer_set(&ack_timer, open ? client_ack_ms : 0);
	return a->id;
}

/* ---- writing ---- */

static struct buf *out_of(struct sock *s)
{
	if (list_empty(&s->dirty))
		list_add_tail(&dirty, &s->dirty);
	return &s->out;
}

static void sock_end(struct sock *s, struct str why);

static void on_written(uv_write_t *req, int status)
{
	struct pending *w = req->data;
	struct sock *s = w->s;

	loop_enter();
	buf_free(&w->bytes);
	free(w);
	s->writing = false;
	if (s->state == CLOSING)
		return;
	if (status != 0)
		sock_end(s, str_of(uv_strerror(status)));
	else
		out_of(s);
}

/* What the kernel did not take waits with libuv; what is written meanwhile waits in `out`. */
static void out_wait(struct sock *s, struct buf *out, size_t taken)
{
	struct pending *w = calloc(1, sizeof(*w));
	uv_buf_t b;

	if (!w)
		PANIC("no memory");
	*w = (struct pending){.s = s, .bytes = *out};
	w->req.data = w;
	*out = (struct buf){0};
	s->writing = true;
	b = uv_buf_init(w->bytes.p + taken, (unsigned)(w->bytes.n - taken));
	if (uv_write(&w->req, (uv_stream_t *)&s->tcp, &b, 1, on_written) != 0)
		PANIC("a write that cannot be queued");
}

/* What is to be sent: `out`, or what the tunnel makes of it. */
static struct buf *out_wire(struct sock *s)
{
	if (!s->tunnel)
		return &s->out;
	tunnel_put(s->tunnel, buf_view(&s->out));
	buf_free(&s->out);
	return tunnel_wire(s->tunnel);
}

static void out_flush(struct sock *s)
{
	struct buf *out;
	uv_buf_t b;
	int n;

	if (s->writing || s->state < UPGRADING || s->state > OPEN)
		return;
	out = out_wire(s);
	if (out->n == 0)
		return;
	b = uv_buf_init(out->p, (unsigned)out->n);
	n = uv_try_write((uv_stream_t *)&s->tcp, &b, 1);
	client_counts.writes++;
	client_counts.bytes_out += out->n;
	if (n < 0 && n != UV_EAGAIN)
		sock_end(s, str_of(uv_strerror(n)));
	else if (n == (int)out->n)
		buf_free(out);
	else
		out_wait(s, out, n > 0 ? (size_t)n : 0);
}

static void flush(struct turn_hook *h)
{
	struct list *n;

	(void)h;
	while ((n = list_pop(&dirty)) != NULL)
		out_flush(LIST_ITEM(n, struct sock, dirty));
}

/* ---- ends, and the way back ---- */

static void sock_connect(struct sock *s);

static void on_timer(struct timer *t)
{
	struct sock *s = LIST_ITEM(t, struct sock, timer);

	if (s->state == RESTING)
		sock_connect(s);
	else
		sock_end(s, s->state == OPEN ? STR("no ping came")
					     : STR("the handshake took too long"));
}

/* The first wait, doubled with each attempt, half of it by chance. */
static int64_t back_off(struct sock *s)
{
	int64_t ms = s->o->retry_ms;

	if (s->wait_ms >= 0) {
		ms = s->wait_ms;
		s->wait_ms = -1;
		return ms;
	}
	for (unsigned i = 0; i < s->attempts && ms < s->o->retry_max_ms; i++)
		ms *= 2;
	if (ms > s->o->retry_max_ms)
		ms = s->o->retry_max_ms;
	return ms / 2 + client_random() % (ms / 2 + 1);
}

static void on_closed(uv_handle_t *h)
{
	struct sock *s = h->data;

	loop_enter();
	tunnel_free(s->tunnel);
	s->tunnel = NULL;
	if (s->freed) {
		free(s);
		return;
	}
	s->state = RESTING;
	if (!s->stays)
		timer_set(&s->timer, back_off(s));
	if (s->attempts < 255)
		s->attempts++;
}

/* Everything of the connection goes; `closed` is told where there is something to tell. */
static void sock_end(struct sock *s, struct str why)
{
	enum state was = s->state;
	bool again = s->o->retry_ms > 0 && !s->stays;

	if (was == RESTING || was == CLOSING)
		return;
	s->state = CLOSING;
	s->stays = !again;
	timer_clear(&s->timer);
	list_remove(&s->dirty);
	buf_free(&s->in);
	buf_free(&s->out);
	if (was != OPEN) {
		client_counts.failed++;
		s->origin = (uint8_t)((s->origin + 1u) % s->o->origin_count);
	}
	uv_close((uv_handle_t *)&s->tcp, on_closed);
	acks_lose(s);
	if (!s->freed && s->o->ops->closed && (was == OPEN || !again))
		s->o->ops->closed(s, why, again);
}

static void sock_refused(struct sock *s, struct str why)
{
	s->stays = true;
	sock_end(s, why);
}

/* ---- what comes in ---- */

static void sock_opened(struct sock *s)
{
	s->state = OPEN;
	s->attempts = 0;
	client_counts.connects++;
	timer_clear(&s->timer);
	if (s->silent_ms > 0)
		timer_set(&s->timer, s->silent_ms);
	if (s->o->ops->opened)
		s->o->ops->opened(s);
}

static bool has_nsp(const struct sock *s)
{
	return s->o->nsp && strlen(s->o->nsp) > 1;
}

static void handshake_take(struct sock *s, struct str json)
{
	int64_t ms = slice_i64(slice_get(json, "pingInterval"), 0) +
		     slice_i64(slice_get(json, "pingTimeout"), 0);
	struct buf text = {0};
	struct str connect;

	s->silent_ms = ms > 0 && ms < INT32_MAX ? (uint32_t)ms : 0;
	buf_lit(&text, "40");
	if (has_nsp(s))
		buf_printf(&text, "%s,", s->o->nsp);
	if (s->o->ops->auth)
		s->o->ops->auth(s, &text);
	connect = buf_view(&text);
	frame_put(out_of(s), WS_OP_TEXT, &connect, 1);
	buf_free(&text);
}

static void packet_take(struct sock *s, struct str text)
{
	struct packet p;

	packet_read(text, &p);
	switch (p.type) {
	case PACKET_PING:
		buf_str(out_of(s), buf_view(&pong));
		if (s->state == OPEN && s->silent_ms > 0)
			timer_set(&s->timer, s->silent_ms);
		break;
	case PACKET_EVENT:
		if (s->state == OPEN && s->o->ops->event)
			s->o->ops->event(s, p.name, p.args, p.id);
		break;
	case PACKET_ACK:
		ack_take(s, p.id, p.args);
		break;
	case PACKET_OPEN:
		handshake_take(s, p.args);
		break;
	case PACKET_CONNECT:
		if (s->state == SHAKING)
			sock_opened(s);
		break;
	case PACKET_REFUSED:
		sock_refused(s, p.args);
		break;
	case PACKET_CLOSE:
		sock_end(s, STR("the server closed the socket"));
		break;
	case PACKET_OTHER:
		break;
	}
}

static void frame_take(struct sock *s, const struct frame_in *f)
{
	bool text = f->op == WS_OP_TEXT;

	if (f->op == WS_OP_CLOSE) {
		sock_end(s, STR("the server closed the WebSocket"));
	} else if (f->op == WS_OP_PING) {
		frame_put(out_of(s), WS_OP_PONG, &f->data, 1);
	} else if (text || f->op == WS_OP_BINARY) {
		client_counts.messages_in++;
		if (s->o->raw && s->o->ops->message)
			s->o->ops->message(s, f->data, !text);
		else if (!s->o->raw && text)
			packet_take(s, f->data);
	}
}

/* Returns how many bytes are done with. */
static size_t frames_take(struct sock *s, char *p, size_t n)
{
	struct frame_in f;
	size_t at = 0, used;

	while (s->state == SHAKING || s->state == OPEN) {
		enum frame_result r = frame_read(p + at, n - at, &f, &used);

		if (r == FRAME_BAD)
			sock_end(s, STR("a frame that this client does not take"));
		if (r != FRAME_DONE)
			break;
		at += used;
		frame_take(s, &f);
	}
	return at;
}

/* The answer to the upgrade; 0 while it is not whole. */
static size_t upgrade_take(struct sock *s, const char *p, size_t n)
{
	const char *end = memmem(p, n, "\r\n\r\n", 4);
	struct str line = str_make(p, n);

	if (!end) {
		if (n > HEAD_MAX)
			sock_end(s, STR("the answer to the handshake is too long"));
		return 0;
	}
	line = str_cut(&line, '\r');
	if (!str_starts(line, STR("HTTP/1.1 101"))) {
		sock_end(s, line);
		return 0;
	}
	s->state = SHAKING;
	if (s->o->raw)
		sock_opened(s);
	return (size_t)(end + 4 - p);
}

static void bytes_take(struct sock *s, char *p, size_t n)
{
	struct buf kept =
		s->in; /* a callback may end the socket; this is ours until it is put back */
	size_t at = 0;
	struct str all;

	s->in = (struct buf){0};
	if (kept.n > 0)
		buf_put(&kept, p, n);
	all = kept.n > 0 ? buf_view(&kept) : str_make(p, n);
	if (s->state == UPGRADING)
		at = upgrade_take(s, all.p, all.n);
	at += frames_take(s, (char *)all.p + at, all.n - at);
	if (s->state != CLOSING && at < all.n) {
		if (kept.n > 0) {
			buf_drop(&kept, at);
			s->in = kept;
			return;
		}
		buf_put(&s->in, all.p + at, all.n - at);
	}
	buf_free(&kept);
}

static void tunnel_bytes_take(struct sock *s, const char *p, size_t n)
{
	struct str plain;

	tunnel_take(s->tunnel, p, n);
	while (s->state != CLOSING && tunnel_read(s->tunnel, &plain))
		bytes_take(s, (char *)plain.p, plain.n);
	if (s->state == CLOSING)
		return;
	out_of(s); /* a step of the handshake, an alert, or what waited for its end */
	if (tunnel_why(s->tunnel))
		sock_end(s, str_of(tunnel_why(s->tunnel)));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *b)
{
	struct sock *s = stream->data;

	loop_enter();
	if (n == 0)
		return;
	if (n < 0) {
		sock_end(s, n != UV_EOF ? str_of(uv_strerror((int)n))
			    : s->tunnel ? str_of(tunnel_ended(s->tunnel))
					: STR("the server closed the connection"));
		return;
	}
	client_read_mark();
	client_counts.reads++;
	client_counts.bytes_in += (uint64_t)n;
	if (s->tunnel)
		tunnel_bytes_take(s, b->base, (size_t)n);
	else
		bytes_take(s, b->base, (size_t)n);
}

/* ---- connecting ---- */

static void upgrade_ask(struct sock *s)
{
	struct buf *b = out_of(s);
	const char *path = s->o->path ? s->o->path : s->o->raw ? "/" : IO_PATH;

	buf_printf(b,
		"GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: cG9ydGFsLWxvYWQta2V5IQ==\r\n",
		path, s->o->origins[s->origin]->host);
	if (s->o->ops->headers)
		s->o->ops->headers(s, b);
	buf_lit(b, "\r\n");
}

static void on_connected(uv_connect_t *c, int status)
{
	struct sock *s = c->data;
	const struct origin *o = s->o->origins[s->origin];

	loop_enter();
	free(c);
	if (s->state == CLOSING)
		return;
	if (status != 0) {
		sock_end(s, str_of(uv_strerror(status)));
		return;
	}
	uv_tcp_nodelay(&s->tcp, 1);
	s->state = UPGRADING;
	if (o->tls)
		s->tunnel = tunnel_new(o->tls);
	uv_read_start((uv_stream_t *)&s->tcp, client_alloc, on_read);
	upgrade_ask(s);
}

static void sock_connect(struct sock *s)
{
	uv_connect_t *c = calloc(1, sizeof(*c));
	int e;

	if (!c)
		PANIC("no memory");
	uv_tcp_init(loop_uv(), &s->tcp);
	s->tcp.data = c->data = s;
	s->state = CONNECTING;
	timer_set(&s->timer, SHAKE_MS);
	e = uv_tcp_connect(c, &s->tcp, origin_addr(s->o->origins[s->origin]), on_connected);
	if (e != 0) {
		free(c);
		sock_end(s, str_of(uv_strerror(e)));
	}
}

/* ---- what the header promises ---- */

void socks_setup(void)
{
	struct str text = STR(PONG_TEXT);

	list_init(&dirty);
	list_init(&waiting);
	timer_init(&ack_timer, acks_look);
	turn_hook_add(&flush_hook, HOOK_CONNS, flush);
	frame_put(&pong, WS_OP_TEXT, &text, 1);
}

void socks_teardown(void)
{
	turn_hook_remove(&flush_hook);
	timer_clear(&ack_timer);
	buf_free(&pong);
}

struct sock *sock_new(const struct sock_options *o, size_t origin, void *data)
{
	struct sock *s = calloc(1, sizeof(*s));

	if (!s)
		PANIC("no memory");
	ASSERT(o->origin_count > 0 && o->origin_count < 256);
	s->o = o;
	s->data = data;
	s->wait_ms = -1;
	s->origin = (uint8_t)(origin % o->origin_count);
	list_init(&s->acks);
	list_init(&s->dirty);
	timer_init(&s->timer, on_timer);
	timer_set(&s->timer, 0);
	return s;
}

void sock_free(struct sock *s)
{
	s->freed = true;
	timer_clear(&s->timer);
	if (s->state == RESTING) {
		acks_lose(s);
		free(s);
		return;
	}
	sock_end(s, STR(""));
}

void *sock_data(const struct sock *s)
{
	return s->data;
}

size_t sock_origin(const struct sock *s)
{
	return s->origin;
}

bool sock_is_open(const struct sock *s)
{
	return s->state == OPEN;
}

size_t sock_queued(const struct sock *s)
{
	bool handle = s->state == OPEN || s->state == SHAKING;

	return s->out.n +
	       (handle ? uv_stream_get_write_queue_size((const uv_stream_t *)&s->tcp) : 0);
}

void sock_cut(struct sock *s, int64_t wait_ms)
{
	const struct linger reset = {.l_onoff = 1, .l_linger = 0};
	uv_os_fd_t fd;

	sock_wait(s, wait_ms);
	if (s->state == RESTING || s->state == CLOSING)
		return;
	if (uv_fileno((const uv_handle_t *)&s->tcp, &fd) == 0)
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	sock_end(s, STR("cut"));
}

void sock_wait(struct sock *s, int64_t wait_ms)
{
	s->wait_ms = wait_ms < 0 ? -1 : wait_ms > INT32_MAX ? INT32_MAX : (int32_t)wait_ms;
}

void sock_emit(struct sock *s, struct str name, struct str args)
{
	if (s->state != OPEN)
		return;
	client_counts.messages_out++;
	packet_put_event(out_of(s), s->o->nsp, -1, name, args);
}

void sock_ask(struct sock *s, struct str name, struct str args, sock_ack_fn *fn, void *arg)
{
	uint32_t id = ack_new(s, fn, arg);

	if (s->state != OPEN)
		return;
	client_counts.messages_out++;
	packet_put_event(out_of(s), s->o->nsp, id, name, args);
}

void sock_answer(struct sock *s, int64_t ack_id, struct str args)
{
	if (s->state != OPEN)
		return;
	client_counts.messages_out++;
	packet_put_ack(out_of(s), s->o->nsp, ack_id, args);
}

void sock_send(struct sock *s, struct str data, bool binary)
{
	if (s->state != OPEN)
		return;
	client_counts.messages_out++;
	sock_encode(out_of(s), data, binary);
}

void sock_write(struct sock *s, struct str frames)
{
	if (s->state != OPEN)
		return;
	client_counts.messages_out++;
	buf_str(out_of(s), frames);
}
