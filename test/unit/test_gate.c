/* Limits, and what the gate answers beside: counted in order, in fixed windows, whether the gate
 * remembers who asks or not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/clock.h"
#include "people.h"
#include "store/known.h"

static void limits_are_counted(void **state)
{
	struct person p = person_new();
	struct login_job a = sign_in(&p);
	struct gate_job j = gate_of(a.hash);

	(void)state;
	j.ask.address = (struct limit){str_of(p.id), "login", 5};
	j.ask.user_tier = "auth";
	j.ask.user_max = 3;
	for (int i = 1; i <= 3; i++) {
		assert_int_equal(job_run(&j.job), OK);
		assert_true(j.out.live && !j.out.rate.over);
		assert_int_equal(j.out.rate.max, 3);
		assert_int_equal(j.out.rate.left, 3 - i);
		assert_in_range(j.out.rate.reset, 1, 60);
	}
	assert_int_equal(job_run(&j.job), OK);
	assert_true(j.out.rate.over);
	assert_int_equal(j.out.rate.max, 3);
	job_run(&j.job);
	job_run(&j.job); /* the sixth of the address: stops before the person */
	assert_true(j.out.rate.over);
	assert_int_equal(j.out.rate.max, 5);
	assert_int_equal(j.out.user_id, 0);
	assert_string_equal(redis_do("GET portal:rate:auth:%lld", (long long)a.out.user.id), "5");
}

static void the_dead_are_counted(void **state)
{
	struct person p = person_new();
	uint8_t hash[HASH_LEN];
	struct gate_job j, none = gate_of(NULL);

	(void)state;
	secret_random(hash, HASH_LEN);
	j = gate_of(hash);
	j.ask.dead = none.ask.dead = (struct limit){str_of(p.id), "public", 2};
	j.ask.user_tier = "auth";
	j.ask.user_max = 100;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(job_run(i ? &j.job : &none.job), OK);
		assert_false(j.out.live || j.out.rate.over);
	}
	assert_int_equal(j.out.rate.left, 0);
	assert_int_equal(job_run(&j.job), OK);
	assert_true(j.out.rate.over);
	pg_away(); /* is not asked any more */
	assert_int_equal(job_run(&j.job), OK);
	assert_true(j.out.rate.over);
	pg_back();
	j.ask.dead.max = 0;
	assert_int_equal(job_run(&j.job), OK);
	assert_false(j.out.rate.over || j.out.live);
	assert_int_equal(j.out.rate.max, 0);
}

static void an_address_stays_counted_over_looks(void **state)
{
	struct person p = person_new();
	uint8_t hash[HASH_LEN];
	struct gate_job j;

	(void)state;
	secret_random(hash, HASH_LEN);
	j = gate_of(hash);
	j.ask.address = (struct limit){str_of(p.id), "public", 7};
	assert_int_equal(job_run(&j.job), OK);
	assert_false(j.out.live);
	assert_int_equal(j.out.rate.max, 7);
	assert_int_equal(j.out.rate.left, 6);
}

static void keep_unread(int64_t user_id, const char *generation, const char *count)
{
	redis_do("EVAL return(redis.call('SET',KEYS[1],ARGV[1]..string.char(32)..ARGV[2])) 1 "
		 "portal:unread:%lld %s %s",
		(long long)user_id, generation, count);
}

static void values_are_read_along(void **state)
{
	struct person p = person_new();
	struct login_job a = sign_in(&p);
	struct gate_job j = gate_of(a.hash);

	(void)state;
	j.ask.with = "unread";
	assert_int_equal(job_run(&j.job), OK);
	assert_null(j.out.with.p);
	keep_unread(a.out.user.id, "0", "12");
	assert_int_equal(job_run(&j.job), OK);
	assert_int_equal(j.out.with.n, 2);
	assert_int_equal(j.out.generation.n, 1);
	redis_do("INCR portal:unread:all");
	assert_int_equal(job_run(&j.job), OK);
	assert_null(j.out.with.p);
	keep_unread(a.out.user.id, "1", "123");
	assert_int_equal(job_run(&j.job), OK);
	assert_int_equal(j.out.with.n, 3);
}

struct hit_job {
	struct job job;
	struct limit limit;
	struct rate out;
};

static void hit_begin(struct task *t)
{
	struct hit_job *j = task_subject(t);

	rate_hit(t, &j->limit, 3600, &j->out, job_done);
}

static void hits(void **state)
{
	struct person p = person_new();
	struct hit_job j = {.job.begin = hit_begin, .limit = {str_of(p.id), "hour", 1}};

	(void)state;
	assert_int_equal(job_run(&j.job), OK);
	assert_false(j.out.over);
	assert_in_range(j.out.reset, 3590, 3600);
	assert_int_equal(job_run(&j.job), OK);
	assert_true(j.out.over);
	j.limit.max = 0;
	assert_int_equal(job_run(&j.job), OK);
	assert_false(j.out.over);
	assert_int_equal(j.out.max, 0);
}

/* ---- what is remembered ---- */

static int64_t scripts_run(void)
{
	const char *calls = redis_do("EVAL "
				     "return(redis.call('INFO','commandstats'):match('evalsha:"
				     "calls=(%%d+)'))"
				     " 0");

	return strtoll(calls, NULL, 10);
}

static int64_t counted(const struct login_job *l)
{
	const char *n = redis_do("GET portal:rate:auth:%lld", (long long)l->out.user.id);

	return n ? strtoll(n, NULL, 10) : 0;
}

static int64_t expiry(const struct login_job *l)
{
	return strtoll(redis_do("PTTL portal:rate:auth:%lld", (long long)l->out.user.id), NULL, 10);
}

static const char *session_key(const struct login_job *l)
{
	static char key[96] = "portal:session:";

	hex_encode(l->hash, HASH_LEN, key + sizeof("portal:session:") - 1);
	return key;
}

#define REMEMBERED_HITS 2 /* the first finds it unchecked, the second remembers it */

static struct gate_job remembered(const struct login_job *l, int64_t max)
{
	struct gate_job j = gate_of(l->hash);
	int64_t scripts;

	j.ask.user_tier = "auth";
	j.ask.user_max = max;
	for (int i = 0; i < REMEMBERED_HITS; i++)
		assert_int_equal(job_run(&j.job), OK);
	scripts = scripts_run();
	assert_int_equal(job_run(&j.job), OK);
	assert_int_equal(scripts_run(), scripts);
	assert_true(j.out.live);
	assert_int_equal(j.out.user_id, l->out.user.id);
	assert_int_equal(j.out.rate.left, max - REMEMBERED_HITS - 1);
	assert_in_range(j.out.rate.reset, 30, 60);
	return j;
}

static void the_remembered_are_counted(void **state)
{
	struct person p = person_new();
	struct login_job a = sign_in(&p);
	struct gate_job j = remembered(&a, 6);
	int64_t scripts = scripts_run();

	(void)state;
	keep_unread(a.out.user.id, redis_do("INCR portal:unread:all"), "77");
	j.ask.with = "unread";
	for (int left = 2; left >= -1; left--) {
		assert_int_equal(job_run(&j.job), OK);
		assert_int_equal(j.out.rate.over, left < 0);
		assert_int_equal(j.out.rate.left, left < 0 ? 0 : left);
		assert_int_equal(j.out.rate.max, 6);
		assert_int_equal(j.out.with.n, 2);
	}
	assert_int_equal(scripts_run(), scripts);
	assert_int_equal(counted(&a), 7);
	redis_do("INCR portal:unread:all");
	assert_int_equal(job_run(&j.job), OK);
	assert_null(j.out.with.p);
}

static void the_end_of_a_session_is_seen(void **state)
{
	struct person p = person_new();
	struct login_job a = sign_in(&p), b = sign_in(&p);
	struct gate_job j = remembered(&a, 9), k = gate_of(b.hash);

	(void)state;
	k.ask.user_tier = "auth";
	k.ask.user_max = 9;
	sql_do("UPDATE sessions SET ended_at = now() WHERE token_suffix = '%.6s'",
		a.out.token + TOKEN_TEXT - 6);
	redis_do("DEL %s", session_key(&a));
	for (int i = 0; i < 3; i++) {
		assert_int_equal(job_run(&j.job), OK);
		assert_false(j.out.live);
	}
	assert_int_equal(counted(&a), 3); /* the dead do not use up what the person has left */
	assert_int_equal(job_run(&k.job), OK);
	assert_int_equal(k.out.rate.left, 5);
}

static void a_session_that_changed_is_counted_once(void **state)
{
	struct person p = person_new();
	struct login_job a = sign_in(&p);
	struct gate_job j = remembered(&a, 20);
	int64_t hits = counted(&a);

	(void)state;
	redis_do("HSET %s c %s", session_key(&a), "1000"); /* old: is checked */
	assert_int_equal(job_run(&j.job), OK);
	assert_true(j.out.live);
	assert_int_equal(counted(&a), ++hits);
	redis_do("DEL %s", session_key(&a)); /* forgotten: is put back, and looked at again */
	assert_int_equal(job_run(&j.job), OK);
	assert_true(j.out.live);
	assert_int_equal(counted(&a), ++hits);
	assert_int_equal(j.out.rate.left, 20 - hits);
}

static void a_window_ends_early(void **state)
{
	struct person p = person_new();
	struct login_job a = sign_in(&p);
	struct gate_job j = remembered(&a, 9);

	(void)state;
	redis_do("DEL portal:rate:auth:%lld", (long long)a.out.user.id);
	for (int left = 8; left > 5; left--) {
		assert_int_equal(job_run(&j.job), OK);
		assert_int_equal(j.out.rate.left, left);
		assert_in_range(expiry(&a), 30000, 60000);
	}
	/* Its session ended at the same time: who is dead begins no window. */
	redis_do("DEL portal:rate:auth:%lld", (long long)a.out.user.id);
	sql_do("UPDATE sessions SET ended_at = now() WHERE user_id = %lld",
		(long long)a.out.user.id);
	redis_do("DEL %s", session_key(&a));
	assert_int_equal(job_run(&j.job), OK);
	assert_false(j.out.live);
	assert_null(redis_do("GET portal:rate:auth:%lld", (long long)a.out.user.id));
}

static void redis_comes_back_empty(void **state)
{
	struct person p = person_new();
	struct login_job a = sign_in(&p);
	struct gate_job j = remembered(&a, 9);

	(void)state;
	redis_do("FLUSHDB");
	assert_int_equal(job_run(&j.job), OK);
	assert_true(j.out.live);
	assert_int_equal(j.out.rate.left, 8);
	assert_int_equal(counted(&a), 1);
	assert_in_range(expiry(&a), 30000, 60000);
}

/* Whoever hit it first died before it got its end. */
static void a_counter_without_end_gets_one(void **state)
{
	struct person p = person_new();
	struct login_job a = sign_in(&p);
	struct gate_job j = remembered(&a, 9);

	(void)state;
	redis_do("PERSIST portal:rate:auth:%lld", (long long)a.out.user.id);
	assert_int_equal(job_run(&j.job), OK);
	clock_advance(KNOWN_MS);
	assert_int_equal(job_run(&j.job), OK);
	assert_in_range(expiry(&a), 30000, 60000);
	assert_int_equal(j.out.rate.left, 9 - counted(&a));
	assert_in_range(j.out.rate.reset, 30, 60);
}

static void minute_begin(struct task *t)
{
	struct hit_job *j = task_subject(t);

	rate_hit(t, &j->limit, 60, &j->out, job_done);
}

static void hits_of_a_window_that_runs(void **state)
{
	struct person p = person_new();
	struct hit_job j = {.job.begin = minute_begin, .limit = {str_of(p.id), "bot", 4}};
	int64_t scripts;

	(void)state;
	assert_int_equal(job_run(&j.job), OK);
	scripts = scripts_run();
	for (int left = 2; left >= -1; left--) {
		assert_int_equal(job_run(&j.job), OK);
		assert_int_equal(j.out.over, left < 0);
		assert_int_equal(j.out.left, left < 0 ? 0 : left);
		assert_in_range(j.out.reset, 30, 60);
	}
	assert_int_equal(scripts_run(), scripts);
	redis_do("DEL portal:rate:bot:%s", p.id);
	for (int left = 3; left > 1; left--) {
		assert_int_equal(job_run(&j.job), OK);
		assert_int_equal(j.out.left, left);
	}
	assert_in_range(strtoll(redis_do("PTTL portal:rate:bot:%s", p.id), NULL, 10), 30000, 60000);
	redis_do("PERSIST portal:rate:bot:%s", p.id);
	clock_advance(KNOWN_MS);
	assert_int_equal(job_run(&j.job), OK);
	assert_in_range(strtoll(redis_do("PTTL portal:rate:bot:%s", p.id), NULL, 10), 30000, 60000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(limits_are_counted),
		cmocka_unit_test(the_dead_are_counted),
		cmocka_unit_test(an_address_stays_counted_over_looks),
		cmocka_unit_test(values_are_read_along),
		cmocka_unit_test(hits),
		cmocka_unit_test(the_remembered_are_counted),
		cmocka_unit_test(the_end_of_a_session_is_seen),
		cmocka_unit_test(a_session_that_changed_is_counted_once),
		cmocka_unit_test(a_window_ends_early),
		cmocka_unit_test(redis_comes_back_empty),
		cmocka_unit_test(a_counter_without_end_gets_one),
		cmocka_unit_test(hits_of_a_window_that_runs),
	};

	return cmocka_run_group_tests(tests, stores_begin, stores_end);
}
