/* The gate: what every request passes before its handler (contract 0.1, the order of checks).
 *
 *   gate_begin -> by tier and credential:
 *     probes and pages without a limit   probe_count (this process's memory)
 *     pages of tier HEALTH               health_counted, open when Redis is away or slow
 *   the others -> task_admit (503 when too much is under way) -> gate_admitted:
 *     a bot key                          bot_known -> bot_counted, or dead_key -> dead_counted
 *     people and public                  gate_pass -> people_passed
 *   -> gate_body: media type -> gate_fields: JSON, fields -> level_known -> route->begin
 * Owns: the hashes of PUBLIC_API_KEYS and the counters of probes.
 * To add a tier: tier_limit and gate_begin. */
#include "api/aside.h"
#include "api/serve.h"
#include "api/server.h"
#include "base/clock.h"
#include "base/config.h"
#include "rules/permission.h"
#include "rules/window.h"
#include "store/user.h"

#include <stdlib.h>

#define WINDOW_S       60
#define HEALTH_WAIT_MS 200 /* how long a page of tier HEALTH waits for its count */

struct gate {
	struct gate_ask ask;
	struct gate_result pass;
	struct limit limit;
	struct rate rate;
	struct bot bot;
	struct aside *aside;
};

static struct {
	uint8_t (*hashes)[HASH_LEN];
	size_t count;
} public_keys;

static struct window probes;

void gate_setup(void)
{
	size_t n = config.public_api_keys.count;

	free(public_keys.hashes);
	public_keys.hashes = calloc(n + 1, HASH_LEN);
	if (!public_keys.hashes)
		PANIC("out of memory");
	for (size_t i = 0; i < n; i++)
		secret_hash(config.public_api_keys.items[i], public_keys.hashes[i]);
	public_keys.count = n;
}

void gate_teardown(void)
{
	free(public_keys.hashes);
	public_keys.hashes = NULL;
	public_keys.count = 0;
}

/* All keys are compared, whichever fits. */
static bool public_key_known(const struct request *q)
{
	bool known = false;

	for (size_t i = 0; i < public_keys.count; i++)
		known |= secret_eq(q->key_hash, public_keys.hashes[i], HASH_LEN);
	return q->has_key && known;
}

static void fail_rate(struct task *t, const struct rate *r)
{
	task_fail_with(t, (struct fault){.err = ERR_RATE_LIMITED,
				  .retry_after = r->reset > 0 ? r->reset : 1});
}

/* ---- body, fields, level ---- */

static const char *level_sentence(int level)
{
	return level >= LEVEL_OWNER   ? "Owner access required"
	       : level == LEVEL_ADMIN ? "Admin access required"
				      : "Moderator access required";
}

static void level_known(struct task *t)
{
	struct request *q = request_of(t);

	if (task_err(t) == ERR_USER_NOT_FOUND)
		task_fail(t, ERR_AUTH_REQUIRED);
	else if (task_err(t) != OK)
		task_fail_with(t, *task_fault(t));
	else if (q->caller.level < q->route->level)
		fail_denied(t, level_sentence(q->route->level));
	else
		q->route->begin(t);
}

static bool fields_fit(struct task *t, struct request *q, struct field_fault *why)
{
	struct arena *a = task_arena(t);
	const struct json *body = NULL;

	if (q->body.n > 0) {
		body = json_parse(a, q->body);
		if (!body || json_type(body) != JSON_OBJECT) {
			*why = (struct field_fault){NULL, STR_NULL};
			return false;
		}
	}
	if (!q->route->fields)
		return true;
	q->values = arena_array(a, struct value, field_count(q->route->fields));
	return fields_read(a, q->route, q->params, q->query, body, q->values, why);
}

static void gate_body(struct task *t)
{
	if (request_of(t)->form)
		task_fail(t, ERR_MEDIA_TYPE);
	else
		gate_fields(t);
}

void gate_fields(struct task *t)
{
	struct request *q = request_of(t);
	struct field_fault why;

	if (!fields_fit(t, q, &why)) {
		fail_field(t, why.field, why.sentence);
		return;
	}
	if (q->route->level > 0) {
		task_catch(t);
		user_level(t, q->caller.user_id, &q->caller.level, level_known);
		return;
	}
	q->route->begin(t);
}

/* ---- people and public ---- */

static struct limit tier_limit(enum tier tier, const char *key)
{
	struct str k = str_of(key);

	switch (tier) {
	case TIER_LOGIN:
		return (struct limit){k, "login", config.rate_login};
	case TIER_HEALTH:
		return (struct limit){k, "health", config.rate_health};
	case TIER_BOT:
		return (struct limit){k, "bot", config.rate_bot};
	default:
		return (struct limit){k, "public", config.rate_public};
	}
}

/* What people_passed answers, known before Redis is asked. A cookie wins over a key. */
static enum err credential_fault(const struct request *q)
{
	unsigned cred = q->route->cred;

	if (cred & CRED_SESSION && q->has_cookie)
		return q->has_token ? OK : ERR_AUTH_REQUIRED;
	if (cred & CRED_PUBLIC) {
		if (public_keys.count == 0 || public_key_known(q))
			return OK;
		return cred & CRED_SESSION && !q->has_key ? ERR_AUTH_REQUIRED : ERR_INVALID_API_KEY;
	}
	return ERR_AUTH_REQUIRED;
}

static void people_passed(struct task *t)
{
	struct request *q = request_of(t);
	struct gate *g = q->gate;
	enum err fault = credential_fault(q);

	q->rate = g->pass.rate;
	if (g->pass.rate.over) {
		fail_rate(t, &g->pass.rate);
		return;
	}
	if (fault == OK && g->ask.has_token && !g->pass.live)
		fault = ERR_AUTH_REQUIRED;
	if (fault != OK) {
		task_fail(t, fault);
		return;
	}
	q->caller.who = g->pass.live ? WHO_SESSION : WHO_PUBLIC;
	q->caller.user_id = g->pass.live ? g->pass.user_id : 0;
	gate_body(t);
}

static void gate_people(struct task *t)
{
	struct request *q = request_of(t);
	struct gate *g = q->gate;
	enum tier tier = q->route->tier;
	const char *addr = q->caller.addr_key;

	if (tier == TIER_LOGIN || tier == TIER_PUBLIC)
		g->ask.address = tier_limit(tier, addr);
	/* A visitor with a public key is counted by both: many share the key, few the address. */
	if (tier == TIER_PUBLIC && !q->has_cookie && public_key_known(q)) {
		char hex[16];

		hex_encode(q->key_hash, sizeof(hex) / 2, hex);
		g->ask.address.key = arena_printf(task_arena(t), "%.16s:%s", hex, addr);
	}
	g->ask.has_token = q->has_token;
	memcpy(g->ask.token_hash, q->caller.token_hash, HASH_LEN);
	if (q->route->cred & CRED_SESSION) {
		g->ask.user_tier = tier == TIER_ADMIN ? "admin" : "auth";
		g->ask.user_max = tier == TIER_ADMIN ? config.rate_admin : config.rate_auth;
	}
	/* PUBLIC has counted the address already. */
	if (tier != TIER_PUBLIC && (q->has_token || credential_fault(q) != OK))
		g->ask.dead = tier_limit(TIER_PUBLIC, addr);
	g->ask.with = q->route->with;
	gate_pass(t, &g->ask, &g->pass, people_passed);
}

/* ---- bots ---- */

static void dead_counted(struct task *t)
{
	struct request *q = request_of(t);

	q->rate = q->gate->rate;
	if (q->rate.over)
		fail_rate(t, &q->rate);
	else
		task_fail(t, ERR_INVALID_API_KEY);
}

static void dead_key(struct task *t)
{
	struct request *q = request_of(t);
	struct gate *g = q->gate;

	g->limit = tier_limit(TIER_PUBLIC, q->caller.addr_key);
	rate_hit(t, &g->limit, WINDOW_S, &g->rate, dead_counted);
}

static void bot_counted(struct task *t)
{
	struct request *q = request_of(t);
	struct gate *g = q->gate;

	q->rate = g->rate;
	if (q->rate.over) {
		fail_rate(t, &q->rate);
		return;
	}
	gate_body(t);
}

static void bot_known(struct task *t)
{
	struct request *q = request_of(t);
	struct gate *g = q->gate;
	char hex[HASH_LEN * 2];

	if (task_err(t) == ERR_INVALID_API_KEY) {
		dead_key(t);
		return;
	}
	if (task_err(t) != OK) {
		task_fail_with(t, *task_fault(t));
		return;
	}
	q->caller.who = WHO_BOT;
	q->caller.bot_id = g->bot.id;
	q->caller.bot_platform = g->bot.platform;
	q->caller.bot_login = g->bot.login;
	q->caller.bot_hourly = g->bot.rate_limit_per_hour;
	hex_encode(q->key_hash, HASH_LEN, hex);
	g->limit = tier_limit(TIER_BOT, "");
	g->limit.key = arena_str(task_arena(t), str_make(hex, 32));
	rate_hit(t, &g->limit, WINDOW_S, &g->rate, bot_counted);
}

static void gate_bot(struct task *t)
{
	struct request *q = request_of(t);

	if (!q->key_is_bot) {
		dead_key(t);
		return;
	}
	task_catch(t);
	bot_by_key(t, q->key_hash, &q->gate->bot, bot_known);
}

/* ---- operations pages ---- */

static void health_counted(struct task *t)
{
	struct request *q = request_of(t);
	const struct aside *a = q->gate->aside;

	if (a->err == OK) {
		q->rate = a->rate;
		if (q->rate.over) {
			fail_rate(t, &q->rate);
			return;
		}
	}
	gate_body(t);
}

static void health_count(struct task *beside)
{
	struct aside *a = task_subject(beside);

	rate_hit(beside, &a->limit, WINDOW_S, &a->rate, aside_done);
}

static void gate_health(struct task *t)
{
	struct request *q = request_of(t);
	struct aside *a =
		aside_run(t, "health limit", HEALTH_WAIT_MS, health_count, health_counted);

	memcpy(a->key, q->caller.addr_key, sizeof(a->key));
	a->limit = tier_limit(TIER_HEALTH, a->key);
	q->gate->aside = a;
}

/* By the same bytes as addr_bind_key: an IPv4 address, the /64 of an IPv6 address. */
static uint64_t addr_hash(const struct addr *a)
{
	if (a->unix_peer)
		return str_hash(STR("unix"));
	return str_hash(str_make((const char *)a->ip, addr_is_v4(a) ? 16 : 8));
}

static bool metrics_allowed(const struct addr *a)
{
	if (a->unix_peer)
		return true;
	for (size_t i = 0; i < config.metrics_from.count; i++)
		if (cidr_has(&config.metrics_from.items[i], a))
			return true;
	return false;
}

static void gate_probe(struct task *t)
{
	struct request *q = request_of(t);

	if (q->route->tier == TIER_PROBE && config.rate_health > 0) {
		struct window_hit hit = window_count(&probes, addr_hash(&q->caller.addr),
			config.rate_health, WINDOW_S, clock_ms() / 1000);

		q->rate = (struct rate){config.rate_health, hit.left, hit.reset, hit.over};
		if (hit.over) {
			fail_rate(t, &q->rate);
			return;
		}
	}
	if (q->route->cred & CRED_METRICS && !metrics_allowed(&q->caller.addr)) {
		task_fail(t, ERR_ACCESS_DENIED);
		return;
	}
	gate_body(t);
}

static void gate_admitted(struct task *t)
{
	if (request_of(t)->route->cred & CRED_BOT)
		gate_bot(t);
	else
		gate_people(t);
}

void gate_begin(struct task *t)
{
	struct request *q = request_of(t);

	if (q->route->tier == TIER_PROBE || q->route->tier == TIER_NONE) {
		gate_probe(t);
		return;
	}
	q->gate = arena_new(task_arena(t), struct gate);
	(void)addr_bind_key(&q->caller.addr, q->caller.addr_key);
	if (q->route->tier == TIER_HEALTH)
		gate_health(t);
	else
		task_admit(t, TASK_LINE_REQUESTS, gate_admitted);
}

struct str gate_with(const struct task *t, struct str *generation)
{
	const struct gate *g = request_of(t)->gate;

	*generation = g->pass.generation;
	return g->pass.with;
}
