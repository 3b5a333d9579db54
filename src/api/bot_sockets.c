/* CONNECT to the namespace "/bot", and pushes of login codes to its sockets (contract 4.3).
 *
 *   bot_connect -> rate -> check: is the key good? -> lease of its platform -> sio_accept
 *   a bot was changed (bus), the bus came back, once a minute -> check of all: accepted, or put out
 *   request -> bot_push: the next process is told;  !login:push -> bot_control -> deliver: code
 * read
 *     -> a bot of this process, key good? -> login:code … its ack -> over, or the next bot; none
 *     left -> the next process
 *
 * Lifetime: struct bot_socket from CONNECT until hub/sio says that it is gone, or its check ends
 * without accepting it. A change of a bot that is heard while its check is under way makes the
 * check begin again, so no key that was dead before is accepted. A lease is short, so that a
 * process that died is not asked for long. To push something else: a delivery of its own. */
#include "api/bot_socket.h"
#include "api/serve.h"
#include "base/config.h"
#include "base/log.h"
#include "store/code.h"
#include "store/push.h"
#include "store/user.h"

#include <stdlib.h>

#define LEASE_BOTS_MS 3000
#define TICK_MS       1000
#define CHECK_TICKS   60
#define ACK_MS        3000
#define TRIES_MAX     8   /* bots of this process, for one push */
#define EVENTS_MAX    100 /* a bot has nothing to say */

struct bot_socket {
	struct list node;
	sio_id id;
	struct addr addr;
	uint8_t key_hash[HASH_LEN];
	struct bot bot;     /* as last checked; strings: `platform` */
	char platform[256]; /* 64 code points at most */
	unsigned events;
	bool accepted, gone;
	bool stale;            /* to be checked again */
	struct task *checking; /* NULL: none under way */
};

static struct {
	struct list all; /* those that wait to be accepted too */
	struct timer tick;
	unsigned ticks;
} bots = {.all = {&bots.all, &bots.all}};

static void task_over(struct task *t)
{
	task_end(t);
}

static void task_over_failed(struct task *t, const struct fault *f)
{
	(void)f;
	task_end(t);
}

static const struct task_ops quiet = {task_over_failed, NULL};

static bool serves(const struct bot_socket *s, struct str platform)
{
	return s->accepted && s->bot.login && str_eq(s->bot.platform, platform);
}

static struct bot_socket *socket_after(struct list *at, struct str platform)
{
	for (; at != &bots.all; at = at->next)
		if (serves(LIST_ITEM(at, struct bot_socket, node), platform))
			return LIST_ITEM(at, struct bot_socket, node);
	return NULL;
}

/* ---- the key: check_begin -> (rate_known) -> check_key -> key_known -> checked ---- */

struct check {
	char addr_key[ADDR_TEXT];
	struct limit limit;
	struct rate rate;
	struct bot bot;
};

static void check_key(struct task *t);

static int64_t sockets_of(int64_t bot_id)
{
	int64_t n = 0;

	LIST_FOREACH (node, &bots.all) {
		const struct bot_socket *s = LIST_ITEM(node, struct bot_socket, node);

		n += s->accepted && s->bot.id == bot_id;
	}
	return n;
}

static void checked(struct task *t)
{
	struct bot_socket *s = task_subject(t);
	const struct check *f = task_frame(t);

	if (s->stale) {
		task_next(t, check_key);
		return;
	}
	if (!s->accepted && sockets_of(f->bot.id) >= config.max_sockets) {
		task_fail(t, ERR_TOO_MANY_SOCKETS);
		return;
	}
	ASSERT(f->bot.platform.n <= sizeof(s->platform));
	memcpy(s->platform, f->bot.platform.p, f->bot.platform.n);
	s->bot = f->bot;
	s->bot.platform.p = s->platform;
	if (!s->accepted)
		s->accepted = sio_accept(s->id, s);
	task_end(t);
}

static void key_known(struct task *t)
{
	const struct check *f = task_frame(t);

	if (f->bot.login)
		push_lease(t, f->bot.platform, presence_process(), LEASE_BOTS_MS, checked);
	else
		task_next(t, checked);
}

static void check_key(struct task *t)
{
	struct bot_socket *s = task_subject(t);
	struct check *f = task_frame(t);

	s->stale = false;
	bot_by_key(t, s->key_hash, &f->bot, key_known);
}

static void rate_known(struct task *t)
{
	const struct check *f = task_frame(t);

	if (f->rate.over)
		task_fail(t, ERR_RATE_LIMITED);
	else
		check_key(t);
}

static void check_begin(struct task *t)
{
	const struct bot_socket *s = task_subject(t);
	struct check *f = task_frame(t);

	if (s->accepted) {
		check_key(t);
		return;
	}
	(void)addr_bind_key(&s->addr, f->addr_key);
	f->limit = (struct limit){str_of(f->addr_key), "handshake", config.rate_handshake};
	rate_hit(t, &f->limit, 60, &f->rate, rate_known);
}

/* Stores that are away put nobody out: the check is made again. */
static void check_failed(struct task *t, const struct fault *f)
{
	struct bot_socket *s = task_subject(t);

	if (!s->accepted)
		socket_refuse(s->id, f->err);
	else if (f->err == ERR_INVALID_API_KEY)
		sio_disconnect(s->id, true);
	else
		s->stale = true;
	task_end(t);
}

static void socket_free(struct bot_socket *s)
{
	list_remove(&s->node);
	free(s);
}

static void check_ended(struct task *t)
{
	struct bot_socket *s = task_subject(t);

	s->checking = NULL;
	if (!s->accepted || s->gone)
		socket_free(s);
}

static void check(struct bot_socket *s)
{
	static const struct task_ops ops = {check_failed, check_ended};

	if (s->checking)
		s->stale = true;
	else
		s->checking = task_new("bot check", &ops, s, sizeof(struct check), check_begin);
}

void bots_check(void)
{
	LIST_FOREACH (n, &bots.all)
		check(LIST_ITEM(n, struct bot_socket, node));
}

/* ---- coming and going ---- */

static bool key_formed(struct str key)
{
	return key.n == BOT_KEY_TEXT && str_starts(key, STR(BOT_KEY_PREFIX)) &&
	       token_formed(str_from(key, sizeof(BOT_KEY_PREFIX) - 1));
}

void visitor_key(struct visitor *v, struct str key)
{
	if (key.n == 0)
		return;
	v->key_hash = malloc(HASH_LEN);
	if (!v->key_hash)
		PANIC("out of memory");
	v->key_formed = key_formed(key);
	secret_hash(key, v->key_hash);
}

/* The header wins over `auth`. False: there is no key, or none of the right form. */
static bool credential(const struct visitor *v, struct str auth, uint8_t hash[HASH_LEN])
{
	struct arena a;
	struct str key;
	bool ok;

	if (v->key_hash) {
		memcpy(hash, v->key_hash, HASH_LEN);
		return v->key_formed;
	}
	arena_init(&a);
	key = json_to_str(json_get(json_parse(&a, auth), "api_key"));
	ok = key_formed(key);
	if (ok)
		secret_hash(key, hash);
	arena_release(&a);
	return ok;
}

#ifdef PORTAL_FAULTS
static void fault_drop(struct task *t)
{
	const struct bot_socket *s = task_subject(t);

	sio_close(s->id);
}
#endif

void bot_connect(sio_id id, struct str auth)
{
	const struct visitor *v = sio_extra(id);
	struct bot_socket *s = calloc(1, sizeof(*s));

	if (!s)
		PANIC("out of memory");
	if (!credential(v, auth, s->key_hash)) {
		free(s);
		socket_refuse(id, ERR_INVALID_API_KEY);
		return;
	}
	s->id = id;
	s->addr = v->addr;
	list_add_tail(&bots.all, &s->node);
	check(s);
#ifdef PORTAL_FAULTS
	fault_inject(s->checking, str_of(v->fault), fault_drop);
#endif
}

static void lease_write(struct str platform, int64_t ms);

static bool is_ours(const void *socket)
{
	LIST_FOREACH (n, &bots.all)
		if (LIST_ITEM(n, struct bot_socket, node) == socket)
			return true;
	return false;
}

bool bot_gone(void *socket)
{
	struct bot_socket *s = socket;
	bool login;

	if (!is_ours(socket))
		return false;
	login = s->bot.login;
	s->gone = true;
	s->bot.login = false;
	if (login && !socket_after(bots.all.next, s->bot.platform))
		lease_write(s->bot.platform, 0);
	if (s->checking)
		task_end(s->checking);
	else
		socket_free(s);
	return true;
}

void bot_event(struct bot_socket *s, const struct sio_event *e)
{
	static const struct fault unknown = {
		.err = ERR_NOT_FOUND, .sentence = {"Unknown event", sizeof("Unknown event") - 1}};
	char correlation[37];
	struct buf b = {0};
	struct str body;

	if (s->events++ == EVENTS_MAX) {
		sio_close(s->id);
		return;
	}
	correlation_make(correlation);
	error_body(&b, &unknown, correlation);
	body = buf_view(&b);
	sio_ack(s->id, e->ack, &(struct sio_body){.args = &body, .n = 1});
	buf_free(&b);
}

/* ---- leases ---- */

struct lease_write {
	struct str platform;
	int64_t ms;
};

static void lease_begin(struct task *t)
{
	const struct lease_write *f = task_frame(t);

	push_lease(t, f->platform, presence_process(), f->ms, task_over);
}

static void lease_write(struct str platform, int64_t ms)
{
	struct task *t =
		task_new("bot lease", &quiet, NULL, sizeof(struct lease_write), lease_begin);
	struct lease_write *f = task_frame(t);

	f->platform = arena_str(task_arena(t), platform);
	f->ms = ms;
}

/* One lease a platform: by the last socket of it. */
static void on_tick(struct timer *timer)
{
	bool all = ++bots.ticks % CHECK_TICKS == 0;

	timer_set(timer, TICK_MS);
	LIST_FOREACH (n, &bots.all) {
		struct bot_socket *s = LIST_ITEM(n, struct bot_socket, node);

		if (serves(s, s->bot.platform) && !socket_after(n->next, s->bot.platform))
			lease_write(s->bot.platform, LEASE_BOTS_MS);
		if (s->accepted && !s->checking && (all || s->stale))
			check(s);
	}
}

void bots_setup(void)
{
	timer_init(&bots.tick, on_tick);
	timer_set(&bots.tick, TICK_MS);
}

void bots_each(void (*fn)(sio_id id, void *arg), void *arg)
{
	LIST_FOREACH (n, &bots.all)
		fn(LIST_ITEM(n, struct bot_socket, node)->id, arg);
}

void bots_stop(void)
{
	timer_clear(&bots.tick);
}

/* ---- a push, in the process that was asked ---- */

struct delivery {
	struct str name;
	struct code_listed code;
	struct identity_owner owner;
	bool looked, is_new;
	sio_id tried[TRIES_MAX]; /* the last is the one at hand */
	size_t tries;
	struct bot bot;
	struct op acked;
	struct sio_waiter *waiter;
	bool delivered;
};

static void deliver_begin(struct task *t);
static void deliver_pick(struct task *t);

static void deliver_answered(struct task *t)
{
	const struct delivery *f = task_frame(t);

	log_line(LOG_DEBUG,
		f->delivered ? "a login code was delivered" : "a login code was not delivered",
		LOG_I("bot", f->bot.id));
	if (f->delivered)
		task_end(t);
	else
		task_next(t, deliver_begin);
}

static void on_ack(void *arg, const struct sio_body *answer)
{
	struct delivery *f = arg;
	struct arena a;

	f->waiter = NULL;
	if (answer && answer->n > 0) {
		arena_init(&a);
		f->delivered = json_to_bool(json_get(json_parse(&a, answer->args[0]), "delivered"));
		arena_release(&a);
	}
	op_end(&f->acked, OK);
}

static void delivery_forget(void *arg)
{
	struct delivery *f = arg;

	if (f->waiter)
		sio_ack_forget(f->waiter);
}

static void deliver_emit(struct task *t)
{
	struct delivery *f = task_frame(t);
	sio_id id = f->tried[f->tries - 1];
	struct buf b = {0};
	struct json_out j;
	struct str data;

	json_out_init(&j, &b);
	json_obj(&j);
	json_kstr(&j, "platform", f->code.who.platform);
	json_kstr(&j, "platform_user_id", f->code.who.platform_user_id);
	json_kstr(&j, "code", str_make(f->code.code.text, CODE_LEN));
	json_ktime(&j, "expires_at", f->code.code.expires_at);
	json_kbool(&j, "is_new_user", f->is_new);
	json_end(&j);
	data = buf_view(&b);
	op_begin(t, &f->acked, OP_READ, deliver_answered);
	f->waiter = sio_emit_ack(id, STR("login:code"), &(struct sio_body){.args = &data, .n = 1},
		ACK_MS, on_ack, f);
	buf_free(&b);
}

/* The key may have died a moment ago: it gets no code. */
static void deliver_checked(struct task *t)
{
	const struct delivery *f = task_frame(t);

	if (task_err(t) == OK && f->bot.login)
		deliver_emit(t);
	else
		task_next(t, deliver_pick);
}

static bool was_tried(const struct delivery *f, sio_id id)
{
	for (size_t i = 0; i < f->tries; i++)
		if (f->tried[i] == id)
			return true;
	return false;
}

static void deliver_pick(struct task *t)
{
	struct delivery *f = task_frame(t);
	struct str platform = f->code.who.platform;
	struct bot_socket *s = socket_after(bots.all.next, platform);

	while (s && was_tried(f, s->id))
		s = socket_after(s->node.next, platform);
	if (!s || f->tries == TRIES_MAX) {
		push_next(t, platform, f->name, task_over);
		return;
	}
	f->tried[f->tries++] = s->id;
	list_remove(&s->node); /* the next push begins with another */
	list_add_tail(&bots.all, &s->node);
	task_catch(t);
	bot_by_key(t, s->key_hash, &f->bot, deliver_checked);
}

static void deliver_known(struct task *t)
{
	struct delivery *f = task_frame(t);

	if (task_err(t) != OK && task_err(t) != ERR_USER_NOT_FOUND) {
		task_fail(t, task_err(t));
		return;
	}
	f->looked = true;
	f->is_new = task_err(t) == ERR_USER_NOT_FOUND;
	deliver_pick(t);
}

static void deliver_read(struct task *t)
{
	struct delivery *f = task_frame(t);

	if (f->looked) {
		deliver_pick(t);
		return;
	}
	task_catch(t);
	user_by_identity(
		t, f->code.who.platform, f->code.who.platform_user_id, &f->owner, deliver_known);
}

/* Read again before each bot: it may be over or used by now. */
static void deliver_begin(struct task *t)
{
	struct delivery *f = task_frame(t);

	code_named(t, f->name, &f->code, deliver_read);
}

static void deliver(struct str name)
{
	struct task *t =
		task_new("login push", &quiet, NULL, sizeof(struct delivery), deliver_begin);
	struct delivery *f = task_frame(t);

	task_deadline(t, 0); /* bots have 3 s each */
	f->name = arena_str(task_arena(t), name);
	arena_defer(task_arena(t), delivery_forget, f);
}

bool bot_control(const struct bus_message *m)
{
	if (str_eq(m->event, STR("!bots:changed")))
		bots_check();
	else if (!str_eq(m->event, STR("!login:push")))
		return false;
	else if (str_eq(m->position, presence_process()) && m->who.p)
		deliver(m->who);
	return true;
}

/* ---- a push, in the process where the code was requested ---- */

struct hand {
	struct str platform, name;
};

static void hand_begin(struct task *t)
{
	const struct hand *f = task_frame(t);

	push_next(t, f->platform, f->name, task_over);
}

void bot_push(struct str platform, struct str name)
{
	struct task *t = task_new("login push", &quiet, NULL, sizeof(struct hand), hand_begin);
	struct hand *f = task_frame(t);

	f->platform = arena_str(task_arena(t), platform);
	f->name = arena_str(task_arena(t), name);
}
