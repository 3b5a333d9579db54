/* The bus, and what the sockets of this process may have missed while it was away (contract 4.4).
 *
 *   lost -> /readyz says so;  back -> task: Redis there -> lease (came Redis back empty? then all
 * come anew) -> sessions still live -> each room that is behind: who may stay -> epoch, keys ->
 * messages behind what was sent -> room_caught_up -> … -> done
 *
 * Joins fail meanwhile (hub/room), and what the bus brings to a room waits until it has caught up.
 * A failure begins again; a new loss ends it. Owns: the task.
 * To check something else of a room: a step between room_next and room_done. */
#include "api/bot_socket.h"
#include "base/config.h"
#include "base/log.h"
#include "hub/bus.h"
#include "io/redis.h"
#include "store/chat.h"
#include "store/epoch.h"
#include "store/key.h"
#include "store/message.h"
#include "store/room.h"

#define WAIT_MS  20
#define RETRY_MS 200
#define PAGE     100

static struct {
	struct task *task;
	bool done;
} state;

struct catching {
	bool same;
	struct session_dead dead;
	struct room_gap *gaps;
	size_t count, at;
	/* the room at hand */
	struct room_ids people, misfits;
	int64_t epoch;
	sio_id *sockets;
	size_t socket_count, socket_at;
	struct key_blob blob;
	struct chat_view view;
	struct message_list page;
	struct stream_id from;
};

bool bus_caught_up(void)
{
	return bus_is_up() && state.done;
}

static void room_next(struct task *t);
static void keys_next(struct task *t);
static void messages_next(struct task *t);
static struct room_gap *gap_of(struct task *t);

/* ---- messages ---- */

static struct room_gap *gap_of(struct task *t)
{
	struct catching *f = task_frame(t);

	return &f->gaps[f->at];
}

static void room_done(struct task *t)
{
	struct catching *f = task_frame(t);
	int64_t chat_id = gap_of(t)->chat_id;

	room_caught_up(gap_of(t));
	key_room_look(chat_id);
	f->at++;
	task_next(t, room_next);
}

static bool replay(struct task *t, const struct message *m)
{
	const struct catching *f = task_frame(t);
	const struct room_gap *g = gap_of(t);
	struct buf b = {0};
	struct json_out j;
	bool ok;

	json_out_init(&j, &b);
	message_write(&j, m, g->chat_id, f->view.chat.name);
	ok = room_replay(g, m->id, STR("message:new"), buf_view(&b));
	buf_free(&b);
	return ok;
}

static void messages_read(struct task *t)
{
	struct catching *f = task_frame(t);

	for (size_t i = 0; i < f->page.count; i++) {
		if (!replay(t, &f->page.rows[i])) {
			room_done(t);
			return;
		}
		if (!stream_id_parse(f->page.rows[i].id, &f->from))
			PANIC("a stream id that is none");
	}
	if (f->page.more)
		task_next(t, messages_next);
	else
		room_done(t);
}

static void messages_next(struct task *t)
{
	struct catching *f = task_frame(t);
	const struct message_ask ask = {.chat_id = gap_of(t)->chat_id,
		.since = SINCE_START,
		.after = arena_printf(task_arena(t), "%llu-%llu", (unsigned long long)f->from.ms,
			(unsigned long long)f->from.seq),
		.limit = PAGE};

	message_read(t, &ask, &f->page, messages_read);
}

static void chat_seen(struct task *t)
{
	if (task_err(t) == ERR_CHAT_NOT_FOUND)
		room_done(t);
	else if (task_err(t) != OK)
		task_fail(t, task_err(t));
	else
		messages_next(t);
}

/* ---- epoch and keys: as a join would tell them ---- */

static void key_known(struct task *t)
{
	struct catching *f = task_frame(t);
	struct live *l = live_by_sio(f->sockets[f->socket_at++]);
	struct buf b = {0};

	if (l && f->blob.blob.p) {
		buf_printf(&b,
			"{\"chat_id\":%lld,\"epoch\":%lld,\"blob\":\"" STR_FMT
			"\",\"from_public_key\":\"" STR_FMT "\"}",
			(long long)gap_of(t)->chat_id, (long long)f->blob.epoch,
			STR_ARG(f->blob.blob), STR_ARG(f->blob.from_public_key));
		live_emit(l, "room:key", buf_view(&b));
	}
	buf_free(&b);
	task_next(t, keys_next);
}

static void keys_next(struct task *t)
{
	struct catching *f = task_frame(t);
	struct live *l = NULL;
	char session[LIVE_SESSION_LEN];

	while (f->socket_at < f->socket_count && !(l = live_by_sio(f->sockets[f->socket_at])))
		f->socket_at++;
	if (!l) {
		f->from = gap_of(t)->from;
		task_catch(t);
		chat_view(t, gap_of(t)->chat_id, 0, &f->view, chat_seen);
		return;
	}
	live_session(l, session);
	key_read(t, gap_of(t)->chat_id, live_user(l),
		arena_str(task_arena(t), str_make(session, sizeof(session))), &f->blob, key_known);
}

static void tell_epoch(struct live *l, void *arg)
{
	live_emit(l, "room:epoch_changed", *(struct str *)arg);
}

static void epoch_known(struct task *t)
{
	struct catching *f = task_frame(t);
	int64_t chat_id = gap_of(t)->chat_id;
	struct str data;

	if (task_err(t) == ERR_CHAT_NOT_FOUND) {
		room_done(t);
		return;
	}
	if (task_err(t) != OK) {
		task_fail(t, task_err(t));
		return;
	}
	data = arena_printf(task_arena(t), "{\"chat_id\":%lld,\"epoch\":%lld,\"reason\":\"lost\"}",
		(long long)chat_id, (long long)f->epoch);
	room_each(chat_id, tell_epoch, &data);
	keys_next(t);
}

/* ---- who may stay ---- */

struct putting_out {
	int64_t chat_id;
	struct str data;
};

static void put_out(struct live *l, void *arg)
{
	const struct putting_out *p = arg;
	char session[LIVE_SESSION_LEN];

	if (!live_in_room(l, p->chat_id))
		return;
	live_emit(l, "room:kicked", p->data);
	live_leave(l, p->chat_id);
	live_session(l, session);
	presence_owe(p->chat_id, live_user(l), session);
}

static void misfits_known(struct task *t)
{
	struct catching *f = task_frame(t);
	struct putting_out p = {.chat_id = gap_of(t)->chat_id};

	p.data = arena_printf(
		task_arena(t), "{\"chat_id\":%lld,\"reason\":\"kick\"}", (long long)p.chat_id);
	for (size_t i = 0; i < f->misfits.count; i++)
		person_each(f->misfits.v[i], put_out, &p);
	task_catch(t);
	epoch_current(t, p.chat_id, &f->epoch, epoch_known);
}

static void count_socket(struct live *l, void *arg)
{
	(void)l;
	++*(size_t *)arg;
}

static void list_socket(struct live *l, void *arg)
{
	struct catching *f = arg;

	f->sockets[f->socket_count++] = live_sio(l);
	f->people.v[f->people.count++] = live_user(l);
}

static void all_done(struct task *t)
{
	log_line(LOG_INFO, "the bus is back");
	state.done = true;
	task_end(t);
}

static void room_next(struct task *t)
{
	struct catching *f = task_frame(t);
	size_t n = 0;

	if (f->at == f->count) {
		all_done(t);
		return;
	}
	room_each(gap_of(t)->chat_id, count_socket, &n);
	f->sockets = arena_array(task_arena(t), sio_id, n + 1);
	f->people.v = arena_array(task_arena(t), int64_t, n + 1);
	f->socket_count = f->socket_at = f->people.count = 0;
	room_each(gap_of(t)->chat_id, list_socket, f);
	room_misfits(t, gap_of(t)->chat_id, &f->people, &f->misfits, misfits_known);
}

/* ---- sessions ---- */

static void count_gap(const struct room_gap *g, void *arg)
{
	(void)g;
	++*(size_t *)arg;
}

static void copy_gap(const struct room_gap *g, void *arg)
{
	struct catching *f = arg;

	f->gaps[f->count++] = *g;
}

static void end_dead(struct socket *s, void *arg)
{
	const struct session_dead *dead = arg;
	char hex[2 * HASH_LEN];

	hex_encode(s->caller.token_hash, HASH_LEN, hex);
	for (size_t i = 0; i < dead->count; i++)
		if (str_eq(dead->rows[i].hash, str_make(hex, sizeof(hex))))
			socket_end(s, dead->rows[i].reason);
}

static void sessions_known(struct task *t)
{
	struct catching *f = task_frame(t);
	size_t n = 0;

	presence_each(end_dead, &f->dead);
	rooms_behind_each(count_gap, &n);
	f->gaps = arena_array(task_arena(t), struct room_gap, n + 1);
	f->count = f->at = 0;
	rooms_behind_each(copy_gap, f);
	room_next(t);
}

struct hashes {
	struct arena *arena;
	struct str *v;
	size_t n;
};

static void count_session(struct socket *s, void *arg)
{
	(void)s;
	++*(size_t *)arg;
}

static void list_session(struct socket *s, void *arg)
{
	struct hashes *h = arg;
	char *hex = arena_alloc(h->arena, 2 * HASH_LEN);

	hex_encode(s->caller.token_hash, HASH_LEN, hex);
	h->v[h->n++] = str_make(hex, 2 * HASH_LEN);
}

static void lease_known(struct task *t)
{
	struct catching *f = task_frame(t);
	struct hashes h = {.arena = task_arena(t)};
	size_t n = 0;

	if (!f->same) { /* their transports are closed */
		all_done(t);
		return;
	}
	presence_each(count_session, &n);
	h.v = arena_array(task_arena(t), struct str, n + 1);
	presence_each(list_session, &h);
	if (n == 0)
		task_next(t, sessions_known);
	else
		session_list_dead(t, h.v, h.n, &f->dead, sessions_known);
}

/* ---- begin and end ---- */

static void catch_up_begin(struct task *t)
{
	struct catching *f = task_frame(t);

	if (!redis_is_up())
		task_sleep(t, WAIT_MS, catch_up_begin);
	else
		presence_renew(t, &f->same, lease_known);
}

static void catch_up(task_fn *first);

static void catch_up_ended(struct task *t)
{
	if (state.task == t)
		state.task = NULL;
}

static void again(struct task *t)
{
	task_sleep(t, RETRY_MS, catch_up_begin);
}

static void catch_up_failed(struct task *t, const struct fault *f)
{
	(void)f;
	task_end(t);
	catch_up(again);
}

static void catch_up(task_fn *first)
{
	static const struct task_ops ops = {catch_up_failed, catch_up_ended};

	state.task = task_new("catch up", &ops, NULL, sizeof(struct catching), first);
	task_deadline(state.task, 0);
}

static void on_back(void)
{
	bots_check();
	catch_up(catch_up_begin);
}

static void on_lost(void)
{
	if (state.task)
		task_end(state.task);
	state.done = false;
}

static void on_control(const struct bus_message *m)
{
	if (m->scope == BUS_ROOM && str_eq(m->event, STR("!keys")))
		key_room_look(m->id);
	else if (m->scope != BUS_ALL || !bot_control(m))
		log_line(LOG_WARN, "an unknown control event", LOG_S("event", m->event));
}

enum err bus_begin(struct str *why)
{
	const struct bus_setup setup = {.redis_url = config.redis_url,
		.timeout_ms = config.store_timeout,
		.control = on_control,
		.lost = on_lost,
		.back = on_back};

	return bus_start(&setup, why);
}
