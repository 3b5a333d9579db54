/* What Redis is told of this process' sockets: who is connected, who is in which room; and the
 * lease that says that the process lives.
 *
 *   a socket goes -> (its count is owed) -> flush: some at a time, until Redis has heard
 *   a socket comes -> presence_seat: those that come together in one script
 *   status_due -> a second later chat:status
 *   tick -> process_renew -> a dead process? its people and rooms are swept, and sessions that it
 *     ended and told nobody of are told
 *
 * Owns: sockets by session, counts that Redis has not heard of, rooms whose status is due.
 * Lifetime: a count is worked out when it is sent, from who is there then; so it may be owed twice.
 * To tell something else of sockets: struct owed and flush_begin. */
#include "api/socket.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/log.h"
#include "base/map.h"
#include "io/batch.h"
#include "store/key.h"
#include "store/room.h"

#include <stdlib.h>

#define RENEW_MS  2000
#define STATUS_MS 1000
#define RETRY_MS  200

struct peers { /* of one session */
	struct list sockets;
	int64_t count;
};
struct owed {
	int64_t chat_id; /* 0: how many are connected */
	int64_t user_id;
	char session[SESSION_ID_LEN];
};
struct status {
	struct list node;
	struct timer timer;
	int64_t chat_id;
};

static struct {
	char id[PROCESS_ID_LEN];
	char marker[64];
	size_t marker_n;
	bool leased;
	int64_t leased_since; /* clock_ms */
	struct timer tick;
	struct map sessions; /* struct peers */
	struct owed *owed;
	size_t owed_n, owed_cap;
	struct task *flushing;
	struct list statuses;
	bool stopped;
} self = {.statuses = {&self.statuses, &self.statuses}};

static void *must(void *p)
{
	if (!p)
		PANIC("out of memory");
	return p;
}

struct str presence_process(void)
{
	return str_make(self.id, sizeof(self.id));
}

/* ---- sockets of a session ---- */

static uint64_t session_key(const char session[SESSION_ID_LEN])
{
	uint64_t key = 0;

	if (!hex_decode(str_make(session, SESSION_ID_LEN), (uint8_t *)&key, sizeof(key)))
		PANIC("a session id that is none");
	return key;
}

static struct peers *peers_of(const char session[SESSION_ID_LEN])
{
	return map_get(&self.sessions, session_key(session));
}

static void presence_add(struct socket *s)
{
	struct peers *p = peers_of(s->session);

	if (!p) {
		p = must(calloc(1, sizeof(*p)));
		list_init(&p->sockets);
		map_put(&self.sessions, session_key(s->session), p);
	}
	list_add_tail(&p->sockets, &s->of_session);
	p->count++;
}

int64_t presence_in_room(int64_t user_id, const char session[SESSION_ID_LEN], int64_t chat_id)
{
	struct peers *p = peers_of(session);
	int64_t n = 0;

	(void)user_id;
	if (!p)
		return 0;
	LIST_FOREACH (node, &p->sockets) {
		struct live *l = live_by_sio(LIST_ITEM(node, struct socket, of_session)->id);

		n += l && live_is_present(l, chat_id);
	}
	return n;
}

void presence_each(void (*fn)(struct socket *s, void *arg), void *arg)
{
	uint64_t key;
	void *p;

	for (size_t i = 0; map_next(&self.sessions, &i, &key, &p);)
		LIST_FOREACH (node, &((struct peers *)p)->sockets)
			fn(LIST_ITEM(node, struct socket, of_session), arg);
}

/* ---- chat:status ---- */

static void status_free(struct status *s)
{
	list_remove(&s->node);
	timer_clear(&s->timer);
	free(s);
}

static void tick_end(struct task *t)
{
	task_end(t);
}

static void tick_failed(struct task *t, const struct fault *f)
{
	(void)f;
	task_end(t);
}

static const struct task_ops tick_ops = {tick_failed, NULL};

static void status_begin(struct task *t)
{
	int64_t *chat_id = task_frame(t);

	room_status(t, *chat_id, tick_end);
}

static void status_first(struct task *t)
{
	task_admit(t, TASK_LINE_REQUESTS, status_begin);
}

static void on_status(struct timer *timer)
{
	struct status *s = LIST_ITEM(timer, struct status, timer);
	struct task *t = task_new("chat status", &tick_ops, NULL, sizeof(int64_t), status_first);

	task_deadline(t, 0);
	*(int64_t *)task_frame(t) = s->chat_id;
	status_free(s);
}

void presence_status_due(int64_t chat_id)
{
	struct status *s = must(calloc(1, sizeof(*s)));

	s->chat_id = chat_id;
	list_add_tail(&self.statuses, &s->node);
	timer_init(&s->timer, on_status);
	timer_set(&s->timer, STATUS_MS);
}

/* ---- what is owed ---- */

struct flush {
	struct owed batch[BATCH_MOST];
	struct room_left left[BATCH_MOST];
	size_t n;
};

static void flush_begin(struct task *t);

static void flush_sent(struct task *t)
{
	struct flush *f = task_frame(t);

	if (task_err(t) != OK) {
		task_sleep(t, RETRY_MS, flush_begin);
		return;
	}
	for (size_t i = 0; i < f->n; i++) {
		if (f->left[i].status_due)
			presence_status_due(f->batch[i].chat_id);
		if (f->left[i].sessions > 0)
			key_room_look(f->batch[i].chat_id);
	}
	self.owed_n -= f->n;
	memmove(self.owed, self.owed + f->n, self.owed_n * sizeof(*self.owed));
	task_next(t, flush_begin);
}

static struct socket_seat seat_of(const char session[SESSION_ID_LEN], int64_t user_id)
{
	const struct peers *p = peers_of(session);

	return (struct socket_seat){.user_id = user_id,
		.session = str_make(session, SESSION_ID_LEN),
		.sockets = p ? p->count : 0};
}

static void room_owed_send(struct task *t, const struct owed *o, struct room_left *left)
{
	const struct room_seat seat = {.chat_id = o->chat_id,
		.user_id = o->user_id,
		.session = str_make(o->session, sizeof(o->session)),
		.process = presence_process(),
		.sockets = presence_in_room(o->user_id, o->session, o->chat_id)};

	room_exit(t, &seat, !room_here(o->chat_id), false, left, flush_sent);
}

static void flush_begin(struct task *t)
{
	struct flush *f = task_frame(t);
	struct socket_seat seats[BATCH_MOST];
	size_t n = 0;

	f->n = self.owed_n < BATCH_MOST ? self.owed_n : BATCH_MOST;
	if (f->n == 0) {
		task_end(t);
		return;
	}
	memcpy(f->batch, self.owed, f->n * sizeof(*self.owed));
	memset(f->left, 0, sizeof(f->left));
	task_catch(t);
	for (size_t i = 0; i < f->n; i++) {
		const struct owed *o = &f->batch[i];

		if (o->chat_id == 0)
			seats[n++] = seat_of(o->session, o->user_id);
		else
			room_owed_send(t, o, &f->left[i]);
	}
	if (n > 0)
		sockets_count(t, presence_process(), seats, n, NULL, flush_sent);
}

static void flush_ended(struct task *t)
{
	(void)t;
	self.flushing = NULL;
}

static void owe(const struct owed *o)
{
	static const struct task_ops ops = {tick_failed, flush_ended};

	if (self.owed_n == self.owed_cap) {
		self.owed_cap = self.owed_cap ? 2 * self.owed_cap : 64;
		self.owed = must(realloc(self.owed, self.owed_cap * sizeof(*self.owed)));
	}
	self.owed[self.owed_n++] = *o;
	if (self.flushing || self.stopped)
		return;
	self.flushing = task_new("presence", &ops, NULL, sizeof(struct flush), flush_begin);
	task_deadline(self.flushing, 0);
}

void presence_owe(int64_t chat_id, int64_t user_id, const char session[SESSION_ID_LEN])
{
	struct owed o = {.chat_id = chat_id, .user_id = user_id};

	memcpy(o.session, session, sizeof(o.session));
	owe(&o);
}

void presence_remove(struct socket *s)
{
	struct peers *p = peers_of(s->session);

	list_remove(&s->of_session);
	if (--p->count == 0) {
		map_remove(&self.sessions, session_key(s->session));
		free(p);
	}
	presence_owe(0, s->caller.user_id, s->session);
}

bool presence_settled(void)
{
	return self.owed_n == 0;
}

/* ---- seats ---- */

struct seat_asked {
	struct batch_item item;
	struct socket *socket; /* its task's */
	int64_t checked;
	struct seat_taken *out;
};

static void seats_taken(struct task *t)
{
	const struct seat_taken *taken = task_frame(t);

	for (size_t i = 0; i < batch_count(t); i++)
		if (batch_asker(t, i))
			*((struct seat_asked *)batch_at(t, i))->out = taken[i];
	batch_end(t);
}

static void seats_ask(struct task *t)
{
	struct seat_taken *taken = task_frame_make(t, BATCH_MOST * sizeof(*taken));
	struct socket_seat seats[BATCH_MOST];

	for (size_t i = 0; i < batch_count(t); i++) {
		const struct seat_asked *a = batch_at(t, i);

		presence_add(a->socket);
		seats[i] = seat_of(a->socket->session, a->socket->caller.user_id);
		seats[i].token_hash = a->socket->caller.token_hash;
		seats[i].checked = a->checked;
	}
	sockets_count(t, presence_process(), seats, batch_count(t), taken, seats_taken);
}

void presence_seat(
	struct task *t, struct socket *s, int64_t checked, struct seat_taken *out, task_fn *next)
{
	static struct batch seats = {.name = "seats", .ask = seats_ask};
	struct seat_asked *a = batch_join(t, &seats, sizeof(*a), OP_WRITE, next);

	a->socket = s;
	a->checked = checked;
	a->out = out;
}

/* ---- the lease ---- */

struct renew {
	bool *same;
	struct lease lease;
	struct room_ids rooms;
	struct room_left left[BATCH_MOST];
	size_t at;
};

static void sweep_rooms(struct task *t);

static void swept(struct task *t)
{
	struct renew *f = task_frame(t);

	log_line(LOG_WARN, "a process has died", LOG_S("process", f->lease.dead),
		LOG_I("rooms", (int64_t)f->rooms.count));
	session_reconcile(t, task_return);
}

static void sweep_told(struct task *t)
{
	struct renew *f = task_frame(t);
	size_t n = f->rooms.count - f->at < BATCH_MOST ? f->rooms.count - f->at : BATCH_MOST;

	for (size_t i = 0; i < n; i++) {
		if (f->left[i].status_due)
			presence_status_due(f->rooms.v[f->at + i]);
		if (f->left[i].sessions > 0)
			key_room_look(f->rooms.v[f->at + i]);
	}
	f->at += n;
	task_next(t, sweep_rooms);
}

static void sweep_rooms(struct task *t)
{
	struct renew *f = task_frame(t);

	if (f->at == f->rooms.count) {
		process_forget(t, f->lease.dead, swept);
		return;
	}
	for (size_t i = 0; i < BATCH_MOST && f->at + i < f->rooms.count; i++) {
		const struct room_seat seat = {
			.chat_id = f->rooms.v[f->at + i], .process = f->lease.dead};

		room_exit(t, &seat, true, false, &f->left[i], sweep_told);
	}
}

static bool marker_same(struct str marker)
{
	bool same = self.marker_n == 0 || str_eq(marker, str_make(self.marker, self.marker_n));

	ASSERT(marker.n <= sizeof(self.marker));
	memcpy(self.marker, marker.p, marker.n);
	self.marker_n = marker.n;
	return same;
}

static void process_new(void)
{
	uint8_t raw[PROCESS_ID_LEN / 2];

	secret_random(raw, sizeof(raw));
	hex_encode(raw, sizeof(raw), self.id);
	self.leased = false;
	room_setup(config.roster_max, presence_process());
}

/* The new process has its lease before anybody comes back to it: others take who is present only
 * through a process without one for gone. */
static void renewed_as_new(struct task *t)
{
	const struct renew *f = task_frame(t);

	marker_same(f->lease.marker);
	self.leased_since = clock_ms();
	self.leased = true;
	task_return(t);
}

static void renewed(struct task *t)
{
	struct renew *f = task_frame(t);

	*f->same = marker_same(f->lease.marker) && !f->lease.lost;
	if (!*f->same) {
		log_line(LOG_WARN, "sockets are no longer present: they come back");
		sio_close_all();
		process_new();
		process_renew(t, presence_process(), false, false, &f->lease, renewed_as_new);
		return;
	}
	if (!self.leased)
		self.leased_since = clock_ms();
	self.leased = true;
	if (!f->lease.dead.p)
		task_return(t);
	else
		process_sweep(t, f->lease.dead, &f->rooms, sweep_rooms);
}

/* Others are looked for only when they have had the time to renew theirs. */
void presence_renew(struct task *t, bool *same, task_fn *next)
{
	struct renew *f = task_call(t, sizeof(*f), next);
	bool look = self.leased && clock_ms() - self.leased_since > LEASE_MS;

	f->same = same;
	process_renew(t, presence_process(), self.leased, look, &f->lease, renewed);
}

static void renew_begin(struct task *t)
{
	presence_renew(t, task_frame(t), tick_end);
}

/* Redis was away: others may have had no chance to renew theirs either. */
static void renew_failed(struct task *t, const struct fault *f)
{
	(void)f;
	self.leased_since = clock_ms();
	task_end(t);
}

static void on_tick(struct timer *timer)
{
	static const struct task_ops ops = {renew_failed, NULL};

	timer_set(timer, RENEW_MS);
	task_deadline(task_new("lease", &ops, NULL, sizeof(bool), renew_begin), 2 * RENEW_MS);
}

/* ---- start and end ---- */

void presence_setup(void)
{
	process_new();
	timer_init(&self.tick, on_tick);
	timer_set(&self.tick, 1);
}

void presence_stop(void)
{
	self.stopped = true;
	timer_clear(&self.tick);
	while (!list_empty(&self.statuses))
		status_free(LIST_ITEM(self.statuses.next, struct status, node));
}

void presence_teardown(void)
{
	uint64_t key;
	void *p;

	presence_stop();
	for (size_t i = 0; map_next(&self.sessions, &i, &key, &p);)
		free(p);
	map_free(&self.sessions);
	free(self.owed);
	self.owed = NULL;
	self.owed_n = self.owed_cap = 0;
}
