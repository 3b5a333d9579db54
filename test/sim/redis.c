/* The model of Redis (redis.h).
 *
 * Owns every key. A key is a table of entries in the order of their coming, found by hash; a sorted
 * set keeps them sorted beside. A key whose time has passed goes when it is next looked at, as does
 * an empty one. To add a command: a cmd_ function and its row in `commands`. */
#include "redis.h"

#include <lauxlib.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"
#include "table.h"

enum type {
	STRING,
	HASH,
	SET,
	SORTED,
	STREAM
};
struct rank {
	double score;
	const char *name;
};
struct key {
	char *name;
	enum type type;
	int64_t expires; /* 0: never */
	char *text;      /* STRING */
	struct table t;
	struct rank *sorted;
	uint32_t sorted_cap;
};

int64_t redis_ms;
uint64_t redis_calls;
struct told *redis_told;
int redis_told_n;
static int told_cap;
static struct table keys; /* an entry's value is its struct key */
static char *fresh;
static size_t fresh_n, fresh_cap;
static uint64_t stream_seq;

/* ---- keys ---- */

static void note(const char *key, const char *member)
{
	size_t need = strlen(key) + strlen(member) + 3;

	if (fresh_n + need > fresh_cap) {
		fresh_cap = 2 * fresh_cap + need;
		fresh = must(realloc(fresh, fresh_cap));
	}
	fresh_n += (size_t)sprintf(fresh + fresh_n, "%s=%s\n", key, member);
}

const char *redis_fresh(void)
{
	bool none = fresh_n == 0;

	fresh_n = 0;
	return none ? "" : fresh;
}

static void key_free(struct key *k)
{
	table_free(&k->t);
	free(k->text);
	free(k->sorted);
	free(k->name);
	free(k);
}

static void key_drop(const char *name)
{
	struct entry *e = table_get(&keys, name);

	key_free((struct key *)(void *)e->value);
	e->value = NULL;
	table_remove(&keys, e);
}

static struct key *key_get(const char *name)
{
	struct entry *e = table_get(&keys, name);
	struct key *k = e ? (struct key *)(void *)e->value : NULL;

	if (k && k->expires && k->expires <= redis_ms) {
		key_drop(name);
		return NULL;
	}
	return k;
}

static struct key *key_typed(const char *name, enum type type)
{
	struct key *k = key_get(name);

	if (k && k->type != type)
		die("WRONGTYPE %s", name);
	return k;
}

static struct key *key_make(const char *name, enum type type)
{
	struct key *k = key_typed(name, type);

	if (k)
		return k;
	k = must(calloc(1, sizeof(*k)));
	k->name = must(strdup(name));
	k->type = type;
	table_add(&keys, name)->value = (char *)k;
	note(name, "");
	return k;
}

static void key_settle(struct key *k)
{
	if (k->t.n == 0)
		key_drop(k->name);
}

void redis_reset(void)
{
	for (uint32_t i = 0; i < keys.n; i++) {
		key_free((struct key *)(void *)keys.v[i].value);
		keys.v[i].value = NULL;
	}
	table_free(&keys);
	redis_told_n = 0;
	fresh_n = 0;
	stream_seq = 0;
}

/* ---- sorted sets ---- */

static uint32_t rank_of(const struct key *k, double score, const char *name)
{
	uint32_t low = 0, high = k->t.n;

	while (low < high) {
		uint32_t mid = (low + high) / 2;
		const struct rank *r = &k->sorted[mid];

		if (r->score < score || (r->score == score && strcmp(r->name, name) < 0))
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static void sorted_remove(struct key *k, struct entry *e)
{
	uint32_t at = rank_of(k, e->score, e->name);

	memmove(k->sorted + at, k->sorted + at + 1, (k->t.n - at - 1) * sizeof(*k->sorted));
	table_remove(&k->t, e);
}

static void sorted_add(struct key *k, const char *name, double score)
{
	uint32_t at;
	struct entry *e;

	at = rank_of(k, score, name);
	if (k->t.n == k->sorted_cap) {
		k->sorted_cap = k->sorted_cap ? 2 * k->sorted_cap : 4;
		k->sorted = must(realloc(k->sorted, k->sorted_cap * sizeof(*k->sorted)));
	}
	memmove(k->sorted + at + 1, k->sorted + at, (k->t.n - at) * sizeof(*k->sorted));
	e = table_add(&k->t, name);
	e->score = score;
	k->sorted[at] = (struct rank){score, e->name};
	note(k->name, name);
}

/* "-inf", "12", "(12": how many ranks stand before it; `with`: those that have it count too. */
static uint32_t ranks_before(const struct key *k, const char *text, bool with)
{
	bool open = *text == '(';
	double score = strtod(text + open, NULL);

	return rank_of(k, open != with ? nextafter(score, INFINITY) : score, "");
}

/* ---- answers ---- */

static void push_number(lua_State *lua, double n)
{
	lua_pushnumber(lua, n);
}
static void push_text(lua_State *lua, const char *s)
{
	if (s)
		lua_pushstring(lua, s);
	else
		lua_pushboolean(lua, 0);
}
static void push_score(lua_State *lua, double score)
{
	char text[40];

	snprintf(text, sizeof(text), "%.17g", score);
	lua_pushstring(lua, text);
}
static void push_ok(lua_State *lua)
{
	lua_createtable(lua, 0, 1);
	lua_pushstring(lua, "OK");
	lua_setfield(lua, -2, "ok");
}

/* ---- commands ---- */

typedef void command_fn(lua_State *lua, int n, const char **v);

static void cmd_time(lua_State *lua, int n, const char **v)
{
	char text[24];

	(void)n, (void)v;
	lua_createtable(lua, 2, 0);
	snprintf(text, sizeof(text), "%lld", (long long)(redis_ms / 1000));
	lua_pushstring(lua, text);
	lua_rawseti(lua, -2, 1);
	snprintf(text, sizeof(text), "%lld", (long long)(redis_ms % 1000 * 1000));
	lua_pushstring(lua, text);
	lua_rawseti(lua, -2, 2);
}

static void cmd_get(lua_State *lua, int n, const char **v)
{
	struct key *k = key_typed(v[1], STRING);

	(void)n;
	push_text(lua, k ? k->text : NULL);
}

static void text_set(struct key *k, const char *text)
{
	free(k->text);
	k->text = must(strdup(text));
}

static void cmd_set(lua_State *lua, int n, const char **v)
{
	int64_t expires = 0;
	bool only_new = false;
	struct key *k = key_get(v[1]);

	for (int i = 3; i < n; i++) {
		if (strcmp(v[i], "NX") == 0)
			only_new = true;
		else if (strcmp(v[i], "PX") == 0)
			expires = redis_ms + atoll(v[++i]);
		else
			die("SET %s", v[i]);
	}
	if (only_new && k) {
		push_text(lua, NULL);
		return;
	}
	k = key_make(v[1], STRING);
	text_set(k, v[2]);
	k->expires = expires;
	push_ok(lua);
}

static void cmd_mset(lua_State *lua, int n, const char **v)
{
	for (int i = 1; i + 1 < n; i += 2) {
		struct key *k = key_make(v[i], STRING);

		text_set(k, v[i + 1]);
		k->expires = 0;
	}
	push_ok(lua);
}

static void cmd_mget(lua_State *lua, int n, const char **v)
{
	lua_createtable(lua, n - 1, 0);
	for (int i = 1; i < n; i++) {
		struct key *k = key_typed(v[i], STRING);

		push_text(lua, k ? k->text : NULL);
		lua_rawseti(lua, -2, i);
	}
}

static void cmd_incr(lua_State *lua, int n, const char **v)
{
	struct key *k = key_make(v[1], STRING);
	long long value = (k->text ? atoll(k->text) : 0) + 1;
	char text[24];

	(void)n;
	snprintf(text, sizeof(text), "%lld", value);
	text_set(k, text);
	push_number(lua, (double)value);
}

static void cmd_del(lua_State *lua, int n, const char **v)
{
	int gone = 0;

	for (int i = 1; i < n; i++)
		if (key_get(v[i])) {
			key_drop(v[i]);
			gone++;
		}
	push_number(lua, gone);
}

static void cmd_exists(lua_State *lua, int n, const char **v)
{
	int there = 0;

	for (int i = 1; i < n; i++)
		there += key_get(v[i]) != NULL;
	push_number(lua, there);
}

static void cmd_pexpire(lua_State *lua, int n, const char **v)
{
	struct key *k = key_get(v[1]);

	(void)n;
	if (k)
		k->expires = redis_ms + (int64_t)atof(v[2]);
	push_number(lua, k != NULL);
}

static void cmd_persist(lua_State *lua, int n, const char **v)
{
	struct key *k = key_get(v[1]);

	(void)n;
	if (k)
		k->expires = 0;
	push_number(lua, k != NULL);
}

static bool field_set(struct key *k, const char *name, const char *value)
{
	struct entry *e = table_get(&k->t, name);
	bool is_new = !e;

	if (!e) {
		e = table_add(&k->t, name);
		note(k->name, name);
	}
	free(e->value);
	e->value = must(strdup(value));
	return is_new;
}

static void cmd_hset(lua_State *lua, int n, const char **v)
{
	struct key *k = key_make(v[1], HASH);
	int added = 0;

	if (n < 4 || n % 2)
		die("HSET %s: wrong number of arguments", v[1]);
	for (int i = 2; i + 1 < n; i += 2)
		added += field_set(k, v[i], v[i + 1]);
	push_number(lua, added);
}

static const char *field_get(const char *key, const char *field)
{
	struct key *k = key_typed(key, HASH);
	struct entry *e = k ? table_get(&k->t, field) : NULL;

	return e ? e->value : NULL;
}

static void cmd_hget(lua_State *lua, int n, const char **v)
{
	(void)n;
	push_text(lua, field_get(v[1], v[2]));
}

static void cmd_hexists(lua_State *lua, int n, const char **v)
{
	(void)n;
	push_number(lua, field_get(v[1], v[2]) != NULL);
}

static void cmd_hmget(lua_State *lua, int n, const char **v)
{
	struct key *k = key_typed(v[1], HASH);

	lua_createtable(lua, n - 2, 0);
	for (int i = 2; i < n; i++) {
		struct entry *e = k ? table_get(&k->t, v[i]) : NULL;

		push_text(lua, e ? e->value : NULL);
		lua_rawseti(lua, -2, i - 1);
	}
}

static void cmd_hincrby(lua_State *lua, int n, const char **v)
{
	const char *old = field_get(v[1], v[2]);
	long long value = (old ? atoll(old) : 0) + atoll(v[3]);
	char text[24];

	(void)n;
	snprintf(text, sizeof(text), "%lld", value);
	field_set(key_make(v[1], HASH), v[2], text);
	push_number(lua, (double)value);
}

/* HDEL, SREM, ZREM */
static void cmd_remove(lua_State *lua, int n, const char **v)
{
	struct key *k = key_get(v[1]);
	int gone = 0;

	for (int i = 2; k && i < n; i++) {
		struct entry *e = table_get(&k->t, v[i]);

		if (!e)
			continue;
		gone++;
		if (k->type == SORTED)
			sorted_remove(k, e);
		else
			table_remove(&k->t, e);
	}
	if (k)
		key_settle(k);
	push_number(lua, gone);
}

/* HKEYS, SMEMBERS: in the order of their coming, which a caller must not rely on. */
static void cmd_names(lua_State *lua, int n, const char **v)
{
	struct key *k = key_get(v[1]);

	(void)n;
	lua_createtable(lua, k ? (int)k->t.n : 0, 0);
	for (uint32_t i = 0; k && i < k->t.n; i++) {
		lua_pushstring(lua, k->t.v[i].name);
		lua_rawseti(lua, -2, (int)i + 1);
	}
}

static void cmd_hgetall(lua_State *lua, int n, const char **v)
{
	struct key *k = key_typed(v[1], HASH);

	(void)n;
	lua_createtable(lua, k ? 2 * (int)k->t.n : 0, 0);
	for (uint32_t i = 0; k && i < k->t.n; i++) {
		lua_pushstring(lua, k->t.v[i].name);
		lua_rawseti(lua, -2, 2 * (int)i + 1);
		lua_pushstring(lua, k->t.v[i].value);
		lua_rawseti(lua, -2, 2 * (int)i + 2);
	}
}

/* HLEN, ZCARD, SCARD */
static void cmd_count(lua_State *lua, int n, const char **v)
{
	struct key *k = key_get(v[1]);

	(void)n;
	push_number(lua, k ? k->t.n : 0);
}

static void cmd_sadd(lua_State *lua, int n, const char **v)
{
	struct key *k = key_make(v[1], SET);
	int added = 0;

	for (int i = 2; i < n; i++)
		if (!table_get(&k->t, v[i])) {
			table_add(&k->t, v[i]);
			note(v[1], v[i]);
			added++;
		}
	push_number(lua, added);
}

/* With a count: from a place that the number of calls decides, as good as chance and the same each
 * time. */
static void cmd_srandmember(lua_State *lua, int n, const char **v)
{
	struct key *k = key_typed(v[1], SET);
	uint32_t all = k ? k->t.n : 0;
	uint32_t some = (uint32_t)atoi(v[2]) < all ? (uint32_t)atoi(v[2]) : all;

	(void)n;
	lua_createtable(lua, (int)some, 0);
	for (uint32_t i = 0; i < some; i++) {
		lua_pushstring(lua, k->t.v[(i + redis_calls) % all].name);
		lua_rawseti(lua, -2, (int)i + 1);
	}
}

static void cmd_zadd(lua_State *lua, int n, const char **v)
{
	bool only_new = strcmp(v[2], "NX") == 0;
	struct key *k = key_make(v[1], SORTED);
	int added = 0;

	for (int i = 2 + only_new; i + 1 < n; i += 2) {
		struct entry *e = table_get(&k->t, v[i + 1]);

		added += !e;
		if (e && only_new)
			continue;
		if (e)
			sorted_remove(k, e);
		sorted_add(k, v[i + 1], strtod(v[i], NULL));
	}
	push_number(lua, added);
}

static void cmd_zscore(lua_State *lua, int n, const char **v)
{
	struct key *k = key_typed(v[1], SORTED);
	struct entry *e = k ? table_get(&k->t, v[2]) : NULL;

	(void)n;
	if (e)
		push_score(lua, e->score);
	else
		push_text(lua, NULL);
}

static void push_ranks(lua_State *lua, const struct key *k, uint32_t from, uint32_t to, bool scores)
{
	int at = 0;

	lua_newtable(lua);
	for (uint32_t i = from; i < to; i++) {
		lua_pushstring(lua, k->sorted[i].name);
		lua_rawseti(lua, -2, ++at);
		if (scores) {
			push_score(lua, k->sorted[i].score);
			lua_rawseti(lua, -2, ++at);
		}
	}
}

static void cmd_zrange(lua_State *lua, int n, const char **v)
{
	struct key *k = key_typed(v[1], SORTED);

	if (n != 4 || strcmp(v[2], "0") != 0 || strcmp(v[3], "-1") != 0)
		die("ZRANGE %s: only all of it", v[1]);
	push_ranks(lua, k, 0, k ? k->t.n : 0, false);
}

static void cmd_zrangebyscore(lua_State *lua, int n, const char **v)
{
	struct key *k = key_typed(v[1], SORTED);
	uint32_t from = k ? ranks_before(k, v[2], false) : 0,
		 to = k ? ranks_before(k, v[3], true) : 0;
	bool scores = false;

	for (int i = 4; i < n; i++) {
		if (strcmp(v[i], "WITHSCORES") == 0) {
			scores = true;
		} else if (strcmp(v[i], "LIMIT") == 0 && i + 2 < n && strcmp(v[i + 1], "0") == 0) {
			if (to > from && to - from > (uint32_t)atoi(v[i + 2]))
				to = from + (uint32_t)atoi(v[i + 2]);
			i += 2;
		} else {
			die("ZRANGEBYSCORE %s", v[i]);
		}
	}
	push_ranks(lua, k, from, to, scores);
}

static void cmd_zremrangebyscore(lua_State *lua, int n, const char **v)
{
	struct key *k = key_typed(v[1], SORTED);
	uint32_t from = k ? ranks_before(k, v[2], false) : 0,
		 to = k ? ranks_before(k, v[3], true) : 0;

	(void)n;
	for (uint32_t i = from; i < to; i++)
		sorted_remove(k, table_get(&k->t, k->sorted[from].name));
	if (k)
		key_settle(k);
	push_number(lua, to > from ? to - from : 0);
}

/* An entry's value is its fields and values, each ended by a newline. */
static void cmd_xadd(lua_State *lua, int n, const char **v)
{
	struct key *k = key_make(v[1], STREAM);
	char id[48], fields[512];
	int at = 0;

	if (n % 2 == 0 || strcmp(v[2], "*") != 0)
		die("XADD %s", v[1]);
	for (int i = 3; i < n; i++)
		at += snprintf(fields + at, sizeof(fields) - (size_t)at, "%s\n", v[i]);
	snprintf(
		id, sizeof(id), "%lld-%llu", (long long)redis_ms, (unsigned long long)stream_seq++);
	table_add(&k->t, id)->value = must(strdup(fields));
	lua_pushstring(lua, id);
}

static void cmd_xrange(lua_State *lua, int n, const char **v)
{
	struct key *k = key_typed(v[1], STREAM);

	if (n != 4 || strcmp(v[2], "-") != 0 || strcmp(v[3], "+") != 0)
		die("XRANGE %s: only all of it", v[1]);
	lua_newtable(lua);
	for (uint32_t i = 0; k && i < k->t.n; i++) {
		int field = 0;

		lua_createtable(lua, 2, 0);
		lua_pushstring(lua, k->t.v[i].name);
		lua_rawseti(lua, -2, 1);
		lua_newtable(lua);
		for (const char *p = k->t.v[i].value, *end; (end = strchr(p, '\n')); p = end + 1) {
			lua_pushlstring(lua, p, (size_t)(end - p));
			lua_rawseti(lua, -2, ++field);
		}
		lua_rawseti(lua, -2, 2);
		lua_rawseti(lua, -2, (int)i + 1);
	}
}

static void cmd_publish(lua_State *lua, int n, const char **v)
{
	struct told *t;

	(void)n;
	if (redis_told_n == told_cap) {
		told_cap = told_cap ? 2 * told_cap : 32;
		redis_told = must(realloc(redis_told, (size_t)told_cap * sizeof(*redis_told)));
	}
	t = &redis_told[redis_told_n++];
	snprintf(t->channel, sizeof(t->channel), "%s", v[1]);
	snprintf(t->text, sizeof(t->text), "%s", v[2]);
	push_number(lua, 0);
}

static const struct command {
	const char *name;
	command_fn *run;
	int least; /* words */
} commands[] = {
	{"ZREM", cmd_remove, 3},
	{"ZADD", cmd_zadd, 4},
	{"HMGET", cmd_hmget, 3},
	{"EXISTS", cmd_exists, 2},
	{"ZRANGEBYSCORE", cmd_zrangebyscore, 4},
	{"ZSCORE", cmd_zscore, 3},
	{"PUBLISH", cmd_publish, 3},
	{"HSET", cmd_hset, 4},
	{"SET", cmd_set, 3},
	{"GET", cmd_get, 2},
	{"MGET", cmd_mget, 2},
	{"MSET", cmd_mset, 3},
	{"DEL", cmd_del, 2},
	{"SREM", cmd_remove, 3},
	{"SADD", cmd_sadd, 3},
	{"TIME", cmd_time, 1},
	{"HDEL", cmd_remove, 3},
	{"HGET", cmd_hget, 3},
	{"HKEYS", cmd_names, 2},
	{"SMEMBERS", cmd_names, 2},
	{"HEXISTS", cmd_hexists, 3},
	{"HGETALL", cmd_hgetall, 2},
	{"HINCRBY", cmd_hincrby, 4},
	{"HLEN", cmd_count, 2},
	{"ZCARD", cmd_count, 2},
	{"SCARD", cmd_count, 2},
	{"INCR", cmd_incr, 2},
	{"PEXPIRE", cmd_pexpire, 3},
	{"PERSIST", cmd_persist, 2},
	{"SRANDMEMBER", cmd_srandmember, 3},
	{"ZRANGE", cmd_zrange, 4},
	{"ZREMRANGEBYSCORE", cmd_zremrangebyscore, 4},
	{"XADD", cmd_xadd, 5},
	{"XRANGE", cmd_xrange, 4},
};

void redis_run(lua_State *lua, int argc, const char **argv)
{
	redis_calls++;
	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
		if (strcmp(argv[0], commands[i].name) != 0)
			continue;
		if (argc < commands[i].least)
			die("%s: wrong number of arguments", argv[0]);
		commands[i].run(lua, argc, argv);
		return;
	}
	die("the model of Redis does not know %s", argv[0]);
}

/* ---- looks ---- */

void redis_each(void (*fn)(void *arg, const char *key, const char *member, bool expires), void *arg)
{
	for (uint32_t i = 0; i < keys.n; i++) {
		const struct key *k = (struct key *)(void *)keys.v[i].value;

		if (k->expires && k->expires <= redis_ms)
			continue;
		fn(arg, k->name, NULL, k->expires != 0);
		for (uint32_t j = 0; j < k->t.n; j++)
			fn(arg, k->name, k->t.v[j].name, k->expires != 0);
	}
}

bool redis_has(const char *key)
{
	return key_get(key) != NULL;
}

const char *redis_get(const char *key)
{
	struct key *k = key_typed(key, STRING);

	return k ? k->text : NULL;
}

const char *redis_field(const char *key, const char *field)
{
	return field_get(key, field);
}

bool redis_member(const char *key, const char *member)
{
	struct key *k = key_get(key);

	return k && table_get(&k->t, member);
}

double redis_score(const char *key, const char *member)
{
	struct key *k = key_typed(key, SORTED);
	struct entry *e = k ? table_get(&k->t, member) : NULL;

	return e ? e->score : (double)NAN;
}

uint32_t redis_count(const char *key)
{
	struct key *k = key_get(key);

	return k ? k->t.n : 0;
}
