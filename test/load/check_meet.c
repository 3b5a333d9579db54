/* The proof of those who search and meet: owns who is where while the history is read, one line
 * after the other (check_lines.c).
 *
 * What is too long is told by the line that ends it. To add a rule: a fault in check.h, and where
 * the line is taken here. */
#include "check_private.h"

#include <stdlib.h>

#include "base/err.h"

#define WAIT_US  60000000 /* the longest that stores and servers that come and go may delay it */
#define SLACK_US 5000000  /* between what a server and a client see of an absence */
#define ANYBODY  UINT32_MAX

/* ---- who and where ---- */

static struct mate *mate_of(struct meets *m, uint32_t client)
{
	if (client >= m->mate_count) {
		size_t n = client + 64;

		m->mates = realloc(m->mates, n * sizeof(*m->mates));
		if (!m->mates)
			PANIC("no memory");
		memset(m->mates + m->mate_count, 0, (n - m->mate_count) * sizeof(*m->mates));
		m->mate_count = n;
	}
	return &m->mates[client];
}

static struct direct *direct_find(const struct meets *m, int64_t room)
{
	const void *p = map_get(&m->by_room, (uint64_t)room);

	return p ? &m->directs[(uintptr_t)p - 1] : NULL;
}

static struct direct *direct_of(struct meets *m, int64_t room)
{
	struct direct *d = direct_find(m, room);

	if (d)
		return d;
	if (m->direct_count == m->direct_cap) {
		m->direct_cap = m->direct_cap ? 2 * m->direct_cap : 64;
		m->directs = realloc(m->directs, m->direct_cap * sizeof(*m->directs));
		if (!m->directs)
			PANIC("no memory");
	}
	d = &m->directs[m->direct_count++];
	*d = (struct direct){0};
	map_put(&m->by_room, (uint64_t)room, (void *)(uintptr_t)m->direct_count);
	return d;
}

/* Who else is in it now; NULL: nobody. */
static struct mate *partner_of(struct meets *m, uint32_t client)
{
	int64_t room = m->mates[client].room;
	const struct direct *d = room ? direct_find(m, room) : NULL;

	for (int i = 0; d && i < 2; i++)
		if (d->met[i] != 0 && d->people[i] != client && m->mates[d->people[i]].room == room)
			return &m->mates[d->people[i]];
	return NULL;
}

uint32_t tags_read(struct str text)
{
	uint32_t tags = 0;
	int64_t n;

	if (str_eq(text, STR("any")))
		return ANYBODY;
	while (text.p) {
		if (!str_to_i64(str_cut(&text, ','), &n) || n < 0 || n > 30)
			return 0;
		tags |= 1u << n;
	}
	return tags;
}

/* ---- what takes too long ---- */

static int64_t later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* Nobody searches while somebody is there whom they may meet. Recent partners meet after a while,
 * too, when nobody else comes. */
static void wait_prove(struct meets *m, struct proof *p, uint32_t client, size_t line, int64_t us)
{
	const struct mate *a = &m->mates[client];

	if (!a->searching || !a->open)
		return;
	for (size_t i = 0; i < m->mate_count; i++) {
		const struct mate *b = &m->mates[i];

		if (b != a && b->searching && b->open && (a->tags & b->tags) != 0 &&
			us - later(a->since_us, b->since_us) > WAIT_US)
			offend(p, FAULT_WAITS, line, b->since);
	}
}

/* Two who are there have a key. */
static void key_prove(struct meets *m, struct proof *p, uint32_t client, size_t line, int64_t us)
{
	const struct mate *a = &m->mates[client], *b = partner_of(m, client);

	if (a->joined && !a->keyed && b && b->joined &&
		us - later(a->joined_us, b->joined_us) > WAIT_US)
		offend(p, FAULT_KEYLESS, line, a->room_line);
}

/* ---- sockets ---- */

static void is_back(struct mate *a, int64_t us)
{
	if (!a->absent)
		return;
	a->absent = false;
	a->gone_us = us - a->lost_us;
	a->back_us = us;
}

void meet_open(struct meets *m, const struct meeting *e)
{
	struct mate *a = mate_of(m, e->client);

	a->open = true;
	a->since_us = e->us;
	if (a->room == 0)
		is_back(a, e->us);
}

void meet_lost(struct meets *m, struct proof *p, const struct meeting *e)
{
	struct mate *a = mate_of(m, e->client);

	wait_prove(m, p, e->client, e->line, e->us);
	key_prove(m, p, e->client, e->line, e->us);
	if (!a->absent)
		a->lost_us = e->us;
	a->absent = true;
	a->open = a->joined = a->keyed = false;
}

/* ---- searching ---- */

void meet_search(struct meets *m, struct proof *p, const struct meeting *e, uint32_t tags)
{
	struct mate *a = mate_of(m, e->client);

	if (a->room != 0)
		offend(p, FAULT_PAIR, e->line, a->room_line);
	a->searching = true;
	a->tags = tags;
	a->since_us = e->us;
	a->since = e->line;
}

void meet_idle(struct meets *m, struct proof *p, const struct meeting *e)
{
	struct mate *a = mate_of(m, e->client);

	wait_prove(m, p, e->client, e->line, e->us);
	a->searching = false;
}

void meet_met(struct meets *m, struct proof *p, const struct meeting *e, uint32_t tags)
{
	struct mate *a = mate_of(m, e->client);
	struct direct *d = direct_of(m, e->room);
	int at = d->met[0] != 0;

	wait_prove(m, p, e->client, e->line, e->us);
	a->searching = false;
	a->tags = tags;
	if (a->room != 0)
		offend(p, FAULT_PAIR, e->line, a->room_line);
	if (d->met[at] != 0 || (at == 1 && d->people[0] == e->client))
		offend(p, FAULT_PAIR, e->line, d->met[0]);
	else if (at == 1 && m->mates[d->people[0]].room == e->room &&
		 (m->mates[d->people[0]].tags & tags) == 0)
		offend(p, FAULT_PAIR, e->line, d->met[0]);
	if (at == 0)
		d->met_us = e->us;
	if (d->met[at] == 0) {
		d->people[at] = e->client;
		d->met[at] = e->line;
	}
	a->room = e->room;
	a->room_line = e->line;
}

/* ---- in the chat ---- */

static void absence_take(struct direct *d, const struct mate *a, int64_t us)
{
	if (d && a->absent && us - a->lost_us > d->absence_us)
		d->absence_us = us - a->lost_us;
}

void meet_joined(struct meets *m, const struct meeting *e)
{
	struct mate *a = mate_of(m, e->client);

	if (a->room == 0 || a->room != e->room)
		return;
	absence_take(direct_find(m, e->room), a, e->us);
	is_back(a, e->us);
	a->joined = true;
	a->joined_us = e->us;
}

void meet_keyed(struct meets *m, struct proof *p, const struct meeting *e)
{
	key_prove(m, p, e->client, e->line, e->us);
	mate_of(m, e->client)->keyed = true;
}

void meet_said(struct meets *m, const struct meeting *e, uint32_t number)
{
	mate_of(m, e->client)->said = number;
}

void meet_left(struct meets *m, const struct meeting *e)
{
	struct direct *d = direct_of(m, e->room);

	if (d->left)
		return;
	d->left = true;
	d->leaver = e->client;
	d->last = mate_of(m, e->client)->said;
}

/* Somebody who was in no chat as far as they knew was away: found while their socket was going, and
 * gone for so long that they never heard of it. */
static bool stranger_was_away(const struct meets *m, const struct direct *d, int64_t us)
{
	int64_t least = m->grace_us - SLACK_US;

	for (size_t i = 0; d->met[1] == 0 && i < m->mate_count; i++) {
		const struct mate *b = &m->mates[i];

		if ((b->room == 0 && b->absent && us - b->lost_us >= least) ||
			(b->gone_us >= least && b->back_us > d->met_us))
			return true;
	}
	return false;
}

/* A chat ends because one has left, or one was away for the grace. */
void meet_ended(struct meets *m, struct proof *p, const struct meeting *e)
{
	struct mate *a = mate_of(m, e->client);
	const struct mate *b = partner_of(m, e->client);
	struct direct *d = direct_of(m, e->room);

	key_prove(m, p, e->client, e->line, e->us);
	absence_take(d, a, e->us);
	if (b)
		absence_take(d, b, e->us);
	if (!d->left && d->absence_us < m->grace_us - SLACK_US && !stranger_was_away(m, d, e->us))
		offend(p, FAULT_ENDED, e->line, a->room_line);
	a->room = 0;
	a->joined = a->keyed = false;
	if (a->open)
		is_back(a, e->us);
}

/* ---- the end ---- */

void meet_over(struct meets *m, struct proof *p, size_t line, int64_t us)
{
	for (size_t i = 0; i < m->mate_count; i++) {
		wait_prove(m, p, (uint32_t)i, line, us);
		key_prove(m, p, (uint32_t)i, line, us);
		m->mates[i].searching = false; /* told once of two */
	}
}

const struct direct *direct_left(const struct meets *m, int64_t room)
{
	const struct direct *d = direct_find(m, room);

	return d && d->left ? d : NULL;
}

void meets_free(struct meets *m)
{
	free(m->mates);
	free(m->directs);
	map_free(&m->by_room);
}
