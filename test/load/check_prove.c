/* The proof of a history: owns what it has read of it while it runs.
 *
 *   history_prove -> line_take, each line: messages, seats and what came to each
 *                 -> seat_prove, each seat: order, doubles, what is missing
 *                 -> messages_prove: an id has one message
 *
 * A message is what was sent under one client_id; a seat is a client in a room. Lines are numbered
 * from 1; everything that happened is kept by the number of its line, because what must have come
 * to whom depends on what stands before what. To add a kind of line: `kinds`. */
#include <stdlib.h>

#include "base/err.h"
#include "check_meet.h"

#define SHOWN    20
#define NO_INDEX UINT32_MAX
#define ROOM_MAX ((int64_t)1 << 40)
#define CLIENT_MAX 9999999

struct id {
	uint64_t ms, seq; /* 0-0: none */
};

struct message {
	uint32_t client, number;
	int64_t room;
	struct id id;
	size_t sent, id_line; /* lines; id_line: where the id was first seen */
	size_t acked;         /* 0: not */
	bool seen;            /* came to somebody */
};

struct arrival {
	struct id id;
	uint32_t message; /* its index; NO_INDEX: the run did not send it */
	size_t line;
};

struct gap {                    /* what a client was told that it may lack */
	struct id after, until; /* exclusive; until 0-0: to the end */
	size_t line;
	size_t arrivals; /* that came before it */
};

struct seat {
	uint32_t client;
	int64_t room;
	size_t joined, out; /* lines: of the first join; of being put out, 0: not */
	bool ended;
	bool direct, over; /* a direct chat; it has ended */
	struct arrival *arrivals;
	struct gap *gaps;
	size_t arrival_count, arrival_cap, gap_count, gap_cap;
};

struct proof {
	struct str text;
	bool gaps;
	size_t line, last_gap; /* numbers of lines */
	int64_t us;            /* of the line */
	struct meets meets;
	struct verdict *v;
	struct message *messages;
	struct seat *seats;
	const char **starts; /* of the lines, from 1 on */
	size_t message_count, message_cap, seat_count, seat_cap, start_cap;
	struct map by_client_id, by_seat; /* index + 1, as a pointer */
	uint32_t clients;                 /* one more than the highest */
};

/* What the proof of one seat looks up: when a message came last (by index), which number of a
 * sender. */
struct marks {
	struct mark {
		uint32_t seat; /* 0: none; seats count from 1 here */
		size_t line, gaps;
	} * messages;
	struct number {
		uint32_t seat, number;
	} * senders;
};

/* ---- memory ---- */

static void *grown(void *p, size_t n, size_t *cap, size_t size)
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

/* ---- what offends ---- */

static const char *const names[FAULTS] = {"lost", "double", "disorder", "sender", "invented",
	"content", "two ids", "one id", "gap", "absent", "waits", "pair", "keyless", "ended",
	"history"};

const char *fault_name(enum fault f)
{
	return names[f];
}

static void line_show(const struct proof *p, struct buf *b, size_t line)
{
	struct str rest =
		str_make(p->starts[line], (size_t)(p->text.p + p->text.n - p->starts[line]));
	struct str text = str_cut(&rest, '\n');

	buf_printf(b, "line %zu: " STR_FMT, line, STR_ARG(text));
}

/* `line` offends; `other`, unless 0, is what it does not fit. */
void offend(struct proof *p, enum fault f, size_t line, size_t other)
{
	struct buf *b = &p->v->offences;

	p->v->faults[f]++;
	if (p->v->violations++ >= SHOWN)
		return;
	buf_printf(b, "%s: ", names[f]);
	line_show(p, b, line);
	if (other != 0) {
		buf_lit(b, "\n    against ");
		line_show(p, b, other);
	}
	buf_char(b, '\n');
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

static int id_compare(struct id a, struct id b)
{
	if (a.ms != b.ms)
		return a.ms < b.ms ? -1 : 1;
	return a.seq < b.seq ? -1 : a.seq > b.seq;
}

static bool id_is(struct id id)
{
	return id.ms != 0 || id.seq != 0;
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

static void line_take(struct proof *p, struct str line)
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

/* ---- what must hold of a seat ---- */

/* How many gaps the seat had been told of when something came. */
static size_t gaps_before(const struct seat *s, size_t arrival)
{
	size_t n = 0;

	while (n < s->gap_count && s->gaps[n].arrivals <= arrival)
		n++;
	return n;
}

static void arrivals_prove(
	struct proof *p, const struct seat *s, uint32_t seat, const struct marks *k)
{
	size_t last_line = 0;
	struct id last = {0};

	for (size_t i = 0; i < s->arrival_count; i++) {
		const struct arrival *a = &s->arrivals[i];
		const struct message *m = a->message == NO_INDEX ? NULL : &p->messages[a->message];
		struct mark *mark = m ? &k->messages[a->message] : NULL;
		size_t gaps = p->gaps ? gaps_before(s, i) : 0;
		bool again = mark && mark->seat == seat; /* behind a gap it may come again */

		if (again && mark->gaps == gaps)
			offend(p, FAULT_DOUBLE, a->line, mark->line);
		else if (id_compare(a->id, last) <= 0)
			offend(p, FAULT_DISORDER, a->line, last_line);
		if (mark)
			*mark = (struct mark){seat, a->line, gaps};
		if (m && !again) {
			struct number *n = &k->senders[m->client];

			if (n->seat == seat && n->number >= m->number)
				offend(p, FAULT_SENDER, a->line, m->sent);
			*n = (struct number){seat, m->number};
		}
		if (id_compare(a->id, last) > 0) {
			last = a->id;
			last_line = a->line;
		}
	}
}

static bool is_excused(const struct seat *s, const struct message *m)
{
	for (size_t i = 0; i < s->gap_count; i++)
		if (id_compare(m->id, s->gaps[i].after) > 0 &&
			(!id_is(s->gaps[i].until) || id_compare(m->id, s->gaps[i].until) < 0))
			return true;
	return false;
}

/* In a direct chat that has ended, and what was said in it with it (check.h). */
static bool is_past(const struct proof *p, const struct seat *s, const struct message *m)
{
	const struct direct *d = direct_left(&p->meets, s->room);

	if (!s->over)
		return false;
	if (d)
		return m->client == s->client ||
		       (m->client == d->leaver && m->number == d->last);
	return s->arrival_count == 0 ||
	       id_compare(m->id, s->arrivals[s->arrival_count - 1].id) > 0;
}

/* `order`: messages by room. */
static void missing_prove(struct proof *p, const struct seat *s, uint32_t seat,
	const struct marks *k, struct message *const *room, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct message *m = room[i];

		if ((m->acked == 0 && !m->seen) || m->sent < s->joined ||
			(s->out != 0 && m->sent > s->out) ||
			k->messages[m - p->messages].seat == seat ||
			(p->gaps && is_excused(s, m)) || is_past(p, s, m))
			continue;
		offend(p, FAULT_LOST, m->acked ? m->acked : m->id_line, s->joined);
	}
}

/* ---- the proof ---- */

static int by_room_and_id(const void *a, const void *b)
{
	const struct message *x = *(struct message *const *)a, *y = *(struct message *const *)b;

	if (x->room != y->room)
		return x->room < y->room ? -1 : 1;
	return id_compare(x->id, y->id);
}

static void ids_prove(struct proof *p, struct message *const *order)
{
	for (size_t i = 1; i < p->message_count; i++)
		if (id_is(order[i]->id) && by_room_and_id(&order[i - 1], &order[i]) == 0)
			offend(p, FAULT_ONE_ID, order[i]->id_line, order[i - 1]->id_line);
}

/* Where a room's messages begin, or would. */
static size_t room_begin(const struct proof *p, struct message *const *order, int64_t room)
{
	size_t from = 0, to = p->message_count;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (order[middle]->room < room)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

static void seats_prove(struct proof *p, struct message *const *order)
{
	struct marks k = {calloc(p->message_count + 1, sizeof(*k.messages)),
		calloc((size_t)p->clients + 1, sizeof(*k.senders))};

	if (!k.messages || !k.senders)
		PANIC("no memory");
	for (uint32_t i = 0; i < p->seat_count; i++) {
		const struct seat *s = &p->seats[i];
		size_t from = room_begin(p, order, s->room), to;

		if (s->joined == 0)
			continue;
		for (to = from; to < p->message_count && order[to]->room == s->room;)
			to++;
		arrivals_prove(p, s, i + 1, &k);
		missing_prove(p, s, i + 1, &k, order + from, to - from);
		if (!s->ended && !s->over)
			offend(p, FAULT_HISTORY, s->joined, 0);
	}
	free(k.messages);
	free(k.senders);
}

static void messages_prove(struct proof *p)
{
	struct message **order = calloc(p->message_count + 1, sizeof(struct message *));

	if (!order)
		PANIC("no memory");
	for (size_t i = 0; i < p->message_count; i++) {
		order[i] = &p->messages[i];
		p->v->stored += p->messages[i].seen && p->messages[i].acked == 0;
	}
	qsort(order, p->message_count, sizeof(struct message *), by_room_and_id);
	ids_prove(p, order);
	seats_prove(p, order);
	free(order);
}

static void lines_read(struct proof *p)
{
	struct str rest = p->text;

	while (rest.n > 0) {
		p->starts = grown(p->starts, ++p->line, &p->start_cap, sizeof(*p->starts));
		p->starts[p->line] = rest.p;
		line_take(p, str_cut(&rest, '\n'));
	}
}

void history_prove(struct str text, bool gaps, struct verdict *v)
{
	struct proof p = {.text = text, .gaps = gaps, .v = v};

	*v = (struct verdict){0};
	lines_read(&p);
	meet_over(&p.meets, &p, p.line, p.us);
	messages_prove(&p);
	v->lines = p.line;
	v->clients = p.clients;
	v->seats = p.seat_count;
	v->chats = p.meets.direct_count;
	for (size_t i = 0; i < p.meets.direct_count; i++)
		v->left += p.meets.directs[i].left;
	if (v->acked == 0 && v->violations == 0) {
		v->faults[FAULT_HISTORY] = v->violations = 1;
		buf_lit(&v->offences, "history: nothing was acknowledged\n");
	}
	for (size_t i = 0; i < p.seat_count; i++) {
		free(p.seats[i].arrivals);
		free(p.seats[i].gaps);
	}
	free(p.seats);
	free(p.messages);
	free((void *)p.starts);
	meets_free(&p.meets);
	map_free(&p.by_client_id);
	map_free(&p.by_seat);
}

void verdict_free(struct verdict *v)
{
	buf_free(&v->offences);
}
