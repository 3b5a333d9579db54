/* Reports: read results, write a page or a table.
 *
 *   report_html -> page_write: what was asked for, figures_table, plots_write
 *   compare_main -> the same figures side by side on the terminal, and the page
 *
 * To add a plot over time: a row of `over_time`. */
#include "report.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "figures.h"
#include "plot.h"
#include "run.h"

struct page { /* one result, or two */
	const struct json *results[2];
	size_t count;
	struct buf *b;
};

static const char *const letters[] = {"A", "B"};

/* ---- plots ---- */

enum how {
	VALUE,
	A_SECOND /* a count since the entry before */
};
static const struct over_time {
	const char *title, *y_name;
	struct {
		const char *name, *path;
	} lines[3];
	enum how how;
	double scale;
} over_time[] = {
	{"Sockets open", "number", {{"open", "open"}}, VALUE, 1},
	{"Errors", "a second", {{"errors", "errors"}}, A_SECOND, 1},
	{"CPU of the server", "% of a core", {{"CPU", "server.cpu_percent"}}, VALUE, 1},
	{"Memory of the server", "MiB",
		{{"resident", "server.rss_kib"}, {"heap in use", "server.heap_kib"}}, VALUE,
		1.0 / 1024},
	{"Loop lag of the server, p99", "ms", {{"lag", "server.lag_p99_ms"}}, VALUE, 1},
	{"Stores", "a second",
		{{"PostgreSQL queries", "server.postgres_queries"},
			{"Redis commands", "server.redis_commands"}},
		A_SECOND, 1},
};
#define OVER_TIME (sizeof(over_time) / sizeof(over_time[0]))

static const char *const percentiles[] = {"p50", "p90", "p99", "p99.9", "max"};
static const char *const percentile_keys[] = {"p50_us", "p90_us", "p99_us", "p999_us", "max_us"};
#define PERCENTILES (sizeof(percentiles) / sizeof(percentiles[0]))

/* A line over the seconds of a result. */
static void line_add(struct page *g, struct plot *p, size_t which, const char *name,
	const char *path, enum how how, double scale)
{
	const struct json *seconds = json_get(g->results[which], "seconds");
	struct series *s;
	char full[72];
	double last = 0;

	snprintf(full, sizeof(full), "%s%s%s", name, g->count > 1 ? " " : "",
		g->count > 1 ? letters[which] : "");
	s = plot_series(p, full, json_len(seconds));
	if (!s)
		return;
	s->dashed = which > 0;
	for (struct json_iter it = json_each(seconds); json_next(&it);) {
		const struct json *v = json_path(it.value, path);
		double at = (double)json_to_i64(json_get(it.value, "at_ms")) / 1e3;
		double span = at - last;

		last = at;
		if (json_type(v) != JSON_INT || span <= 0)
			continue;
		s->x[s->n] = at;
		s->y[s->n++] = (double)json_to_i64(v) * scale / (how == A_SECOND ? span : 1);
	}
}

static void line_add_all(struct page *g, struct plot *p, const char *name, const char *path,
	enum how how, double scale, unsigned colour)
{
	for (size_t r = 0; r < g->count; r++) {
		size_t before = p->count;

		line_add(g, p, r, name, path, how, scale);
		if (p->count > before)
			p->series[before].colour = colour % PLOT_COLOURS;
	}
}

static void rates_write(struct page *g)
{
	struct plot p = {.title = "What happened", .x_name = "s", .y_name = "a second"};
	unsigned colour = 0;

	for (struct json_iter it = json_each(json_get(g->results[0], "meters")); json_next(&it);) {
		char name[48], path[80];

		if (json_to_i64(json_get(it.value, "count")) == 0)
			continue;
		snprintf(name, sizeof(name), STR_FMT, STR_ARG(it.key));
		snprintf(path, sizeof(path), "meters.%s.count", name);
		line_add_all(g, &p, name, path, A_SECOND, 1, colour++);
	}
	plot_write(&p, g->b);
}

static void latency_write(struct page *g, const char *meter)
{
	char title[80], path[96];
	struct plot p = {.title = title, .x_name = "s", .y_name = "ms"};

	snprintf(title, sizeof(title), "Latency of %s over time", meter);
	for (size_t i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "meters.%s.latency.%s", meter,
			percentile_keys[i == 1   ? 2
					: i == 2 ? 4
						 : 0]);
		line_add_all(g, &p,
			percentiles[i == 1   ? 2
				    : i == 2 ? 4
					     : 0],
			path, VALUE, 1e-3, (unsigned)i);
	}
	plot_write(&p, g->b);
}

static void percentiles_write(struct page *g)
{
	struct plot p = {.title = "Latency by percentile",
		.x_name = "of all",
		.y_name = "ms",
		.x_labels = percentiles,
		.x_label_count = PERCENTILES};
	unsigned colour = 0;

	for (struct json_iter it = json_each(json_get(g->results[0], "meters")); json_next(&it);) {
		if (json_to_i64(json_path(it.value, "latency.count")) == 0)
			continue;
		for (size_t r = 0; r < g->count; r++) {
			char name[64];
			const struct json *m;
			struct series *s;

			snprintf(name, sizeof(name), STR_FMT, STR_ARG(it.key));
			m = json_get(json_get(g->results[r], "meters"), name);
			snprintf(name, sizeof(name), STR_FMT " %s", STR_ARG(it.key),
				g->count > 1 ? letters[r] : "");
			s = plot_series(&p, name, PERCENTILES);
			for (size_t i = 0; s && i < PERCENTILES; i++) {
				s->x[i] = (double)i;
				s->y[i] = (double)json_to_i64(json_get(
						  json_get(m, "latency"), percentile_keys[i])) /
					  1e3;
				s->n++;
			}
			if (s) {
				s->colour = colour % PLOT_COLOURS;
				s->dashed = r > 0;
			}
		}
		colour++;
	}
	plot_write(&p, g->b);
}

static void plots_write(struct page *g)
{
	rates_write(g);
	percentiles_write(g);
	for (struct json_iter it = json_each(json_get(g->results[0], "meters")); json_next(&it);) {
		char name[48];

		snprintf(name, sizeof(name), STR_FMT, STR_ARG(it.key));
		if (json_to_i64(json_path(it.value, "latency.count")) > 0)
			latency_write(g, name);
	}
	for (size_t i = 0; i < OVER_TIME; i++) {
		const struct over_time *o = &over_time[i];
		struct plot p = {.title = o->title, .x_name = "s", .y_name = o->y_name};

		for (unsigned k = 0; k < 3 && o->lines[k].name; k++)
			line_add_all(
				g, &p, o->lines[k].name, o->lines[k].path, o->how, o->scale, k);
		plot_write(&p, g->b);
	}
}

/* ---- tables ---- */

static void change_print(double a, double b, char out[16])
{
	if (a == b)
		snprintf(out, 16, "=");
	else if (a == 0)
		snprintf(out, 16, "new");
	else
		snprintf(out, 16, "%+.1f %%", (b - a) * 100 / a);
}

static void figures_table(struct page *g)
{
	struct figures f[2];
	char change[16];

	for (size_t i = 0; i < g->count; i++)
		figures_read(g->results[i], &f[i]);
	buf_printf(g->b, "<table><tr><th>figure</th>%s<th>unit</th></tr>\n",
		g->count > 1 ? "<th>A</th><th>B</th><th>change</th>" : "<th>value</th>");
	for (size_t i = 0; i < f[0].count; i++) {
		const struct figure *a = &f[0].all[i], *b = NULL;

		buf_lit(g->b, "<tr><td>");
		html_text(g->b, str_of(a->name));
		buf_printf(g->b, "</td><td>%.6g</td>", a->value);
		if (g->count > 1) {
			b = figures_find(&f[1], a->name);
			change_print(a->value, b ? b->value : 0, change);
			buf_printf(g->b, "<td>%.6g</td><td>%s</td>", b ? b->value : 0, change);
		}
		buf_printf(g->b, "<td>%s</td></tr>\n", a->unit);
	}
	buf_lit(g->b, "</table>\n");
}

static void options_table(struct page *g)
{
	buf_lit(g->b, "<table><tr><th>option</th>");
	for (size_t i = 0; i < g->count; i++)
		buf_printf(g->b, "<th>%s</th>", g->count > 1 ? letters[i] : "value");
	buf_lit(g->b, "</tr>\n");
	for (struct json_iter it = json_each(json_get(g->results[0], "options")); json_next(&it);) {
		char name[48];

		snprintf(name, sizeof(name), STR_FMT, STR_ARG(it.key));
		if (json_type(it.value) == JSON_NULL)
			continue;
		buf_printf(g->b, "<tr><td>--%s</td>", name);
		for (size_t i = 0; i < g->count; i++) {
			struct buf text = {0};

			json_write(&text, json_get(json_get(g->results[i], "options"), name));
			buf_lit(g->b, "<td>");
			html_text(g->b, buf_view(&text));
			buf_lit(g->b, "</td>");
			buf_free(&text);
		}
		buf_lit(g->b, "</tr>\n");
	}
	buf_lit(g->b, "</table>\n");
}

/* ---- the page ---- */

static const char style[] =
	"<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
	"<meta name=\"viewport\" content=\"width=device-width\">\n<style>\n"
	":root{color-scheme:light dark;--line:#8884}\n"
	"body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem}\n"
	"table{border-collapse:collapse;margin:1rem 0}\n"
	"td,th{padding:.15rem .8rem;border-bottom:1px solid var(--line);text-align:right}\n"
	"td:first-child,th:first-child{text-align:left}\n"
	".plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(30rem,100%),1fr));"
	"gap:1rem}\n"
	"figure{margin:0}h3{margin:.5rem 0;font-size:1rem}figcaption{font-size:.85rem}\n"
	"svg{width:100%;font:11px system-ui,sans-serif}\n"
	"svg text{fill:currentColor}svg .x{text-anchor:middle}svg .y{text-anchor:end}\n"
	".grid{stroke:var(--line)}polyline{fill:none;stroke:currentColor;stroke-width:1.6}\n"
	"circle{fill:currentColor}.dashed{stroke-dasharray:5 4}\n"
	".c0{color:#2f7ed8}.c1{color:#d9622b}.c2{color:#3b9a5b}"
	".c3{color:#9a57c7}.c4{color:#c9a227}.c5{color:#c2385f}\n"
	"</style>\n";

static void page_write(struct page *g)
{
	struct str name = json_to_str(json_get(g->results[0], "scenario"));

	buf_put(g->b, style, sizeof(style) - 1);
	buf_lit(g->b, "<title>portal-load: ");
	html_text(g->b, name);
	buf_lit(g->b, "</title></head><body>\n<h1>portal-load: ");
	html_text(g->b, name);
	buf_lit(g->b, "</h1>\n");
	for (size_t i = 0; i < g->count; i++) {
		buf_printf(
			g->b, "<p>%s%s", g->count > 1 ? letters[i] : "", g->count > 1 ? ": " : "");
		html_text(g->b, json_to_str(json_get(g->results[i], "scenario")));
		buf_printf(g->b, ", %.1f s of load on %lld server%s, ended ",
			(double)json_to_i64(json_get(g->results[i], "load_ms")) / 1e3,
			(long long)json_to_i64(json_get(g->results[i], "servers")),
			json_to_i64(json_get(g->results[i], "servers")) == 1 ? "" : "s");
		html_text(g->b, json_to_str(json_get(g->results[i], "ended_at")));
		buf_lit(g->b, "</p>\n");
	}
	figures_table(g);
	buf_lit(g->b, "<div class=\"plots\">\n");
	plots_write(g);
	buf_lit(g->b, "</div>\n<h2>What was asked for</h2>\n");
	options_table(g);
	buf_lit(g->b, "</body></html>\n");
}

static const struct json *result_read(struct arena *a, struct str text)
{
	const struct json *v = json_parse(a, text);

	if (json_type(json_get(v, "meters")) != JSON_OBJECT)
		run_fail("this is no result of portal-load");
	return v;
}

void report_html(struct str first, struct str second, const char *path)
{
	FILE *f = fopen(path, "w");
	struct arena arena;
	struct buf b = {0};
	struct page g = {.count = second.p ? 2 : 1, .b = &b};

	arena_init(&arena);
	g.results[0] = result_read(&arena, first);
	if (second.p)
		g.results[1] = result_read(&arena, second);
	page_write(&g);
	if (!f || fwrite(b.p, 1, b.n, f) != b.n || fclose(f) != 0)
		run_fail("%s: %s", path, strerror(errno));
	buf_free(&b);
	arena_release(&arena);
}

/* ---- commands ---- */

static struct buf file_read(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct buf b = {0};
	ssize_t n;

	while (fd >= 0 && (n = read(fd, buf_reserve(&b, 65536), 65536)) > 0)
		b.n += (size_t)n;
	if (fd < 0 || n < 0)
		run_fail("%s: %s", path, strerror(errno));
	close(fd);
	return b;
}

int report_main(int argc, char **argv)
{
	struct buf b;

	if (argc != 2)
		run_fail("report RESULT.json FILE.html");
	b = file_read(argv[0]);
	report_html(buf_view(&b), STR_NULL, argv[1]);
	buf_free(&b);
	return 0;
}

static void compare_print(const struct json *first, const struct json *second)
{
	struct figures a, b;

	figures_read(first, &a);
	figures_read(second, &b);
	printf("%-34s %14s %14s %10s\n", "", "A", "B", "change");
	for (size_t i = 0; i < a.count; i++) {
		const struct figure *g = figures_find(&b, a.all[i].name);
		char change[16];

		change_print(a.all[i].value, g ? g->value : 0, change);
		printf("%-34s %14.6g %14.6g %10s %s\n", a.all[i].name, a.all[i].value,
			g ? g->value : 0, change, a.all[i].unit);
	}
	for (size_t i = 0; i < b.count; i++)
		if (!figures_find(&a, b.all[i].name))
			printf("%-34s %14s %14.6g %10s %s\n", b.all[i].name, "-", b.all[i].value,
				"new", b.all[i].unit);
}

int compare_main(int argc, char **argv)
{
	struct arena arena;
	struct buf a, b;

	if (argc < 2 || argc > 3)
		run_fail("compare RESULT.json RESULT.json [FILE.html]");
	a = file_read(argv[0]);
	b = file_read(argv[1]);
	arena_init(&arena);
	compare_print(result_read(&arena, buf_view(&a)), result_read(&arena, buf_view(&b)));
	arena_release(&arena);
	if (argc == 3)
		report_html(buf_view(&a), buf_view(&b), argv[2]);
	buf_free(&a);
	buf_free(&b);
	return 0;
}
