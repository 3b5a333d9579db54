/* Output queues: owns segments, shared frames and the blocks that frames are cut from.
 *
 *   outq_put/outq_frame -> segment at the tail -> outq_gather: one writev -> outq_drop
 *
 * A segment holds bytes (4 KiB, filled by several small writes; a large write gets one of its own
 * size) or names a part of a block. The frames of a turn are cut from a block one behind the other,
 * and those that a queue gets in that order are one segment: what a turn brings to a room is one
 * buffer for each who is in it. Empty segments are kept for the next writer, some of each kind;
 * under AddressSanitizer none, so that a use after the end is seen.
 *
 * Lifetime: a segment lives until its last byte is dropped, a frame until its last reference, a
 * block until its last frame and segment. So a queue that waits holds more than its bytes, but no
 * more than BLOCK_FRAMES times them, and shares that with all who wait for the same. */
#include "io/outq.h"

#include <stdlib.h>

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#define KEEP_SHARED 0
#define KEEP_BYTES  0
#else
#define KEEP_SHARED 1024
#define KEEP_BYTES  64
#endif
#define BLOCK_MAX    65536
#define BLOCK_FRAMES 16 /* no frame is a smaller part of its block */

struct block {
	size_t refs; /* of its frames, of segments, and of `blocks` below */
	size_t n, cap;
	char bytes[];
};

struct frame {
	size_t refs;
	struct block *block;
	struct str bytes; /* in the block */
};

struct seg {
	struct seg *next;
	struct block *block; /* NULL: the bytes are its own */
	const char *p;
	size_t at, end; /* not yet sent: p[at..end) */
	size_t cap;     /* room in own; 0 with a block */
	char own[];
};

#define SEG_ROOM (4096 - sizeof(struct seg))

struct pool {
	struct seg *free;
	int count, keep;
};
static struct pool shared_pool = {.keep = KEEP_SHARED}, bytes_pool = {.keep = KEEP_BYTES};
static struct {
	struct block *open; /* the one that frames are cut from */
	size_t now, before; /* bytes of frames in this turn, and in the one before that had any */
} blocks;

/* ---- frames ---- */

static void *must(void *p)
{
	if (!p)
		PANIC("out of memory");
	return p;
}

static void block_unref(struct block *b)
{
	if (b && --b->refs == 0)
		free(b);
}

static void block_close(void)
{
	block_unref(blocks.open);
	blocks.open = NULL;
}

/* A block is as large as what a turn like the last will need. */
static struct block *block_new(size_t n)
{
	size_t cap = blocks.before < BLOCK_MAX ? blocks.before : BLOCK_MAX;
	struct block *b;

	if (cap > n * BLOCK_FRAMES)
		cap = n * BLOCK_FRAMES;
	if (cap < n)
		cap = n;
	b = must(malloc(sizeof(*b) + cap));
	*b = (struct block){.refs = 1, .cap = cap};
	return b;
}

/* One for a frame of n bytes. */
static struct block *block_for(size_t n)
{
	struct block *b = blocks.open;

	blocks.now += n;
	if (b && n <= b->cap - b->n && n * BLOCK_FRAMES >= b->cap)
		return b;
	block_close();
	return blocks.open = block_new(n);
}

struct frame *frame_new(struct str bytes)
{
	struct frame *f = must(malloc(sizeof(*f)));
	struct block *b = block_for(bytes.n);
	char *p = b->bytes + b->n;

	if (bytes.n > 0)
		memcpy(p, bytes.p, bytes.n);
	b->n += bytes.n;
	b->refs++;
	*f = (struct frame){.refs = 1, .block = b, .bytes = str_make(p, bytes.n)};
	return f;
}

void outq_turn(void)
{
	if (blocks.now > 0)
		blocks.before = blocks.now;
	blocks.now = 0;
	block_close();
}

struct frame *frame_ref(struct frame *f)
{
	f->refs++;
	return f;
}

void frame_unref(struct frame *f)
{
	if (--f->refs > 0)
		return;
	block_unref(f->block);
	free(f);
}

/* ---- segments ---- */

static struct pool *pool_of(size_t cap)
{
	if (cap == 0)
		return &shared_pool;
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
		__builtin_prefetch(pool->free); /* whoever writes next */
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

	block_unref(s->block);
	if (!pool || pool->count >= pool->keep) {
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
	pool_free(&shared_pool);
	pool_free(&bytes_pool);
	block_close();
	blocks.before = 0;
}

/* ---- the queue ---- */

void outq_put(struct outq *q, const void *p, size_t n)
{
	struct seg *s = q->last;

	if (!s || s->block || n > s->cap - s->end)
		s = seg_append(q, n > SEG_ROOM ? n : SEG_ROOM);
	memcpy(s->own + s->end, p, n);
	s->end += n;
	q->n += n;
}

void outq_frame(struct outq *q, struct frame *f)
{
	struct seg *s = q->last;

	if (f->bytes.n == 0)
		return;
	if (!s || s->block != f->block || s->p + s->end != f->bytes.p) {
		s = seg_append(q, 0);
		s->block = f->block;
		s->block->refs++;
		s->p = f->bytes.p;
	}
	s->end += f->bytes.n;
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
