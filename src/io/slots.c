/* Ids with generations: owns a table that grows by doubling and a list of its free places.
 *
 *   slots_add -> id … slots_get(id) … slots_remove -> the place's next id has another generation
 *
 * A generation wraps after four thousand million uses of one place; 0 is left out, so that no id is
 * 0. Lifetime: what the pointers name belongs to the caller. */
#include "io/slots.h"

#include <stdlib.h>

#include "base/err.h"

struct slot {
	void *p;
	uint32_t generation; /* of what is in it, or of what comes next */
	uint32_t next_free;
};

uint64_t slots_add(struct slots *s, void *p)
{
	uint32_t i = s->free;

	if (i > 0) {
		s->free = s->v[--i].next_free;
	} else {
		i = s->used++;
		if (i == s->cap) {
			s->cap = s->cap ? s->cap * 2 : 64;
			s->v = realloc(s->v, s->cap * sizeof(*s->v));
			if (!s->v)
				PANIC("out of memory");
		}
		s->v[i].generation = 1;
	}
	s->v[i].p = p;
	return (uint64_t)s->v[i].generation << 32 | i;
}

void *slots_get(const struct slots *s, uint64_t id)
{
	uint32_t i = (uint32_t)id;

	return i < s->used && s->v[i].generation == id >> 32 ? s->v[i].p : NULL;
}

void slots_remove(struct slots *s, uint64_t id)
{
	uint32_t i = (uint32_t)id;

	ASSERT(slots_get(s, id));
	s->v[i].p = NULL;
	if (++s->v[i].generation == 0)
		s->v[i].generation = 1;
	s->v[i].next_free = s->free;
	s->free = i + 1;
}

void *slots_at(const struct slots *s, uint32_t place)
{
	return s->v[place].p;
}

void slots_free(struct slots *s)
{
	free(s->v);
	*s = (struct slots){0};
}
