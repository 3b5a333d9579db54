/* The pace of a load: owns a timer of libuv, because those of io/loop.h have ticks of 16 ms. */
#include "pace.h"

#include "base/clock.h"

#define PACE_MS 1

int64_t pace_due(const struct share *s, size_t client, uint64_t number)
{
	uint64_t k = number * s->clients + client, rate = (uint64_t)s->rate;
	int64_t due;

	if (run.begun_ns == 0 || k >= rate * (uint64_t)run.o.seconds)
		return INT64_MAX;
	due = run.begun_ns + (int64_t)(k / rate * 1000000000u + k % rate * 1000000000u / rate);
	return run.ended_ns != 0 && due > run.ended_ns ? INT64_MAX : due;
}

static void on_timer(uv_timer_t *t)
{
	struct pace *p = t->data;
	uint64_t rate = (uint64_t)p->share->rate, all = rate * (uint64_t)run.o.seconds;
	uint64_t due;

	loop_enter();
	due = (uint64_t)((clock_ns() - run.begun_ns) / 1000) * rate / 1000000 + 1;
	for (; p->done < due && p->done < all; p->done++)
		p->fn(p->arg, p->done % p->share->clients);
}

void pace_begin(
	struct pace *p, const struct share *s, void (*fn)(void *arg, size_t client), void *arg)
{
	p->share = s;
	p->fn = fn;
	p->arg = arg;
	p->done = 0;
	uv_timer_init(loop_uv(), &p->timer);
	p->timer.data = p;
	if (s->rate > 0)
		uv_timer_start(&p->timer, on_timer, 0, PACE_MS);
}

void pace_end(struct pace *p)
{
	uv_close((uv_handle_t *)&p->timer, NULL);
}
