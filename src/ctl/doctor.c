/* portalctl doctor: looks at settings, stores, clocks and limits; each finding says how to mend it.
 *
 *   ctl_doctor -> wait_stores (up to 3 s) -> pg_seen -> schema_seen -> redis_seen -> report
 *
 * To add a check: a find() in the function of its subject. */
#include <sys/resource.h>

#include "base/clock.h"
#include "base/config.h"
#include "ctl/ctl.h"
#include "io/pg.h"
#include "io/redis.h"
#include "store/inspect.h"
#include "store/migration.h"

#define WAIT_MS    3000
#define CLOCK_SLIP 1000000 /* us that clocks may differ */

struct doctor {
	int64_t until;
	struct pg_inspection pg;
	struct redis_inspection redis;
	bool schema_current;
	int failed;
};

enum verdict {
	FINE,
	WARNING,
	FAILURE
};

/* One row of the result; `mend` only when something is wrong. */
static void find(
	struct task *t, enum verdict v, const char *check, const char *found, const char *mend)
{
	static const char *const words[] = {"ok", "warning", "FAILED"};
	struct doctor *f = task_frame(t);
	struct json_out *j = ctl_json();

	f->failed += v == FAILURE;
	json_obj(j);
	json_key(j, "result");
	json_z(j, words[v]);
	json_key(j, "check");
	json_z(j, check);
	json_key(j, "found");
	json_z(j, found);
	json_key(j, "mend");
	json_z(j, v == FINE ? NULL : mend);
	json_end(j);
}

static void check_settings(struct task *t)
{
	find(t, FINE, "mode", config.local_mode ? "local" : "production", NULL);
	find(t, config.secret_key.n ? FINE : WARNING, "SECRET_KEY",
		config.secret_key.n ? "set" : "missing, a new one at each start",
		"set SECRET_KEY, or pending codes die at a restart");
	if (config.local_mode)
		return;
	find(t, config.secure_cookie ? FINE : WARNING, "cookie",
		config.secure_cookie ? "Secure, SameSite=None" : "sent over plain http",
		"unset COOKIE_SECURE unless people really use plain http");
	find(t, config.allowed_origins.count ? FINE : WARNING, "ALLOWED_ORIGINS",
		config.allowed_origins.count ? "set" : "empty",
		"name the front ends, or only pages of this server itself can call it");
	find(t, config.public_api_keys.count ? FINE : WARNING, "PUBLIC_API_KEYS",
		config.public_api_keys.count ? "set" : "empty, no key is demanded",
		"set a key for the front ends");
	find(t, config.trusted_proxies.count ? FINE : WARNING, "TRUSTED_PROXIES",
		config.proxies.count ? "set, X-Forwarded-For is read from them"
				     : "none, the peer is the client",
		"name the TLS proxy's address, or every client has the proxy's limits");
}

static void check_limits(struct task *t)
{
	struct rlimit files = {0};

	if (getrlimit(RLIMIT_NOFILE, &files) != 0)
		return;
	find(t, files.rlim_cur >= 4096 ? FINE : WARNING, "open files",
		arena_printf(task_arena(t), "%llu", (unsigned long long)files.rlim_cur).p,
		"raise the limit (ulimit -n, LimitNOFILE=): one for each connection");
}

static void check_clock(struct task *t, const char *check, int64_t theirs)
{
	int64_t slip = theirs - clock_us();
	bool fine = slip < CLOCK_SLIP && slip > -CLOCK_SLIP;

	find(t, fine ? FINE : FAILURE, check,
		arena_printf(task_arena(t), "%lld ms apart from here", (long long)(slip / 1000)).p,
		"set the clocks with NTP: codes and sessions end by them");
}

static void report(struct task *t)
{
	struct doctor *f = task_frame(t);

	json_end(ctl_json());
	if (f->failed == 0) {
		ctl_done(t);
		return;
	}
	ctl_print(buf_view(ctl_json()->b), ctl_is_json());
	ctl_fail(t, "%d checks failed", f->failed);
}

static void redis_seen(struct task *t)
{
	struct doctor *f = task_frame(t);
	const struct redis_inspection *r = &f->redis;

	if (task_err(t) != OK) {
		find(t, FAILURE, "Redis", "does not answer", "look at its log and at REDIS_URL");
		report(t);
		return;
	}
	find(t, r->version.n && r->version.p[0] >= '6' ? FINE : FAILURE, "Redis", r->version.p,
		"Portal needs Redis 6 or newer");
	find(t, r->is_primary ? FINE : FAILURE, "Redis role", r->is_primary ? "primary" : "replica",
		"REDIS_URL must name the primary");
	find(t, r->append_only ? FINE : WARNING, "Redis appendonly", r->append_only ? "yes" : "no",
		"appendonly yes, or a restart of Redis empties the chats");
	find(t,
		r->maxmemory == 0 || str_eq(r->maxmemory_policy, STR("noeviction")) ? FINE
										    : FAILURE,
		"Redis maxmemory-policy", r->maxmemory_policy.p,
		"noeviction: Redis must not throw away what Portal keeps there");
	check_clock(t, "clock of Redis", r->now_us);
	report(t);
}

static void look_redis(struct task *t)
{
	struct doctor *f = task_frame(t);

	if (redis_is_up()) {
		task_catch(t);
		inspect_redis(t, &f->redis, redis_seen);
		return;
	}
	find(t, FAILURE, "Redis", "cannot be reached",
		"start it, or correct REDIS_URL (host, port, password)");
	report(t);
}

static void schema_seen(struct task *t)
{
	struct doctor *f = task_frame(t);
	bool fine = task_err(t) == OK && f->schema_current;

	find(t, fine ? FINE : FAILURE, "database schema",
		fine ? "up to date" : "not this version's", "portalctl migrate");
	look_redis(t);
}

static void pg_seen(struct task *t)
{
	struct doctor *f = task_frame(t);
	const struct pg_inspection *p = &f->pg;

	if (task_err(t) != OK) {
		find(t, FAILURE, "PostgreSQL", "does not answer", "look at its log");
		look_redis(t);
		return;
	}
	find(t, FINE, "PostgreSQL", p->version.p, NULL);
	find(t, p->is_primary ? FINE : FAILURE, "PostgreSQL role",
		p->is_primary ? "primary" : "standby", "DATABASE_URL must name the primary");
	find(t, p->fsync && p->synchronous_commit ? FINE : WARNING, "PostgreSQL durability",
		p->fsync && p->synchronous_commit ? "fsync and synchronous_commit are on"
						  : "fsync or synchronous_commit is off",
		"switch both on: a crash may lose what was acknowledged");
	find(t, p->max_connections - p->connections > config.pg_connections ? FINE : WARNING,
		"PostgreSQL connections",
		arena_printf(task_arena(t), "%lld of %lld open, a process takes %lld",
			(long long)p->connections, (long long)p->max_connections,
			(long long)config.pg_connections)
			.p,
		"raise max_connections or lower PG_CONNECTIONS");
	check_clock(t, "clock of PostgreSQL", p->now_us);
	task_catch(t);
	migration_current(t, &f->schema_current, schema_seen);
}

static void wait_stores(struct task *t)
{
	struct doctor *f = task_frame(t);

	if ((!pg_is_up() || !redis_is_up()) && clock_ms() < f->until) {
		task_sleep(t, 20, wait_stores);
		return;
	}
	if (pg_is_up()) {
		task_catch(t);
		inspect_pg(t, &f->pg, pg_seen);
		return;
	}
	find(t, FAILURE, "PostgreSQL", "cannot be reached",
		"start it, or correct DATABASE_URL (host, port, user, password, database)");
	look_redis(t);
}

void ctl_doctor(struct task *t)
{
	struct doctor *f = task_frame_make(t, sizeof(*f));

	f->until = clock_ms() + WAIT_MS;
	json_arr(ctl_json());
	check_settings(t);
	check_limits(t);
	wait_stores(t);
}
