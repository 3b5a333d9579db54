/* A growable byte buffer.
 *
 * Owns: the bytes of each struct buf, from malloc, until buf_free. */
#include "base/buf.h"
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void buf_free(struct buf *b)
{
	free(b->p);
	*b = (struct buf){0};
}

void buf_grow(struct buf *b, size_t more)
{
	size_t cap = b->cap ? b->cap : 64, need;

	if (__builtin_add_overflow(b->n, more, &need))
		PANIC("a buffer of %zu more bytes", more);
	while (cap < need)
		if (__builtin_mul_overflow(cap, (size_t)2, &cap))
			PANIC("a buffer of %zu bytes", need);
	b->p = realloc(b->p, cap);
	if (!b->p)
		PANIC("out of memory: a buffer of %zu bytes", cap);
	b->cap = cap;
}

void buf_drop(struct buf *b, size_t n)
{
	ASSERT(n <= b->n);
	if (n == 0)
		return;
	memmove(b->p, b->p + n, b->n - n);
	b->n -= n;
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	char *at = buf_reserve(b, 128);
	va_list ap, again;
	int n;

	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(at, b->cap - b->n, fmt, ap);
	ASSERT(n >= 0);
	if ((size_t)n >= b->cap - b->n) {
		at = buf_reserve(b, (size_t)n + 1);
		vsnprintf(at, (size_t)n + 1, fmt, again);
	}
	va_end(again);
	va_end(ap);
	b->n += (size_t)n;
}

void buf_i64(struct buf *b, int64_t v)
{
	b->n += i64_text(v, buf_reserve(b, I64_TEXT));
}
