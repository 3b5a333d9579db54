/* portalctl's start: settings, stores up, the command's task, the result out.
 *
 *   main -> ctl_words -> loop -> (stores are up) -> begin … -> ctl_done -> print
 *
 * To add a command: commands.c. */
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
#include "io/pg.h"
#include "io/redis.h"

#define STORES_WAIT_MS 3000
#define WANTED_WAIT_MS 1000
#define COMMAND_MS     600000
#define PROGRESS_MS    100

static struct {
	const struct ctl_command *command;
	int exit_code;
	struct buf out;
	struct json_out writer;
	struct timer wait;
	int64_t wait_until;
	int64_t progress_at; /* clock_ms of the line of progress; 0: there is none */
} ctl;

/* ---- results ---- */

struct json_out *ctl_json(void)
{
	return &ctl.writer;
}

/* Not more often than an eye can follow. */
void ctl_progress(const char *fmt, ...)
{
	int64_t now = clock_ns() / 1000000;
	va_list args;

	if (!isatty(STDERR_FILENO) || now < ctl.progress_at + PROGRESS_MS)
		return;
	ctl.progress_at = now;
	va_start(args, fmt);
	fprintf(stderr, "\r\033[K");
	vfprintf(stderr, fmt, args);
	va_end(args);
	fflush(stderr);
}

static void progress_end(void)
{
	if (ctl.progress_at != 0)
		fprintf(stderr, "\r\033[K");
	ctl.progress_at = 0;
}

void ctl_done(struct task *t)
{
	task_end(t);
}

void ctl_fail(struct task *t, const char *fmt, ...)
{
	va_list args;

	progress_end();
	va_start(args, fmt);
	fprintf(stderr, "portalctl: ");
	vfprintf(stderr, fmt, args);
	fprintf(stderr, "\n");
	va_end(args);
	ctl.exit_code = EXIT_FAILED;
	task_end(t);
}

bool ctl_length_ok(struct task *t, const char *name, size_t least, size_t most)
{
	struct str s = ctl_str(name);
	bool ok = !s.p || (utf8_valid(s) && utf8_length(s) >= least && utf8_length(s) <= most);

	if (!ok)
		ctl_fail(t, "%s must be %zu to %zu characters", name, least, most);
	return ok;
}

void ctl_say(const char *fmt, ...)
{
	va_list args;

	if (ctl_is_json())
		return;
	progress_end();
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	fprintf(stderr, "\n");
	va_end(args);
}

void ctl_print_line(struct str line)
{
	printf(STR_FMT "\n", STR_ARG(line));
	fflush(stdout);
}

static void command_failed(struct task *t, const struct fault *f)
{
	progress_end();
	if (f->err == ERR_UNAVAILABLE)
		ctl.exit_code = EXIT_STORES;
	else
		ctl.exit_code = EXIT_FAILED;
	if (f->sentence.p)
		fprintf(stderr, "portalctl: " STR_FMT "\n", STR_ARG(f->sentence));
	else if (f->err == ERR_UNAVAILABLE)
		fprintf(stderr,
			"portalctl: a store does not answer; portalctl doctor tells which\n");
	else if (f->err == ERR_INTERNAL)
		fprintf(stderr, "portalctl: a store refused it; portalctl doctor tells whether the "
				"schema is this version's\n");
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
	progress_end();
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

static void command_begin(void)
{
	struct task *t = task_new(ctl.command->name, &command_ops, NULL, 0, ctl.command->begin);

	task_deadline(t, COMMAND_MS);
}

static void wait_tick(struct timer *timer)
{
	const char *missing = store_missing();

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
	command_begin();
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
	timer_set(&ctl.wait, 1);
}

static void interrupted(int signum)
{
	(void)signum;
	if (!(ctl.command->needs & UNTIL_STOPPED)) {
		progress_end();
		fprintf(stderr, "portalctl: interrupted\n");
		ctl.exit_code = EXIT_FAILED;
	}
	task_end_all();
	stop_stores();
}

static const char *environment(const char *name)
{
	return getenv(name);
}

static void settings_begin(void)
{
	struct buf why = {0};

	if (config_load(environment, &why) != OK) {
		fprintf(stderr, "portalctl: " STR_FMT "\n", STR_ARG(buf_view(&why)));
		exit(EXIT_USAGE);
	}
	buf_free(&why);
	if (secret_setup(config.secret_key) != OK) {
		fprintf(stderr, "portalctl: SECRET_KEY cannot be used\n");
		exit(EXIT_USAGE);
	}
}

int main(int argc, char **argv)
{
	bool closed;

	ctl.command = ctl_words(argc, argv);
	log_setup(LOG_ERROR, LOG_TEXT);
	json_out_init(&ctl.writer, &ctl.out);
	if (!(ctl.command->needs & NO_SETTINGS))
		settings_begin();
	loop_init();
	timer_init(&ctl.wait, wait_tick);
	loop_on_signal(2, interrupted);
	loop_on_signal(15, interrupted);
	if (ctl.command->needs & NO_SETTINGS)
		command_begin();
	else
		start_stores();
	loop_run();
	closed = loop_close();
	log_flush_all();
	if (ctl.exit_code == EXIT_DONE)
		ctl_print(buf_view(&ctl.out), ctl_is_json());
	if (!ctl_printed())
		ctl.exit_code = EXIT_FAILED;
	buf_free(&ctl.out);
	config_free();
	arena_drain();
	return closed ? ctl.exit_code : EXIT_FAILED;
}
