/* Memory that ends all at once.
 *
 * Owns: the chunks of every arena and the free list of standard chunks that arenas share.
 * Path: arena_alloc cuts from the chunk in use; what does not fit takes a new chunk, and what is
 * large gets a chunk of its own, so that the rest of the chunk in use is not lost.
 * Lifetime: everything ends at arena_release. Under AddressSanitizer every allocation is a chunk of
 * its own and no chunk is kept, so that an overflow or a use after the end is seen. */
#include "base/arena.h"
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#if defined(__SANITIZE_ADDRESS__)
#define PLAIN_MALLOC true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define PLAIN_MALLOC true
#endif
#endif
#ifndef PLAIN_MALLOC
#define PLAIN_MALLOC false
#endif

#define ARENA_ALIGN 16
#define FREE_MAX    64 /* chunks kept: 256 KiB; beyond that a burst's memory goes back */

struct arena_chunk {
	struct arena_chunk *next;
	size_t size; /* with this header */
};
_Static_assert(sizeof(struct arena_chunk) % ARENA_ALIGN == 0, "what follows must be aligned");
#define CHUNK_ROOM (ARENA_CHUNK - sizeof(struct arena_chunk))

struct arena_defer {
	struct arena_defer *next;
	void (*fn)(void *);
	void *arg;
};

static struct arena_chunk *free_list;
static size_t free_count;

void arena_init(struct arena *a)
{
	*a = (struct arena){0};
}

static struct arena_chunk *chunk_new(size_t size)
{
	struct arena_chunk *c = free_list;

	if (size == ARENA_CHUNK && c) {
		free_list = c->next;
		free_count--;
		return c;
	}
	c = malloc(size);
	if (!c)
		PANIC("out of memory: an arena chunk of %zu bytes", size);
	c->size = size;
	return c;
}

static void chunk_free(struct arena_chunk *c)
{
	if (PLAIN_MALLOC || c->size != ARENA_CHUNK || free_count == FREE_MAX) {
		free(c);
		return;
	}
	c->next = free_list;
	free_list = c;
	free_count++;
}

static char *chunk_add(struct arena *a, size_t room)
{
	struct arena_chunk *c = chunk_new(sizeof(*c) + room);

	c->next = a->chunks;
	a->chunks = c;
	return (char *)(c + 1);
}

void *arena_alloc(struct arena *a, size_t n)
{
	size_t room;
	char *p = a->at;

	if (n > SIZE_MAX / 2)
		PANIC("an arena allocation of %zu bytes", n);
	if (PLAIN_MALLOC)
		return chunk_add(a, n);
	room = n > 0 ? (n + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1) : ARENA_ALIGN;
	if (room > (size_t)(a->end - a->at)) {
		if (room > CHUNK_ROOM / 2)
			return chunk_add(a, room);
		p = chunk_add(a, CHUNK_ROOM);
		a->end = p + CHUNK_ROOM;
	}
	a->at = p + room;
	return p;
}

void *arena_zalloc(struct arena *a, size_t n)
{
	return memset(arena_alloc(a, n), 0, n);
}

char *arena_dup(struct arena *a, const void *p, size_t n)
{
	char *copy = arena_alloc(a, n + 1);

	if (n > 0)
		memcpy(copy, p, n);
	copy[n] = 0;
	return copy;
}

struct str arena_str(struct arena *a, struct str s)
{
	return s.p ? str_make(arena_dup(a, s.p, s.n), s.n) : STR_NULL;
}

struct str arena_i64(struct arena *a, int64_t v)
{
	char *text = arena_alloc(a, I64_TEXT);

	return str_make(text, i64_text(v, text));
}

/* Printed where the next allocation will be; again only when it did not fit there. */
struct str arena_printf(struct arena *a, const char *fmt, ...)
{
	char *text, *at = a->at;
	va_list ap, again;
	int n;

	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(at, (size_t)(a->end - at), fmt, ap);
	ASSERT(n >= 0);
	text = arena_alloc(a, (size_t)n + 1);
	if (text != at)
		vsnprintf(text, (size_t)n + 1, fmt, again);
	va_end(again);
	va_end(ap);
	return str_make(text, (size_t)n);
}

void arena_defer(struct arena *a, void (*fn)(void *), void *arg)
{
	struct arena_defer *d = arena_alloc(a, sizeof(*d));

	*d = (struct arena_defer){a->defers, fn, arg};
	a->defers = d;
}

void arena_release(struct arena *a)
{
	struct arena_defer *d;
	struct arena_chunk *c;

	while ((d = a->defers)) { /* one may add another */
		a->defers = d->next;
		d->fn(d->arg);
	}
	while ((c = a->chunks)) {
		a->chunks = c->next;
		chunk_free(c);
	}
	arena_init(a);
}

void arena_drain(void)
{
	struct arena_chunk *c;

	while ((c = free_list)) {
		free_list = c->next;
		free(c);
	}
	free_count = 0;
}
