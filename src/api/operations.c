/* The operations pages: /health, /livez, /readyz, /metrics, /openapi.json, /docs, /v1/version; and
 * the watch that finds out when this process is ready.
 *
 *   /health, /v1/admin/health: both stores asked side by side, each with a short deadline ->
 * health_asked watch:   watch_begin (PostgreSQL up?) -> watch_seen (schema as expected? Redis up?)
 * -> serving Owns: the phase of the process, the pages made at start. To add a page: a row in
 * api/routes.c and its handler here. */
#include "api/aside.h"
#include "api/handlers.h"
#include "api/metrics.h"
#include "api/request.h"
#include "api/server.h"
#include "api/socket.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/log.h"
#include "gen/version.h"
#include "hub/http.h"
#include "io/conn.h"
#include "io/loop.h"
#include "io/pg.h"
#include "io/process.h"
#include "io/redis.h"
#include "store/migration.h"
#include "store/ping.h"

#include <stdio.h>

#define PING_MS    500 /* a store that answers nothing for longer is away */
#define SLOW_US    100000
#define WATCH_MS   20
#define REWATCH_MS 500
#define PULSE_MS   1000

static struct {
	enum phase phase;
	int64_t started_at; /* us */
	struct buf openapi, docs;
	struct timer pulse;
	bool told;                  /* that the schema is another */
	struct match_figures match; /* as Redis told them last */
} state;

void phase_set(enum phase p)
{
	state.phase = p;
	if (p == PHASE_DRAINING)
		timer_clear(&state.pulse);
}

/* ---- readiness ---- */

struct watch {
	bool current;
};

static void watch_begin(struct task *t);

static void watch_seen(struct task *t)
{
	struct watch *w = task_frame(t);
	bool known = task_err(t) == OK;

	if (known && !w->current && !state.told) {
		log_line(LOG_WARN,
			"the database has another schema than this program: portalctl migrate");
		state.told = true;
	}
	if (!known || !w->current) {
		task_sleep(t, REWATCH_MS, watch_begin);
		return;
	}
	if (!redis_is_up() || !bus_caught_up()) {
		task_sleep(t, WATCH_MS, watch_begin);
		return;
	}
	if (state.phase == PHASE_STARTING)
		state.phase = PHASE_SERVING;
	log_line(LOG_INFO, "ready", LOG_I("after_ms", (clock_us() - state.started_at) / 1000));
	task_end(t);
}

static void watch_begin(struct task *t)
{
	struct watch *w = task_frame(t);

	if (!pg_is_up() || !redis_is_up()) {
		task_sleep(t, WATCH_MS, watch_begin);
		return;
	}
	task_catch(t);
	migration_current(t, &w->current, watch_seen);
}

static void watch_failed(struct task *t, const struct fault *f)
{
	log_line(LOG_ERROR, "the watch ended", LOG_Z("code", err_code(f->err)));
	task_end(t);
}

/* ---- the pulse ---- */

/* A store that freezes while nobody asks for anything would not be noticed: so each is asked once a
 * second. An answer that does not come in STORE_TIMEOUT_MS closes the connection (io/), and /readyz
 * tells; of PostgreSQL, which has several, before they are all closed. */
static void pulse_end(struct task *t)
{
	task_end(t);
}

static void pulse_begin(struct task *t)
{
	task_catch(t);
	ping_database(t, pulse_end);
	ping_cache(t, pulse_end);
}

static void pulse_failed(struct task *t, const struct fault *f)
{
	(void)f;
	task_end(t);
}

static void pulse_due(struct timer *timer)
{
	static const struct task_ops ops = {pulse_failed, NULL};

	timer_set(timer, PULSE_MS);
	task_deadline(task_new("pulse", &ops, NULL, 0, pulse_begin), 0);
}

void operations_setup(void)
{
	static const struct task_ops ops = {watch_failed, NULL};

	state.started_at = clock_us();
	openapi_write(&state.openapi);
	docs_write_html(&state.docs);
	task_deadline(task_new("watch", &ops, NULL, sizeof(struct watch), watch_begin), 0);
	timer_init(&state.pulse, pulse_due);
	timer_set(&state.pulse, PULSE_MS);
}

void operations_teardown(void)
{
	buf_free(&state.openapi);
	buf_free(&state.docs);
}

int64_t process_started_at(void)
{
	return state.started_at;
}

static const char *readiness(void) /* NULL: ready */
{
	if (state.phase == PHASE_DRAINING)
		return "Stopping";
	if (!pg_is_up() || pg_stats().silent_ms > PULSE_MS + config.store_timeout)
		return "The database is away";
	if (!redis_is_up())
		return "The cache is away";
	if (!bus_caught_up())
		return "The bus is away";
	return state.phase == PHASE_STARTING ? "Starting" : NULL;
}

static void reply_status(struct task *t, const char *status)
{
	struct json_out *j = reply_json(t);

	json_obj(j);
	json_kstr(j, "status", str_of(status));
	json_end(j);
	reply_send(t);
}

void operations_livez(struct task *t)
{
	reply_status(t, "alive");
}

void operations_readyz(struct task *t)
{
	const char *why = readiness();

	if (why)
		task_fail_with(t, (struct fault){.err = ERR_UNAVAILABLE, .sentence = str_of(why)});
	else
		reply_status(t, "ready");
}

/* ---- health ---- */

struct health {
	struct aside *database, *cache;
	bool figures; /* of the process, for operators */
};

static void ask_database(struct task *beside)
{
	ping_database(beside, aside_done);
}

static void ask_cache(struct task *beside)
{
	ping_cache(beside, aside_done);
}

static void write_ms(struct json_out *j, const char *key, int64_t us)
{
	char text[32];

	snprintf(text, sizeof(text), "%.3f", (double)us / 1000);
	json_key(j, key);
	json_raw(j, str_of(text));
}

static void write_latency(struct json_out *j, const struct aside *a)
{
	if (a->err != OK)
		json_knull(j, "latency_ms");
	else
		write_ms(j, "latency_ms", a->took_us);
}

static void write_database(struct json_out *j, const struct aside *a)
{
	struct pg_stats s = pg_stats();

	json_key(j, "database_statistics");
	json_obj(j);
	json_ki64(j, "connections", s.connections);
	json_ki64(j, "connections_up", s.up);
	json_ki64(j, "queries", (int64_t)s.queries);
	json_ki64(j, "errors", (int64_t)s.errors);
	json_ki64(j, "reconnects", (int64_t)s.reconnects);
	json_ki64(j, "queue", (int64_t)s.in_flight);
	write_latency(j, a);
	json_end(j);
}

static void write_cache(struct json_out *j, const struct aside *a)
{
	struct redis_stats s = redis_stats();

	json_key(j, "cache_statistics");
	json_obj(j);
	json_ki64(j, "commands", (int64_t)s.commands);
	json_ki64(j, "errors", (int64_t)s.errors);
	json_ki64(j, "reconnects", (int64_t)s.reconnects);
	json_ki64(j, "queue", (int64_t)s.in_flight);
	write_latency(j, a);
	json_end(j);
}

enum state_of {
	HEALTHY,
	DEGRADED, /* slow, or busy: it answers others, but not this one in time */
	UNHEALTHY
};
static const char *const words[] = {"healthy", "degraded", "unhealthy"};

static enum state_of state_of(const struct aside *a, bool up, int64_t silent_ms)
{
	if (a->err != OK)
		return up && silent_ms < PING_MS ? DEGRADED : UNHEALTHY;
	return a->took_us > SLOW_US ? DEGRADED : HEALTHY;
}

static enum state_of database_state(const struct health *h)
{
	return state_of(h->database, pg_is_up(), pg_stats().silent_ms);
}

static enum state_of cache_state(const struct health *h)
{
	return state_of(h->cache, redis_is_up(), redis_stats().silent_ms);
}

static void write_errors(struct json_out *j, const struct health *h)
{
	struct pg_stats s = pg_stats();

	json_key(j, "errors");
	json_arr(j);
	if (database_state(h) == UNHEALTHY)
		json_z(j, "The database is away");
	else if (s.up < s.connections)
		json_z(j, "Some database connections are away");
	else if (database_state(h) == DEGRADED)
		json_z(j, "The database is slow");
	if (cache_state(h) == UNHEALTHY)
		json_z(j, "The cache is away");
	else if (!bus_caught_up())
		json_z(j, "The bus is away");
	else if (cache_state(h) == DEGRADED)
		json_z(j, "The cache is slow");
	if (state.phase == PHASE_STARTING)
		json_z(j, "Starting");
	if (state.phase == PHASE_DRAINING)
		json_z(j, "Stopping");
	json_end(j);
}

/* Nobody is served without either store; slow ones, lost connections and a start are less. */
static enum state_of health_state(const struct health *h)
{
	struct pg_stats s = pg_stats();
	enum state_of worst =
		database_state(h) > cache_state(h) ? database_state(h) : cache_state(h);

	if (worst == HEALTHY &&
		(s.up < s.connections || state.phase != PHASE_SERVING || !bus_caught_up()))
		return DEGRADED;
	return worst;
}

static void write_build(struct json_out *j)
{
	json_kstr(j, "version", STR(PORTAL_VERSION));
	json_kstr(j, "commit", STR(PORTAL_COMMIT));
	json_ktime(j, "started_at", state.started_at);
}

static void write_pool_and_queue(struct json_out *j)
{
	struct pg_stats p = pg_stats();
	struct live_stats l = live_stats();

	json_key(j, "pool");
	json_obj(j);
	json_ki64(j, "database", p.connections);
	json_ki64(j, "database_up", p.up);
	json_ki64(j, "clients", (int64_t)conn_stats().open);
	json_ki64(j, "sockets", (int64_t)eio_stats().open);
	json_ki64(j, "people", (int64_t)l.people);
	json_ki64(j, "rooms", (int64_t)l.rooms);
	json_end(j);
	json_key(j, "queue");
	json_obj(j);
	json_ki64(j, "requests", (int64_t)http_busy());
	json_ki64(j, "tasks", (int64_t)task_stats().alive);
	json_ki64(j, "database", (int64_t)p.in_flight);
	json_ki64(j, "cache", (int64_t)redis_stats().in_flight);
	json_end(j);
}

static void write_figures(struct json_out *j)
{
	struct process_figures f = process_figures();
	struct loop_stats l = loop_stats();

	write_pool_and_queue(j);
	json_key(j, "memory");
	json_obj(j);
	json_ki64(j, "resident_bytes", f.resident);
	json_ki64(j, "peak_bytes", f.peak);
	json_ki64(j, "heap_bytes", f.heap);
	json_key(j, "descriptors");
	if (f.descriptors < 0)
		json_null(j);
	else
		json_i64(j, f.descriptors);
	json_ki64(j, "max_descriptors", f.descriptors_max);
	json_end(j);
	json_key(j, "loop");
	json_obj(j);
	write_ms(j, "lag_ms", l.lag.last);
	write_ms(j, "lag_max_ms", l.lag.max);
	json_end(j);
}

static void health_asked(struct task *t)
{
	struct health *h = task_frame(t);
	enum state_of status = health_state(h);
	struct json_out *j = reply_json(t);

	json_obj(j);
	json_kstr(j, "status", str_of(words[status]));
	json_kstr(j, "database", str_of(words[database_state(h)]));
	json_kstr(j, "cache", str_of(words[cache_state(h)]));
	write_build(j);
	write_database(j, h->database);
	write_cache(j, h->cache);
	write_errors(j, h);
	if (h->figures)
		write_figures(j);
	json_end(j);
	reply_send_status(t, status == UNHEALTHY ? 503 : 200);
}

static void health_ask(struct task *t, bool figures)
{
	struct health *h = task_frame_make(t, sizeof(*h));

	h->figures = figures;
	h->database = aside_run(t, "ping database", PING_MS, ask_database, health_asked);
	h->cache = aside_run(t, "ping cache", PING_MS, ask_cache, health_asked);
}

void operations_health(struct task *t)
{
	health_ask(t, false);
}

void admin_health(struct task *t)
{
	health_ask(t, true);
}

void operations_version(struct task *t)
{
	struct json_out *j = reply_json(t);

	json_obj(j);
	write_build(j);
	json_end(j);
	reply_send(t);
}

/* ---- figures: begin -> figures_asked ---- */

static void ask_figures(struct task *beside)
{
	match_figures(beside, 0, 0, &state.match, aside_done);
}

static void figures_asked(struct task *t)
{
	const struct aside *a = *(struct aside **)task_frame(t);
	struct buf text = {NULL, 0, 0};

	metrics_write(&text, a->err == OK ? &state.match : NULL);
	reply_raw(t, 200, "text/plain; version=0.0.4; charset=utf-8", buf_view(&text));
	buf_free(&text);
}

void operations_metrics(struct task *t)
{
	struct aside **a = task_frame_make(t, sizeof(struct aside *));

	*a = aside_run(t, "figures of the matcher", PING_MS, ask_figures, figures_asked);
}

/* ---- ready-made pages ---- */

void operations_openapi(struct task *t)
{
	reply_raw(t, 200, "application/json; charset=utf-8", buf_view(&state.openapi));
}

void operations_docs(struct task *t)
{
	reply_raw(t, 200, "text/html; charset=utf-8", buf_view(&state.docs));
}
