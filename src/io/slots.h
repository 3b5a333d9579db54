/* Private to this folder: a table of pointers named by ids that are never used twice: the place in
 * the table below, the generation of that place above. 0 is nobody. Zero-initialised is valid. */
#ifndef IO_SLOTS_H
#define IO_SLOTS_H

#include "base/str.h"

struct slot;

struct slots {
	struct slot *v;
	uint32_t used, cap;
	uint32_t free; /* place + 1 of the first free one; 0: none */
};

uint64_t slots_add(struct slots *s, void *p);
void *slots_get(const struct slots *s, uint64_t id); /* NULL when it is gone */
void slots_remove(struct slots *s, uint64_t id);
void *slots_at(const struct slots *s, uint32_t place); /* for place < used; NULL: a free one */
void slots_free(struct slots *s);

#endif
