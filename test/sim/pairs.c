/* How many pairs a second the pairing step makes in a real Redis (REDIS_URL, which is emptied of
 * what it wrote): PAIRS people with a socket, each with a tag of their own, begin a search, then as
 * many partners, pipelined. Prints the best rate of the second half (the step that pairs), by the
 * clock and by the CPU time of Redis, and of both. */
#include <hiredis/hiredis.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PAIRS  20000
#define BATCH  100
#define ROUNDS 5

static redisContext *redis;
static char sha[64];

static void fail(const char *what)
{
	fprintf(stderr, "pairs: %s%s%s\n", what, redis ? ": " : "", redis ? redis->errstr : "");
	exit(1);
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static redisReply *reply_next(void)
{
	void *reply = NULL;

	if (redisGetReply(redis, &reply) != REDIS_OK ||
		((redisReply *)reply)->type == REDIS_REPLY_ERROR)
		fail(reply ? ((redisReply *)reply)->str : "no answer");
	return reply;
}

static void script_load(void)
{
	static char text[65536];
	FILE *f = fopen("schema/redis/match_try.lua", "r");
	redisReply *r;
	size_t n;

	if (!f)
		fail("run it from the root of the tree");
	n = fread(text, 1, sizeof(text), f);
	fclose(f);
	redisAppendCommand(redis, "SCRIPT LOAD %b", text, n);
	r = reply_next();
	snprintf(sha, sizeof(sha), "%s", r->str);
	freeReplyObject(r);
}

static void enqueue(int person, int tag)
{
	redisAppendCommand(redis, "EVALSHA %s 0 %d %d 1 %s tag%05d 2026-01-01T00:00:00Z", sha,
		person, 1000000 + person, "60000 60000 600000 86400000 10000 600000", tag);
}

/* Seconds of a core that Redis has used. */
static double redis_seconds(void)
{
	double sum = 0;
	redisReply *r;

	redisAppendCommand(redis, "INFO cpu");
	r = reply_next();
	for (const char *p = r->str; (p = strstr(p, "used_cpu_")); p++)
		if (strncmp(p, "used_cpu_sys:", 13) == 0 || strncmp(p, "used_cpu_user:", 14) == 0)
			sum += strtod(strchr(p, ':') + 1, NULL);
	freeReplyObject(r);
	return sum;
}

struct took {
	double s, cpu_s;
};

/* Seconds in which people `from` … have begun their searches; all of them end in `state`. */
static struct took enqueue_all(int from, int state)
{
	double begun = seconds(), cpu = redis_seconds();

	for (int i = 0; i < PAIRS; i += BATCH) {
		for (int j = i; j < i + BATCH; j++)
			enqueue(from + j, j);
		for (int j = i; j < i + BATCH; j++) {
			redisReply *r = reply_next();

			if (r->elements < 1 || r->element[0]->integer != state)
				fail("an answer that should not be");
			freeReplyObject(r);
		}
	}
	return (struct took){seconds() - begun, redis_seconds() - cpu};
}

/* Everyone has a socket, and has searched before: what PostgreSQL says of them is kept. */
static void connect_all(void)
{
	for (int i = 0; i < 2 * PAIRS; i += BATCH) {
		for (int j = i + 1; j <= i + BATCH; j++) {
			redisAppendCommand(redis, "HSET portal:sockets:%d 0a:01 1", j);
			redisAppendCommand(redis,
				"SET portal:match:known:%d %s{\"id\":%d,\"username\":\"person\","
				"\"avatar_url\":null}",
				j, " \n", j);
		}
		for (int j = 0; j < 2 * BATCH; j++)
			freeReplyObject(reply_next());
	}
}

static void flush(void)
{
	redisAppendCommand(redis, "FLUSHALL");
	freeReplyObject(reply_next());
}

int main(void)
{
	const char *url = getenv("REDIS_URL");
	double pairing = 0, both = 0, cpu = 0;

	if (!url || strncmp(url, "unix:", 5) != 0)
		fail("REDIS_URL names no private store (unix:…)");
	redis = redisConnectUnix(url + 5);
	if (!redis || redis->err)
		fail("cannot connect");
	for (int i = 0; i < ROUNDS; i++) {
		struct took first, second;

		flush();
		script_load();
		connect_all();
		first = enqueue_all(1, 1);
		second = enqueue_all(1 + PAIRS, 2);
		pairing = fmax(pairing, PAIRS / second.s);
		both = fmax(both, PAIRS / (first.s + second.s));
		cpu = fmax(cpu, PAIRS / second.cpu_s);
	}
	flush();
	redisFree(redis);
	printf("{\"pairing_per_s\":%.0f,\"pairing_per_redis_cpu_s\":%.0f,\"two_enqueues_per_s\":%."
	       "0f}\n",
		pairing, cpu, both);
	return 0;
}
