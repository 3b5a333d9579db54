/* Hash tables by 64-bit key: open addressing, robin-hood displacement, removal by shifting back (no
 * tombstones, so a table that lives for weeks does not silt up).
 *
 * Owns: the slots, from malloc, until map_free; never the values.
 * Path: a key's home is its mixed hash; an entry that is farther from home takes the place of one
 * that is nearer, so every probe ends after a few steps. */
#include "base/map.h"
#include "base/err.h"

#include <stdlib.h>
#include <sys/random.h>

struct map_slot {
	uint64_t key;
	void *value; /* NULL: free */
};

#define CAP_MIN 8 /* capacities are powers of two, at most 3/4 full */

static uint64_t map_seed; /* per process: strangers who choose ids cannot choose collisions */

static void seed_once(void)
{
	if (map_seed)
		return;
	if (getrandom(&map_seed, sizeof(map_seed), 0) != sizeof(map_seed))
		PANIC("getrandom failed");
	map_seed |= 1;
}

static size_t slot_home(const struct map *m, uint64_t key)
{
	uint64_t h = key ^ map_seed; /* then MurmurHash3's finaliser */

	h = (h ^ (h >> 33)) * 0xff51afd7ed558ccdu;
	h = (h ^ (h >> 33)) * 0xc4ceb9fe1a85ec53u;
	return (h ^ (h >> 33)) & (m->cap - 1);
}

static size_t slot_distance(const struct map *m, size_t at)
{
	return (at - slot_home(m, m->slots[at].key)) & (m->cap - 1);
}

/* The slot of `key`, or NULL. */
static struct map_slot *slot_find(const struct map *m, uint64_t key)
{
	size_t at;

	if (m->count == 0)
		return NULL;
	at = slot_home(m, key);
	for (size_t d = 0; m->slots[at].value; d++, at = (at + 1) & (m->cap - 1)) {
		if (m->slots[at].key == key)
			return &m->slots[at];
		if (slot_distance(m, at) < d)
			return NULL;
	}
	return NULL;
}

/* `in.key` is not in the table, and there is room. */
static void slot_insert(struct map *m, struct map_slot in)
{
	size_t at = slot_home(m, in.key);

	for (size_t d = 0; m->slots[at].value; d++, at = (at + 1) & (m->cap - 1)) {
		size_t nearer = slot_distance(m, at);

		if (nearer < d) {
			struct map_slot out = m->slots[at];

			m->slots[at] = in;
			in = out;
			d = nearer;
		}
	}
	m->slots[at] = in;
	m->count++;
}

static void map_grow(struct map *m)
{
	struct map old = *m;

	seed_once();
	m->count = 0;
	m->cap = old.cap ? old.cap * 2 : CAP_MIN;
	m->slots = calloc(m->cap, sizeof(*m->slots));
	if (!m->slots)
		PANIC("out of memory: a table of %zu slots", m->cap);
	for (size_t i = 0; i < old.cap; i++)
		if (old.slots[i].value)
			slot_insert(m, old.slots[i]);
	free(old.slots);
}

void map_free(struct map *m)
{
	free(m->slots);
	*m = (struct map){0};
}

void *map_get(const struct map *m, uint64_t key)
{
	struct map_slot *s = slot_find(m, key);

	return s ? s->value : NULL;
}

void *map_put(struct map *m, uint64_t key, void *value)
{
	struct map_slot *s = slot_find(m, key);

	ASSERT(value);
	if (s) {
		void *replaced = s->value;

		s->value = value;
		return replaced;
	}
	if (m->count + 1 > m->cap / 4 * 3)
		map_grow(m);
	slot_insert(m, (struct map_slot){key, value});
	return NULL;
}

void *map_remove(struct map *m, uint64_t key)
{
	struct map_slot *s = slot_find(m, key);
	size_t at, next;
	void *value;

	if (!s)
		return NULL;
	value = s->value;
	at = (size_t)(s - m->slots);
	while (next = (at + 1) & (m->cap - 1), m->slots[next].value && slot_distance(m, next) > 0) {
		m->slots[at] = m->slots[next];
		at = next;
	}
	m->slots[at] = (struct map_slot){0};
	m->count--;
	return value;
}

bool map_next(const struct map *m, size_t *i, uint64_t *key, void **value)
{
	while (*i < m->cap) {
		const struct map_slot *s = &m->slots[(*i)++];

		if (s->value) {
			*key = s->key;
			*value = s->value;
			return true;
		}
	}
	return false;
}
