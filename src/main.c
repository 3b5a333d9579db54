/* portald: start-up and shutdown, in order.
 *
 *   main -> settings -> log, secrets -> loop -> routes -> stores -> listener -> … until a signal
 *   SIGHUP: read certificate and key again, with TLS
 *   SIGTERM, SIGINT: stop accepting, let requests end (DRAIN_TIMEOUT), close; again: quit at once
 *
 * Serves from the first moment (/livez); /readyz tells when the stores are there too.
 * Exit codes: 0 stopped, 1 it could not start, 2 called wrongly, 70 handles were left at the end.
 * To add a part with a start and an end: a line in start and one in finish. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "api/event.h"
#include "api/router.h"
#include "api/server.h"
#include "api/socket.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/log.h"
#include "base/roff.h"
#include "base/secret.h"
#include "gen/schema.h"
#include "gen/version.h"
#include "io/conn.h"
#include "io/pg.h"
#include "io/redis.h"
#include "io/tls.h"
#include "store/key.h"
#include "store/match.h"
#include "store/session.h"
#include "store/wipe.h"

enum {
	EXIT_DONE = 0,
	EXIT_START = 1,
	EXIT_CALLED_WRONGLY = 2,
	EXIT_LEFTOVERS = 70
};

#define DRAIN_TICK_MS     10
#define RECONCILE_WAIT_MS 300 /* for PostgreSQL, when Redis is there first */

static struct listener *listener;
static struct turn_hook log_hook;
static struct {
	struct timer tick;
	int64_t until; /* clock_ms; 0: not stopping */
} drain;

/* ---- after each (re)connect to Redis: what ended meanwhile ---- */

struct reconcile {
	int64_t until;
};
static struct task *reconciling;
static enum err reconciled;

static void reconcile_failed(struct task *t, const struct fault *f)
{
	reconciled = f->err;
	task_end(t);
}

/* A task of a connection that is lost already has no say. */
static void reconcile_ended(struct task *t)
{
	if (t != reconciling)
		return;
	reconciling = NULL;
	redis_ready_done(reconciled);
}

static void reconcile_done(struct task *t)
{
	reconciled = OK;
	task_end(t);
}

static void reconcile_begin(struct task *t)
{
	struct reconcile *r = task_frame(t);

	if (r->until == 0)
		r->until = clock_ms() + RECONCILE_WAIT_MS;
	if (!pg_is_up() && clock_ms() < r->until)
		task_sleep(t, DRAIN_TICK_MS, reconcile_begin);
	else
		session_reconcile(t, reconcile_done);
}

static struct task *redis_readying(void)
{
	static const struct task_ops ops = {reconcile_failed, reconcile_ended};
	struct task *old = reconciling;

	reconciling = NULL;
	if (old)
		task_end(old);
	reconciled = ERR_UNAVAILABLE;
	reconciling = task_new("reconcile", &ops, NULL, sizeof(struct reconcile), reconcile_begin);
	return reconciling;
}

/* ---- stopping ---- */

static void finish(void)
{
	timer_clear(&drain.tick);
	wipe_stop();
	match_stop();
	key_stop();
	presence_stop();
	task_end_all();
	bus_stop();
	redis_stop();
	pg_stop();
	loop_stop();
}

static void drain_tick(struct timer *t)
{
	if ((http_drained() && !task_any_client() && presence_settled()) ||
		clock_ms() >= drain.until)
		finish();
	else
		timer_set(t, DRAIN_TICK_MS);
}

static void on_stop(int signum)
{
	if (drain.until != 0) {
		log_flush_all();
		_exit(128 + signum);
	}
	log_line(LOG_INFO, "stopping");
	phase_set(PHASE_DRAINING);
	listener_close(listener);
	sockets_drain();
	http_drain();
	drain.until = clock_ms() + config.drain_timeout * 1000;
	timer_init(&drain.tick, drain_tick);
	timer_set(&drain.tick, 1);
}

/* ---- TLS ---- */

static void on_reload(int signum)
{
	char why[TLS_WHY];

	(void)signum;
	if (config.tls_cert.n == 0)
		log_line(LOG_INFO, "there is no certificate to read again");
	else if (tls_reload(why) != OK)
		log_line(LOG_ERROR, "the certificate in use stays", LOG_Z("reason", why));
}

/* ---- starting ---- */

static _Noreturn void refuse(struct str why)
{
	fprintf(stderr, "portald: " STR_FMT "\n", STR_ARG(why));
	exit(EXIT_START);
}

static void log_turn(struct turn_hook *h)
{
	(void)h;
	log_flush();
}

static void log_begin(void)
{
	static const char *const levels[] = {"debug", "info", "warn", "error"};
	enum log_format format = LOG_AUTO;
	int level = LOG_DEBUG;

	while (level < LOG_ERROR && !str_eq(config.log_level, str_of(levels[level])))
		level++;
	if (!str_eq(config.log_format, STR("auto")))
		format = str_eq(config.log_format, STR("json")) ? LOG_JSON : LOG_TEXT;
	log_setup((enum log_level)level, format);
}

static void stores_begin(void)
{
	struct str why = STR_NULL;
	struct pg_setup pg = {
		config.database_url, (int)config.pg_connections, config.store_timeout};
	struct redis_setup redis = {config.redis_url, redis_scripts, SCRIPT_COUNT,
		config.store_timeout, redis_readying};

	if (pg_start(&pg, &why) != OK || redis_start(&redis, &why) != OK || bus_begin(&why) != OK)
		refuse(why);
}

static void tls_begin(void)
{
	char why[TLS_WHY];

	if (tls_setup(config.tls_cert, config.tls_key, why) != OK)
		refuse(str_of(why));
}

static void listener_begin(void)
{
	char why[200];

	if (config.tls_cert.n > 0)
		tls_begin();
	http_serve(&request_handler);
	if (listener_open(&listener, config.listen, &http_conn_ops, why) != OK)
		refuse(str_of(why));
	if (config.tls_cert.n > 0)
		listener_secure(listener);
	log_line(LOG_INFO, "listening", LOG_S("address", config.listen),
		LOG_I("port", listener_port(listener)), LOG_Z("version", PORTAL_VERSION));
}

static void start(void)
{
	log_begin();
	if (secret_setup(config.secret_key) != OK)
		refuse(STR("SECRET_KEY cannot be used"));
	loop_init();
	turn_hook_add(&log_hook, HOOK_LATE, log_turn);
	conn_setup(config.max_connections);
	router_build(routes, route_count);
	gate_setup();
	sockets_setup();
	listener_begin();
	presence_setup();
	stores_begin();
	wipe_start();
	match_start();
	operations_setup();
	loop_on_signal(SIGTERM, on_stop);
	loop_on_signal(SIGINT, on_stop);
	loop_on_signal(SIGHUP, on_reload);
}

static int end(void)
{
	bool clean;

	sockets_teardown();
	presence_teardown();
	conn_teardown();
	tls_teardown();
	clean = loop_close();
	request_pool_drain();
	operations_teardown();
	gate_teardown();
	router_free();
	log_line(clean ? LOG_INFO : LOG_ERROR, clean ? "stopped" : "stopped with handles left");
	log_flush_all();
	config_free();
	arena_drain();
	return clean ? EXIT_DONE : EXIT_LEFTOVERS;
}

/* ---- the command line ---- */

static const char *environment(const char *name)
{
	return getenv(name);
}

static void config_begin(void)
{
	struct buf why = {NULL, 0, 0};

	if (config_load(environment, &why) != OK)
		refuse(buf_view(&why));
	buf_free(&why);
}

static void print_config(struct buf *out)
{
	config_begin();
	config_print(out);
}

static void print_version(struct buf *out)
{
	buf_lit(out, "portald " PORTAL_VERSION " (" PORTAL_COMMIT ")\n");
}

static void print_help(struct buf *out);
static void print_man(struct buf *out);

static const struct {
	const char *name;
	void (*print)(struct buf *out);
	const char *help;
} options[] = {
	{"--print-config", print_config, "the settings as they are, secrets masked"},
	{"--print-settings", config_print_markdown, "docs/settings.md"},
	{"--print-api", docs_write_markdown, "docs/api.md"},
	{"--print-openapi", openapi_write, "the interface as OpenAPI 3.1"},
	{"--print-events", events_write_markdown, "docs/events.md"},
	{"--print-asyncapi", events_write_asyncapi, "the socket events as AsyncAPI 3.0"},
	{"--man", print_man, "the manual page, as man(1) reads it"},
	{"--version", print_version, "what this is"},
	{"--help", print_help, "this text"},
};
static const struct {
	const char *code, *meaning;
} exits[] = {
	{"0", "stopped, or printed"},
	{"1", "it could not start; a sentence on stderr says why"},
	{"2", "called wrongly"},
	{"70", "it stopped, but something was left behind: a bug"},
};
#define OPTIONS (sizeof(options) / sizeof(*options))

static void print_help(struct buf *out)
{
	buf_lit(out,
		"portald: the Portal server. Settings come from the environment and from the file "
		"named by\nPORTAL_CONFIG.\n\nWithout an option it serves. Options print and "
		"exit:\n");
	for (size_t i = 0; i < OPTIONS; i++)
		buf_printf(out, "  %-18s %s\n", options[i].name, options[i].help);
}

static void print_man(struct buf *out)
{
	roff_page(out, "portald", 8, PORTAL_VERSION, "the Portal chat server");
	roff_section(out, "SYNOPSIS");
	roff_text(out, STR("portald [OPTION]"));
	roff_section(out, "DESCRIPTION");
	roff_text(out, STR("Serves Portal's HTTP interface and its sockets on one port, with what "
			   "PostgreSQL and Redis hold. Several processes may share both stores. "
			   "SIGTERM and SIGINT stop it: running requests end first. SIGHUP has it "
			   "read TLS_CERT and TLS_KEY again."));
	roff_section(out, "OPTIONS");
	roff_text(out, STR("Without an option it serves. Options print and exit."));
	for (size_t i = 0; i < OPTIONS; i++) {
		roff_item(out, str_of(options[i].name));
		roff_line(out, str_of(options[i].help));
	}
	roff_section(out, "ENVIRONMENT");
	roff_text(
		out, STR("Settings come from the environment and from the file of KEY=value lines "
			 "that PORTAL_CONFIG names; the environment wins."));
	config_print_man(out);
	roff_section(out, "EXIT STATUS");
	for (size_t i = 0; i < sizeof(exits) / sizeof(*exits); i++) {
		roff_item(out, str_of(exits[i].code));
		roff_line(out, str_of(exits[i].meaning));
	}
	roff_section(out, "SEE ALSO");
	roff_text(out, STR("portalctl(1)"));
}

static int print_option(const char *name)
{
	struct buf out = {NULL, 0, 0};

	for (size_t i = 0; i < OPTIONS; i++) {
		if (strcmp(options[i].name, name) != 0)
			continue;
		options[i].print(&out);
		fwrite(out.p, 1, out.n, stdout);
		buf_free(&out);
		config_free();
		return fflush(stdout) == 0 ? EXIT_DONE : EXIT_START;
	}
	fprintf(stderr, "portald: \"%s\" is not known; portald --help\n", name);
	return EXIT_CALLED_WRONGLY;
}

int main(int argc, char **argv)
{
	if (argc > 1)
		return print_option(argv[1]);
	config_begin();
	start();
	loop_run();
	return end();
}
