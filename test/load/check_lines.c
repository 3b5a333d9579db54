/* The lines of a history, one after the other: messages, seats, and what came to each.
 *
 *   line_take -> the row of `kinds` -> take_…
 *
 * A message is what was sent under one client_id; a seat is a client in a room. Lines are numbered
 * from 1; everything that happened is kept by the number of its line, because what must have come
 * to whom depends on what stands before what. What is wrong by itself is told here, what is missing
 * by check_prove.c. To add a kind of line: history.h, and `kinds`. */
#include "check_private.h"

#include <stdlib.h>

#include "base/err.h"

#define CLIENT_MAX 9999999

/* ---- memory ---- */

void *grown(void *p, size_t n, size_t *cap, size_t size)
{
	if (n < *cap)
		return p;
	*cap = *cap ? *cap * 2 : 16;
	p = realloc(p, *cap * size);
	if (!p)
		PANIC("no memory");
	return p;
}

static void *index_put(size_t i)
{
	return (void *)(uintptr_t)(i + 1);
}

static size_t index_get(const struct map *m, uint64_t key)
{
	const void *p = map_get(m, key);

	return p ? (size_t)(uintptr_t)p - 1 : NO_INDEX;
}

int id_compare(struct id a, struct id b)
{
	if (a.ms != b.ms)
		return a.ms < b.ms ? -1 : 1;
	return a.seq < b.seq ? -1 : a.seq > b.seq;
}

bool id_is(struct id id)
{
	return id.ms != 0 || id.seq != 0;
}

/* ---- what a line says ---- */

struct fields { /* of a line; `bad` when one is not what it has to be */
	struct str rest;
	bool bad;
};

static struct str field_text(struct fields *f)
{
	struct str s = str_cut(&f->rest, ' ');

	f->bad = f->bad || s.n == 0;
	return s;
}

static int64_t field_number(struct fields *f, int64_t most)
{
	int64_t n = 0;

	if (!str_to_i64(field_text(f), &n) || n < 0 || n > most) {
		f->bad = true;
		return 0;
	}
	return n;
}

static struct id field_id(struct fields *f)
{
	struct str text = field_text(f);
	struct fields parts = {.rest = text};
	struct id id = {0};
	struct str ms;

	if (str_eq(text, STR("-")))
		return id;
	ms = str_cut(&parts.rest, '-');
	f->bad = f->bad || !str_to_i64(ms, (int64_t *)&id.ms) ||
		 !str_to_i64(parts.rest, (int64_t *)&id.seq) || ms.p[0] == '-';
	return id;
}

/* RUN-CLIENT-NUMBER; false for "-". */
static bool field_client_id(struct fields *f, uint32_t *client, uint32_t *number)
{
	struct str rest = field_text(f);
	int64_t c = -1, n = -1;

	if (str_eq(rest, STR("-")))
		return false;
	str_cut(&rest, '-');
	if (!str_to_i64(str_cut(&rest, '-'), &c) || !str_to_i64(rest, &n) || c < 0 ||
		c >= NO_INDEX || n < 0 || n >= NO_INDEX)
		f->bad = true;
	*client = (uint32_t)c;
	*number = (uint32_t)n;
	return true;
}

/* ---- seats and messages ---- */

static struct seat *seat_of(struct proof *p, uint32_t client, int64_t room)
{
	uint64_t key = (uint64_t)client << 40 | (uint64_t)room;
	size_t i = index_get(&p->by_seat, key);

	if (i != NO_INDEX)
		return &p->seats[i];
	p->seats = grown(p->seats, p->seat_count, &p->seat_cap, sizeof(*p->seats));
	map_put(&p->by_seat, key, index_put(p->seat_count));
	p->seats[p->seat_count] = (struct seat){.client = client, .room = room};
	if (client >= p->clients)
		p->clients = client + 1;
	return &p->seats[p->seat_count++];
}

static uint64_t message_key(uint32_t client, uint32_t number)
{
	return (uint64_t)client << 32 | number;
}

static size_t message_new(struct proof *p, uint32_t client, uint32_t number, int64_t room)
{
	size_t i = p->message_count++;

	p->messages = grown(p->messages, i, &p->message_cap, sizeof(*p->messages));
	p->messages[i] =
		(struct message){.client = client, .number = number, .room = room, .sent = p->line};
	map_put(&p->by_client_id, message_key(client, number), index_put(i));
	if (client >= p->clients)
		p->clients = client + 1;
	return i;
}

/* Another id than the one it has is a fault, unless it was lost in between. */
static void message_id(struct proof *p, struct message *m, struct id id)
{
	if (id_is(m->id) && id_compare(m->id, id) != 0) {
		if (!p->gaps || p->last_gap < m->id_line || m->acked != 0)
			offend(p, FAULT_TWO_IDS, p->line, m->id_line);
	}
	if (!id_is(m->id) || id_compare(m->id, id) != 0) {
		m->id = id;
		m->id_line = p->line;
	}
}

/* ---- kinds of lines ---- */

static struct meeting meeting_of(const struct proof *p, uint32_t client, int64_t room)
{
	return (struct meeting){.line = p->line, .us = p->us, .client = client, .room = room};
}

/* A line of a client begins with its number. */
static struct meeting take_client(struct proof *p, struct fields *f)
{
	return meeting_of(p, (uint32_t)field_number(f, CLIENT_MAX), 0);
}

static void take_open(struct proof *p, struct fields *f)
{
	struct meeting e = take_client(p, f);

	p->v->reconnects += field_number(f, NO_INDEX) > 1;
	meet_open(&p->meets, &e);
}

static void take_lost(struct proof *p, struct fields *f)
{
	struct meeting e = take_client(p, f);

	meet_lost(&p->meets, p, &e);
}

static void take_passed(struct proof *p, struct fields *f)
{
	(void)p;
	field_number(f, CLIENT_MAX);
}

/* A line of a client in a room begins with the two. */
static struct seat *take_seat(struct proof *p, struct fields *f)
{
	uint32_t client = (uint32_t)field_number(f, CLIENT_MAX);

	return seat_of(p, client, field_number(f, ROOM_MAX - 1));
}

static void take_joined(struct proof *p, struct fields *f)
{
	struct seat *s = take_seat(p, f);
	struct id after = field_id(f);
	struct meeting e = meeting_of(p, s->client, s->room);

	meet_joined(&p->meets, &e);
	if (s->direct)
		f->bad = f->bad || (!id_is(after) && s->arrival_count > 0);
	else if (s->joined == 0 || (!id_is(after) && s->arrival_count == 0))
		s->joined = p->line; /* who has nothing yet joins as a newcomer each time */
	else if (!id_is(after))
		f->bad = true;
	s->out = 0;
	if (field_number(f, 1) == 0)
		return;
	p->v->gaps++;
	p->last_gap = p->line;
	if (!p->gaps)
		offend(p, FAULT_GAP, p->line, 0);
	s->gaps = grown(s->gaps, s->gap_count, &s->gap_cap, sizeof(*s->gaps));
	s->gaps[s->gap_count++] =
		(struct gap){.after = after, .line = p->line, .arrivals = s->arrival_count};
}

static void take_sent(struct proof *p, struct fields *f)
{
	struct seat *s = take_seat(p, f);
	uint32_t client = 0, number = 0;
	struct meeting e;

	if (!field_client_id(f, &client, &number) || f->bad || client != s->client ||
		index_get(&p->by_client_id, message_key(client, number)) != NO_INDEX) {
		f->bad = true;
		return;
	}
	message_new(p, client, number, s->room);
	p->v->sent++;
	e = meeting_of(p, client, s->room);
	meet_said(&p->meets, &e, number);
}

/* The message that a line of its sender is about; NULL (and bad) when it was never sent. */
static struct message *take_own(struct proof *p, struct fields *f)
{
	struct seat *s = take_seat(p, f);
	uint32_t client = 0, number = 0;
	size_t i = NO_INDEX;

	if (field_client_id(f, &client, &number) && !f->bad)
		i = index_get(&p->by_client_id, message_key(client, number));
	if (i == NO_INDEX || client != s->client || p->messages[i].room != s->room) {
		f->bad = true;
		return NULL;
	}
	return &p->messages[i];
}

static void take_again(struct proof *p, struct fields *f)
{
	p->v->resent += take_own(p, f) != NULL;
}

static void take_acked(struct proof *p, struct fields *f)
{
	struct message *m = take_own(p, f);
	struct id id = field_id(f);

	if (!m || f->bad || !id_is(id))
		return;
	message_id(p, m, id);
	p->v->acked += m->acked == 0;
	m->acked = p->line;
}

static void take_refused(struct proof *p, struct fields *f)
{
	p->v->refused += take_own(p, f) != NULL;
}

static void take_got(struct proof *p, struct fields *f)
{
	struct seat *s = take_seat(p, f);
	struct id id = field_id(f);
	uint32_t client = 0, number = 0;
	size_t i = NO_INDEX;

	if (field_client_id(f, &client, &number)) {
		if (f->bad)
			return;
		i = index_get(&p->by_client_id, message_key(client, number));
		if (i == NO_INDEX || p->messages[i].room != s->room || s->joined == 0) {
			offend(p, FAULT_INVENTED, p->line, i == NO_INDEX ? 0 : p->messages[i].sent);
			return;
		}
		message_id(p, &p->messages[i], id);
		p->messages[i].seen = true;
		p->v->deliveries++;
	}
	s->arrivals = grown(s->arrivals, s->arrival_count, &s->arrival_cap, sizeof(*s->arrivals));
	s->arrivals[s->arrival_count++] =
		(struct arrival){.id = id, .message = (uint32_t)i, .line = p->line};
	for (size_t g = s->gap_count; g > 0 && !id_is(s->gaps[g - 1].until); g--)
		s->gaps[g - 1].until = id;
}

static void take_bad(struct proof *p, struct fields *f)
{
	take_seat(p, f);
	offend(p, FAULT_CONTENT, p->line, 0);
}

static void take_out(struct proof *p, struct fields *f)
{
	take_seat(p, f)->out = p->line;
}

static void take_end(struct proof *p, struct fields *f)
{
	struct seat *s = take_seat(p, f);

	s->ended = true;
	if (field_number(f, 1) == 0 && s->out == 0)
		offend(p, FAULT_ABSENT, p->line, s->joined);
}

static void take_grace(struct proof *p, struct fields *f)
{
	p->meets.grace_us = field_number(f, 3600) * 1000000;
}

static uint32_t field_tags(struct fields *f)
{
	uint32_t tags = tags_read(field_text(f));

	f->bad = f->bad || tags == 0;
	return tags;
}

static void take_search(struct proof *p, struct fields *f)
{
	struct meeting e = take_client(p, f);

	meet_search(&p->meets, p, &e, field_tags(f));
}

static void take_idle(struct proof *p, struct fields *f)
{
	struct meeting e = take_client(p, f);

	meet_idle(&p->meets, p, &e);
}

/* The chat's messages are theirs from then on, whenever they join. */
static void take_met(struct proof *p, struct fields *f)
{
	struct seat *s = take_seat(p, f);
	struct meeting e = meeting_of(p, s->client, s->room);

	meet_met(&p->meets, p, &e, field_tags(f));
	s->direct = true;
	s->joined = p->line;
}

static void take_keyed(struct proof *p, struct fields *f)
{
	const struct seat *s = take_seat(p, f);
	struct meeting e = meeting_of(p, s->client, s->room);

	meet_keyed(&p->meets, p, &e);
}

static void take_left(struct proof *p, struct fields *f)
{
	const struct seat *s = take_seat(p, f);
	struct meeting e = meeting_of(p, s->client, s->room);

	meet_left(&p->meets, &e);
}

static void take_ended(struct proof *p, struct fields *f)
{
	struct seat *s = take_seat(p, f);
	struct meeting e = meeting_of(p, s->client, s->room);

	field_text(f);
	f->bad = f->bad || !s->direct || s->over;
	s->over = true;
	meet_ended(&p->meets, p, &e);
}

static const struct kind {
	struct str name;
	void (*take)(struct proof *p, struct fields *f);
} kinds[] = {
	{STR("got"), take_got},
	{STR("sent"), take_sent},
	{STR("acked"), take_acked},
	{STR("again"), take_again},
	{STR("refused"), take_refused},
	{STR("bad"), take_bad},
	{STR("joined"), take_joined},
	{STR("open"), take_open},
	{STR("lost"), take_lost},
	{STR("cleared"), take_passed},
	{STR("out"), take_out},
	{STR("end"), take_end},
	{STR("grace"), take_grace},
	{STR("search"), take_search},
	{STR("idle"), take_idle},
	{STR("met"), take_met},
	{STR("keyed"), take_keyed},
	{STR("left"), take_left},
	{STR("ended"), take_ended},
};

void line_take(struct proof *p, struct str line)
{
	struct fields f = {.rest = line};
	struct str name;
	size_t i = 0;

	p->us = field_number(&f, INT64_MAX);
	name = field_text(&f);
	while (i < sizeof(kinds) / sizeof(kinds[0]) && !str_eq(kinds[i].name, name))
		i++;
	if (i == sizeof(kinds) / sizeof(kinds[0]))
		f.bad = true;
	else
		kinds[i].take(p, &f);
	if (f.bad)
		offend(p, FAULT_HISTORY, p->line, 0);
}
