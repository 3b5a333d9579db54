/* Hash tables, open addressing with robin-hood displacement, keyed per process. Values are pointers
 * the table does not own. Zero-initialised is valid and empty. Iteration order is arbitrary. */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "base/str.h"

struct map_slot;

struct map {
	struct map_slot *slots;
	size_t count, cap;
};

void map_free(struct map *m);

/* By 64-bit key. */
void *map_get(const struct map *m, uint64_t key);
/* value != NULL; returns the one replaced, or NULL. */
void *map_put(struct map *m, uint64_t key, void *value);
void *map_remove(struct map *m, uint64_t key); /* the value removed, or NULL */

/* for (size_t i = 0; map_next(m, &i, &key, &value);) — no change of the map meanwhile. */
bool map_next(const struct map *m, size_t *i, uint64_t *key, void **value);

#endif
