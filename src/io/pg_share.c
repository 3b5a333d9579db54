/* Several queries of one statement that go as one (PG_STMT_SHARED): they share what a statement and
 * a transaction cost whatever they do.
 *
 *   pg_query -> pg_share_add (waits) -> pg_share_turn: a lone one goes as it is, several become
 *   members of one that goes for them -> pg_share_result (each decodes its rows) -> pg_share_done
 *   (each ends; who had no row, or all when it was refused, goes again, by itself)
 *
 * When the connection is lost under it nobody knows whether it was committed: all end with
 * ERR_UNAVAILABLE, as a single one would.
 *
 * Lifetime: a member belongs to the one that goes for it, and outlives its task as any slot. The
 * one that goes has no task; it is freed when its members have ended or go by themselves. */
#include "io/pg_private.h"

#include <stdlib.h>

struct pg_share {
	struct list node; /* shares.active: some wait */
	struct list waiting;
	unsigned under_way;
	struct timer due; /* they wait no longer than that */
	bool overdue;
};

static struct {
	struct pg_share *all; /* by place in pg_statements */
	size_t count;
	struct list active;
} shares;

static void on_due(struct timer *t)
{
	LIST_ITEM(t, struct pg_share, due)->overdue = true; /* for this turn's hook */
}

void pg_share_start(size_t statements)
{
	list_init(&shares.active);
	shares.count = statements;
	shares.all = calloc(statements + 1, sizeof(*shares.all));
	if (!shares.all)
		PANIC("out of memory");
	for (size_t i = 0; i < statements; i++) {
		list_init(&shares.all[i].node);
		list_init(&shares.all[i].waiting);
		timer_init(&shares.all[i].due, on_due);
	}
}

void pg_share_stop(void)
{
	for (size_t i = 0; i < shares.count; i++) {
		struct list *n;

		while ((n = list_pop(&shares.all[i].waiting)))
			pg_slot_end(LIST_ITEM(n, struct pg_slot, node), ERR_UNAVAILABLE);
		timer_clear(&shares.all[i].due);
	}
	free(shares.all);
	shares.all = NULL;
}

void pg_share_add(struct pg_slot *q)
{
	size_t count;
	struct pg_share *s = &shares.all[q->stmt - pg_statements(&count)];

	list_add_tail(&s->waiting, &q->node);
	list_remove(&s->node);
	list_add_tail(&shares.active, &s->node);
}

/* ---- sending ---- */

/* The k-th parameter of each, as an array. */
static void array_build(struct buf *b, const struct list *members, int k)
{
	LIST_FOREACH (n, members) {
		const struct pg_slot *m = LIST_ITEM(n, struct pg_slot, node);

		buf_char(b, b->n ? ',' : '{');
		pg_array_put(b, m->values[k], (size_t)m->lengths[k], m->formats[k]);
	}
	buf_char(b, '}');
}

/* One that goes for all of them, of the same statement as `one`; takes them. */
static struct pg_slot *slot_for(const struct pg_slot *one, struct list *members)
{
	struct buf arrays[PG_ARGS] = {0};
	struct pg_args a = {.n = one->n};
	struct pg_slot *q;
	struct list *n;

	for (int k = 0; k < a.n; k++) {
		array_build(&arrays[k], members, k);
		a.v[k].p = arrays[k].p;
		a.v[k].n = (int)arrays[k].n;
	}
	q = pg_slot_new(one->stmt->many, &a, NULL, NULL);
	for (int k = 0; k < a.n; k++)
		buf_free(&arrays[k]);
	while ((n = list_pop(members)))
		list_add_tail(&q->members, n);
	return q;
}

/* The next that is to be sent; NULL: none is left. */
static struct pg_slot *share_next(struct pg_share *s)
{
	struct list members, *n = list_pop(&s->waiting);
	struct pg_slot *one;

	if (!n)
		return NULL;
	one = LIST_ITEM(n, struct pg_slot, node);
	if (list_empty(&s->waiting))
		return one;
	list_init(&members);
	for (unsigned count = 0; n; n = ++count < PG_SHARE_MOST ? list_pop(&s->waiting) : NULL)
		list_add_tail(&members, n);
	return slot_for(one, &members);
}

void pg_share_turn(void (*go)(struct pg_slot *q))
{
	LIST_FOREACH_SAFE (n, &shares.active) {
		struct pg_share *s = LIST_ITEM(n, struct pg_share, node);
		struct pg_slot *q;

		if (s->under_way > 0 && !s->overdue) {
			if (!timer_is_set(&s->due))
				timer_set(&s->due, PG_SHARE_MS);
			continue;
		}
		timer_clear(&s->due);
		s->overdue = false;
		list_remove(&s->node);
		while ((q = share_next(s))) {
			q->share = s;
			s->under_way++;
			go(q);
		}
	}
}

void pg_share_end(struct pg_slot *q, enum err e)
{
	struct list *n;

	while ((n = list_pop(&q->members)))
		pg_slot_end(LIST_ITEM(n, struct pg_slot, node), e);
	if (q->share)
		q->share->under_way--;
	q->share = NULL;
}

/* ---- answers ---- */

void pg_share_result(struct pg_slot *q, PGresult *res)
{
	struct pg_rows all = {.res = res, .stmt = q->stmt, .count = PQntuples(res)};
	int row = 0, number = 0;

	LIST_FOREACH (n, &q->members) {
		struct pg_slot *m = LIST_ITEM(n, struct pg_slot, node);
		struct pg_rows own = {.res = res, .stmt = q->stmt, .first = row, .column = 1};

		number++;
		while (row < all.count && pg_i64(&all, row, 0) == number)
			row++;
		own.count = row - own.first;
		m->again = own.count == 0;
		m->err = OK;
		if (own.count > 0 && m->decode && m->op.task)
			m->err = m->decode(m->op.task, &own, m->out);
	}
	ASSERT(row == all.count);
}

void pg_share_done(struct pg_slot *q, void (*again)(struct pg_slot *q))
{
	struct list *n;

	while ((n = list_pop(&q->members))) {
		struct pg_slot *m = LIST_ITEM(n, struct pg_slot, node);

		if ((q->err || m->again) && pg_slot_is_wanted(m)) {
			m->err = OK;
			m->alone = true;
			again(m);
		} else {
			pg_slot_end(m, m->err);
		}
	}
	pg_slot_end(q, OK);
}
