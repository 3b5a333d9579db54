/* The result: owns the seconds that were taken down.
 *
 * To add a figure of the whole run: result_write; of each second: result_second. */
#include "result.h"

#include <errno.h>
#include <stdio.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "report.h"
#include "watch.h"

static struct buf seconds; /* a JSON object each, with commas */

static void meters_write(bool second, struct json_out *j)
{
	json_key(j, "meters");
	json_obj(j);
	for (size_t i = 0; i < run.part_count; i++)
		for (struct meter *const *m = run.parts[i].scenario->meters; *m; m++)
			meter_write(*m, second, j);
	json_end(j);
}

void result_second(void)
{
	struct json_out j;

	if (seconds.n > 0)
		buf_char(&seconds, ',');
	json_out_init(&j, &seconds);
	json_obj(&j);
	json_ki64(&j, "at_ms", (clock_ns() - run.begun_ns) / 1000000);
	json_ki64(&j, "open", (int64_t)run.open);
	json_ki64(&j, "errors", (int64_t)run.errors_second);
	meters_write(true, &j);
	watch_write(&j);
	json_end(&j);
	run.errors_second = 0;
	for (size_t i = 0; i < run.part_count; i++)
		for (struct meter *const *m = run.parts[i].scenario->meters; *m; m++)
			meter_second(*m);
}

static void own_cost_write(struct json_out *j)
{
	struct rusage u;
	struct client_stats c = client_stats();

	getrusage(RUSAGE_SELF, &u);
	json_key(j, "client");
	json_obj(j);
	json_ki64(j, "cpu_ms",
		(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000 +
			(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1000);
	json_ki64(j, "rss_kib", u.ru_maxrss);
	json_ki64(j, "messages_in", (int64_t)c.messages_in);
	json_ki64(j, "messages_out", (int64_t)c.messages_out);
	json_ki64(j, "bytes_in", (int64_t)c.bytes_in);
	json_ki64(j, "bytes_out", (int64_t)c.bytes_out);
	json_ki64(j, "reads", (int64_t)c.reads);
	json_ki64(j, "writes", (int64_t)c.writes);
	json_end(j);
}

static void errors_write(struct json_out *j)
{
	json_key(j, "errors");
	json_obj(j);
	for (size_t i = 0; i < RUN_TALLIES_MAX && run.tallies[i].n > 0; i++)
		json_ki64(j, run.tallies[i].name, (int64_t)run.tallies[i].n);
	json_end(j);
}

void result_write(void)
{
	FILE *out = run.o.json ? fopen(run.o.json, "w") : stdout;
	struct buf b = {0};
	struct json_out j;

	json_out_init(&j, &b);
	json_obj(&j);
	json_kstr(&j, "scenario", str_of(run.name));
	json_ktime(&j, "ended_at", clock_us());
	json_ki64(&j, "servers", (int64_t)run.o.url_count);
	json_key(&j, "options");
	json_obj(&j);
	options_write(&j);
	json_end(&j);
	json_ki64(&j, "load_ms", (run.ended_ns - run.begun_ns) / 1000000);
	json_ki64(&j, "unsettled", (int64_t)run.unsettled);
	meters_write(false, &j);
	for (size_t i = 0; i < run.part_count; i++)
		if (run.parts[i].scenario->result)
			run.parts[i].scenario->result(&j);
	errors_write(&j);
	watch_write_all(&j);
	own_cost_write(&j);
	servers_write(&j);
	json_key(&j, "seconds");
	json_arr(&j);
	json_raw(&j, buf_view(&seconds));
	json_end(&j);
	json_end(&j);
	buf_char(&b, '\n');
	if (!out || fwrite(b.p, 1, b.n, out) != b.n || fflush(out) != 0)
		run_fail("the result cannot be written: %s", strerror(errno));
	if (run.o.json)
		fclose(out);
	if (run.o.html)
		report_html(buf_view(&b), STR_NULL, run.o.html);
	buf_free(&b);
}

void result_free(void)
{
	buf_free(&seconds);
	for (size_t i = 0; i < run.part_count; i++)
		for (struct meter *const *m = run.parts[i].scenario->meters; *m; m++)
			meter_free(*m);
}
