/* portal-load: makes load on any Portal deployment, as many clients in one process, and tells what
 * came of it: progress on stderr, a JSON result on stdout or in a file, a history for portal-check.
 *
 *   main -> options_read -> servers_reach -> people_sign_in -> watch_begin -> prepare -> run_ready
 * -> every second: tick
 *        -> on_end: end -> run_settled -> result_write (result.c) -> release -> run_released
 *        -> the loop ends
 *
 * Ctrl-C ends the load early; a second one ends the program. Each step is done by all parts of the
 * run (run.h), and is over when all have said so: `waiting` counts them.
 *
 * The command line and the table of scenarios: options.c. What it costs the servers: watch.c. */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/secret.h"
#include "history.h"
#include "report.h"
#include "result.h"
#include "run.h"
#include "watch.h"

#define WEB_LINKS   1000 /* as browsers, which have one each */
#define WEB_TIMEOUT 10000
#define TICK_MS     1000
#define SETTLES     10 /* times --settle: it ends then, whatever still happens */

static struct timer tick_timer, end_timer, settle_timer;
static size_t waiting; /* parts that have not come to the end of the step */

void run_fail(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	fprintf(stderr, "portal-load: ");
	vfprintf(stderr, fmt, args);
	fprintf(stderr, "\n");
	va_end(args);
	exit(2);
}

/* ---- what goes wrong ---- */

void run_tally(struct str name)
{
	run.errors++;
	run.errors_second++;
	for (size_t i = 0; i < RUN_TALLIES_MAX; i++) {
		struct tally *t = &run.tallies[i];

		if (t->n == 0)
			snprintf(t->name, sizeof(t->name), STR_FMT, STR_ARG(name));
		if (str_eq(str_of(t->name), name) || i == RUN_TALLIES_MAX - 1) {
			t->n++;
			return;
		}
	}
}

void run_tally_answer(const char *what, const struct web_answer *a)
{
	struct str code = slice_text(slice_get(a->body, "code"));
	char name[48];

	if (a->status > 0 && code.p) {
		run_tally(code);
		return;
	}
	if (a->status > 0)
		snprintf(name, sizeof(name), "%s: %d", what, a->status);
	else
		snprintf(name, sizeof(name), "%s without answer", what);
	run_tally(str_of(name));
}

/* ---- progress ---- */

static double seconds_of_run(void)
{
	return (double)(clock_ns() - run.begun_ns) / 1e9;
}

/* On a terminal the line is written over by the next, and cut where the terminal ends. */
void run_note(const char *fmt, ...)
{
	struct winsize w;
	char line[1024];
	va_list args;

	va_start(args, fmt);
	vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 0)
		fprintf(stderr, "\r\033[K%.*s", w.ws_col - 1, line);
	else
		fprintf(stderr, "%s\n", line);
	fflush(stderr);
}

static void second_note(void)
{
	struct buf b = {0};

	buf_printf(&b, "%6.1f s  %zu open", seconds_of_run(), run.open);
	for (size_t i = 0; i < run.part_count; i++)
		for (struct meter *const *m = run.parts[i].scenario->meters; *m; m++)
			meter_say(*m, &b);
	watch_say(&b);
	if (run.errors > 0)
		buf_printf(&b, "  errors %llu", (unsigned long long)run.errors_second);
	run_note("%.*s", (int)b.n, b.p);
	buf_free(&b);
}

/* ---- settling ---- */

/* What clients wait for and got: of the meters that have latencies. */
static uint64_t got_so_far(void)
{
	uint64_t n = 0;

	for (size_t i = 0; i < run.part_count; i++)
		for (struct meter *const *m = run.parts[i].scenario->meters; *m; m++)
			n += (*m)->timed ? (*m)->total : 0;
	return n;
}

/* A busy machine is slow, but not done: the time counts from the last thing that came. */
static void settle_look(void)
{
	static uint64_t before;
	uint64_t now = got_so_far();
	int64_t most = run.o.settle * SETTLES * 1000000000ll;

	if ((now != before || watch_busy()) && clock_ns() - run.ended_ns < most)
		timer_set(&settle_timer, run.o.settle * 1000);
	before = now;
}

/* ---- every second ---- */

static void tick(struct timer *t)
{
	timer_set(t, TICK_MS);
	if (run.begun_ns == 0) {
		run_note("%zu of %zu signed in, %zu sockets open", run.signed_in, run.people_count,
			run.open);
		return;
	}
	second_note();
	result_second();
	if (run.ended_ns != 0)
		settle_look();
	watch_look();
}

/* ---- the course of a run ---- */

static bool step_is_over(void)
{
	ASSERT(waiting > 0);
	return --waiting == 0;
}

static void prepare(void)
{
	waiting = run.part_count;
	for (size_t i = 0; i < run.part_count; i++)
		run.parts[i].scenario->prepare(&run.parts[i].share);
}

static void people_in(void)
{
	watch_begin(prepare);
}

void run_ready(void)
{
	if (!step_is_over())
		return;
	run_note("load begins");
	run.begun_ns = clock_ns();
	timer_set(&tick_timer, TICK_MS);
	timer_set(&end_timer, run.o.seconds * 1000);
	for (size_t i = 0; i < run.part_count; i++)
		run.parts[i].scenario->begin();
}

static void watched(void)
{
	result_second();
	result_write();
	watch_free();
	waiting = run.part_count;
	for (size_t i = 0; i < run.part_count; i++)
		run.parts[i].scenario->release();
}

static void run_over(void)
{
	timer_clear(&tick_timer);
	timer_clear(&end_timer);
	timer_clear(&settle_timer);
	watch_end(watched);
}

void run_released(void)
{
	if (!step_is_over())
		return;
	for (size_t i = 0; i < run.o.url_count; i++)
		web_free(run.webs[i]);
}

void run_settled(void)
{
	if (!step_is_over())
		return;
	run_note("settled");
	run_over();
}

static void on_unsettled(struct timer *t)
{
	(void)t;
	run_note("not settled, and nothing has come for %lld s", (long long)run.o.settle);
	run.unsettled = 1;
	for (size_t i = 0; i < run.part_count; i++)
		if (run.parts[i].scenario->explain)
			run.parts[i].scenario->explain();
	run_over();
}

static void on_end(struct timer *t)
{
	(void)t;
	run.ended_ns = clock_ns();
	timer_clear(&end_timer);
	timer_set(&settle_timer, run.o.settle * 1000);
	run_note("settling");
	waiting = run.part_count;
	for (size_t i = 0; i < run.part_count; i++)
		run.parts[i].scenario->end();
}

static void on_signal(int signum)
{
	if (run.begun_ns == 0 || run.ended_ns != 0)
		run_fail("ended by signal %d", signum);
	on_end(NULL);
}

static void reached(void)
{
	for (size_t i = 0; i < run.o.url_count; i++)
		run.webs[i] = web_new(run.origins[i], WEB_LINKS, WEB_TIMEOUT);
	timer_set(&tick_timer, TICK_MS);
	people_sign_in(people_in);
}

static void setup(void)
{
	loop_init();
	client_setup(run.o.ack_ms);
	if (secret_setup(STR("")) != OK)
		run_fail("libsodium does not start");
	loop_on_signal(SIGINT, on_signal);
	loop_on_signal(SIGTERM, on_signal);
	secret_random(&run.id, sizeof(run.id));
	people_make();
	if (run.o.history && !history_open(run.o.history))
		run_fail("%s: %s", run.o.history, strerror(errno));
	timer_init(&tick_timer, tick);
	timer_init(&end_timer, on_end);
	timer_init(&settle_timer, on_unsettled);
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "report") == 0)
		return report_main(argc - 2, argv + 2);
	if (argc > 1 && strcmp(argv[1], "compare") == 0)
		return compare_main(argc - 2, argv + 2);
	options_read(argc, argv);
	setup();
	servers_reach(reached);
	loop_run();
	if (!history_close())
		run_fail("the history could not be written");
	if (isatty(STDERR_FILENO))
		fputc('\n', stderr);
	client_teardown();
	for (size_t i = 0; i < run.o.url_count; i++)
		origin_free(run.origins[i]);
	result_free();
	free(run.people);
	return loop_close() ? 0 : 3;
}
