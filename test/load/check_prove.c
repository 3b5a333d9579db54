/* The proof of a history: owns what is read of it while it runs.
 *
 *   history_prove -> line_take, each line (check_lines.c): messages, seats and what came to each
 *                 -> seats_prove, each seat: order, doubles, what is missing
 *                 -> ids_prove: an id has one message */
#include "check_private.h"

#include <stdlib.h>

#include "base/err.h"

#define SHOWN 20

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
		return m->client == s->client || (m->client == d->leaver && m->number == d->last);
	return s->arrival_count == 0 || id_compare(m->id, s->arrivals[s->arrival_count - 1].id) > 0;
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
