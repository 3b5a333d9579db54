/* portal-load: makes load on any Portal deployment, as many clients in one process, and tells what
 * came of it: progress on stderr, a JSON result on stdout or in a file, a history for portal-check.
 *
 *   main -> options_read -> people_sign_in -> scenario.prepare -> run_ready -> every second: tick
 *        -> on_end: scenario.end -> run_settled -> result_write -> scenario.release ->
 *           run_released -> the loop ends
 *
 * Ctrl-C ends the load early; a second one ends the program.
 *
 * To add an option: a field of struct options and a row of `rows`. To add a scenario: run.h. */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/secret.h"
#include "history.h"
#include "run.h"

#define WEB_LINKS   16
#define WEB_TIMEOUT 10000
#define TICK_MS     1000

static const struct scenario *const scenarios[] = {&scenario_chat};
#define SCENARIOS (sizeof(scenarios) / sizeof(scenarios[0]))

struct run run = {.o = {.platform = "discord",
			  .clients = 200,
			  .rooms = 10,
			  .rooms_each = 1,
			  .rate = 200,
			  .bytes = 64,
			  .seconds = 10,
			  .settle = 15,
			  .connect_rate = 500,
			  .retry_ms = 200,
			  .ack_ms = 5000}};

static struct timer tick_timer, end_timer, settle_timer;
static struct buf timeline; /* of the result: a JSON object a second, with commas */

/* ---- options ---- */

static const struct row {
	const char *name;
	const char **text; /* or */
	int64_t *number;
	int64_t least, most;
	const char *help;
} rows[] = {
	{"--url", NULL, NULL, 0, 0,
		"http://host[:port] of a portald; more than one: clients spread"},
	{"--bot-key", &run.o.bot_key, NULL, 0, 0, "key of a bot with login: it fetches the codes"},
	{"--platform", &run.o.platform, NULL, 0, 0, "the bot's platform"},
	{"--host", &run.o.host, NULL, 0, 0,
		"platform user id of a person who may make chats: the run's chats are theirs and "
		"go with it"},
	{"--chats", &run.o.chats, NULL, 0, 0, "ids of official or public chats to use, as 1,2,3"},
	{"--clients", NULL, &run.o.clients, 1, 1000000, "people, each with one socket"},
	{"--rooms", NULL, &run.o.rooms, 1, 10000, "chats that --host makes"},
	{"--rooms-each", NULL, &run.o.rooms_each, 1, 8, "chats that each client is in"},
	{"--rate", NULL, &run.o.rate, 0, 1000000, "messages a second of all clients together"},
	{"--bytes", NULL, &run.o.bytes, 0, 2900, "bytes of a message before encryption"},
	{"--seconds", NULL, &run.o.seconds, 1, 86400, "how long to make load"},
	{"--settle", NULL, &run.o.settle, 1, 600,
		"seconds that may pass until everybody has everything"},
	{"--cuts", NULL, &run.o.cuts, 0, 1000,
		"connections cut a second; their clients are away for up to 2 s"},
	{"--connect-rate", NULL, &run.o.connect_rate, 1, 100000, "sockets opened a second"},
	{"--retry-ms", NULL, &run.o.retry_ms, 1, 60000,
		"first wait of a client that lost its server"},
	{"--ack-ms", NULL, &run.o.ack_ms, 100, 60000,
		"how long a client waits for an acknowledgement"},
	{"--history", &run.o.history, NULL, 0, 0,
		"file for what clients did and saw (portal-check)"},
	{"--json", &run.o.json, NULL, 0, 0, "file for the result; else it goes to stdout"},
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

static void help(void)
{
	printf("portal-load SCENARIO --url URL --bot-key KEY [option …]\n\n");
	for (size_t i = 0; i < SCENARIOS; i++)
		printf("  %-16s%s\n", scenarios[i]->name, scenarios[i]->help);
	printf("\n");
	for (size_t i = 0; i < ROWS; i++) {
		printf("  %-16s%s", rows[i].name, rows[i].help);
		if (rows[i].number)
			printf(" (%lld)", (long long)*rows[i].number);
		else if (rows[i].text && *rows[i].text)
			printf(" (%s)", *rows[i].text);
		printf("\n");
	}
	printf("\nOn the server, limits that a load run would only measure are turned off:\n"
	       "  RATE_LIMIT_LOGIN=0 RATE_LIMIT_AUTH=0 RATE_LIMIT_PUBLIC=0 RATE_LIMIT_BOT=0\n"
	       "  RATE_LIMIT_HANDSHAKE=0 RATE_LIMIT_EVENTS=0 MESSAGE_RATE=0 MESSAGE_RATE_CHAT=0\n");
}

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

static void option_set(const struct row *row, const char *value)
{
	if (row->text) {
		*row->text = value;
	} else if (row->number) {
		if (!str_to_i64(str_of(value), row->number) || *row->number < row->least ||
			*row->number > row->most)
			run_fail("%s is a number from %lld to %lld", row->name,
				(long long)row->least, (long long)row->most);
	} else {
		if (run.o.url_count == RUN_URLS_MAX)
			run_fail("at most %d servers", RUN_URLS_MAX);
		run.o.urls[run.o.url_count++] = value;
	}
}

static void options_read(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		size_t k = 0;

		if (strcmp(argv[i], "--help") == 0) {
			help();
			exit(0);
		}
		while (k < SCENARIOS && strcmp(argv[i], scenarios[k]->name) != 0)
			k++;
		if (k < SCENARIOS) {
			run.scenario = scenarios[k];
			continue;
		}
		for (k = 0; k < ROWS && strcmp(argv[i], rows[k].name) != 0;)
			k++;
		if (k == ROWS)
			run_fail("%s is no option; --help lists them", argv[i]);
		if (++i == argc)
			run_fail("%s wants a value", argv[i - 1]);
		option_set(&rows[k], argv[i]);
	}
	if (!run.scenario)
		run.scenario = scenarios[0];
	if (run.o.url_count == 0 || !run.o.bot_key)
		run_fail("--url and --bot-key are needed; --help says more");
	if (!run.o.host == !run.o.chats)
		run_fail("either --host, who makes the chats, or --chats");
}

/* ---- what goes wrong ---- */

void run_tally(struct str name)
{
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

/* ---- progress ---- */

static double seconds_of_run(void)
{
	return (double)(clock_ns() - run.begun_ns) / 1e9;
}

void run_note(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputs(isatty(STDERR_FILENO) ? "\033[K\r" : "\n", stderr);
	fflush(stderr);
}

static void second_note(void)
{
	const struct counts *s = &run.second;

	run_note("%6.1f s  %zu open  %llu sent  %llu acked  %llu received  ack p50 %.1f p99 %.1f "
		 "ms  "
		 "receive p50 %.1f p99 %.1f ms  %llu again",
		seconds_of_run(), run.open, (unsigned long long)s->sent,
		(unsigned long long)s->acked, (unsigned long long)s->received,
		(double)hist_at(&s->ack, 0.5) / 1e3, (double)hist_at(&s->ack, 0.99) / 1e3,
		(double)hist_at(&s->receive, 0.5) / 1e3, (double)hist_at(&s->receive, 0.99) / 1e3,
		(unsigned long long)s->resent);
}

static void counts_write(const struct counts *c, struct json_out *j)
{
	json_ki64(j, "sent", (int64_t)c->sent);
	json_ki64(j, "acked", (int64_t)c->acked);
	json_ki64(j, "resent", (int64_t)c->resent);
	json_ki64(j, "received", (int64_t)c->received);
	json_key(j, "ack");
	hist_write(&c->ack, j);
	json_key(j, "receive");
	hist_write(&c->receive, j);
}

static void tick(struct timer *t)
{
	struct json_out j;

	timer_set(t, TICK_MS);
	if (run.begun_ns == 0) {
		run_note("%zu of %lld signed in, %zu sockets open", run.signed_in,
			(long long)run.o.clients, run.open);
		return;
	}
	second_note();
	if (timeline.n > 0)
		buf_char(&timeline, ',');
	json_out_init(&j, &timeline);
	json_obj(&j);
	json_ki64(&j, "at_ms", (clock_ns() - run.begun_ns) / 1000000);
	json_ki64(&j, "open", (int64_t)run.open);
	counts_write(&run.second, &j);
	json_end(&j);
	hist_clear(&run.second.ack);
	hist_clear(&run.second.receive);
	run.second.sent = run.second.acked = run.second.resent = run.second.received = 0;
}

/* ---- the result ---- */

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

static void result_write(void)
{
	FILE *out = run.o.json ? fopen(run.o.json, "w") : stdout;
	struct buf b = {0};
	struct json_out j;

	json_out_init(&j, &b);
	json_obj(&j);
	json_kstr(&j, "scenario", str_of(run.scenario->name));
	json_ki64(&j, "servers", (int64_t)run.o.url_count);
	json_ki64(&j, "clients", run.o.clients);
	json_ki64(&j, "rooms", run.o.rooms);
	json_ki64(&j, "rate", run.o.rate);
	json_ki64(&j, "bytes", run.o.bytes);
	json_ki64(&j, "load_ms", (run.ended_ns - run.begun_ns) / 1000000);
	counts_write(&run.total, &j);
	json_ki64(&j, "refused", (int64_t)run.refused);
	json_ki64(&j, "reconnects", (int64_t)run.reconnects);
	json_ki64(&j, "gaps", (int64_t)run.gaps);
	json_ki64(&j, "unsettled", (int64_t)run.unsettled);
	json_key(&j, "errors");
	json_obj(&j);
	for (size_t i = 0; i < RUN_TALLIES_MAX && run.tallies[i].n > 0; i++)
		json_ki64(&j, run.tallies[i].name, (int64_t)run.tallies[i].n);
	json_end(&j);
	own_cost_write(&j);
	json_key(&j, "seconds");
	buf_char(&b, '[');
	buf_str(&b, buf_view(&timeline));
	buf_lit(&b, "]}\n");
	if (!out || fwrite(b.p, 1, b.n, out) != b.n || fflush(out) != 0)
		run_fail("the result cannot be written: %s", strerror(errno));
	if (run.o.json)
		fclose(out);
	buf_free(&b);
}

/* ---- the course of a run ---- */

void run_ready(void)
{
	if (run.begun_ns != 0)
		return;
	run_note("sending");
	run.begun_ns = clock_ns();
	timer_set(&tick_timer, TICK_MS);
	timer_set(&end_timer, run.o.seconds * 1000);
	run.scenario->begin();
}

static void run_over(void)
{
	timer_clear(&tick_timer);
	timer_clear(&end_timer);
	timer_clear(&settle_timer);
	result_write();
	run.scenario->release();
}

void run_released(void)
{
	for (size_t i = 0; i < run.o.url_count; i++)
		web_free(run.webs[i]);
}

void run_settled(void)
{
	if (!timer_is_set(&settle_timer))
		return;
	run_note("settled");
	run_over();
}

static void on_unsettled(struct timer *t)
{
	(void)t;
	run_note("not settled within %lld s", (long long)run.o.settle);
	run.unsettled = 1;
	run.scenario->explain();
	run_over();
}

static void on_end(struct timer *t)
{
	(void)t;
	run.ended_ns = clock_ns();
	timer_clear(&end_timer);
	timer_set(&settle_timer, run.o.settle * 1000);
	run_note("settling");
	run.scenario->end();
}

static void on_signal(int signum)
{
	if (run.begun_ns == 0 || run.ended_ns != 0)
		run_fail("ended by signal %d", signum);
	on_end(NULL);
}

static void setup(void)
{
	char why[200];

	loop_init();
	client_setup(run.o.ack_ms);
	if (secret_setup(STR("")) != OK)
		run_fail("libsodium does not start");
	loop_on_signal(SIGINT, on_signal);
	loop_on_signal(SIGTERM, on_signal);
	secret_random(&run.id, sizeof(run.id));
	run.people = calloc((size_t)run.o.clients + 1, sizeof(*run.people));
	if (!run.people)
		PANIC("no memory");
	for (size_t i = 0; i < run.o.url_count; i++) {
		run.origins[i] = origin_new(run.o.urls[i], why);
		if (!run.origins[i])
			run_fail("%s", why);
		run.webs[i] = web_new(run.origins[i], WEB_LINKS, WEB_TIMEOUT);
	}
	if (run.o.history && !history_open(run.o.history))
		run_fail("%s: %s", run.o.history, strerror(errno));
	timer_init(&tick_timer, tick);
	timer_init(&end_timer, on_end);
	timer_init(&settle_timer, on_unsettled);
	timer_set(&tick_timer, TICK_MS);
}

int main(int argc, char **argv)
{
	options_read(argc, argv);
	setup();
	people_sign_in(run.scenario->prepare);
	loop_run();
	if (!history_close())
		run_fail("the history could not be written");
	client_teardown();
	for (size_t i = 0; i < run.o.url_count; i++)
		origin_free(run.origins[i]);
	hist_free(&run.total.ack);
	hist_free(&run.total.receive);
	hist_free(&run.second.ack);
	hist_free(&run.second.receive);
	buf_free(&timeline);
	free(run.people);
	return loop_close() ? 0 : 3;
}
