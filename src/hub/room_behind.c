/* Rooms that may have missed something: owns what the bus brings to them until they have caught up.
 *
 *   rooms_lost (every room that somebody is in is behind) … the bus is back -> rooms_behind_each ->
 * room_replay … -> room_caught_up: what was held follows
 *
 * What is in the stream comes from the stream, once: a message that was handed out is not handed
 * out again (room->last), and each socket has its cursor. A join that was under way at the loss
 * fails, because nobody knows what it would have missed.
 *
 * Lifetime: a held message until its room has caught up or is empty. A gap is void at the next
 * loss. */
#include "hub/room_private.h"

#include <stdlib.h>

#include "base/log.h"

static void behind_set(struct room *r, bool behind)
{
	if (r->behind == behind)
		return;
	r->behind = behind;
	if (behind)
		hub_rooms.stats.behind++;
	else
		hub_rooms.stats.behind--;
}

/* Behind what its sockets have had: the last message, or the lowest cursor when there was none.
 * False: no socket was in it. */
static bool gap_of(const struct room *r, struct room_gap *out)
{
	bool any = false;

	*out = (struct room_gap){.chat_id = r->id, .loss = hub_rooms.losses, .from = r->last};
	for (uint32_t i = 0; i < r->count; i++) {
		const struct member *m = r->members[i];

		if (!m->joined)
			continue;
		if (r->last.ms == 0 && (!any || stream_id_compare(m->cursor, out->from) < 0))
			out->from = m->cursor;
		any = true;
		if (r->last.ms > 0)
			break;
	}
	return any;
}

void rooms_lost(void)
{
	struct room_gap gap;
	uint64_t id;
	void *r;

	hub_rooms.losses++;
	for (size_t i = 0; map_next(&hub_rooms.rooms, &i, &id, &r);)
		if (gap_of(r, &gap))
			behind_set(r, true);
}

/* ---- what is held ---- */

static struct str copy(char **at, struct str s)
{
	struct str out = {s.p ? *at : NULL, s.n};

	if (s.n > 0)
		memcpy(*at, s.p, s.n);
	*at += s.n;
	return out;
}

static struct held held_make(const struct bus_message *m)
{
	struct held h = {.m = *m};
	char *at = malloc(m->event.n + m->position.n + m->who.n + m->data.n + 1);

	if (!at)
		PANIC("out of memory");
	h.bytes = at;
	h.m.event = copy(&at, m->event);
	h.m.position = copy(&at, m->position);
	h.m.who = copy(&at, m->who);
	h.m.data = copy(&at, m->data);
	return h;
}

/* Without what is held the sockets cannot be served: they come back and join anew. */
static void give_up(struct room *r)
{
	log_line(LOG_WARN, "a room could not catch up", LOG_I("chat", r->id));
	for (uint32_t i = 0; i < r->count; i++)
		sio_close(r->members[i]->live->sio);
	room_held_free(r);
}

void room_hold(struct room *r, const struct bus_message *m)
{
	if (r->held_n == KEPT_MAX)
		give_up(r);
	r->held = array_grow(r->held, r->held_n, &r->held_cap, sizeof(*r->held));
	r->held[r->held_n++] = held_make(m);
}

static void held_list_free(struct held *held, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		free(held[i].bytes);
	free(held);
}

void room_held_free(struct room *r)
{
	held_list_free(r->held, r->held_n);
	r->held = NULL;
	r->held_n = r->held_cap = 0;
	if (r->count == 0)
		behind_set(r, false);
}

/* ---- catching up ---- */

void rooms_behind_each(void (*fn)(const struct room_gap *g, void *arg), void *arg)
{
	struct room_gap gap;
	uint64_t id;
	void *v;

	for (size_t i = 0; map_next(&hub_rooms.rooms, &i, &id, &v);) {
		struct room *r = v;

		if (!r->behind)
			continue;
		if (gap_of(r, &gap))
			fn(&gap, arg);
		else
			room_caught_up(&gap); /* who was in has left; who is joining stays */
	}
}

static struct room *gap_room(const struct room_gap *g)
{
	struct room *r = room_find(g->chat_id);

	return r && r->behind && g->loss == hub_rooms.losses ? r : NULL;
}

bool room_replay(const struct room_gap *g, struct str position, struct str event, struct str data)
{
	const struct bus_message m = {.scope = BUS_ROOM,
		.id = g->chat_id,
		.audience = 'r',
		.event = event,
		.position = position,
		.data = data};
	struct room *r = gap_room(g);

	if (r)
		room_give(r, &m);
	return r;
}

void room_caught_up(const struct room_gap *g)
{
	struct room *r = gap_room(g);
	struct held *held;
	uint32_t n;

	if (!r)
		return;
	held = r->held;
	n = r->held_n;
	r->held = NULL;
	r->held_n = r->held_cap = 0;
	behind_set(r, false);
	/* What is held may empty the room, which ends with it. */
	for (uint32_t i = 0; i < n && (r = room_find(g->chat_id)); i++)
		room_give(r, &held[i].m);
	held_list_free(held, n);
}
