/* TLS: owns the sessions of connections and the queue of those whose handshake waits for its turn.
 *
 *   tls_take -> waiting -> (turn) on_idle -> shake -> advanced … -> TLS_OPEN
 *   tls_take -> tls_read: plaintext        tls_seal: plaintext -> records on the wire
 *
 * A step of a handshake is a signature or a product on a curve: 0.6 to 2 ms, thousands of times
 * what anything else here costs. So they are not worked on where their bytes come in, but some a
 * turn in the order of coming, from an idle handle, which also keeps the next poll from sleeping.
 *
 * A half-open connection has no buffers of mbed TLS (33 KiB): they are made when its first bytes
 * get their turn. Who speaks plain HTTP by mistake is told so in plain HTTP.
 *
 * Lifetime: a session from tls_new to tls_free; it keeps the identity with which it began.
 * To add something to say about the session: an accessor, next to tls_state. */
#include "io/tls.h"

#include <mbedtls/ssl.h>
#include <stdlib.h>
#include <uv.h>

#include "base/buf.h"
#include "base/list.h"
#include "base/log.h"
#include "io/loop.h"
#include "io/tls_private.h"

#define STEPS_A_TURN 4
#define RECORD       MBEDTLS_SSL_OUT_CONTENT_LEN
#define WIRE_ENOUGH  65536
#define GATHER       64

struct tls {
	mbedtls_ssl_context ssl;
	struct identity *identity; /* NULL: nothing has come yet */
	enum tls_state state;
	bool farewell;       /* was said */
	struct list waiting; /* in `shaking`: for its turn */
	struct buf came;     /* not looked at: of a handshake, and what came behind it */
	struct str next;     /* what mbed TLS reads from: `came`, or the caller's */
	struct outq wire;
	void (*advanced)(void *owner);
	void *owner;
};

static struct {
	struct str cert, key;
	struct identity *now; /* NULL: not set up */
	struct list shaking;
	uv_idle_t idle;
} tls;

/* ---- mbed TLS reads and writes memory ---- */

static int on_send(void *ctx, const unsigned char *p, size_t n)
{
	struct tls *t = ctx;

	outq_put(&t->wire, p, n);
	return (int)n;
}

static int on_recv(void *ctx, unsigned char *p, size_t n)
{
	struct tls *t = ctx;

	if (t->next.n == 0)
		return MBEDTLS_ERR_SSL_WANT_READ;
	if (n > t->next.n)
		n = t->next.n;
	memcpy(p, t->next.p, n);
	t->next = str_from(t->next, n);
	return (int)n;
}

/* It has told the peer by an alert where the protocol has one. */
static void broken(struct tls *t, int code)
{
	t->state = TLS_BROKEN;
	t->next = STR_NULL;
	log_line(LOG_DEBUG, "TLS failed", LOG_I("code", code));
}

/* ---- the handshake ---- */

static const char plain_http[] = "HTTP/1.1 400 Bad Request\r\n"
				 "Content-Type: text/plain\r\n"
				 "Content-Length: 29\r\n"
				 "Connection: close\r\n"
				 "\r\n"
				 "This port speaks https only.\n";

/* The first bytes: a record of a handshake begins with 22, a request with a capital letter. */
static bool begin(struct tls *t)
{
	char first = t->next.p[0];

	if (first >= 'A' && first <= 'Z') {
		outq_put(&t->wire, plain_http, sizeof(plain_http) - 1);
		return false;
	}
	t->identity = identity_ref(tls.now);
	if (mbedtls_ssl_setup(&t->ssl, identity_config(t->identity)) != 0)
		PANIC("out of memory");
	mbedtls_ssl_set_bio(&t->ssl, t, on_send, on_recv, NULL);
	return true;
}

static void shake(struct tls *t)
{
	int r = 0;

	t->next = buf_view(&t->came);
	if (t->identity || begin(t))
		r = mbedtls_ssl_handshake(&t->ssl);
	else
		r = MBEDTLS_ERR_SSL_INVALID_RECORD;
	if (r == 0)
		t->state = TLS_OPEN;
	else if (r != MBEDTLS_ERR_SSL_WANT_READ || t->next.n > 0)
		broken(t, r);
	if (t->next.n == 0)
		buf_free(&t->came);
	t->advanced(t->owner);
}

static void on_idle(uv_idle_t *idle)
{
	struct list *n;

	loop_enter();
	for (int i = 0; i < STEPS_A_TURN && (n = list_pop(&tls.shaking)) != NULL; i++)
		shake(LIST_ITEM(n, struct tls, waiting));
	if (list_empty(&tls.shaking))
		uv_idle_stop(idle);
}

/* ---- sessions ---- */

struct tls *tls_new(void (*advanced)(void *owner), void *owner)
{
	struct tls *t = calloc(1, sizeof(*t));

	if (!t)
		PANIC("out of memory");
	mbedtls_ssl_init(&t->ssl);
	list_init(&t->waiting);
	t->advanced = advanced;
	t->owner = owner;
	return t;
}

void tls_free(struct tls *t)
{
	if (!t)
		return;
	list_remove(&t->waiting);
	mbedtls_ssl_free(&t->ssl);
	identity_unref(t->identity);
	buf_free(&t->came);
	outq_clear(&t->wire);
	free(t);
}

enum tls_state tls_state(const struct tls *t)
{
	return t->state;
}

bool tls_waiting(const struct tls *t)
{
	return !list_empty(&t->waiting);
}

struct outq *tls_wire(struct tls *t)
{
	return &t->wire;
}

void tls_take(struct tls *t, const char *p, size_t n)
{
	if (t->state != TLS_SHAKING) {
		ASSERT(t->next.n == 0);
		t->next = str_make(p, n);
		return;
	}
	buf_put(&t->came, p, n);
	if (tls_waiting(t))
		return;
	list_add_tail(&tls.shaking, &t->waiting);
	uv_idle_start(&tls.idle, on_idle);
}

size_t tls_read(struct tls *t, char *to, size_t room)
{
	size_t got = 0;

	while (t->state == TLS_OPEN && got < room) {
		size_t left = t->next.n;
		int r = mbedtls_ssl_read(&t->ssl, (unsigned char *)to + got, room - got);

		if (r > 0)
			got += (size_t)r;
		else if (r == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY)
			t->state = TLS_ENDED;
		else if (r != MBEDTLS_ERR_SSL_WANT_READ)
			broken(t, r);
		else if (t->next.n == 0 || t->next.n == left)
			break; /* or: a record that was nothing to us */
	}
	if (t->next.n == 0 || t->state != TLS_OPEN)
		buf_free(&t->came);
	return got;
}

/* One record of what several writes have queued: each would cost 29 bytes and a tag of its own. */
static bool record_seal(struct tls *t, struct outq *from)
{
	static unsigned char record[RECORD];
	uv_buf_t bufs[GATHER];
	size_t bytes, n = 0;
	unsigned count = outq_gather(from, bufs, GATHER, &bytes);
	int r;

	for (unsigned i = 0; i < count && n < RECORD; i++) {
		size_t part = bufs[i].len < RECORD - n ? bufs[i].len : RECORD - n;

		memcpy(record + n, bufs[i].base, part);
		n += part;
	}
	r = mbedtls_ssl_write(&t->ssl, record, n);
	if (r <= 0) {
		broken(t, r);
		return false;
	}
	outq_drop(from, (size_t)r);
	return true;
}

void tls_seal(struct tls *t, struct outq *from, bool last)
{
	bool may = t->state == TLS_OPEN || t->state == TLS_ENDED;

	while (may && from->n > 0 && t->wire.n < WIRE_ENOUGH)
		may = record_seal(t, from);
	if (!may) {
		outq_clear(from);
	} else if (last && from->n == 0 && !t->farewell) {
		t->farewell = true;
		(void)!mbedtls_ssl_close_notify(&t->ssl);
	}
}

/* ---- the process ---- */

enum err tls_check(struct str cert, struct str key, char why[TLS_WHY])
{
	struct identity *i = identity_load(cert, key, why);

	identity_unref(i);
	return i ? OK : ERR_INVALID_REQUEST;
}

enum err tls_reload(char why[TLS_WHY])
{
	struct identity *i = identity_load(tls.cert, tls.key, why);

	if (!i)
		return ERR_INVALID_REQUEST;
	identity_unref(tls.now);
	tls.now = i;
	identity_log(i);
	return OK;
}

enum err tls_setup(struct str cert, struct str key, char why[TLS_WHY])
{
	tls.cert = cert;
	tls.key = key;
	if (tls_reload(why) != OK)
		return ERR_INVALID_REQUEST;
	list_init(&tls.shaking);
	uv_idle_init(loop_uv(), &tls.idle);
	return OK;
}

void tls_teardown(void)
{
	if (!tls.now)
		return;
	identity_unref(tls.now);
	tls.now = NULL;
	uv_close((uv_handle_t *)&tls.idle, NULL);
}
