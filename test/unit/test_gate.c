/* Limits, and what the gate answers beside: counted in order, in fixed windows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "people.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(limits_are_counted),
		cmocka_unit_test(the_dead_are_counted),
		cmocka_unit_test(an_address_stays_counted_over_looks),
		cmocka_unit_test(values_are_read_along),
		cmocka_unit_test(hits),
	};

	return cmocka_run_group_tests(tests, stores_begin, stores_end);
}
