/* See stores.h. The loop, the stores and the database live from stores_begin to stores_end. */
#include "stores.h"

#include "base/clock.h"
#include "base/config.h"
#include "base/secret.h"
#include "gen/schema.h"
#include "store/migration.h"
#include "store/session.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATIENCE_MS 20000

static char admin_url[2048], own_url[2048], redis_url[1024], database[64];
static char answer[8192];

/* ---- jobs ---- */

static void job_failed(struct task *t, const struct fault *f)
{
	struct job *j = task_subject(t);

	j->fault = *f;
	j->fault.sentence = j->fault.reason = STR_NULL; /* they end with the task */
	task_end(t);
}

static const struct task_ops job_ops = {.failed = job_failed};

void job_done(struct task *t)
{
	task_end(t);
}

void job_start(struct job *j)
{
	j->fault = (struct fault){0};
	task_deadline(task_new("job", &job_ops, j, 0, j->begin), PATIENCE_MS);
}

static struct {
	struct timer timer;
	bool (*is_so)(void);
	int64_t give_up;
} until;

static void until_look(struct timer *t)
{
	if (until.is_so())
		loop_stop();
	else if (clock_ms() > until.give_up)
		PANIC("waited in vain");
	else
		timer_set(t, 1);
}

static void run_until(bool (*is_so)(void))
{
	until.is_so = is_so;
	until.give_up = clock_ms() + PATIENCE_MS;
	timer_init(&until.timer, until_look);
	timer_set(&until.timer, 0);
	loop_run();
}

static bool no_task(void)
{
	return task_stats().alive == 0;
}

void jobs_run(void)
{
	run_until(no_task);
}

enum err job_run(struct job *j)
{
	job_start(j);
	jobs_run();
	return j->fault.err;
}

/* ---- by hand ---- */

struct by_hand {
	struct job job;
	char text[2048];
	bool nil;
};

static enum err by_hand_decode(struct task *t, const struct redis_value *v, void *out)
{
	struct by_hand *h = out;
	struct str s = redis_str(v);

	(void)t;
	h->nil = redis_is_nil(v);
	if (s.p)
		snprintf(answer, sizeof(answer), STR_FMT, STR_ARG(s));
	else
		snprintf(answer, sizeof(answer), "%lld", (long long)redis_i64(v));
	return OK;
}

static void redis_by_hand(struct task *t)
{
	struct by_hand *h = task_subject(t);
	struct str rest = str_of(h->text);
	struct redis_args a = {0};

	while (rest.p)
		redis_arg(&a, str_cut(&rest, ' '));
	redis_call(t, OP_WRITE, &a, by_hand_decode, h, job_done);
}

const char *redis_do(const char *fmt, ...)
{
	struct by_hand h = {.job.begin = redis_by_hand};
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(h.text, sizeof(h.text), fmt, ap);
	va_end(ap);
	if (job_run(&h.job))
		PANIC("redis: %s", h.text);
	return h.nil ? NULL : answer;
}

static void sql_by_hand(struct task *t)
{
	struct by_hand *h = task_subject(t);

	pg_script(t, str_of(h->text), job_done);
}

void sql_do(const char *fmt, ...)
{
	struct by_hand h = {.job.begin = sql_by_hand};
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(h.text, sizeof(h.text), fmt, ap);
	va_end(ap);
	if (job_run(&h.job))
		PANIC("sql: %s", h.text);
}

/* ---- away and back ---- */

static enum err reconcile_err;

static void reconcile_failed(struct task *t, const struct fault *f)
{
	reconcile_err = f->err;
	task_end(t);
}

static void reconcile_ended(struct task *t)
{
	(void)t;
	redis_ready_done(reconcile_err);
}

static void reconcile_begin(struct task *t)
{
	reconcile_err = OK;
	session_reconcile(t, job_done);
}

static struct task *reconcile(void)
{
	static const struct task_ops ops = {.failed = reconcile_failed, .ended = reconcile_ended};

	return task_new("reconcile", &ops, NULL, 0, reconcile_begin);
}

static bool redis_down(void)
{
	return !redis_is_up();
}

void redis_away(void)
{
	redis_stop();
	run_until(redis_down);
}

void redis_back(void)
{
	const struct redis_setup s = {.url = str_of(redis_url),
		.scripts = redis_scripts,
		.script_count = SCRIPT_COUNT,
		.timeout_ms = 5000,
		.on_ready = reconcile};
	struct str why;

	ASSERT(redis_start(&s, &why) == OK);
	run_until(redis_is_up);
	jobs_run();
}

static bool all_up(void)
{
	return pg_stats().up == 3;
}

static void pg_begin(const char *url)
{
	const struct pg_setup s = {.url = str_of(url), .connections = 3, .timeout_ms = 5000};
	struct str why;

	ASSERT(pg_start(&s, &why) == OK);
}

void pg_away(void)
{
	pg_stop();
	pg_begin("postgresql:///none?host=/nonexistent");
}

void pg_back(void)
{
	pg_stop();
	pg_begin(own_url);
	run_until(all_up);
}

/* ---- a group ---- */

static void migrate_next(struct task *t)
{
	const char **name = task_subject(t);

	if (*name)
		migration_apply(t, name, migrate_next);
	else
		task_end(t);
}

static void migrate_failed(struct task *t, const struct fault *f)
{
	PANIC("migration: " STR_FMT, STR_ARG(f->sentence));
	task_end(t);
}

static void migrate_begin(struct task *t)
{
	static struct migration_state seen;

	migration_look(t, &seen, migrate_next);
}

static void migrate(void)
{
	static const struct task_ops ops = {.failed = migrate_failed};
	const char *name = "";

	task_deadline(task_new("migrate", &ops, &name, 0, migrate_begin), PATIENCE_MS);
	jobs_run();
}

static const char *setting(const char *name)
{
	return strcmp(name, "PORTAL_CONFIG") == 0 ? NULL : getenv(name);
}

/* postgresql://…/NAME?…, with another name. */
static void own_database(const char *url)
{
	const char *path = strstr(url, "//"), *query;

	path = path ? strchr(path + 2, '/') : NULL;
	ASSERT(path);
	query = strchr(path, '?');
	snprintf(own_url, sizeof(own_url), "%.*s/%s%s", (int)(path - url), url, database,
		query ? query : "");
}

int stores_begin(void **state)
{
	const char *redis = getenv("REDIS_URL");
	struct buf why = {0};

	(void)state;
	if (config_load(setting, &why) != OK)
		PANIC(STR_FMT, STR_ARG(buf_view(&why)));
	buf_free(&why);
	ASSERT(secret_setup(STR("a key of the unit tests")) == OK);
	snprintf(admin_url, sizeof(admin_url), "%s", getenv("DATABASE_URL"));
	snprintf(database, sizeof(database), "unit_%d", (int)getpid());
	own_database(admin_url);
	snprintf(redis_url, sizeof(redis_url),
		strncmp(redis, "unix:", 5) == 0 ? "%s?db=15" : "%s/15", redis);

	loop_init();
	pg_begin(admin_url);
	run_until(all_up);
	sql_do("CREATE DATABASE %s", database);
	pg_back();
	migrate();
	redis_back();
	redis_do("FLUSHDB");
	return 0;
}

int stores_end(void **state)
{
	(void)state;
	redis_do("FLUSHDB");
	pg_stop();
	pg_begin(admin_url);
	run_until(all_up);
	sql_do("DROP DATABASE %s WITH (FORCE)", database);
	pg_stop();
	redis_stop();
	config_free();
	ASSERT(loop_close());
	return 0;
}

int64_t epoch_of(int64_t chat)
{
	return strtoll(redis_do("GET portal:chat:%lld:epoch", (long long)chat), NULL, 10);
}
