/* The book of rooms to be looked at: owns a struct due for each room that somebody waits in, or
 * that was looked at just now.
 *
 * A due that nobody waits in stays until its gap is over, and is dropped by the next walk over the
 * book. A walk is over all rooms: they are few, and one timer in io/ starts it.
 *
 * To look for another reason: distributor_touch. To look at other times: the answer of key_ask.lua.
 */
#include "rules/distributor.h"

#include "base/err.h"

#include <stdlib.h>

struct due {
	int64_t at;   /* when to look; NEVER: nobody waits */
	int64_t free; /* not before: the end of the gap */
	bool looking;
};

#define NEVER INT64_MAX

void distributor_touch(struct distributor *d, int64_t chat_id, int64_t now)
{
	struct due *due = map_get(&d->rooms, (uint64_t)chat_id);

	if (!due) {
		due = calloc(1, sizeof(*due));
		if (!due)
			PANIC("out of memory");
		due->free = now;
		due->at = NEVER;
		map_put(&d->rooms, (uint64_t)chat_id, due);
	}
	if (due->at > due->free)
		due->at = due->free;
}

static void due_drop(struct distributor *d, uint64_t chat_id)
{
	free(map_remove(&d->rooms, chat_id));
}

int64_t distributor_next(struct distributor *d, int64_t now)
{
	uint64_t chat_id, over = 0;
	int64_t found = 0;
	void *value;

	if (d->looking == DISTRIBUTOR_AT_ONCE)
		return 0;
	for (size_t i = 0; !found && map_next(&d->rooms, &i, &chat_id, &value);) {
		struct due *due = value;

		if (due->looking)
			continue;
		if (due->at <= now) {
			due->looking = true;
			due->at = NEVER;
			due->free = now + DISTRIBUTOR_GAP_MS;
			d->looking++;
			found = (int64_t)chat_id;
		} else if (due->at == NEVER && due->free <= now) {
			over = chat_id;
		}
	}
	if (over)
		due_drop(d, over);
	return found;
}

int64_t distributor_wait(const struct distributor *d, int64_t now)
{
	int64_t first = NEVER;
	uint64_t chat_id;
	void *value;

	if (d->looking == DISTRIBUTOR_AT_ONCE)
		return -1;
	for (size_t i = 0; map_next(&d->rooms, &i, &chat_id, &value);) {
		const struct due *due = value;
		int64_t at = due->at == NEVER ? due->free : due->at;

		if (!due->looking && at < first)
			first = at;
	}
	return first == NEVER ? -1 : first > now ? first - now : 0;
}

void distributor_looked(struct distributor *d, int64_t chat_id, int64_t now, int64_t again)
{
	struct due *due = map_get(&d->rooms, (uint64_t)chat_id);

	if (!due || !due->looking) /* the book was emptied meanwhile */
		return;
	due->looking = false;
	d->looking--;
	if (again > 0 && now + again < due->at)
		due->at = now + again;
}

void distributor_free(struct distributor *d)
{
	uint64_t chat_id;
	void *due;

	for (size_t i = 0; map_next(&d->rooms, &i, &chat_id, &due);)
		free(due);
	map_free(&d->rooms);
	*d = (struct distributor){0};
}
