/* Acks that the server waits for: owns a struct sio_waiter per emit that wants one.
 *
 *   sio_emit_ack -> (sio_acked | the timer | sio_waiters_end) -> fn -> freed
 *
 * Lifetime: until fn was called or sio_ack_forget. One whose socket was gone from the start is on
 * no list and ends by its timer. */
#include "hub/sio_private.h"

#include <stdlib.h>

struct sio_waiter {
	struct sio_waiter *next;
	struct sio_socket *s; /* NULL: on no list */
	struct timer timer;
	uint32_t id;
	sio_ack_fn *fn;
	void *arg;
};

static void waiter_unlink(struct sio_waiter *w)
{
	struct sio_waiter **at;

	timer_clear(&w->timer);
	if (!w->s)
		return;
	at = &w->s->waiters;
	while (*at != w)
		at = &(*at)->next;
	*at = w->next;
}

static void waiter_end(struct sio_waiter *w, const struct sio_body *answer)
{
	sio_ack_fn *fn = w->fn;
	void *arg = w->arg;

	sio_ack_forget(w);
	fn(arg, answer);
}

static void on_timeout(struct timer *t)
{
	waiter_end(LIST_ITEM(t, struct sio_waiter, timer), NULL);
}

struct sio_waiter *sio_emit_ack(sio_id id, struct str name, const struct sio_body *b,
	int64_t timeout_ms, sio_ack_fn *fn, void *arg)
{
	struct sio_waiter *w = calloc(1, sizeof(*w));
	struct sio_socket *s = sio_find(id);

	if (!w)
		PANIC("out of memory");
	w->fn = fn;
	w->arg = arg;
	timer_init(&w->timer, on_timeout);
	if (!s || s->state != SIO_ST_CONNECTED) {
		timer_set(&w->timer, 0);
		return w;
	}
	timer_set(&w->timer, timeout_ms);
	w->s = s;
	w->id = ++s->last_ack;
	w->next = s->waiters;
	s->waiters = w;
	sio_socket_emit(s, name, w->id, b);
	return w;
}

void sio_ack_forget(struct sio_waiter *w)
{
	waiter_unlink(w);
	free(w);
}

void sio_acked(struct sio_socket *s, int64_t id, const struct sio_body *answer)
{
	for (struct sio_waiter *w = s->waiters; w; w = w->next)
		if (w->id == id) {
			waiter_end(w, answer);
			return;
		}
}

void sio_waiters_end(struct sio_socket *s)
{
	struct sio_waiter *w;

	while ((w = s->waiters)) {
		s->waiters = w->next;
		w->s = NULL;
		waiter_end(w, NULL);
	}
}
