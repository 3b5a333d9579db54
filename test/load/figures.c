/* Figures: read from a result's JSON. To add one: a row of `single`, or of `latencies`. */
#include "figures.h"

#include <stdio.h>

static const struct {
	const char *name, *key, *unit;
	double scale;
} latencies[] =
	{
		{"mean", "mean_us", "ms", 1e-3},
		{"p50", "p50_us", "ms", 1e-3},
		{"p90", "p90_us", "ms", 1e-3},
		{"p99", "p99_us", "ms", 1e-3},
		{"p99.9", "p999_us", "ms", 1e-3},
		{"max", "max_us", "ms", 1e-3},
},
  single[] = {
	  {"server CPU", "server.cpu_percent", "%", 1},
	  {"server memory", "server.rss_kib", "MiB", 1.0 / 1024},
	  {"server memory before", "server.rss_before_kib", "MiB", 1.0 / 1024},
	  {"server heap", "server.heap_kib", "MiB", 1.0 / 1024},
	  {"server heap before", "server.heap_before_kib", "MiB", 1.0 / 1024},
	  {"server sockets", "server.sockets", "", 1},
	  {"server loop lag p99", "server.lag_p99_ms", "ms", 1},
	  {"PostgreSQL queries", "server.postgres_queries", "", 1},
	  {"Redis commands", "server.redis_commands", "", 1},
	  {"load's own CPU time", "client.cpu_ms", "s", 1e-3},
	  {"not settled", "unsettled", "", 1},
};
#define LATENCIES (sizeof(latencies) / sizeof(latencies[0]))
#define SINGLE    (sizeof(single) / sizeof(single[0]))

const struct json *json_path(const struct json *v, const char *path)
{
	struct str rest = str_of(path);

	while (v && rest.p) {
		struct str part = str_cut(&rest, '.');
		char key[64];

		snprintf(key, sizeof(key), STR_FMT, STR_ARG(part));
		v = json_get(v, key);
	}
	return v;
}

static void figure_add(
	struct figures *f, struct str of, const char *what, double value, const char *unit)
{
	struct figure *g = &f->all[f->count];

	if (f->count == sizeof(f->all) / sizeof(f->all[0]))
		return;
	snprintf(g->name, sizeof(g->name), STR_FMT "%s%s", STR_ARG(of), *what ? " " : "", what);
	g->value = value;
	g->unit = unit;
	f->count++;
}

static void meter_read(struct figures *f, struct str name, const struct json *m, double seconds)
{
	const struct json *latency = json_get(m, "latency");
	double count = (double)json_to_i64(json_get(m, "count"));

	if (count < 1)
		return;
	figure_add(f, name, "", count, "");
	figure_add(f, name, "a second", seconds > 0 ? count / seconds : 0, "/s");
	for (size_t i = 0; i < LATENCIES && json_to_i64(json_get(latency, "count")) > 0; i++)
		figure_add(f, name, latencies[i].name,
			(double)json_to_i64(json_get(latency, latencies[i].key)) *
				latencies[i].scale,
			latencies[i].unit);
}

/* Memory of the server for each of its sockets, from before the first to the end. */
static void sockets_read(struct figures *f, const struct json *result)
{
	const struct json *s = json_get(result, "server");
	double sockets = (double)json_to_i64(json_get(s, "sockets"));
	int64_t rss =
		json_to_i64(json_get(s, "rss_kib")) - json_to_i64(json_get(s, "rss_before_kib"));
	int64_t heap =
		json_to_i64(json_get(s, "heap_kib")) - json_to_i64(json_get(s, "heap_before_kib"));

	if (sockets < 1)
		return;
	figure_add(f, STR("server memory"), "a socket", (double)rss / sockets, "KiB");
	figure_add(f, STR("server heap"), "a socket", (double)heap / sockets, "KiB");
}

void figures_read(const struct json *result, struct figures *out)
{
	double seconds = (double)json_to_i64(json_get(result, "load_ms")) / 1e3;

	out->count = 0;
	for (struct json_iter it = json_each(json_get(result, "meters")); json_next(&it);)
		meter_read(out, it.key, it.value, seconds);
	for (size_t i = 0; i < SINGLE; i++) {
		const struct json *v = json_path(result, single[i].key);

		if (json_type(v) == JSON_INT)
			figure_add(out, str_of(single[i].name), "",
				(double)json_to_i64(v) * single[i].scale, single[i].unit);
	}
	sockets_read(out, result);
	for (struct json_iter it = json_each(json_get(result, "errors")); json_next(&it);)
		figure_add(out, it.key, "(error)", (double)json_to_i64(it.value), "");
}

const struct figure *figures_find(const struct figures *f, const char *name)
{
	for (size_t i = 0; i < f->count; i++)
		if (strcmp(f->all[i].name, name) == 0)
			return &f->all[i];
	return NULL;
}
