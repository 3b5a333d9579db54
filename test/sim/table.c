/* Names to values, in the order of their coming (table.h). Slots are found by hash and the next
 * free one. */
#include "table.h"

#include <stdlib.h>
#include <string.h>

#include "sim.h"

static uint32_t hash_of(const char *s)
{
	uint32_t h = 2166136261U;

	for (; *s; s++)
		h = (h ^ (uint8_t)*s) * 16777619U;
	return h ^ h >> 15;
}

static void slots_fill(struct table *t)
{
	memset(t->slots, 0, t->slot_n * sizeof(*t->slots));
	for (uint32_t i = 0; i < t->n; i++) {
		uint32_t at = t->v[i].hash & (t->slot_n - 1);

		while (t->slots[at])
			at = (at + 1) & (t->slot_n - 1);
		t->slots[at] = i + 1;
	}
}

/* The slot of a name, or the free one where it would stand. */
static uint32_t slot_of(const struct table *t, const char *name, uint32_t hash)
{
	uint32_t at = hash & (t->slot_n - 1);

	while (t->slots[at] && (t->v[t->slots[at] - 1].hash != hash ||
				       strcmp(t->v[t->slots[at] - 1].name, name) != 0))
		at = (at + 1) & (t->slot_n - 1);
	return at;
}

struct entry *table_get(const struct table *t, const char *name)
{
	uint32_t at;

	if (t->n == 0)
		return NULL;
	at = slot_of(t, name, hash_of(name));
	return t->slots[at] ? &t->v[t->slots[at] - 1] : NULL;
}

struct entry *table_add(struct table *t, const char *name)
{
	uint32_t hash = hash_of(name);

	if (t->n == t->cap) {
		t->cap = t->cap ? 2 * t->cap : 4;
		t->v = must(realloc(t->v, t->cap * sizeof(*t->v)));
		t->slot_n = 2 * t->cap;
		t->slots = must(realloc(t->slots, t->slot_n * sizeof(*t->slots)));
		slots_fill(t);
	}
	t->slots[slot_of(t, name, hash)] = t->n + 1;
	t->v[t->n] = (struct entry){.name = must(strdup(name)), .hash = hash};
	return &t->v[t->n++];
}

/* The last takes the place of the one that goes; what stood behind it in the row of slots moves up.
 */
void table_remove(struct table *t, struct entry *e)
{
	/* What stood behind it in the row of slots moves up. */
	uint32_t mask = t->slot_n - 1, last = t->n - 1;
	uint32_t at = slot_of(t, e->name, e->hash);
	uint32_t moved = slot_of(t, t->v[last].name, t->v[last].hash);

	t->slots[moved] = (uint32_t)(e - t->v) + 1;
	t->slots[at] = 0;
	free(e->name);
	free(e->value);
	*e = t->v[last];
	t->n--;
	for (uint32_t next = (at + 1) & mask; t->slots[next]; next = (next + 1) & mask) {
		uint32_t home = t->v[t->slots[next] - 1].hash & mask;

		if (((next - home) & mask) >= ((next - at) & mask)) {
			t->slots[at] = t->slots[next];
			t->slots[next] = 0;
			at = next;
		}
	}
}

void table_free(struct table *t)
{
	for (uint32_t i = 0; i < t->n; i++) {
		free(t->v[i].name);
		free(t->v[i].value);
	}
	free(t->v);
	free(t->slots);
	*t = (struct table){0};
}
