/* Meters: own their histograms. */
#include "meter.h"

void meter_add(struct meter *m)
{
	m->total++;
	m->second++;
}

void meter_time(struct meter *m, int64_t us)
{
	meter_add(m);
	hist_add(&m->all, us);
	hist_add(&m->now, us);
}

void meter_second(struct meter *m)
{
	m->second = 0;
	hist_clear(&m->now);
}

void meter_free(struct meter *m)
{
	hist_free(&m->all);
	hist_free(&m->now);
}

void meter_write(const struct meter *m, bool second, struct json_out *j)
{
	json_key(j, m->name);
	json_obj(j);
	json_ki64(j, "count", (int64_t)(second ? m->second : m->total));
	if (m->timed) {
		json_key(j, "latency");
		hist_write(second ? &m->now : &m->all, j);
	}
	json_end(j);
}

void meter_say(const struct meter *m, struct buf *b)
{
	if (!m->timed && m->total == 0)
		return;
	buf_printf(b, "  %s %llu", m->name, (unsigned long long)m->second);
	if (m->timed && m->now.count > 0)
		buf_printf(b, " (p50 %.1f p99 %.1f ms)", (double)hist_at(&m->now, 0.5) / 1e3,
			(double)hist_at(&m->now, 0.99) / 1e3);
}
