/* Memory that ends all at once: one arena per task. Chunks of ARENA_CHUNK bytes come from a free
 * list of the process (plain malloc under sanitizers, so that a use after the end is seen);
 * larger requests get a chunk of their own. Never one per connection: a socket lives hours. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/str.h"

#define ARENA_CHUNK 4096

struct arena_chunk;
struct arena_defer;

struct arena {
	struct arena_chunk *chunks; /* newest first */
	struct arena_defer *defers; /* run newest first at release */
	char *at, *end;
};

void arena_init(struct arena *a);
void arena_release(struct arena *a);           /* runs the defers, gives the chunks back */
void *arena_alloc(struct arena *a, size_t n);  /* aligned to 16, not cleared; never NULL */
void *arena_zalloc(struct arena *a, size_t n); /* cleared */
char *arena_dup(struct arena *a, const void *p, size_t n); /* copy with a NUL behind it */
struct str arena_str(struct arena *a, struct str s);       /* copy; NULL stays NULL */
struct str arena_i64(struct arena *a, int64_t v);          /* decimal */
struct str arena_printf(struct arena *a, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void arena_defer(struct arena *a, void (*fn)(void *), void *arg);

#define arena_new(a, type)      ((type *)arena_zalloc((a), sizeof(type)))
#define arena_array(a, type, n) ((type *)arena_zalloc((a), sizeof(type) * (n)))

/* Frees the chunks on the free list; for the end of the process and for tests. */
void arena_drain(void);

#endif
