/* Redis subscriptions: owns the connection, the table of channels and who waits for their
 * confirmation. hiredis parses and buffers; in RESP2 a connection that subscribes gets replies that
 * name themselves, so there is no queue of callbacks.
 *
 * Path of the connection: sub_connect (AUTH, all channels and at last the private one in one write)
 * -> on_event -> private channel confirmed -> proof_send (PUBLISH through io/redis) -> it arrives
 * -> up. Whatever goes wrong ends in sub_drop. Path of a message: on_event -> sub_read ->
 * reply_take -> setup.message.
 *
 * A channel may be left and subscribed again while confirmations are on their way; they come in the
 * order of the commands, so it counts those that are due and is confirmed by the last.
 *
 * Lifetime: a channel lives while it is wanted or a confirmation is due. A waiter outlives its task
 * and is freed when its channel is confirmed or the connection lost. The poll handle is freed by
 * its close callback.
 *
 * To serve another kind of reply: reply_take. */
#include "io/redis_sub.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "base/secret.h"
#include "io/backoff.h"
#include "io/redis_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <hiredis/hiredis.h>
#include <uv.h>

#define CONNECT_MS      1000
#define PING_MS         1000
#define PROOF_AGAIN_MS  50 /* while io/redis is away */
#define PROOF_NAME      "portal:proof:"
#define PROOF_NAME_SIZE (sizeof(PROOF_NAME) - 1 + 36)
#define NAMES_MOST      64 /* so that Redis is not kept for long */

struct waiter {
	struct op op;
	struct waiter *next;
};

struct channel {
	struct channel *next; /* of the same hash */
	struct waiter *waiters;
	uint32_t holds; /* subscribed minus unsubscribed */
	uint32_t due;   /* confirmations */
	uint8_t n;
	char name[];
};

static struct {
	struct redis_sub_setup setup;
	struct redis_url url;
	enum {
		SUB_OFF,
		SUB_DOWN,     /* waits for `retry` */
		SUB_RENEWING, /* until the proof has come */
		SUB_UP
	} state;
	redisContext *c;
	uv_poll_t *poll;
	struct turn_hook turn;
	struct timer retry, watch, proof;
	struct task *proving; /* publishes the proof */
	bool published;       /* … and has */
	unsigned failures;    /* since it was up */
	bool dirty;           /* something waits for the turn's flush */
	bool writable;        /* the kernel took a part only, or we are connecting */
	bool reading;         /* hiredis' reader is in use */
	bool doomed;          /* to be dropped when it no longer is */
	bool awaits;          /* an answer is due; `watch` looks after it */
	int64_t asked, heard; /* clock_ms */
	struct map channels;  /* by hash of the name */
	struct buf scratch;
	struct buf names; /* of channels that go together in the next command, encoded */
	int names_n;
	bool leaving; /* … which leaves them */
	char proof_name[PROOF_NAME_SIZE];
	struct redis_sub_stats stats;
	char why[128], logged[128];
} sub;

/* ---- channels ---- */

static struct str channel_name(const struct channel *ch)
{
	return str_make(ch->name, ch->n);
}

static struct channel *channel_find(struct str name)
{
	struct channel *ch = map_get(&sub.channels, str_hash(name));

	while (ch && !str_eq(channel_name(ch), name))
		ch = ch->next;
	return ch;
}

static void channel_link(struct channel *ch)
{
	uint64_t hash = str_hash(channel_name(ch));

	ch->next = map_get(&sub.channels, hash);
	map_put(&sub.channels, hash, ch);
	sub.stats.channels++;
}

static struct channel *channel_new(struct str name)
{
	struct channel *ch;

	ASSERT(name.n <= REDIS_CHANNEL_MAX);
	ch = malloc(sizeof(*ch) + name.n);
	if (!ch)
		PANIC("out of memory");
	*ch = (struct channel){.n = (uint8_t)name.n};
	memcpy(ch->name, name.p, name.n);
	channel_link(ch);
	return ch;
}

static void channel_free(struct channel *ch)
{
	uint64_t hash = str_hash(channel_name(ch));
	struct channel *head = map_get(&sub.channels, hash), **at = &head;

	while (*at != ch)
		at = &(*at)->next;
	*at = ch->next;
	if (head)
		map_put(&sub.channels, hash, head);
	else
		map_remove(&sub.channels, hash);
	sub.stats.channels--;
	free(ch);
}

static void waiters_end(struct channel *ch, enum err e)
{
	struct waiter *w;

	while ((w = ch->waiters)) {
		ch->waiters = w->next;
		op_end(&w->op, e);
		free(w);
	}
}

/* The connection is lost: nothing is due any more. What is wanted moves to a table of its own. */
static void channels_lose(bool keep)
{
	struct map old = sub.channels;
	uint64_t hash;
	void *first;

	sub.channels = (struct map){0};
	sub.stats.channels = 0;
	for (size_t i = 0; map_next(&old, &i, &hash, &first);)
		for (struct channel *ch = first, *next; ch; ch = next) {
			next = ch->next;
			waiters_end(ch, ERR_UNAVAILABLE);
			ch->due = 0;
			if (keep && ch->holds > 0)
				channel_link(ch);
			else
				free(ch);
		}
	map_free(&old);
}

/* ---- loss ---- */

static void retry_later(void)
{
	sub.state = SUB_DOWN;
	if (strcmp(sub.why, sub.logged) != 0) {
		snprintf(sub.logged, sizeof(sub.logged), "%s", sub.why);
		log_line(LOG_WARN, "redis subscriptions are away", LOG_Z("reason", sub.why));
	}
	timer_set(&sub.retry, backoff_ms(sub.failures++));
}

static void poll_freed(uv_handle_t *h)
{
	free(h);
}

static void sub_close(void)
{
	timer_clear(&sub.watch);
	timer_clear(&sub.proof);
	if (sub.proving)
		task_end(sub.proving);
	if (!sub.c)
		return;
	uv_close((uv_handle_t *)sub.poll, poll_freed);
	sub.poll = NULL;
	redisFree(sub.c);
	sub.c = NULL;
	sub.dirty = sub.writable = sub.doomed = false;
	sub.names.n = 0;
	sub.names_n = 0;
}

static void sub_drop(const char *why)
{
	bool was_up = sub.state == SUB_UP;

	if (why != sub.why)
		snprintf(sub.why, sizeof(sub.why), "%s", why);
	if (sub.reading) {
		sub.doomed = true;
		return;
	}
	sub_close();
	retry_later();
	channels_lose(true);
	if (was_up) {
		sub.stats.reconnects++;
		sub.setup.lost();
	}
}

/* ---- sending ---- */

static void scratch_send(void)
{
	if (redisAppendFormattedCommand(sub.c, sub.scratch.p, sub.scratch.n) != REDIS_OK)
		PANIC("out of memory");
	sub.scratch.n = 0;
}

static void names_send(void)
{
	if (sub.names_n == 0)
		return;
	redis_put_head(&sub.scratch, sub.names_n + 1);
	redis_put(&sub.scratch, sub.leaving ? STR("UNSUBSCRIBE") : STR("SUBSCRIBE"));
	buf_str(&sub.scratch, buf_view(&sub.names));
	scratch_send();
	sub.names.n = 0;
	sub.names_n = 0;
}

/* Confirmed one by one, in the order of the names, as if each had its own command. */
static void name_send(struct str name, bool leaving)
{
	if (sub.names_n == NAMES_MOST || sub.leaving != leaving)
		names_send();
	sub.leaving = leaving;
	redis_put(&sub.names, name);
	sub.names_n++;
	sub.dirty = true;
}

static void send_command(int n, const struct str *parts)
{
	names_send();
	redis_put_command(&sub.scratch, n, parts);
	scratch_send();
	sub.dirty = true;
}

static void on_event(uv_poll_t *poll, int status, int events);

static void sub_flush(void)
{
	bool waited = sub.writable;
	int done = 0;

	names_send();
	sub.dirty = false;
	if (redisBufferWrite(sub.c, &done) != REDIS_OK) {
		sub_drop(sub.c->errstr);
		return;
	}
	sub.writable = !done;
	if (sub.writable != waited)
		uv_poll_start(sub.poll, UV_READABLE | (sub.writable ? UV_WRITABLE : 0), on_event);
}

static void on_turn(struct turn_hook *h)
{
	(void)h;
	if (sub.c && sub.dirty && !sub.writable)
		sub_flush();
}

static void channel_subscribe(struct channel *ch)
{
	ch->due++;
	name_send(channel_name(ch), false);
}

void redis_subscribe(struct str name)
{
	struct channel *ch = channel_find(name);

	if (!ch)
		ch = channel_new(name);
	if (ch->holds++ == 0 && sub.c)
		channel_subscribe(ch);
}

void redis_unsubscribe(struct str name)
{
	struct channel *ch = channel_find(name);

	if (sub.state == SUB_OFF)
		return; /* forgotten already */
	ASSERT(ch && ch->holds > 0);
	if (--ch->holds > 0)
		return;
	waiters_end(ch, ERR_UNAVAILABLE);
	if (sub.c)
		name_send(name, true);
	if (ch->due == 0)
		channel_free(ch);
}

void redis_sub_await(struct task *t, struct str name, task_fn *next)
{
	struct channel *ch = channel_find(name);
	struct waiter *w = calloc(1, sizeof(*w));

	if (!w)
		PANIC("out of memory");
	op_begin(t, &w->op, OP_READ, next);
	if (sub.state == SUB_UP && ch && ch->holds > 0 && ch->due > 0) {
		w->next = ch->waiters;
		ch->waiters = w;
		return;
	}
	op_end(&w->op, sub.state == SUB_UP && ch && ch->holds > 0 ? OK : ERR_UNAVAILABLE);
	free(w);
}

/* ---- the proof: a message to oneself ---- */

static void proof_failed(struct task *t, const struct fault *f)
{
	(void)f;
	timer_set(&sub.proof, PROOF_AGAIN_MS);
	task_end(t);
}

static void proof_ended(struct task *t)
{
	(void)t;
	sub.proving = NULL;
}

static void proof_published(struct task *t)
{
	sub.published = true;
	timer_set(&sub.proof, sub.setup.timeout_ms);
	task_end(t);
}

static void proof_publish(struct task *t)
{
	struct redis_args a = {.n = 0};

	redis_arg(&a, STR("PUBLISH"));
	redis_arg(&a, str_make(sub.proof_name, sizeof(sub.proof_name)));
	redis_arg(&a, STR(""));
	redis_call(t, OP_READ, &a, NULL, NULL, proof_published);
}

static void proof_send(void)
{
	static const struct task_ops ops = {proof_failed, proof_ended};

	sub.proving = task_new("redis_sub", &ops, NULL, 0, proof_publish);
}

static void on_proof(struct timer *t)
{
	(void)t;
	if (sub.published)
		sub_drop("the message to oneself does not arrive");
	else
		proof_send();
}

/* All channels are confirmed: this one came last. */
static void proof_confirmed(void)
{
	sub.awaits = false;
	timer_set(&sub.watch, PING_MS);
	sub.published = false;
	proof_send();
}

static void proof_arrived(void)
{
	if (sub.state != SUB_RENEWING)
		return;
	timer_clear(&sub.proof);
	if (sub.proving)
		task_end(sub.proving);
	sub.state = SUB_UP;
	sub.failures = 0;
	sub.why[0] = sub.logged[0] = 0;
	log_line(LOG_INFO, "redis subscriptions are here");
	sub.setup.back();
}

/* ---- replies ---- */

static void message_take(struct str name, struct str payload)
{
	struct channel *ch;

	if (str_eq(name, str_make(sub.proof_name, sizeof(sub.proof_name)))) {
		proof_arrived();
		return;
	}
	ch = channel_find(name);
	if (!ch || ch->holds == 0)
		return; /* left meanwhile */
	sub.stats.messages++;
	sub.setup.message(name, payload);
}

static void confirmation_take(struct str name)
{
	struct channel *ch;

	if (str_eq(name, str_make(sub.proof_name, sizeof(sub.proof_name)))) {
		proof_confirmed();
		return;
	}
	ch = channel_find(name);
	if (!ch || ch->due == 0 || --ch->due > 0)
		return;
	if (ch->holds > 0)
		waiters_end(ch, OK);
	else
		channel_free(ch);
}

static void pong_take(void)
{
	sub.awaits = false;
	timer_set(&sub.watch, PING_MS);
}

static struct str part(const redisReply *r, size_t i)
{
	if (i >= r->elements || r->element[i]->type != REDIS_REPLY_STRING)
		return STR_NULL;
	return str_make(r->element[i]->str, r->element[i]->len);
}

static void reply_take(const redisReply *r)
{
	struct str kind;

	sub.heard = clock_ms();
	if (r->type == REDIS_REPLY_ERROR) {
		snprintf(sub.why, sizeof(sub.why), "%.*s", (int)strcspn(r->str, " "), r->str);
		sub_drop(sub.why);
	}
	if (r->type != REDIS_REPLY_ARRAY)
		return; /* AUTH was answered */
	kind = part(r, 0);
	if (str_eq(kind, STR("message")))
		message_take(part(r, 1), part(r, 2));
	else if (str_eq(kind, STR("subscribe")))
		confirmation_take(part(r, 1));
	else if (str_eq(kind, STR("pong")))
		pong_take();
}

static void sub_read(void)
{
	void *reply = NULL;

	if (redisBufferRead(sub.c) != REDIS_OK) {
		sub_drop(sub.c->errstr);
		return;
	}
	sub.reading = true;
	while (!sub.doomed && redisReaderGetReply(sub.c->reader, &reply) == REDIS_OK && reply) {
		reply_take(reply);
		freeReplyObject(reply);
	}
	sub.reading = false;
	if (sub.c->reader->err)
		sub_drop(sub.c->reader->errstr);
	else if (sub.doomed)
		sub_drop(sub.why);
}

static void on_event(uv_poll_t *poll, int status, int events)
{
	(void)poll;
	loop_enter();
	if (status < 0 || (events & UV_READABLE))
		sub_read();
	if (sub.c && (events & UV_WRITABLE))
		sub_flush();
}

/* Nothing was asked: ask. Something was: has anything been heard since? What waits in the socket
 * is read first, because it may be this process that stood still. */
static void on_watch(struct timer *t)
{
	int64_t left = sub.state == SUB_UP ? sub.setup.timeout_ms : CONNECT_MS;

	if (!sub.awaits) {
		send_command(1, (struct str[]){STR("PING")});
		sub.awaits = true;
		sub.asked = clock_ms();
		timer_set(t, left);
		return;
	}
	sub_read();
	if (!sub.c || !sub.awaits)
		return;
	left += (sub.heard > sub.asked ? sub.heard : sub.asked) - clock_ms();
	if (left > 0)
		timer_set(t, left);
	else
		sub_drop("no answer in time");
}

/* ---- connecting ---- */

static void renew(void)
{
	struct str parts[3];
	int n = redis_url_auth(&sub.url, parts);
	uint64_t hash;
	void *first;

	if (n > 0)
		send_command(n, parts);
	for (size_t i = 0; map_next(&sub.channels, &i, &hash, &first);)
		for (struct channel *ch = first; ch; ch = ch->next)
			channel_subscribe(ch);
	name_send(str_make(sub.proof_name, sizeof(sub.proof_name)), false);
}

static void sub_connect(void)
{
	struct redis_url *u = &sub.url;

	sub.c = u->path ? redisConnectUnixNonBlock(u->path)
			: redisConnectNonBlock(u->addrs[sub.failures % u->addr_count], u->port);
	if (!sub.c)
		PANIC("out of memory");
	if (sub.c->err) {
		snprintf(sub.why, sizeof(sub.why), "%s", sub.c->errstr);
		redisFree(sub.c);
		sub.c = NULL;
		retry_later();
		return;
	}
	sub.poll = malloc(sizeof(*sub.poll));
	if (!sub.poll)
		PANIC("out of memory");
	if (uv_poll_init(loop_uv(), sub.poll, sub.c->fd) != 0)
		PANIC("redis: the loop refuses the socket");
	sub.state = SUB_RENEWING;
	sub.writable = true; /* how the end of connecting shows */
	uv_poll_start(sub.poll, UV_READABLE | UV_WRITABLE, on_event);
	sub.awaits = true;
	sub.asked = clock_ms();
	timer_set(&sub.watch, CONNECT_MS);
	renew();
}

static void on_retry(struct timer *t)
{
	(void)t;
	sub_connect();
}

enum err redis_sub_start(const struct redis_sub_setup *s, struct str *why)
{
	enum err e;

	ASSERT(sub.state == SUB_OFF);
	e = redis_url_parse(&sub.url, s->url, why);
	if (e)
		return e;
	sub.setup = *s;
	sub.failures = 0;
	sub.why[0] = sub.logged[0] = 0;
	sub.stats = (struct redis_sub_stats){0};
	memcpy(sub.proof_name, PROOF_NAME, sizeof(PROOF_NAME) - 1);
	secret_uuid(sub.proof_name + sizeof(PROOF_NAME) - 1);
	timer_init(&sub.retry, on_retry);
	timer_init(&sub.watch, on_watch);
	timer_init(&sub.proof, on_proof);
	turn_hook_add(&sub.turn, HOOK_STORES, on_turn);
	sub_connect();
	return OK;
}

void redis_sub_stop(void)
{
	if (sub.state == SUB_OFF)
		return;
	ASSERT(!sub.reading);
	sub.state = SUB_OFF;
	sub_close();
	timer_clear(&sub.retry);
	channels_lose(false);
	turn_hook_remove(&sub.turn);
	buf_free(&sub.scratch);
	buf_free(&sub.names);
	redis_url_free(&sub.url);
}

bool redis_sub_is_up(void)
{
	return sub.state == SUB_UP;
}

struct redis_sub_stats redis_sub_stats(void)
{
	return sub.stats;
}
