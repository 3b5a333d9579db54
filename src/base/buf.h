/* A growable byte buffer on malloc. Zero-initialised is valid and empty. Growth doubles; out of
 * memory ends the process. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/str.h"

struct buf {
	char *p;
	size_t n;   /* bytes used */
	size_t cap; /* bytes had */
};

void buf_free(struct buf *b);              /* back to zero-initialised */
void buf_grow(struct buf *b, size_t more); /* makes room for `more` */
void buf_drop(struct buf *b, size_t n);    /* forget the first n bytes (memmove) */
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_i64(struct buf *b, int64_t v); /* decimal */

/* What every answer is made of is inline: a literal becomes a few moves. */

static inline char *buf_reserve(struct buf *b, size_t more) /* returns the write position */
{
	if (more > b->cap - b->n || !b->p)
		buf_grow(b, more);
	return b->p + b->n;
}

static inline void buf_put(struct buf *b, const void *p, size_t n)
{
	if (n == 0)
		return;
	memcpy(buf_reserve(b, n), p, n);
	b->n += n;
}

static inline void buf_char(struct buf *b, char c)
{
	*buf_reserve(b, 1) = c;
	b->n++;
}

static inline void buf_str(struct buf *b, struct str s)
{
	buf_put(b, s.p, s.n);
}

#define buf_lit(b, lit) buf_put((b), "" lit, sizeof(lit) - 1)

static inline struct str buf_view(const struct buf *b) /* valid until the next change */
{
	return (struct str){b->p ? b->p : "", b->n};
}

#endif
