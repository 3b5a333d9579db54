/* Live sockets: owns people, sockets, rooms and who is in which.
 *
 *   live_open -> person_take -> (confirmed) … live_opened: what was kept is sent -> live_close
 *   live_join -> member_new -> (confirmed, the room's script) … live_joined -> member_free
 *
 * A person holds their channel on the bus from the first socket to the last, a room its own from
 * the first member to the last. All of a room's members stand in one array, in no order; the last
 * one fills a gap, so that who walks it backwards may remove the one at hand.
 *
 * Lifetime: a person while they have a socket, a room while it has a member. A task that opens or
 * joins keeps ids only; what it began is undone when its arena ends, unless the second step came.
 *
 * To add something that is known of a socket: struct live; what is delivered: room_deliver.c. */
#include "hub/room_private.h"

#include <stdlib.h>

/* What an idle socket in a room costs, with the shares of tables and arrays less than 250 bytes. */
_Static_assert(sizeof(struct live) + sizeof(struct member) <= 128, "sockets have grown");

struct hub_rooms hub_rooms = {.roster_max = 200};

struct join {
	sio_id sio;
	int64_t chat_id;
	uint64_t serial, loss;
	bool done, entered;
};

static void *must(void *p)
{
	if (!p)
		PANIC("out of memory");
	return p;
}

void *array_grow(void *v, uint32_t n, uint32_t *cap, size_t size)
{
	if (n < *cap)
		return v;
	*cap = *cap ? *cap * 2 : 4;
	return must(realloc(v, *cap * size));
}

/* Gives back what a crowd has left behind. */
static void *array_shrink(void *v, uint32_t n, uint32_t *cap, size_t size)
{
	if (n == 0) {
		free(v);
		*cap = 0;
		return NULL;
	}
	if (*cap <= 16 || n > *cap / 4)
		return v;
	*cap /= 2;
	return must(realloc(v, *cap * size));
}

/* ---- people ---- */

struct person *person_find(int64_t user_id)
{
	return map_get(&hub_rooms.people, (uint64_t)user_id);
}

static struct person *person_take(int64_t user_id)
{
	struct person *p = person_find(user_id);

	if (p)
		return p;
	p = must(malloc(sizeof(*p)));
	p->id = user_id;
	list_init(&p->sockets);
	map_put(&hub_rooms.people, (uint64_t)user_id, p);
	bus_hold(BUS_USER, user_id);
	return p;
}

static void person_release(struct person *p)
{
	if (!list_empty(&p->sockets))
		return;
	bus_release(BUS_USER, p->id);
	map_remove(&hub_rooms.people, (uint64_t)p->id);
	free(p);
}

/* ---- sockets ---- */

struct live *live_by_sio(sio_id sio)
{
	return map_get(&hub_rooms.by_sio, sio);
}

static void open_undo(void *sio)
{
	struct live *l = live_by_sio(*(sio_id *)sio);

	if (l && !l->open)
		live_close(l);
}

void live_open(struct task *t, sio_id sio, int64_t user_id, const char session_id[LIVE_SESSION_LEN],
	task_fn *next)
{
	struct hub_rooms *h = &hub_rooms;
	struct live *l = must(calloc(1, sizeof(*l)));
	sio_id *undo = arena_new(task_arena(t), sio_id);

	ASSERT(user_id > 0 && !live_by_sio(sio));
	l->sio = *undo = sio;
	memcpy(l->session, session_id, sizeof(l->session));
	l->opening = must(calloc(1, sizeof(*l->opening)));
	l->person = person_take(user_id);
	list_add_tail(&l->person->sockets, &l->of_person);
	map_put(&h->by_sio, sio, l);
	h->all = array_grow(h->all, h->count, &h->cap, sizeof(struct live *));
	l->at = h->count;
	h->all[h->count++] = l;
	arena_defer(task_arena(t), open_undo, undo);
	bus_await(t, BUS_USER, user_id, next);
}

void live_close(struct live *l)
{
	struct hub_rooms *h = &hub_rooms;

	while (l->members)
		member_free(l->members);
	if (!l->open) {
		kept_free(l->opening);
		free(l->opening);
	}
	list_remove(&l->of_person);
	person_release(l->person);
	map_remove(&h->by_sio, l->sio);
	h->all[l->at] = h->all[--h->count];
	h->all[l->at]->at = l->at;
	h->all = array_shrink(h->all, h->count, &h->cap, sizeof(struct live *));
	free(l);
}

sio_id live_sio(const struct live *l)
{
	return l->sio;
}

int64_t live_user(const struct live *l)
{
	return l->person->id;
}

void live_session(const struct live *l, char out[LIVE_SESSION_LEN])
{
	memcpy(out, l->session, LIVE_SESSION_LEN);
}

void live_emit(const struct live *l, const char *event, struct str data)
{
	sio_emit(l->sio, str_of(event), &(struct sio_body){.args = &data, .n = 1});
}

/* ---- rooms and members ---- */

struct room *room_find(int64_t chat_id)
{
	return map_get(&hub_rooms.rooms, (uint64_t)chat_id);
}

static struct room *room_take(int64_t chat_id)
{
	struct room *r = room_find(chat_id);

	if (r)
		return r;
	ASSERT(chat_id > 0);
	r = must(calloc(1, sizeof(*r)));
	r->id = chat_id;
	map_put(&hub_rooms.rooms, (uint64_t)chat_id, r);
	bus_hold(BUS_ROOM, chat_id);
	return r;
}

static void room_release(struct room *r)
{
	if (r->count > 0)
		return;
	bus_release(BUS_ROOM, r->id);
	map_remove(&hub_rooms.rooms, (uint64_t)r->id);
	room_held_free(r);
	free(r->members);
	free(r);
}

struct member *member_find(const struct live *l, int64_t chat_id)
{
	struct member *m = l->members;

	while (m && m->room->id != chat_id)
		m = m->next;
	return m;
}

static struct member *member_new(struct live *l, int64_t chat_id)
{
	struct member *m = must(calloc(1, sizeof(*m)));
	struct room *r = room_take(chat_id);

	m->live = l;
	m->room = r;
	m->next = l->members;
	l->members = m;
	r->members = array_grow(r->members, r->count, &r->cap, sizeof(struct member *));
	m->at = r->count;
	r->members[r->count++] = m;
	hub_rooms.stats.memberships++;
	return m;
}

static void joining_free(struct member *m)
{
	if (!m->joining)
		return;
	kept_free(&m->joining->kept);
	free(m->joining);
	m->joining = NULL;
}

void member_free(struct member *m)
{
	struct room *r = m->room;
	struct member **at = &m->live->members;

	while (*at != m)
		at = &(*at)->next;
	*at = m->next;
	r->members[m->at] = r->members[--r->count];
	r->members[m->at]->at = m->at;
	r->members = array_shrink(r->members, r->count, &r->cap, sizeof(struct member *));
	joining_free(m);
	free(m);
	hub_rooms.stats.memberships--;
	room_release(r);
}

void live_leave(struct live *l, int64_t chat_id)
{
	struct member *m = member_find(l, chat_id);

	if (m)
		member_free(m);
}

bool live_in_room(const struct live *l, int64_t chat_id)
{
	const struct member *m = member_find(l, chat_id);

	return m && m->joined;
}

bool live_is_present(const struct live *l, int64_t chat_id)
{
	const struct member *m = member_find(l, chat_id);

	return m && (m->joined || m->joining->entered > 0);
}

bool room_here(int64_t chat_id)
{
	return room_find(chat_id);
}

/* ---- joining ---- */

/* The membership that a join has begun; NULL when it is gone, or another's. */
static struct member *join_member(const struct join *j)
{
	struct live *l = live_by_sio(j->sio);
	struct member *m = l ? member_find(l, j->chat_id) : NULL;

	return m && m->joining && m->joining->serial == j->serial ? m : NULL;
}

/* One of its joins is over; behind the last it gets what has waited. */
static void join_end(struct member *m, const struct join *j)
{
	struct kept kept;

	m->joining->entered -= j->entered;
	if (--m->joining->joins > 0)
		return;
	if (!m->joined) {
		member_free(m);
		return;
	}
	kept = m->joining->kept;
	free(m->joining);
	m->joining = NULL;
	member_flush(m, &kept);
}

static void join_undo(void *join)
{
	struct join *j = join;
	struct member *m = j->done ? NULL : join_member(j);

	if (m)
		join_end(m, j);
}

struct join *live_join(struct task *t, struct live *l, int64_t chat_id, task_fn *next)
{
	struct join *j = arena_new(task_arena(t), struct join);
	struct member *m = member_find(l, chat_id);

	if (!m)
		m = member_new(l, chat_id);
	if (!m->joining) {
		m->joining = must(calloc(1, sizeof(*m->joining)));
		m->joining->serial = ++hub_rooms.serial;
	}
	m->joining->joins++;
	*j = (struct join){.sio = l->sio,
		.chat_id = chat_id,
		.serial = m->joining->serial,
		.loss = hub_rooms.losses};
	arena_defer(task_arena(t), join_undo, j);
	bus_await(t, BUS_ROOM, chat_id, next);
	return j;
}

void live_entering(struct join *j)
{
	struct member *m = join_member(j);

	if (!m || j->entered)
		return;
	j->entered = true;
	m->joining->entered++;
}

enum err join_check(const struct join *j)
{
	if (!join_member(j))
		return ERR_CONFLICT;
	return j->loss == hub_rooms.losses ? OK : ERR_UNAVAILABLE;
}

void live_entered(struct join *j, int64_t gate)
{
	struct member *m = join_member(j);

	ASSERT(m && !j->done);
	if (gate > (int64_t)m->gate)
		m->gate = (uint32_t)gate & GATE_MAX;
}

void live_joined(struct join *j, struct stream_id cursor)
{
	struct member *m = join_member(j);

	ASSERT(m && !j->done);
	j->done = true;
	m->joined = true;
	if (stream_id_compare(cursor, m->cursor) > 0)
		m->cursor = cursor;
	join_end(m, j);
}

/* ---- looking at them ---- */

void room_setup(int64_t roster_max, struct str process)
{
	ASSERT(process.n <= sizeof(hub_rooms.process));
	hub_rooms.roster_max = roster_max;
	hub_rooms.process_n = process.n;
	memcpy(hub_rooms.process, process.p, process.n);
}

void room_set_present(int64_t chat_id, int64_t sessions)
{
	struct room *r = room_find(chat_id);

	if (r)
		r->present = sessions;
}

void room_each(int64_t chat_id, live_fn *fn, void *arg)
{
	struct room *r = room_find(chat_id);

	for (uint32_t i = r ? r->count : 0; i-- > 0;)
		if (r->members[i]->joined)
			fn(r->members[i]->live, arg);
}

/* The person goes with their last socket, so that one is looked for ahead. */
void person_each(int64_t user_id, live_fn *fn, void *arg)
{
	struct person *p = person_find(user_id);
	struct list *n = p ? p->sockets.next : NULL;

	while (n) {
		struct list *next = n->next == &p->sockets ? NULL : n->next;

		fn(LIST_ITEM(n, struct live, of_person), arg);
		n = next;
	}
}

void everyone_each(live_fn *fn, void *arg)
{
	for (uint32_t i = hub_rooms.count; i-- > 0;)
		fn(hub_rooms.all[i], arg);
}

void live_rooms_each(
	const struct live *l, void (*fn)(struct live *l, int64_t chat_id, void *arg), void *arg)
{
	for (struct member *m = l->members, *next; m; m = next) {
		next = m->next;
		if (m->joined)
			fn(m->live, m->room->id, arg);
	}
}

struct live_stats live_stats(void)
{
	struct live_stats s = hub_rooms.stats;

	s.sockets = hub_rooms.count;
	s.people = hub_rooms.people.count;
	s.rooms = hub_rooms.rooms.count;
	return s;
}
