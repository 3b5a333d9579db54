/* The watch of the servers: owns a connection to each, and what was seen first, last, and told
 * last.
 *
 *   look: /metrics of every server is asked for -> metrics_answered … -> all have answered: the sum
 *   is the newest look. A server that does not answer in time is left out.
 *
 * To add a figure: a field of struct look, its row in `figures`, and where it is written. */
#include "watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"

#define TIMEOUT_MS 900
#define LAGS_MAX   16

enum figure {
	CPU_US,
	RSS,
	HEAP,
	SOCKETS,
	CONNECTIONS,
	QUERIES,
	COMMANDS,
	BUS_UP,
	BEHIND,
	IN_LINE,
	LAG_COUNT,
	FIGURES
};

static const struct {
	const char *name; /* of the metric, without portal_ */
	double scale;
} figures[FIGURES] = {
	[CPU_US] = {"process_cpu_seconds_total", 1e6},
	[RSS] = {"process_resident_memory_bytes", 1},
	[HEAP] = {"process_heap_bytes", 1},
	[SOCKETS] = {"sockets_connected", 1},
	[CONNECTIONS] = {"connections_open", 1},
	[QUERIES] = {"postgres_queries_total", 1},
	[COMMANDS] = {"redis_commands_total", 1},
	[BUS_UP] = {"bus_up", 1},
	[BEHIND] = {"rooms_behind", 1},
	[IN_LINE] = {"tasks_in_line", 1},
	[LAG_COUNT] = {"timer_lag_seconds_count", 1},
};

struct look {
	int64_t at_ns;
	size_t servers; /* that answered */
	double values[FIGURES];
	size_t lags; /* bounds of the histogram of timer lag */
	double lag_bounds[LAGS_MAX], lag_counts[LAGS_MAX];
};

static int64_t pid;
const struct option watch_options[] = {
	{"--pid", NULL, &pid, 0, 1 << 30,
		"portald on this machine whose CPU and memory are told, when /metrics is closed"},
	{NULL, NULL, NULL, 0, 0, NULL},
};

static struct web *webs[RUN_URLS_MAX];
static struct look first, newest, before, coming; /* before: what watch_write told last */
static size_t asked;
static void (*done)(void);

/* ---- a look ---- */

static void lag_take(struct str line)
{
	struct str bound = str_from(line, sizeof("portal_timer_lag_seconds_bucket{le=\"") - 1);
	struct str value = bound;
	size_t i = 0;
	double b;

	bound = str_cut(&value, '"');
	b = str_eq(bound, STR("+Inf")) ? -1 : strtod(bound.p, NULL);
	while (i < coming.lags && coming.lag_bounds[i] != b)
		i++;
	if (i == LAGS_MAX)
		return;
	if (i == coming.lags)
		coming.lag_bounds[coming.lags++] = b;
	coming.lag_counts[i] += strtod(str_from(value, 2).p, NULL);
}

static void line_take(struct str line)
{
	struct str value = line, name = str_cut(&value, ' ');

	if (str_starts(line, STR("portal_timer_lag_seconds_bucket{")))
		lag_take(line);
	if (!str_starts(name, STR("portal_")) || !value.p)
		return;
	name = str_from(name, 7);
	for (int i = 0; i < FIGURES; i++)
		if (str_eq(name, str_of(figures[i].name)))
			coming.values[i] += strtod(value.p, NULL) * figures[i].scale;
}

/* Fields 14 and 15 of stat (user and system time), the second of statm (resident pages). */
static void proc_take(void)
{
	unsigned long long user = 0, system = 0, resident = 0;
	char path[64], text[1024];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%lld/stat", (long long)pid);
	f = fopen(path, "r");
	if (!f)
		return;
	if (fgets(text, sizeof(text), f) && strrchr(text, ')'))
		sscanf(strrchr(text, ')') + 2,
			"%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &user, &system);
	fclose(f);
	snprintf(path, sizeof(path), "/proc/%lld/statm", (long long)pid);
	f = fopen(path, "r");
	if (!f)
		return;
	if (fscanf(f, "%*u %llu", &resident) == 1)
		coming.servers = 1;
	fclose(f);
	coming.values[CPU_US] = (double)(user + system) * 1e6 / (double)sysconf(_SC_CLK_TCK);
	coming.values[RSS] = (double)resident * (double)sysconf(_SC_PAGESIZE);
}

static void look_over(void)
{
	void (*fn)(void) = done;

	coming.at_ns = clock_ns();
	if (pid > 0 && coming.servers == 0)
		proc_take();
	if (coming.servers > 0)
		newest = coming;
	if (run.begun_ns == 0)
		first = before = newest;
	done = NULL;
	if (fn)
		fn();
}

static void metrics_answered(void *arg, const struct web_answer *a)
{
	struct str rest = a->body;

	(void)arg;
	if (a->status == 200) {
		coming.servers++;
		while (rest.p)
			line_take(str_cut(&rest, '\n'));
	}
	if (--asked == 0)
		look_over();
}

void watch_look(void)
{
	if (asked > 0)
		return;
	coming = (struct look){0};
	asked = run.o.url_count;
	for (size_t i = 0; i < run.o.url_count; i++)
		web_ask(webs[i], "GET", STR("/metrics"), STR(""), STR(""), metrics_answered, NULL);
}

void watch_begin(void (*fn)(void))
{
	done = fn;
	for (size_t i = 0; i < run.o.url_count; i++)
		webs[i] = web_new(run.origins[i], 1, TIMEOUT_MS);
	watch_look();
}

void watch_end(void (*fn)(void))
{
	done = fn;
	watch_look();
}

void watch_free(void)
{
	for (size_t i = 0; i < run.o.url_count; i++)
		web_free(webs[i]);
}

/* ---- telling ---- */

/* The bound under which 99 of 100 timers were late, in ms; < 0: none was counted. */
static double lag_p99(const struct look *from, const struct look *to)
{
	double all = to->values[LAG_COUNT] - from->values[LAG_COUNT];

	if (all <= 0 || from->lags != to->lags)
		return -1;
	for (size_t i = 0; i < to->lags; i++)
		if (to->lag_counts[i] - from->lag_counts[i] >= 0.99 * all)
			return to->lag_bounds[i] < 0 ? 1e6 : to->lag_bounds[i] * 1e3;
	return -1;
}

/* How much a counter has grown; one that fell began anew, with its server. */
static int64_t grown(const struct look *from, const struct look *to, enum figure f, double scale)
{
	double v = to->values[f] - from->values[f];

	return (int64_t)((v < 0 ? to->values[f] : v) / scale);
}

/* CPU in percent of one core: 250 is two and a half. */
static int64_t cpu_percent(const struct look *from, const struct look *to)
{
	double us = (double)(to->at_ns - from->at_ns) / 1e3;

	return us <= 0 ? 0 : (int64_t)((double)grown(from, to, CPU_US, 1) * 100 / us + 0.5);
}

static void span_write(const struct look *from, const struct look *to, struct json_out *j)
{
	double lag = lag_p99(from, to);

	json_ki64(j, "cpu_percent", cpu_percent(from, to));
	json_ki64(j, "cpu_ms", grown(from, to, CPU_US, 1e3));
	json_ki64(j, "rss_kib", (int64_t)(to->values[RSS] / 1024));
	json_ki64(j, "heap_kib", (int64_t)(to->values[HEAP] / 1024));
	json_ki64(j, "sockets", (int64_t)to->values[SOCKETS]);
	json_ki64(j, "connections", (int64_t)to->values[CONNECTIONS]);
	json_ki64(j, "postgres_queries", grown(from, to, QUERIES, 1));
	json_ki64(j, "redis_commands", grown(from, to, COMMANDS, 1));
	json_key(j, "lag_p99_ms");
	if (lag < 0)
		json_null(j);
	else
		json_i64(j, (int64_t)lag);
}

void watch_write(struct json_out *j)
{
	if (newest.at_ns == before.at_ns)
		return;
	json_key(j, "server");
	json_obj(j);
	span_write(&before, &newest, j);
	json_end(j);
	before = newest;
}

void watch_write_all(struct json_out *j)
{
	if (newest.servers == 0)
		return;
	json_key(j, "server");
	json_obj(j);
	span_write(&first, &newest, j);
	json_ki64(j, "rss_before_kib", (int64_t)(first.values[RSS] / 1024));
	json_ki64(j, "heap_before_kib", (int64_t)(first.values[HEAP] / 1024));
	json_end(j);
}

bool watch_busy(void)
{
	const struct look *l = &newest;

	return l->servers < first.servers || l->values[BUS_UP] < (double)l->servers ||
	       l->values[BEHIND] > 0 || l->values[IN_LINE] > 0;
}

void watch_say(struct buf *b)
{
	if (newest.at_ns != before.at_ns)
		buf_printf(b, "  server %lld %% CPU %.1f MiB",
			(long long)cpu_percent(&before, &newest), newest.values[RSS] / (1 << 20));
}
