/* Private to this folder: the output queue of a connection, bytes of its own and shared frames in
 * the order of writing. Plain memory, no I/O. Zero-initialised is valid and empty. */
#ifndef IO_OUTQ_H
#define IO_OUTQ_H

#include <uv.h>

#include "io/conn.h"

struct seg;

struct outq {
	struct seg *first, *last;
	size_t n; /* bytes queued */
};

void outq_put(struct outq *q, const void *p, size_t n); /* copies */
void outq_frame(struct outq *q, struct frame *f);       /* the frame may go before its bytes */
/* The front of the queue as up to `max` buffers; they stay valid until their bytes are dropped,
 * whatever is queued meanwhile. Returns how many; *bytes is their sum. */
unsigned outq_gather(const struct outq *q, uv_buf_t *bufs, unsigned max, size_t *bytes);
void outq_drop(struct outq *q, size_t n); /* the first n bytes are sent */
void outq_clear(struct outq *q);
void outq_turn(void);      /* every queue was flushed: frames made from now on are a new turn's */
void outq_pool_free(void); /* gives the kept segments back */

#endif
