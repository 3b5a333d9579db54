/* Delivery: who of this process gets a message of the bus, and what it looks like. Owns notes: an
 * event is encoded when its first receiver is found, and shared by all.
 *
 *   live_deliver -> room_give | person_give | all_give -> member_take, live_take -> sio_send
 *
 * Who is on their way in gets a reference to the note instead, and the note itself when they are
 * in.
 *
 * Lifetime: a note while it is handed out or kept by somebody. Sending never calls back, so nobody
 * disappears in the middle but the one who is told to leave, and lists are walked accordingly.
 *
 * To add an audience: its letter in store/event.h, and here. */
#include "hub/room_private.h"

#include <stdlib.h>

#define EXPECTED 16 /* members at once */

/* ---- stream ids ---- */

static bool u64_parse(struct str s, uint64_t *out)
{
	uint64_t v = 0;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9' || __builtin_mul_overflow(v, 10, &v) ||
			__builtin_add_overflow(v, (uint64_t)(s.p[i] - '0'), &v))
			return false;
	}
	*out = v;
	return s.n > 0;
}

bool stream_id_parse(struct str s, struct stream_id *out)
{
	struct str ms = str_cut(&s, '-');

	return s.p && u64_parse(ms, &out->ms) && u64_parse(s, &out->seq);
}

int stream_id_compare(struct stream_id a, struct stream_id b)
{
	if (a.ms != b.ms)
		return a.ms < b.ms ? -1 : 1;
	return a.seq < b.seq ? -1 : a.seq > b.seq;
}

static bool is_id(struct stream_id id)
{
	return id.ms > 0 || id.seq > 0;
}

static struct stream_id position_of(const struct bus_message *m)
{
	struct stream_id id = {0, 0};

	return m->position.p && stream_id_parse(m->position, &id) ? id : (struct stream_id){0, 0};
}

/* ---- notes ---- */

static struct note *note_new(const struct bus_message *m)
{
	struct note *n = calloc(1, sizeof(*n));
	int64_t gate;

	if (!n)
		PANIC("out of memory");
	n->refs = 1;
	n->leaves = m->audience == 'x' || m->audience == 'd';
	if (!n->leaves)
		n->position = position_of(m);
	else if (m->position.p && str_to_i64(m->position, &gate) && gate > 0)
		n->gate = (uint32_t)gate & GATE_MAX;
	if (m->event.p)
		sio_share(&n->shared, STR("/"), m->event, &m->data, 1);
	return n;
}

static void note_unref(struct note *n)
{
	if (!n || --n->refs > 0)
		return;
	eio_shared_free(&n->shared);
	free(n);
}

void kept_free(struct kept *k)
{
	for (uint32_t i = 0; i < k->n; i++)
		note_unref(k->v[i]);
	free(k->v);
	*k = (struct kept){0};
}

static void keep(struct live *l, struct kept *k, struct note *n)
{
	if (k->n == KEPT_MAX) {
		sio_close(l->sio);
		return;
	}
	k->v = array_grow(k->v, k->n, &k->cap, sizeof(struct note *));
	k->v[k->n++] = n;
	n->refs++;
}

/* ---- to one ---- */

static void note_send(const struct note *n, const struct live *l)
{
	if (!n->shared.frame || !l->open)
		return; /* told to leave, and no more; or not accepted yet */
	sio_send(l->to, &n->shared);
	hub_rooms.stats.delivered++;
}

static void live_take(struct live *l, struct note *n)
{
	if (l->open)
		note_send(n, l);
	else
		keep(l, l->opening, n);
}

/* False: it has left. */
static bool member_send(struct member *m, const struct note *n)
{
	if (is_id(n->position) && stream_id_compare(n->position, m->cursor) <= 0)
		return true; /* what its join has read accounts for it */
	if (n->gate > 0 && n->gate <= m->gate)
		return true; /* it came in behind that removal */
	note_send(n, m->live);
	if (n->leaves)
		member_free(m);
	return !n->leaves;
}

static void member_take(struct member *m, struct note *n)
{
	if (m->joining)
		keep(m->live, &m->joining->kept, n);
	else
		member_send(m, n);
}

void member_flush(struct member *m, struct kept *k)
{
	for (uint32_t i = 0; i < k->n; i++)
		if (!member_send(m, k->v[i]))
			break;
	kept_free(k);
}

void live_opened(struct live *l)
{
	struct kept *k = l->opening;

	ASSERT(!l->open);
	l->open = true;
	l->to = sio_socket_of(l->sio);
	for (uint32_t i = 0; i < k->n; i++)
		note_send(k->v[i], l);
	kept_free(k);
	free(k);
}

/* ---- who ---- */

/* "{user_id}:{session_id}" */
static struct person *session_parse(struct str who, struct str *session)
{
	struct str user = str_cut(&who, ':');
	int64_t id;

	*session = who;
	return who.p && str_to_i64(user, &id) ? person_find(id) : NULL;
}

static struct person *person_parse(struct str who)
{
	int64_t id;

	return str_to_i64(who, &id) ? person_find(id) : NULL;
}

static bool is_session(const struct live *l, struct str session)
{
	return str_eq(str_make(l->session, sizeof(l->session)), session);
}

/* `who` of the audiences that leave somebody out. */
static bool is_left_out(const struct live *l, struct str who)
{
	int64_t chat_id;

	if (!who.p)
		return false;
	if (!str_starts(who, STR("@")))
		return is_session(l, who);
	return str_to_i64(str_from(who, 1), &chat_id) && live_in_room(l, chat_id);
}

/* ---- to a room ---- */

/* The sockets of a person that are in the room; session NULL p: all of theirs; else `one` of it, or
 * all. The room may be gone after it. */
static void give_person_in(
	struct room *r, const struct bus_message *m, struct person *p, struct str session, bool one)
{
	struct note *n = NULL;
	int64_t chat_id = r->id;

	if (!p)
		return;
	LIST_FOREACH (node, &p->sockets) {
		struct live *l = LIST_ITEM(node, struct live, of_person);
		struct member *member = member_find(l, chat_id);

		if (!member || (session.p && !is_session(l, session)))
			continue;
		if (!n)
			n = note_new(m);
		member_take(member, n);
		if (one)
			break;
	}
	note_unref(n);
}

/* What is touched of a member lies in six places, each known from the one before. Waited for one by
 * one they take longer than all the rest; of some members at once they come at the same time. */
static void members_expect(struct member *const *v, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (v[i]->live->open)
			sio_expect(v[i]->live->to);
}

/* Backwards: who leaves makes room for one that had it already. */
static void give_all_in(struct room *r, const struct bus_message *m)
{
	struct note *n = note_new(m); /* a room is never empty, but may be gone behind the last */

	for (uint32_t i = r->count; i > 0;) {
		uint32_t end = i > EXPECTED ? i - EXPECTED : 0;

		members_expect(r->members + end, i - end);
		while (i-- > end)
			if (n->leaves || !is_left_out(r->members[i]->live, m->who))
				member_take(r->members[i], n);
		i = end;
	}
	note_unref(n);
}

/* A message that was handed out already comes again when a room catches up. */
static bool is_old(struct room *r, const struct bus_message *m)
{
	struct stream_id id = position_of(m);

	if (!is_id(id) || !str_eq(m->event, STR("message:new")))
		return false;
	if (stream_id_compare(id, r->last) <= 0)
		return true;
	r->last = id;
	return false;
}

void room_give(struct room *r, const struct bus_message *m)
{
	struct person *p;
	struct str session;
	int64_t n;

	if (is_old(r, m))
		return;
	switch (m->audience) {
	case 'o':
		if (r->present <= hub_rooms.roster_max)
			give_all_in(r, m);
		break;
	case 'f':
		if (r->present <= ROOM_FEW)
			give_all_in(r, m);
		break;
	case 'r':
	case 'd':
		give_all_in(r, m);
		break;
	case 'x':
		give_person_in(r, m, person_parse(m->who), STR_NULL, false);
		break;
	case '1':
		if (!str_eq(m->position, str_make(hub_rooms.process, hub_rooms.process_n)))
			break;
		/* fall through */
	case 's':
		p = session_parse(m->who, &session);
		give_person_in(r, m, p, session, m->audience == '1');
		break;
	case 'n':
		if (str_to_i64(m->who, &n))
			r->present = n;
		break;
	}
}

/* ---- to a person ---- */

/* Nothing reaches it behind this, because its sio id names nobody any more; it is closed by who is
 * told that it was disconnected. One that is opening is closed at once: who opens it sees that. */
static void session_end(struct live *l, const struct note *n)
{
	if (!l->open) {
		live_close(l);
		return;
	}
	note_send(n, l);
	sio_disconnect(l->sio, true);
}

struct giving {
	const struct bus_message *m;
	struct str session; /* of TO_ENDED and TO_SESSION */
	struct note *note;
};

static void give_one(struct live *l, void *giving)
{
	const struct giving *g = giving;

	if (g->m->audience == 'e' && is_session(l, g->session))
		session_end(l, g->note);
	else if (g->m->audience == 's' && is_session(l, g->session))
		live_take(l, g->note);
	else if (g->m->audience == 'r' && !is_left_out(l, g->m->who))
		live_take(l, g->note);
}

static void person_give(struct person *p, const struct bus_message *m)
{
	struct giving g = {.m = m, .session = m->who};

	if (!m->event.p || (m->audience == 's' && session_parse(m->who, &g.session) != p))
		return;
	g.note = note_new(m); /* a person has a socket */
	person_each(p->id, give_one, &g);
	note_unref(g.note);
}

/* ---- to all ---- */

static void all_give(const struct bus_message *m)
{
	struct note *n = hub_rooms.count > 0 && m->audience == 'r' ? note_new(m) : NULL;

	for (uint32_t i = n ? hub_rooms.count : 0; i-- > 0;)
		live_take(hub_rooms.all[i], n);
	note_unref(n);
}

void live_deliver(const struct bus_message *m)
{
	struct room *r;
	struct person *p;

	switch (m->scope) {
	case BUS_ROOM:
		r = room_find(m->id);
		if (r && r->behind)
			room_hold(r, m);
		else if (r)
			room_give(r, m);
		break;
	case BUS_USER:
		p = person_find(m->id);
		if (p)
			person_give(p, m);
		break;
	case BUS_ALL:
		all_give(m);
		break;
	}
}
