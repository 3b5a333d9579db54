/* Output queues: owns segments and shared frames.
 *
 *   outq_put/outq_frame -> segment at the tail -> outq_gather: one writev -> outq_drop
 *
 * A segment holds bytes (4 KiB, filled by several small writes; a large write gets one of its own
 * size) or names a shared frame. Empty ones are kept for the next writer, some of each kind; under
 * AddressSanitizer none, so that a use after the end is seen.
 *
 * Lifetime: a segment lives until its last byte is dropped, a frame until its last reference. */
#include "io/outq.h"

#include <stdlib.h>

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#define POOL_KEEP 0
#else
#define POOL_KEEP 256
#endif

struct frame {
	size_t refs;
	struct str bytes; /* right behind it */
};

struct seg {
	struct seg *next;
	struct frame *frame; /* NULL: the bytes are its own */
	const char *p;
	size_t at, end; /* not yet sent: p[at..end) */
	size_t cap;     /* room in own; 0 with a frame */
	char own[];
};

#define SEG_ROOM (4096 - sizeof(struct seg))

struct pool {
	struct seg *free;
	int count;
};
static struct pool frame_pool, bytes_pool;

/* ---- frames ---- */

static void *must(void *p)
{
	if (!p)
		PANIC("out of memory");
	return p;
}

struct frame *frame_new(struct str bytes)
{
	struct frame *f = must(malloc(sizeof(*f) + bytes.n));

	f->refs = 1;
	f->bytes = str_make((char *)(f + 1), bytes.n);
	if (bytes.n > 0)
		memcpy(f + 1, bytes.p, bytes.n);
	return f;
}

struct frame *frame_ref(struct frame *f)
{
	f->refs++;
	return f;
}

void frame_unref(struct frame *f)
{
	if (--f->refs == 0)
		free(f);
}

/* ---- segments ---- */

static struct pool *pool_of(size_t cap)
{
	if (cap == 0)
		return &frame_pool;
	return cap == SEG_ROOM ? &bytes_pool : NULL;
}

static struct seg *seg_append(struct outq *q, size_t cap)
{
	struct pool *pool = pool_of(cap);
	struct seg *s;

	if (pool && pool->free) {
		s = pool->free;
		pool->free = s->next;
		pool->count--;
	} else {
		s = must(malloc(sizeof(*s) + cap));
	}
	*s = (struct seg){.p = s->own, .cap = cap};
	if (q->last)
		q->last->next = s;
	else
		q->first = s;
	q->last = s;
	return s;
}

static void seg_free(struct seg *s)
{
	struct pool *pool = pool_of(s->cap);

	if (s->frame)
		frame_unref(s->frame);
	if (!pool || pool->count >= POOL_KEEP) {
		free(s);
		return;
	}
	s->next = pool->free;
	pool->free = s;
	pool->count++;
}

static void pool_free(struct pool *pool)
{
	while (pool->free) {
		struct seg *s = pool->free;

		pool->free = s->next;
		free(s);
	}
	pool->count = 0;
}

void outq_pool_free(void)
{
	pool_free(&frame_pool);
	pool_free(&bytes_pool);
}

/* ---- the queue ---- */

void outq_put(struct outq *q, const void *p, size_t n)
{
	struct seg *s = q->last;

	if (!s || s->frame || n > s->cap - s->end)
		s = seg_append(q, n > SEG_ROOM ? n : SEG_ROOM);
	memcpy(s->own + s->end, p, n);
	s->end += n;
	q->n += n;
}

void outq_frame(struct outq *q, struct frame *f)
{
	struct seg *s;

	if (f->bytes.n == 0)
		return;
	s = seg_append(q, 0);
	s->frame = frame_ref(f);
	s->p = f->bytes.p;
	s->end = f->bytes.n;
	q->n += f->bytes.n;
}

unsigned outq_gather(const struct outq *q, uv_buf_t *bufs, unsigned max, size_t *bytes)
{
	unsigned count = 0;

	*bytes = 0;
	for (const struct seg *s = q->first; s && count < max; s = s->next) {
		bufs[count].base = (char *)(uintptr_t)(s->p + s->at); /* libuv only reads it */
		bufs[count].len = s->end - s->at;
		*bytes += bufs[count++].len;
	}
	return count;
}

void outq_drop(struct outq *q, size_t n)
{
	ASSERT(n <= q->n);
	q->n -= n;
	while (n > 0) {
		struct seg *s = q->first;
		size_t left;

		ASSERT(s);
		left = s->end - s->at;
		if (n < left) {
			s->at += n;
			return;
		}
		n -= left;
		q->first = s->next;
		if (!q->first)
			q->last = NULL;
		seg_free(s);
	}
}

void outq_clear(struct outq *q)
{
	outq_drop(q, q->n);
}
