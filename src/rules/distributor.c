/* The book of rooms to be looked at: owns a struct due for each room that somebody waits in, or
 * that was looked at just now.
 *
 * Those that are not being looked at stand in a heap, by the time at which something is to be done
 * with them: to look, or, when nobody waits there, to drop them at the end of their gap.
 *
 * To look for another reason: distributor_touch. To look at other times: the answer of key_ask.lua.
 */
#include "rules/distributor.h"

#include "base/err.h"

#include <stdlib.h>

struct due {
	int64_t chat_id;
	int64_t at;   /* when to look; NEVER: nobody waits */
	int64_t free; /* not before: the end of the gap */
	size_t place; /* in the heap, from 1; 0: it is being looked at */
};

#define NEVER INT64_MAX

/* ---- the heap: heap[1] is first ---- */

static int64_t when(const struct due *due)
{
	return due->at == NEVER ? due->free : due->at;
}

static void put_at(struct distributor *d, size_t place, struct due *due)
{
	d->heap[place] = due;
	due->place = place;
}

static void rise(struct distributor *d, struct due *due)
{
	size_t i = due->place;

	for (; i > 1 && when(d->heap[i / 2]) > when(due); i /= 2)
		put_at(d, i, d->heap[i / 2]);
	put_at(d, i, due);
}

static void sink(struct distributor *d, struct due *due)
{
	size_t i = due->place, next;

	for (; (next = 2 * i) <= d->waiting; i = next) {
		if (next < d->waiting && when(d->heap[next + 1]) < when(d->heap[next]))
			next++;
		if (when(due) <= when(d->heap[next]))
			break;
		put_at(d, i, d->heap[next]);
	}
	put_at(d, i, due);
}

static void heap_add(struct distributor *d, struct due *due)
{
	if (d->waiting + 1 >= d->room) {
		d->room = d->room ? 2 * d->room : 64;
		d->heap = realloc(d->heap, d->room * sizeof(struct due *));
		if (!d->heap)
			PANIC("out of memory");
	}
	due->place = ++d->waiting;
	rise(d, due);
}

static struct due *heap_pop(struct distributor *d)
{
	struct due *first = d->heap[1], *last = d->heap[d->waiting--];

	first->place = 0;
	if (last != first) {
		last->place = 1;
		sink(d, last);
	}
	return first;
}

/* ---- the book ---- */

void distributor_touch(struct distributor *d, int64_t chat_id, int64_t now)
{
	struct due *due = map_get(&d->rooms, (uint64_t)chat_id);

	if (!due) {
		due = calloc(1, sizeof(*due));
		if (!due)
			PANIC("out of memory");
		*due = (struct due){.chat_id = chat_id, .free = now, .at = now};
		map_put(&d->rooms, (uint64_t)chat_id, due);
		heap_add(d, due);
	} else if (due->at > due->free) { /* the time does not get later by that */
		due->at = due->free;
		if (due->place)
			rise(d, due);
	}
}

int64_t distributor_next(struct distributor *d, int64_t now)
{
	if (d->looking == DISTRIBUTOR_AT_ONCE)
		return 0;
	while (d->waiting > 0 && when(d->heap[1]) <= now) {
		struct due *due = heap_pop(d);

		if (due->at != NEVER) {
			due->at = NEVER;
			due->free = now + DISTRIBUTOR_GAP_MS;
			d->looking++;
			return due->chat_id;
		}
		free(map_remove(&d->rooms, (uint64_t)due->chat_id));
	}
	return 0;
}

int64_t distributor_wait(const struct distributor *d, int64_t now)
{
	int64_t first;

	if (d->looking == DISTRIBUTOR_AT_ONCE || d->waiting == 0)
		return -1;
	first = when(d->heap[1]);
	return first > now ? first - now : 0;
}

void distributor_looked(struct distributor *d, int64_t chat_id, int64_t now, int64_t again)
{
	struct due *due = map_get(&d->rooms, (uint64_t)chat_id);

	if (!due || due->place) /* the book was emptied meanwhile */
		return;
	d->looking--;
	if (again > 0 && now + again < due->at)
		due->at = now + again;
	heap_add(d, due);
}

void distributor_free(struct distributor *d)
{
	uint64_t chat_id;
	void *due;

	for (size_t i = 0; map_next(&d->rooms, &i, &chat_id, &due);)
		free(due);
	map_free(&d->rooms);
	free(d->heap);
	*d = (struct distributor){0};
}
