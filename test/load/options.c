/* The command line: which scenario, what all of them take, what each takes of its own; and how a
 * mix is shared out.
 *
 *   options_read -> the scenario's name and options -> parts_make: people and rate by weight
 *
 * To add an option: a field of struct options and a row of `common`, or a row of the scenario's own
 * table. To add a scenario: run.h. */
#include <stdio.h>
#include <stdlib.h>

#include "watch.h"

static const struct scenario *const scenarios[] = {&scenario_login, &scenario_me, &scenario_chat,
	&scenario_match, &scenario_meet, &scenario_idle, &scenario_storm};
#define SCENARIOS (sizeof(scenarios) / sizeof(scenarios[0]))

#define MIX         "mix"
#define MIX_HELP    "several scenarios at once, as --weights says"
#define MIX_CLIENTS 200
#define MIX_RATE    200

struct run run = {.o = {.platform = "discord",
			  .weights = "chat=6,me=2,login=1,meet=1",
			  .clients = -1,
			  .rate = -1,
			  .seconds = 10,
			  .settle = 15,
			  .connect_rate = 500,
			  .retry_ms = 200,
			  .ack_ms = 5000,
			  .sign_ins = 4}};

static const struct option common[] = {
	{"--bot-key", &run.o.bot_key, NULL, 0, 0, "key of a bot with login: it fetches the codes"},
	{"--platform", &run.o.platform, NULL, 0, 0, "the bot's platform"},
	{"--host", &run.o.host, NULL, 0, 0,
		"platform user id of a person who may make chats: the run's chats are theirs and "
		"go with it"},
	{"--clients", NULL, &run.o.clients, 1, 1000000, "people"},
	{"--rate", NULL, &run.o.rate, 0, 1000000,
		"operations a second of all clients together; what 0 means, the scenarios say"},
	{"--weights", &run.o.weights, NULL, 0, 0,
		"mix: what part of clients and rate each scenario has"},
	{"--seconds", NULL, &run.o.seconds, 1, 86400, "how long to make load"},
	{"--ca", &run.o.ca, NULL, 0, 0,
		"PEM file of the authority that certifies https servers, instead of this system's"},
	{"--insecure", NULL, &run.o.insecure, 1, 1,
		"https servers may show any certificate; the result says so"},
	{"--settle", NULL, &run.o.settle, 1, 600,
		"seconds without anything new, nor anything under way in the servers, after which "
		"whoever lacks something lacks it for good"},
	{"--connect-rate", NULL, &run.o.connect_rate, 1, 100000, "sockets opened a second"},
	{"--retry-ms", NULL, &run.o.retry_ms, 1, 60000,
		"first wait of a client that lost its server; up to five times that"},
	{"--ack-ms", NULL, &run.o.ack_ms, 100, 60000,
		"how long a client waits for an acknowledgement"},
	{"--sign-ins", NULL, &run.o.sign_ins, 1, 1000,
		"sign-ins under way at once before the load; more than 4 only when the server "
		"trusts this machine as a proxy (TRUSTED_PROXIES)"},
	{"--history", &run.o.history, NULL, 0, 0,
		"file for what clients did and saw (portal-check)"},
	{"--json", &run.o.json, NULL, 0, 0, "file for the result; else it goes to stdout"},
	{"--html", &run.o.html, NULL, 0, 0, "file for a report with plots"},
	{NULL, NULL, NULL, 0, 0, NULL},
};

/* ---- help ---- */

static bool is_flag(const struct option *row)
{
	return row->number && row->least == row->most;
}

static void rows_help(const struct option *row)
{
	for (; row && row->name; row++) {
		printf("  %-16s%s", row->name, row->help);
		if (row->number && *row->number >= 0 && !is_flag(row))
			printf(" (%lld)", (long long)*row->number);
		else if (row->text && *row->text)
			printf(" (%s)", *row->text);
		printf("\n");
	}
}

static void help(void)
{
	printf("portal-load SCENARIO --url URL --bot-key KEY [option …]\n"
	       "portal-load report RESULT.json FILE.html\n"
	       "portal-load compare RESULT.json RESULT.json [FILE.html]\n\n");
	for (size_t i = 0; i < SCENARIOS; i++)
		printf("  %-16s%s (--clients %lld --rate %lld)\n", scenarios[i]->name,
			scenarios[i]->help, (long long)scenarios[i]->clients,
			(long long)scenarios[i]->rate);
	printf("  %-16s%s\n\n", MIX, MIX_HELP);
	printf("  %-16s%s\n", "--url",
		"http[s]://host[:port] of a deployment; more than one: clients spread");
	rows_help(common);
	rows_help(watch_options);
	for (size_t i = 0; i < SCENARIOS; i++)
		if (scenarios[i]->options) {
			printf("\n%s:\n", scenarios[i]->name);
			rows_help(scenarios[i]->options);
		}
	printf("\nOn the server, limits that a load run would only measure are turned off:\n"
	       "  RATE_LIMIT_LOGIN=0 RATE_LIMIT_AUTH=0 RATE_LIMIT_PUBLIC=0 RATE_LIMIT_BOT=0\n"
	       "  RATE_LIMIT_HANDSHAKE=0 RATE_LIMIT_EVENTS=0 MESSAGE_RATE=0 MESSAGE_RATE_CHAT=0\n");
}

/* ---- who takes part ---- */

static const struct scenario *scenario_find(struct str name)
{
	for (size_t i = 0; i < SCENARIOS; i++)
		if (str_eq(name, str_of(scenarios[i]->name)))
			return scenarios[i];
	return NULL;
}

static void part_add(const struct scenario *s, int64_t clients, int64_t rate)
{
	if (run.part_count == RUN_PARTS_MAX)
		run_fail("at most %d scenarios at once", RUN_PARTS_MAX);
	for (size_t i = 0; i < run.part_count; i++)
		if (run.parts[i].scenario == s)
			run_fail("%s once", s->name);
	run.people_count += (size_t)clients;
	run.parts[run.part_count++] =
		(struct part){.scenario = s, .share = {.clients = (size_t)clients, .rate = rate}};
}

static const struct scenario *weight_read(struct str pair, int64_t *weight)
{
	struct str rest = pair;
	const struct scenario *s = scenario_find(str_cut(&rest, '='));

	if (!s || !rest.p || !str_to_i64(rest, weight) || *weight < 1 || *weight > 1000000)
		run_fail("--weights: SCENARIO=NUMBER with commas between them, not " STR_FMT,
			STR_ARG(pair));
	return s;
}

/* Nobody gets nothing: a share is at least 1. */
static int64_t share_of(int64_t all, int64_t weight, int64_t weights)
{
	int64_t n = all * weight / weights;

	return n > 0 || all == 0 ? n : 1;
}

static void mix_make(int64_t clients, int64_t rate)
{
	int64_t weight, weights = 0;
	struct str rest = str_of(run.o.weights);

	while (rest.p) {
		weight_read(str_cut(&rest, ','), &weight);
		weights += weight;
	}
	for (rest = str_of(run.o.weights); rest.p;) {
		const struct scenario *s = weight_read(str_cut(&rest, ','), &weight);

		part_add(s, share_of(clients, weight, weights), share_of(rate, weight, weights));
	}
}

static void parts_make(const struct scenario *s)
{
	run.name = s ? s->name : MIX;
	if (run.o.clients < 0)
		run.o.clients = s ? s->clients : MIX_CLIENTS;
	if (run.o.rate < 0)
		run.o.rate = s ? s->rate : MIX_RATE;
	if (s)
		part_add(s, run.o.clients, run.o.rate);
	else
		mix_make(run.o.clients, run.o.rate);
}

/* ---- reading ---- */

static const struct option *row_find(const struct option *row, const char *name)
{
	for (; row && row->name; row++)
		if (strcmp(row->name, name) == 0)
			return row;
	return NULL;
}

static const struct option *option_find(const char *name)
{
	const struct option *row = row_find(common, name);

	if (!row)
		row = row_find(watch_options, name);
	for (size_t i = 0; !row && i < SCENARIOS; i++)
		row = row_find(scenarios[i]->options, name);
	if (!row)
		run_fail("%s is no option; --help lists them", name);
	return row;
}

static void option_set(const struct option *row, const char *value)
{
	if (is_flag(row))
		*row->number = row->most;
	else if (row->text)
		*row->text = value;
	else if (!str_to_i64(str_of(value), row->number) || *row->number < row->least ||
		 *row->number > row->most)
		run_fail("%s is a number from %lld to %lld", row->name, (long long)row->least,
			(long long)row->most);
}

void options_read(int argc, char **argv)
{
	const struct scenario *s;

	if (argc < 2 || strcmp(argv[1], "--help") == 0) {
		help();
		exit(argc < 2 ? 2 : 0);
	}
	s = scenario_find(str_of(argv[1]));
	if (!s && strcmp(argv[1], MIX) != 0)
		run_fail("%s is no scenario; --help lists them", argv[1]);
	for (int i = 2; i < argc; i++) {
		bool is_url = strcmp(argv[i], "--url") == 0;
		const struct option *row = is_url ? NULL : option_find(argv[i]);
		const char *value = row && is_flag(row) ? "" : argv[++i];

		if (!value)
			run_fail("%s wants a value", argv[i - 1]);
		if (!is_url)
			option_set(row, value);
		else if (run.o.url_count < RUN_URLS_MAX)
			run.o.urls[run.o.url_count++] = value;
		else
			run_fail("at most %d servers", RUN_URLS_MAX);
	}
	if (run.o.url_count == 0 || !run.o.bot_key)
		run_fail("--url and --bot-key are needed; --help says more");
	parts_make(s);
}

/* ---- telling ---- */

static void rows_write(const struct option *row, struct json_out *j)
{
	for (; row && row->name; row++) {
		if (row->text == &run.o.bot_key)
			continue;
		json_key(j, row->name + 2);
		if (row->number)
			json_i64(j, *row->number);
		else
			json_str(j, *row->text ? str_of(*row->text) : STR_NULL);
	}
}

void options_write(struct json_out *j)
{
	rows_write(common, j);
	for (size_t i = 0; i < run.part_count; i++)
		rows_write(run.parts[i].scenario->options, j);
}
