/* Redis: the command connection, from the slots of operations to hiredis and back.
 *
 * Path of a command: redis_call -> slot_send (encoded, appended to hiredis' buffer) -> redis_turn
 * (HOOK_STORES: one write for all of the turn) -> on_event -> on_reply (decoded, slot ended).
 * Path of the connection: redis_connect -> on_connected -> setup_send (AUTH, SELECT, PING, SCRIPT
 * LOAD in one write) -> setup_reply -> the ready task -> up. Whatever goes wrong ends in
 * redis_drop, and that, like every loss hiredis finds by itself, in on_cleanup.
 *
 * Lifetime: hiredis frees its context itself, after on_cleanup, which forgets it; we free it only
 * outside of its callbacks (redis_drop). A slot belongs to hiredis' queue of callbacks and is freed
 * when its callback has run: with a reply, or without when the connection is lost. It outlives its
 * task. The poll handle is freed by its close callback.
 *
 * To add a kind of setup command: setup_send and setup_reply. */
#include "io/redis_private.h"

#include "base/clock.h"
#include "base/log.h"
#include "io/backoff.h"

#include <stdio.h>
#include <stdlib.h>
#include <hiredis/async.h>
#include <uv.h>

#define REDIS_CONNECT_MS 1000

struct redis_slot {
	struct op op;
	struct list node; /* redis.flight, oldest first */
	redis_decode *decode;
	void *out;
	int64_t started;                   /* clock_ms */
	int64_t sent;                      /* clock_ns */
	const struct redis_script *script; /* NULL for a plain command */
	char name[24];
	int parts;    /* scripts: how many arguments the tail holds */
	size_t tail;  /* bytes of `bytes`; 0 once it was sent again */
	char bytes[]; /* scripts: number of keys and arguments as sent, for NOSCRIPT */
};

static struct {
	struct redis_setup setup;
	struct redis_url url;
	enum {
		REDIS_OFF,
		REDIS_DOWN,       /* waits for `retry` */
		REDIS_CONNECTING, /* until the setup commands are answered */
		REDIS_READYING,   /* the ready task runs */
		REDIS_UP
	} state;
	redisAsyncContext *ac; /* NULL when there is none or hiredis is freeing it */
	uv_poll_t *poll;
	struct turn_hook turn;
	struct timer retry, attempt, oldest;
	unsigned failures;  /* since it was up */
	size_t setup_left;  /* replies due */
	size_t script_next; /* whose reply is due */
	struct task *early; /* the ready task, until redis_ready_done */
	bool dirty;         /* something waits for the turn's flush */
	bool flushing, writable;
	struct list flight;
	struct buf scratch;
	struct redis_stats stats;
	int64_t now;      /* clock_ns of this batch of commands or replies */
	int64_t answered; /* clock_ms of the last reply */
	char why[128], logged[128];
} redis;

/* ---- loss ---- */

static void log_away(void)
{
	if (strcmp(redis.why, redis.logged) == 0)
		return;
	snprintf(redis.logged, sizeof(redis.logged), "%s", redis.why);
	log_line(LOG_WARN, "redis is away", LOG_Z("reason", redis.why));
}

static void retry_later(void)
{
	redis.state = REDIS_DOWN;
	timer_clear(&redis.attempt);
	timer_clear(&redis.oldest);
	log_away();
	timer_set(&redis.retry, backoff_ms(redis.failures++));
}

static void poll_freed(uv_handle_t *h)
{
	free(h);
}

/* hiredis is about to free its context, whoever began it. */
static void on_cleanup(void *unused)
{
	(void)unused;
	if (redis.ac->c.err)
		snprintf(redis.why, sizeof(redis.why), "%s", redis.ac->c.errstr);
	uv_close((uv_handle_t *)redis.poll, poll_freed);
	redis.poll = NULL;
	redis.ac = NULL;
	redis.dirty = redis.writable = false;
	if (redis.state == REDIS_UP)
		redis.stats.reconnects++;
	if (redis.state != REDIS_OFF)
		retry_later();
}

/* Never inside one of hiredis' callbacks. */
static void redis_drop(const char *why)
{
	if (!redis.ac)
		return;
	snprintf(redis.why, sizeof(redis.why), "%s", why);
	redisAsyncFree(redis.ac);
}

/* ---- slots ---- */

static void slot_end(struct redis_slot *s, enum err e)
{
	if (!list_empty(&s->node)) {
		list_remove(&s->node);
		redis.stats.in_flight--;
	}
	op_end(&s->op, e);
	free(s);
}

static void on_reply(redisAsyncContext *ac, void *reply, void *slot);

/* Sends what the scratch buffer holds; the reply goes to the slot. */
static void slot_send(struct redis_slot *s)
{
	struct buf *b = &redis.scratch;

	if (!redis.dirty)
		redis.now = clock_ns();
	s->started = clock_ms();
	s->sent = redis.now;
	buf_char(b, 0); /* hiredis looks one byte past the end */
	if (redisAsyncFormattedCommand(redis.ac, on_reply, s, b->p, b->n - 1) != REDIS_OK) {
		slot_end(s, ERR_UNAVAILABLE);
		return;
	}
	list_add_tail(&redis.flight, &s->node);
	redis.stats.in_flight++;
	redis.stats.commands++;
	if (!timer_is_set(&redis.oldest))
		timer_set(&redis.oldest, redis.setup.timeout_ms);
}

static struct buf *scratch_clear(void)
{
	if (redis.scratch.cap > 1 << 20)
		buf_free(&redis.scratch);
	redis.scratch.n = 0;
	return &redis.scratch;
}

static struct redis_slot *slot_new(
	const char *name, size_t n, redis_decode *decode, void *out, struct str tail)
{
	struct redis_slot *s = calloc(1, sizeof(*s) + tail.n);

	if (!s)
		PANIC("out of memory");
	list_init(&s->node);
	s->decode = decode;
	s->out = out;
	s->tail = tail.n;
	memcpy(s->bytes, tail.p, tail.n);
	memcpy(s->name, name, n < sizeof(s->name) ? n : sizeof(s->name) - 1);
	return s;
}

static bool redis_admits(const struct task *t)
{
	return redis.ac &&
	       (redis.state == REDIS_UP || (redis.state == REDIS_READYING && t == redis.early));
}

void redis_call(struct task *t, enum op_kind kind, const struct redis_args *a, redis_decode *decode,
	void *out, task_fn *next)
{
	struct redis_slot *s = slot_new(a->v[0].p, a->v[0].n, decode, out, STR(""));
	struct buf *b;

	op_begin(t, &s->op, kind, next);
	if (!redis_admits(t)) {
		slot_end(s, ERR_UNAVAILABLE);
		return;
	}
	b = scratch_clear();
	redis_put_head(b, a->n);
	redis_put_args(b, a);
	slot_send(s);
}

void redis_eval(struct task *t, struct redis_script *script, const struct redis_args *a,
	redis_decode *decode, void *out, task_fn *next)
{
	struct buf *b = scratch_clear();
	struct redis_slot *s;
	size_t tail;
	char keys[I64_TEXT];

	redis_put_head(b, a->n + 3);
	redis_put(b, STR("EVALSHA"));
	redis_put(b, str_make(script->sha, 40));
	tail = b->n;
	redis_put(b, str_make(keys, i64_text(a->keys, keys)));
	redis_put_args(b, a);

	s = slot_new(script->name, strlen(script->name), decode, out, str_from(buf_view(b), tail));
	s->script = script;
	s->parts = a->n;
	op_begin(t, &s->op, script->kind, next);
	if (!redis_admits(t)) {
		slot_end(s, ERR_UNAVAILABLE);
		return;
	}
	ASSERT(script->sha[0]);
	slot_send(s);
}

/* Redis does not know the script any more: once more, with its source, which also loads it. */
static void slot_send_source(struct redis_slot *s)
{
	struct buf *b = scratch_clear();

	redis_put_head(b, s->parts + 3);
	redis_put(b, STR("EVAL"));
	redis_put(b, str_make(s->script->source, s->script->length));
	buf_put(b, s->bytes, s->tail);
	s->tail = 0;
	list_remove(&s->node);
	redis.stats.in_flight--;
	slot_send(s);
}

/* ---- replies ---- */

static bool error_is(const redisReply *r, const char *code)
{
	return strncmp(r->str, code, strlen(code)) == 0;
}

/* Only the error's code and the line in the script are logged: the rest may quote arguments. */
static void error_log(const redisReply *r, const char *name)
{
	const char *at = strstr(r->str, "user_script:");
	int64_t line = at ? strtol(at + strlen("user_script:"), NULL, 10) : 0;

	log_line(LOG_ERROR, "redis refused a command", LOG_Z("command", name),
		LOG_S("code", str_make(r->str, strcspn(r->str, " "))), LOG_I("line", line));
}

static enum err error_code(const redisReply *r, const char *name)
{
	static const char *const away[] = {"LOADING", "MASTERDOWN", "READONLY", "OOM", "MISCONF",
		"BUSY ", "NOREPLICAS", "CLUSTERDOWN", "TRYAGAIN"};

	for (size_t i = 0; i < sizeof(away) / sizeof(*away); i++)
		if (error_is(r, away[i]))
			return ERR_UNAVAILABLE;
	error_log(r, name);
	return ERR_INTERNAL;
}

static void on_reply(redisAsyncContext *ac, void *reply, void *slot)
{
	const redisReply *r = reply;
	struct redis_slot *s = slot;
	enum err e = OK;

	(void)ac;
	if (!r) {
		redis.stats.errors++;
		slot_end(s, ERR_UNAVAILABLE);
		return;
	}
	redis.answered = clock_ms();
	redis.stats.latency_us += ((redis.now - s->sent) / 1000 - redis.stats.latency_us) / 16;
	if (r->type == REDIS_REPLY_ERROR) {
		if (s->tail && error_is(r, "NOSCRIPT")) {
			slot_send_source(s);
			return;
		}
		redis.stats.errors++;
		e = error_code(r, s->name);
	} else if (s->decode && s->op.task) {
		e = s->decode(s->op.task, (const struct redis_value *)reply, s->out);
	}
	slot_end(s, e);
}

/* The queue is first in, first out: one look at its head is enough. While others are answered, the
 * queue is long but Redis is there. */
static void on_oldest(struct timer *t)
{
	struct redis_slot *s;
	int64_t since, left;

	(void)t;
	if (!redis.ac || list_empty(&redis.flight))
		return;
	s = LIST_ITEM(redis.flight.next, struct redis_slot, node);
	since = s->started > redis.answered ? s->started : redis.answered;
	left = since + redis.setup.timeout_ms - clock_ms();
	if (left > 0)
		timer_set(&redis.oldest, left);
	else
		redis_drop("no answer in time");
}

/* ---- the adapter to the loop ---- */

static void on_add_write(void *unused)
{
	(void)unused;
	if (redis.flushing)
		redis.writable = true; /* the kernel took a part only */
	else
		redis.dirty = true;
}

static void on_del_write(void *unused)
{
	(void)unused;
	redis.writable = false;
}

static void on_event(uv_poll_t *poll, int status, int events);

static void redis_flush(void)
{
	bool waited = redis.writable;

	redis.dirty = false;
	redis.flushing = true;
	redisAsyncHandleWrite(redis.ac);
	redis.flushing = false;
	if (redis.ac && redis.writable != waited)
		uv_poll_start(
			redis.poll, UV_READABLE | (redis.writable ? UV_WRITABLE : 0), on_event);
}

static void redis_turn(struct turn_hook *h)
{
	(void)h;
	if (redis.ac && redis.dirty && !redis.writable)
		redis_flush();
}

static void on_event(uv_poll_t *poll, int status, int events)
{
	(void)poll;
	loop_enter();
	redis.now = clock_ns();
	if (status < 0 || (events & UV_READABLE))
		redisAsyncHandleRead(redis.ac);
	if (redis.ac && (events & UV_WRITABLE))
		redis_flush();
	/* A setup command was refused. */
	if (redis.ac && redis.state == REDIS_DOWN)
		redisAsyncFree(redis.ac);
}

/* ---- connecting ---- */

static void redis_up(void)
{
	redis.state = REDIS_UP;
	redis.failures = 0;
	redis.why[0] = redis.logged[0] = 0;
	log_line(LOG_INFO, "redis is here");
}

/* Everything that must be so before commands are let in. */
static void setup_done(void)
{
	timer_clear(&redis.attempt);
	redis.state = REDIS_READYING;
	if (redis.setup.on_ready)
		redis.early = redis.setup.on_ready();
	else
		redis_up();
}

void redis_ready_done(enum err e)
{
	redis.early = NULL;
	if (redis.state != REDIS_READYING)
		return;
	if (e)
		redis_drop("what must run before all else failed");
	else
		redis_up();
}

/* `what` is the command's name, or NULL for SCRIPT LOAD. */
static void setup_reply(redisAsyncContext *ac, void *reply, void *what)
{
	const redisReply *r = reply;

	(void)ac;
	if (!r || redis.state != REDIS_CONNECTING)
		return;
	if (r->type == REDIS_REPLY_ERROR) {
		snprintf(redis.why, sizeof(redis.why), "%s: %.*s",
			what ? (const char *)what : "SCRIPT", (int)strcspn(r->str, " "), r->str);
		if (!what)
			error_log(r, redis.setup.scripts[redis.script_next].name);
		redis.state = REDIS_DOWN; /* on_event drops it, outside of hiredis */
		return;
	}
	if (!what) {
		ASSERT(r->type == REDIS_REPLY_STRING && r->len == 40);
		memcpy(redis.setup.scripts[redis.script_next++].sha, r->str, 41);
	}
	if (--redis.setup_left == 0)
		setup_done();
}

static void setup_put(char *what, int n, const struct str *parts)
{
	struct buf *b = scratch_clear();

	redis_put_command(b, n, parts);
	buf_char(b, 0);
	if (redisAsyncFormattedCommand(redis.ac, setup_reply, what, b->p, b->n - 1) == REDIS_OK)
		redis.setup_left++;
}

static void setup_send(void)
{
	static char auth[] = "AUTH", select[] = "SELECT", ping[] = "PING";
	const struct redis_url *u = &redis.url;
	char db[16];
	int n = snprintf(db, sizeof(db), "%d", u->db);
	struct str parts[3];
	int auth_parts = redis_url_auth(u, parts);

	redis.setup_left = redis.script_next = 0;
	if (auth_parts)
		setup_put(auth, auth_parts, parts);
	if (u->db)
		setup_put(select, 2, (struct str[]){STR("SELECT"), str_make(db, (size_t)n)});
	setup_put(ping, 1, (struct str[]){STR("PING")});
	for (size_t i = 0; i < redis.setup.script_count; i++) {
		const struct redis_script *s = &redis.setup.scripts[i];

		setup_put(NULL, 3,
			(struct str[]){STR("SCRIPT"), STR("LOAD"), str_make(s->source, s->length)});
	}
}

/* On failure hiredis frees its context after this. */
static void on_connected(const redisAsyncContext *ac, int status)
{
	(void)ac;
	if (status == REDIS_OK)
		setup_send();
}

static void on_attempt(struct timer *t)
{
	(void)t;
	redis_drop("no answer while connecting");
}

static void redis_connect(void)
{
	struct redis_url *u = &redis.url;
	redisAsyncContext *ac;

	redis.state = REDIS_CONNECTING;
	ac = u->path ? redisAsyncConnectUnix(u->path)
		     : redisAsyncConnect(u->addrs[redis.failures % u->addr_count], u->port);
	if (!ac)
		PANIC("out of memory");
	if (ac->err) {
		snprintf(redis.why, sizeof(redis.why), "%s", ac->errstr);
		redisAsyncFree(ac);
		retry_later();
		return;
	}
	redis.poll = malloc(sizeof(*redis.poll));
	if (!redis.poll)
		PANIC("out of memory");
	if (uv_poll_init(loop_uv(), redis.poll, ac->c.fd) != 0)
		PANIC("redis: the loop refuses the socket");
	redis.ac = ac;
	ac->ev.addWrite = on_add_write;
	ac->ev.delWrite = on_del_write;
	ac->ev.cleanup = on_cleanup;
	redisAsyncSetConnectCallback(ac, on_connected);
	redis.dirty = false;
	redis.writable = true; /* how the end of connecting shows */
	uv_poll_start(redis.poll, UV_READABLE | UV_WRITABLE, on_event);
	timer_set(&redis.attempt, REDIS_CONNECT_MS);
}

static void on_retry(struct timer *t)
{
	/* A ready task of the connection before must not be taken for this one's. */
	if (redis.early)
		timer_set(t, 50);
	else
		redis_connect();
}

enum err redis_start(const struct redis_setup *s, struct str *why)
{
	enum err e;

	ASSERT(redis.state == REDIS_OFF);
	e = redis_url_parse(&redis.url, s->url, why);
	if (e)
		return e;
	redis.setup = *s;
	redis.failures = 0;
	redis.early = NULL;
	redis.why[0] = redis.logged[0] = 0;
	redis.stats = (struct redis_stats){0};
	list_init(&redis.flight);
	timer_init(&redis.retry, on_retry);
	timer_init(&redis.attempt, on_attempt);
	timer_init(&redis.oldest, on_oldest);
	turn_hook_add(&redis.turn, HOOK_STORES, redis_turn);
	redis_connect();
	return OK;
}

void redis_stop(void)
{
	if (redis.state == REDIS_OFF)
		return;
	redis.state = REDIS_OFF;
	if (redis.ac)
		redisAsyncFree(redis.ac);
	timer_clear(&redis.retry);
	timer_clear(&redis.attempt);
	timer_clear(&redis.oldest);
	turn_hook_remove(&redis.turn);
	buf_free(&redis.scratch);
	redis_url_free(&redis.url);
}

bool redis_is_up(void)
{
	return redis.state == REDIS_UP;
}

struct redis_stats redis_stats(void)
{
	struct redis_stats s = redis.stats;

	s.silent_ms = clock_ms() - redis.answered;
	return s;
}
