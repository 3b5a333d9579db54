/* The bus, and what the sockets of this process may have missed while it was away (contract 4.4).
 *
 *   lost -> /readyz says so;  back -> task: Redis there -> lease (came Redis back empty? then all
 * come anew) -> sessions still live -> direct chats made meanwhile
 * (catch_up_direct.c) -> the rooms that are behind, ROOMS_AT_ONCE side by side
 * (catch_up_room.c) -> done
 *
 * Joins fail meanwhile (hub/room), and what the bus brings to a room waits until it has caught up.
 * A failure begins again; a new loss ends it. Owns: the task, and one for each room under way,
 * which is an operation of the first. To look at something else first: a step in front of
 * rooms_begin. */
#include "api/bot_socket.h"
#include "api/socket.h"
#include "base/config.h"
#include "base/log.h"
#include "hub/bus.h"
#include "io/redis.h"
#include "store/key.h"

#define WAIT_MS       20
#define RETRY_MS      200
#define ROOMS_AT_ONCE 32

struct worker {
	struct task *task; /* of its room; NULL: none */
	struct op op;      /* until no room is left, or one has failed */
	enum err err;
};

static struct {
	struct task *task;
	struct room_gap *gaps; /* in the task's arena */
	size_t count, next;
	struct worker workers[ROOMS_AT_ONCE];
	bool done;
} state;

struct catching {
	bool same;
	struct session_dead dead;
};

bool bus_caught_up(void)
{
	return bus_is_up() && state.done;
}

/* ---- rooms ---- */

static void worker_next(struct worker *w);

static void room_failed(struct task *t, const struct fault *f)
{
	struct worker *w = task_subject(t);

	w->err = f->err;
	state.next = state.count; /* all begin again */
	task_end(t);
}

static void room_ended(struct task *t)
{
	worker_next(task_subject(t));
}

static void worker_next(struct worker *w)
{
	static const struct task_ops ops = {room_failed, room_ended};

	w->task = NULL;
	if (state.next == state.count)
		op_end(&w->op, w->err);
	else
		w->task = catch_up_room(&state.gaps[state.next++], &ops, w);
}

static void all_done(struct task *t)
{
	log_line(LOG_INFO, "the bus is back");
	state.done = true;
	task_end(t);
}

static void rooms_begin(struct task *t)
{
	for (size_t i = 0; i < ROOMS_AT_ONCE && state.next < state.count; i++) {
		struct worker *w = &state.workers[i];

		w->err = OK;
		op_begin(t, &w->op, OP_READ, all_done);
		worker_next(w);
	}
	if (state.count == 0)
		task_next(t, all_done);
}

static void rooms_end(void)
{
	for (size_t i = 0; i < ROOMS_AT_ONCE; i++)
		if (state.workers[i].task)
			task_end(state.workers[i].task);
}

/* ---- sessions ---- */

static void count_gap(const struct room_gap *g, void *arg)
{
	(void)g;
	++*(size_t *)arg;
}

static void copy_gap(const struct room_gap *g, void *arg)
{
	(void)arg;
	state.gaps[state.count++] = *g;
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
	state.gaps = arena_array(task_arena(t), struct room_gap, n + 1);
	state.count = state.next = 0;
	rooms_behind_each(copy_gap, NULL);
	catch_up_directs(t, rooms_begin);
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
	if (state.task != t)
		return;
	state.task = NULL;
	state.next = state.count; /* the list of gaps goes with the task */
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
	rooms_end();
	state.done = false;
}

static void on_control(const struct bus_message *m)
{
	if (m->scope == BUS_ROOM && str_eq(m->event, STR("!keys")))
		key_room_look(m->id);
	else if (m->scope == BUS_USER && str_eq(m->event, STR("!direct")))
		direct_made(m);
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
