/* Figures from two pages of metrics (figures.h). Nothing is kept.
 *
 * To add a figure: a row below, beside those of its group. */
#include "ctl/figures.h"

#include <stdio.h>
#include <stdlib.h>

static const struct figure {
	const char *group, *name, *metric;
	const char *label; /* only series that have it; NULL: all */
	enum {
		GAUGE,
		RATE,   /* of a counter, a second */
		MILLIS, /* of a gauge in seconds */
		SHARE,  /* of a counter of seconds: percent of the time */
		MEBI,   /* of a gauge in bytes */
		KIBI,   /* of a counter of bytes, a second */
		MEDIAN, /* of a histogram in seconds: milliseconds, as an upper bound */
		CENTILE /* the 99th */
	} kind;
} figures[] = {
	{"requests", "per_second", "http_requests_total", NULL, RATE},
	{"requests", "errors", "http_requests_total", "status=\"5", RATE},
	{"requests", "limited", "rate_limited_total", NULL, RATE},
	{"requests", "waiting", "http_busy", NULL, GAUGE},
	{"requests", "p50_ms", "http_request_duration_seconds_bucket", NULL, MEDIAN},
	{"requests", "p99_ms", "http_request_duration_seconds_bucket", NULL, CENTILE},
	{"sockets", "open", "sockets_open", NULL, GAUGE},
	{"sockets", "polling", "sockets_polling", NULL, GAUGE},
	{"sockets", "people", "people_connected", NULL, GAUGE},
	{"sockets", "events", "socket_events_total", NULL, RATE},
	{"sockets", "packets", "socket_packets_total", NULL, RATE},
	{"sockets", "slow", "sockets_slow_total", NULL, RATE},
	{"rooms", "open", "rooms", NULL, GAUGE},
	{"rooms", "memberships", "room_memberships", NULL, GAUGE},
	{"rooms", "delivered", "events_delivered_total", NULL, RATE},
	{"rooms", "behind", "rooms_behind", NULL, GAUGE},
	{"rooms", "bus", "bus_up", NULL, GAUGE},
	{"postgres", "up", "postgres_up", NULL, GAUGE},
	{"postgres", "queries", "postgres_queries_total", NULL, RATE},
	{"postgres", "errors", "postgres_errors_total", NULL, RATE},
	{"postgres", "queue", "postgres_queue", NULL, GAUGE},
	{"postgres", "latency_ms", "postgres_latency_seconds", NULL, MILLIS},
	{"redis", "up", "redis_up", NULL, GAUGE},
	{"redis", "commands", "redis_commands_total", NULL, RATE},
	{"redis", "errors", "redis_errors_total", NULL, RATE},
	{"redis", "queue", "redis_queue", NULL, GAUGE},
	{"redis", "latency_ms", "redis_latency_seconds", NULL, MILLIS},
	{"loop", "lag_ms", "loop_lag_seconds", NULL, MILLIS},
	{"loop", "lag_max_ms", "loop_lag_max_seconds", NULL, MILLIS},
	{"loop", "turns", "loop_turns_total", NULL, RATE},
	{"loop", "tasks", "tasks_alive", NULL, GAUGE},
	{"process", "cpu_percent", "process_cpu_seconds_total", NULL, SHARE},
	{"process", "heap_mib", "process_heap_bytes", NULL, MEBI},
	{"process", "connections", "connections_open", NULL, GAUGE},
	{"process", "in_kib", "received_bytes_total", NULL, KIBI},
	{"process", "out_kib", "sent_bytes_total", NULL, KIBI},
};
#define FIGURES (sizeof(figures) / sizeof(*figures))

/* ---- reading ---- */

static bool contains(struct str s, const char *part)
{
	return memmem(s.p, s.n, part, strlen(part)) != NULL;
}

/* The labels and the value of "portal_name{labels} 1.5", when the line is of this metric. */
static bool series_read(struct str line, const char *metric, struct str *labels, double *value)
{
	struct str name = str_of(metric);
	char number[32];

	if (!str_starts(line, STR("portal_")) || !str_starts(str_from(line, 7), name))
		return false;
	line = str_from(line, 7 + name.n);
	*labels = str_cut(&line, ' ');
	if (!line.p || (labels->n > 0 && labels->p[0] != '{'))
		return false;
	snprintf(number, sizeof(number), STR_FMT, STR_ARG(line));
	*value = strtod(number, NULL);
	return true;
}

/* False: the metric is not there at all. */
static bool series_sum(const struct sample *s, const struct figure *f, double *sum)
{
	struct str rest = buf_view(&s->text), labels;
	bool found = false;
	double value;

	*sum = 0;
	while (rest.p) {
		if (!series_read(str_cut(&rest, '\n'), f->metric, &labels, &value))
			continue;
		found = true;
		if (!f->label || contains(labels, f->label))
			*sum += value;
	}
	return found;
}

static struct str label_of(struct str labels, const char *name)
{
	char key[32];
	int n = snprintf(key, sizeof(key), "%s=\"", name);
	const char *at = memmem(labels.p, labels.n, key, (size_t)n);
	struct str value;

	if (!at)
		return STR_NULL;
	value = str_from(labels, (size_t)(at - labels.p) + (size_t)n);
	return str_cut(&value, '"');
}

struct str figures_label(const struct sample *s, const char *metric, const char *name)
{
	struct str rest = buf_view(&s->text), labels;
	double value;

	while (rest.p)
		if (series_read(str_cut(&rest, '\n'), metric, &labels, &value))
			return label_of(labels, name);
	return STR_NULL;
}

/* ---- histograms: all series of a metric together ---- */

#define BUCKETS 32
struct histogram {
	struct str bound[BUCKETS];
	double upto[BUCKETS]; /* how many were not above the bound */
	size_t count;
};

static void histogram_add(struct histogram *h, struct str bound, double n)
{
	size_t i = 0;

	while (i < h->count && !str_eq(h->bound[i], bound))
		i++;
	if (i == BUCKETS)
		return;
	if (i == h->count)
		h->bound[h->count++] = bound;
	h->upto[i] += n;
}

static void histogram_read(
	struct histogram *h, const struct sample *s, const char *metric, double sign)
{
	struct str rest = buf_view(&s->text), labels;
	double value;

	while (rest.p)
		if (series_read(str_cut(&rest, '\n'), metric, &labels, &value))
			histogram_add(h, label_of(labels, "le"), sign * value);
}

/* The bound in seconds that `part` of what happened in between was not above; below 0: nothing
 * happened. Above the highest bound: that one. */
static double quantile(
	const char *metric, const struct sample *before, const struct sample *now, double part)
{
	struct histogram h = {0};
	double bound = -1;
	char text[32];

	histogram_read(&h, now, metric, 1);
	histogram_read(&h, before, metric, -1);
	for (size_t i = 0; h.count > 0 && h.upto[h.count - 1] > 0 && i + 1 < h.count; i++) {
		snprintf(text, sizeof(text), STR_FMT, STR_ARG(h.bound[i]));
		bound = strtod(text, NULL);
		if (h.upto[i] >= part * h.upto[h.count - 1])
			break;
	}
	return bound;
}

/* ---- writing ---- */

/* Below 0: there is nothing to tell. */
static double figure_value(
	const struct figure *f, const struct sample *before, const struct sample *now)
{
	double seconds = (double)(now->at - before->at) / 1e9;
	double is, was, rate;

	if (!series_sum(now, f, &is) || !series_sum(before, f, &was))
		return -1;
	rate = (is - was) / seconds;
	switch (f->kind) {
	case RATE:
		return rate;
	case MILLIS:
		return is * 1e3;
	case SHARE:
		return rate * 100;
	case MEBI:
		return is / (1 << 20);
	case KIBI:
		return rate / 1024;
	case MEDIAN:
		return quantile(f->metric, before, now, 0.5) * 1e3;
	case CENTILE:
		return quantile(f->metric, before, now, 0.99) * 1e3;
	default:
		return is;
	}
}

void figures_write(struct json_out *j, const struct sample *before, const struct sample *now)
{
	const char *group = NULL;

	json_obj(j);
	for (size_t i = 0; i < FIGURES; i++) {
		const struct figure *f = &figures[i];
		double value = figure_value(f, before, now);
		char text[32];
		int n = snprintf(text, sizeof(text), f->kind == GAUGE ? "%.0f" : "%.2f", value);

		if (!group || strcmp(group, f->group) != 0) {
			if (group)
				json_end(j);
			json_key(j, f->group);
			json_obj(j);
			group = f->group;
		}
		json_key(j, f->name);
		if (value < 0)
			json_null(j);
		else
			json_raw(j, str_make(text, (size_t)n));
	}
	json_end(j);
	json_end(j);
}
