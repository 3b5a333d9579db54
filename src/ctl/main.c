/* portalctl's start: words to a command, settings, stores up, the command's task, the result out.
 *
 *   main -> parse -> loop -> (stores are up) -> begin … -> ctl_done -> print
 *
 * Exit codes: 0 done, 1 the command failed, 2 it was called wrongly, 3 a store does not answer. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/config.h"
#include "base/log.h"
#include "base/secret.h"
#include "ctl/ctl.h"
#include "gen/schema.h"
#include "gen/version.h"
#include "io/pg.h"
#include "io/redis.h"
#include "store/session.h"

enum {
	EXIT_DONE,
	EXIT_FAILED,
	EXIT_USAGE,
	EXIT_STORES
};
#define STORES_WAIT_MS 3000
#define WANTED_WAIT_MS 1000
#define COMMAND_MS     600000

static struct {
	const struct ctl_command *command;
	struct str values[CTL_OPTIONS];
	bool json, yes;
	int exit_code;
	struct buf out;
	struct json_out writer;
	struct timer wait;
	int64_t wait_until;
} ctl;

/* ---- the words ---- */

static const char *const level_names[] = {"user", "moderator", "admin", "owner"};
static const char *const subscription_names[] = {"basic", "trial", "premium", "lifetime"};

const char *ctl_level_name(int level)
{
	return level >= 0 && level < 4 ? level_names[level] : "?";
}

const char *ctl_subscription_name(int level)
{
	return level >= 0 && level < 4 ? subscription_names[level] : "?";
}

static int option_index(const char *name)
{
	for (int i = 0; i < CTL_OPTIONS && ctl.command->options[i].name; i++)
		if (strcmp(ctl.command->options[i].name, name) == 0)
			return i;
	return -1;
}

bool ctl_has(const char *name)
{
	return ctl_str(name).p != NULL;
}

struct str ctl_str(const char *name)
{
	int i = option_index(name);

	ASSERT(i >= 0);
	return ctl.values[i];
}

static int name_index(const char *const *names, struct str s)
{
	for (int i = 0; i < 4; i++)
		if (str_eq(str_of(names[i]), s))
			return i;
	return -1;
}

int64_t ctl_int(const char *name, int64_t absent)
{
	int i = option_index(name);
	int64_t v = absent;

	ASSERT(i >= 0);
	if (!ctl.values[i].p)
		return absent;
	if (ctl.command->options[i].type == OPTION_LEVEL)
		return name_index(level_names, ctl.values[i]);
	if (ctl.command->options[i].type == OPTION_SUBSCRIPTION)
		return name_index(subscription_names, ctl.values[i]);
	ASSERT(str_to_i64(ctl.values[i], &v)); /* looked at by parse_value */
	return v;
}

static _Noreturn void usage_error(const char *fmt, const char *what)
{
	fprintf(stderr, "portalctl: ");
	fprintf(stderr, fmt, what);
	fprintf(stderr, "; portalctl --help lists the commands\n");
	exit(EXIT_USAGE);
}

static void help_command(const struct ctl_command *c, bool options)
{
	printf("  portalctl %s", c->name);
	for (int i = 0; i < CTL_OPTIONS && c->options[i].name; i++) {
		const struct ctl_option *o = &c->options[i];
		bool word = o->name[0] != '-';

		printf(o->required ? " %s%s" : " [%s%s]", o->name,
			word || o->type == OPTION_FLAG ? "" : " …");
	}
	printf("\n      %s\n", c->help);
	for (int i = 0; options && i < CTL_OPTIONS && c->options[i].name; i++)
		printf("      %-14s %s\n", c->options[i].name, c->options[i].help);
}

static void help(const struct ctl_command *only)
{
	printf("portalctl %s: operates Portal through its stores (DATABASE_URL, REDIS_URL)\n\n",
		PORTAL_VERSION);
	for (size_t i = 0; i < ctl_command_count; i++)
		if (!only || only == &ctl_commands[i])
			help_command(&ctl_commands[i], only != NULL);
	printf("\n  --json   print JSON\n  --yes    do not ask before something destructive\n"
	       "  --help   this, or one command's options\n");
}

/* The command whose one or two words stand at the front; *used of argv were its name. */
static const struct ctl_command *find_command(int argc, char **argv, int *used)
{
	for (size_t i = 0; argc > 0 && i < ctl_command_count; i++) {
		struct str second = str_of(ctl_commands[i].name);
		struct str first = str_cut(&second, ' ');

		*used = second.p ? 2 : 1;
		if (str_eq(first, str_of(argv[0])) &&
			(!second.p || (argc > 1 && str_eq(second, str_of(argv[1])))))
			return &ctl_commands[i];
	}
	return NULL;
}

static void parse_value(int i, const char *text)
{
	const struct ctl_option *o = &ctl.command->options[i];
	int64_t v;

	ctl.values[i] = str_of(text);
	if (o->type == OPTION_INT && (!str_to_i64(ctl.values[i], &v) || v < 1))
		usage_error("%s must be a positive number", o->name);
	if (o->type == OPTION_LEVEL && name_index(level_names, ctl.values[i]) < 0)
		usage_error("%s must be user, moderator, admin or owner", o->name);
	if (o->type == OPTION_SUBSCRIPTION && name_index(subscription_names, ctl.values[i]) < 1)
		usage_error("%s must be trial, premium or lifetime", o->name);
}

static int next_word(void)
{
	for (int i = 0; i < CTL_OPTIONS && ctl.command->options[i].name; i++)
		if (ctl.command->options[i].name[0] != '-' && !ctl.values[i].p)
			return i;
	return -1;
}

static void parse_options(int argc, char **argv)
{
	for (int n = 0; n < argc; n++) {
		int i = argv[n][0] == '-' ? option_index(argv[n]) : next_word();

		if (i < 0)
			usage_error("\"%s\" is not known here", argv[n]);
		if (argv[n][0] != '-')
			parse_value(i, argv[n]);
		else if (ctl.command->options[i].type == OPTION_FLAG)
			ctl.values[i] = STR("true");
		else if (++n < argc)
			parse_value(i, argv[n]);
		else
			usage_error("%s needs a value", argv[n - 1]);
	}
	for (int i = 0; i < CTL_OPTIONS && ctl.command->options[i].name; i++)
		if (ctl.command->options[i].required && !ctl.values[i].p)
			usage_error("%s is required", ctl.command->options[i].name);
}

/* Takes the options that every command has out of argv; returns what is left of argc. */
static int parse_common(int argc, char **argv, bool *wants_help)
{
	int left = 0;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--json") == 0)
			ctl.json = true;
		else if (strcmp(argv[i], "--yes") == 0)
			ctl.yes = true;
		else if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
			*wants_help = true;
		else
			argv[left++] = argv[i];
	}
	return left;
}

static void parse(int argc, char **argv)
{
	bool wants_help = false;
	int used = 0, left = parse_common(argc, argv, &wants_help);

	if (left == 1 && strcmp(argv[0], "--version") == 0) {
		printf("portalctl %s (%s)\n", PORTAL_VERSION, PORTAL_COMMIT);
		exit(EXIT_DONE);
	}
	ctl.command = find_command(left, argv, &used);
	if (wants_help || left == 0) {
		help(ctl.command);
		exit(wants_help ? EXIT_DONE : EXIT_USAGE);
	}
	if (!ctl.command)
		usage_error("there is no command \"%s\"", argv[0]);
	parse_options(left - used, argv + used);
}

static void confirm(void)
{
	char answer[8];

	if (!ctl.command->destructive || ctl.yes || ctl.json)
		return;
	if (!isatty(STDIN_FILENO))
		usage_error("%s needs --yes when nobody can be asked", ctl.command->name);
	fprintf(stderr, "%s: are you sure? [y/N] ", ctl.command->name);
	if (!fgets(answer, sizeof(answer), stdin) || (answer[0] != 'y' && answer[0] != 'Y'))
		exit(EXIT_FAILED);
}

/* ---- results ---- */

struct json_out *ctl_json(void)
{
	return &ctl.writer;
}

void ctl_done(struct task *t)
{
	task_end(t);
}

void ctl_fail(struct task *t, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	fprintf(stderr, "portalctl: ");
	vfprintf(stderr, fmt, args);
	fprintf(stderr, "\n");
	va_end(args);
	ctl.exit_code = EXIT_FAILED;
	task_end(t);
}

void ctl_say(const char *fmt, ...)
{
	va_list args;

	if (ctl.json)
		return;
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	fprintf(stderr, "\n");
	va_end(args);
}

bool ctl_is_json(void)
{
	return ctl.json;
}

void ctl_print_line(struct str line)
{
	printf(STR_FMT "\n", STR_ARG(line));
	fflush(stdout);
}

static void command_failed(struct task *t, const struct fault *f)
{
	if (f->err == ERR_UNAVAILABLE)
		ctl.exit_code = EXIT_STORES;
	else
		ctl.exit_code = EXIT_FAILED;
	if (f->sentence.p)
		fprintf(stderr, "portalctl: " STR_FMT "\n", STR_ARG(f->sentence));
	else if (f->err == ERR_UNAVAILABLE)
		fprintf(stderr,
			"portalctl: a store does not answer; portalctl doctor tells which\n");
	else
		fprintf(stderr, "portalctl: %s\n", err_sentence(f->err));
	task_end(t);
}

static void stop_stores(void)
{
	timer_clear(&ctl.wait);
	redis_stop();
	pg_stop();
	loop_stop();
}

static void command_ended(struct task *t)
{
	(void)t;
	stop_stores();
}

static const struct task_ops command_ops = {command_failed, command_ended};

/* ---- stores ---- */

static const char *store_missing(void)
{
	if ((ctl.command->needs & NEEDS_PG) && !pg_is_up())
		return "PostgreSQL (DATABASE_URL)";
	if ((ctl.command->needs & NEEDS_REDIS) && !redis_is_up())
		return "Redis (REDIS_URL)";
	if ((ctl.command->needs & WANTS_REDIS) && !redis_is_up() &&
		clock_ms() < ctl.wait_until - STORES_WAIT_MS + WANTED_WAIT_MS)
		return "Redis";
	return NULL;
}

static void wait_tick(struct timer *timer)
{
	const char *missing = store_missing();
	struct task *t;

	if (missing && clock_ms() < ctl.wait_until) {
		timer_set(timer, 10);
		return;
	}
	if (missing) {
		fprintf(stderr, "portalctl: %s does not answer; is it running?\n", missing);
		ctl.exit_code = EXIT_STORES;
		stop_stores();
		return;
	}
	t = task_new(ctl.command->name, &command_ops, NULL, 0, ctl.command->begin);
	task_deadline(t, COMMAND_MS);
}

static void start_stores(void)
{
	struct str why = STR_NULL;
	struct pg_setup pg = {config.database_url, 1, config.store_timeout};
	struct redis_setup redis = {
		config.redis_url, redis_scripts, SCRIPT_COUNT, config.store_timeout, NULL};

	if (pg_start(&pg, &why) != OK || redis_start(&redis, &why) != OK) {
		fprintf(stderr, "portalctl: " STR_FMT "\n", STR_ARG(why));
		exit(EXIT_USAGE);
	}
	ctl.wait_until = clock_ms() + STORES_WAIT_MS;
	timer_init(&ctl.wait, wait_tick);
	timer_set(&ctl.wait, 1);
}

static void interrupted(int signum)
{
	(void)signum;
	task_end_all();
}

static const char *environment(const char *name)
{
	return getenv(name);
}

int main(int argc, char **argv)
{
	struct buf why = {0};
	bool closed;

	parse(argc, argv);
	confirm();
	if (config_load(environment, &why) != OK) {
		fprintf(stderr, "portalctl: " STR_FMT "\n", STR_ARG(buf_view(&why)));
		return EXIT_USAGE;
	}
	log_setup(LOG_ERROR, LOG_TEXT);
	if (secret_setup(config.secret_key) != OK)
		usage_error("%s cannot be used", "SECRET_KEY");
	json_out_init(&ctl.writer, &ctl.out);
	loop_init();
	loop_on_signal(2, interrupted);
	loop_on_signal(15, interrupted);
	start_stores();
	loop_run();
	closed = loop_close();
	log_flush_all();
	if (ctl.exit_code == EXIT_DONE)
		ctl_print(buf_view(&ctl.out), ctl.json);
	buf_free(&ctl.out);
	buf_free(&why);
	config_free();
	arena_drain();
	return closed ? ctl.exit_code : EXIT_FAILED;
}
