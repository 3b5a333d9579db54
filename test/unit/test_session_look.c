/* Sessions of many new sockets at once: each is told its own, and PostgreSQL has the last word. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/config.h"
#include "people.h"
#include "store/room.h"

#define CROWD   150 /* more than go together */
#define PROCESS STR("00c0ffee")
#define DAY_US  86400000000

struct look_job {
	struct job job;
	const uint8_t *hash;
	struct str address;
	struct session_look out;
};

static void look_begin(struct task *t)
{
	struct look_job *j = task_subject(t);

	session_look(t, j->hash, j->address, &j->out, job_done);
}

static struct look_job look_of(const uint8_t *hash)
{
	return (struct look_job){
		.job.begin = look_begin, .hash = hash, .address = STR("192.0.2.1")};
}

static struct session_look look(const uint8_t *hash)
{
	struct look_job j = look_of(hash);

	assert_int_equal(job_run(&j.job), OK);
	return j.out;
}

static const char *hex_of(const struct login_job *l)
{
	static char hex[HASH_HEX + 1];

	hex_encode(l->hash, HASH_LEN, hex);
	return hex;
}

static void checked_at(const struct login_job *l, int64_t ms)
{
	assert_string_equal(
		redis_do("HSET portal:session:%s c %lld", hex_of(l), (long long)ms), "0");
}

static int64_t now_ms(void)
{
	return clock_us() / 1000;
}

/* ---- looking ---- */

/* By turns: checked lately, long ago, long ago and ended or expired since, unknown to Redis, to
 * both. */
enum kind {
	LATELY,
	OLD,
	ENDED,
	EXPIRED,
	FORGOTTEN,
	NOBODY,
	KINDS
};

static void kind_make(enum kind k, struct login_job *l)
{
	if (k == NOBODY) {
		secret_random(l->hash, HASH_LEN);
		return;
	}
	checked_at(l, k == LATELY ? now_ms() : 1000);
	if (k == ENDED)
		sql_do("UPDATE sessions SET ended_at = now() WHERE user_id = %lld",
			(long long)l->out.user.id);
	if (k == EXPIRED)
		sql_do("UPDATE sessions SET expires_at = now() WHERE user_id = %lld",
			(long long)l->out.user.id);
	if (k == FORGOTTEN)
		redis_do("DEL portal:session:%s", hex_of(l));
}

static void each_is_told_its_own(void **state)
{
	static struct login_job all[CROWD];
	static struct look_job looks[CROWD];

	(void)state;
	for (int i = 0; i < CROWD; i++) {
		struct person p = person_new();

		all[i] = sign_in(&p);
		kind_make(i % KINDS, &all[i]);
		looks[i] = look_of(all[i].hash);
	}
	for (int i = 0; i < CROWD; i++)
		job_start(&looks[i].job);
	jobs_run();
	for (int i = 0; i < CROWD; i++) {
		const struct session_look *out = &looks[i].out;
		enum kind k = i % KINDS;

		assert_int_equal(looks[i].job.fault.err, OK);
		assert_false(out->over);
		assert_int_equal(out->live, k == LATELY || k == OLD);
		if (out->live)
			assert_int_equal(out->user_id, all[i].out.user.id);
		assert_int_equal(out->checked, k == OLD ? all[i].out.expires_at : 0);
	}
}

static void a_login_is_checked_at_first_use(void **state)
{
	struct person p = person_new();
	struct login_job a = sign_in(&p);

	(void)state;
	assert_int_equal(look(a.hash).checked, a.out.expires_at);
	sql_do("UPDATE sessions SET ended_at = now() WHERE user_id = %lld",
		(long long)a.out.user.id);
	assert_false(look(a.hash).live);
}

static void a_lower_limit_holds(void **state)
{
	struct person p = person_new();
	struct login_job all[5];

	(void)state;
	for (int i = 0; i < 5; i++)
		all[i] = sign_in(&p);
	config.max_sessions = 3;
	for (int i = 0; i < 5; i++)
		assert_int_equal(look(all[i].hash).live, i >= 2);
	config.max_sessions = 5;
}

static void people_who_are_gone_have_none(void **state)
{
	struct person p = person_new();
	struct login_job a = sign_in(&p);

	(void)state;
	sql_do("UPDATE users SET deleted_at = now() WHERE id = %lld", (long long)a.out.user.id);
	assert_false(look(a.hash).live);
}

static void stores_that_are_away(void **state)
{
	struct person p = person_new();
	struct login_job a = sign_in(&p);
	struct look_job j = look_of(a.hash);

	(void)state;
	pg_away();
	assert_int_equal(job_run(&j.job), ERR_UNAVAILABLE); /* it cannot be checked */
	checked_at(&a, now_ms());
	assert_true(look(a.hash).live);
	pg_back();
	redis_away();
	assert_int_equal(job_run(&j.job), ERR_UNAVAILABLE);
	redis_back();
	assert_true(look(a.hash).live);
}

static void handshakes_are_counted_by_address(void **state)
{
	struct person p = person_new();
	struct login_job a = sign_in(&p);
	struct look_job looks[5];

	(void)state;
	config.rate_handshake = 3;
	for (int i = 0; i < 5; i++) {
		looks[i] = look_of(a.hash);
		looks[i].address = i < 4 ? STR("192.0.2.2") : STR("2001:db8::/64");
		job_start(&looks[i].job);
	}
	jobs_run();
	config.rate_handshake = 300;
	for (int i = 0; i < 5; i++) {
		assert_int_equal(looks[i].out.over, i == 3);
		assert_int_equal(looks[i].out.live, i != 3);
	}
	assert_in_range(
		strtol(redis_do("PTTL portal:rate:handshake:192.0.2.2"), NULL, 10), 1, 60000);
}

/* ---- the seat that follows ---- */

struct seat_job {
	struct job job;
	struct socket_seat seat;
	struct seat_taken taken;
};

static void seat_begin(struct task *t)
{
	struct seat_job *j = task_subject(t);

	sockets_count(t, PROCESS, &j->seat, 1, &j->taken, job_done);
}

static struct seat_taken seat(const struct login_job *l, int64_t checked)
{
	struct seat_job j = {.job.begin = seat_begin,
		.seat = {.user_id = l->out.user.id,
			.session = STR("0123456789abcdef"),
			.sockets = 1,
			.token_hash = l->hash,
			.checked = checked}};

	assert_int_equal(job_run(&j.job), OK);
	return j.taken;
}

static int64_t cached(const struct login_job *l, const char *field)
{
	const char *v = redis_do("HGET portal:session:%s %s", hex_of(l), field);

	return v ? strtoll(v, NULL, 10) : 0;
}

static void what_was_checked_is_marked_so(void **state)
{
	struct person p = person_new();
	struct login_job a = sign_in(&p);
	int64_t sooner = now_ms() * 1000 + DAY_US;

	(void)state;
	assert_int_equal(seat(&a, 0).outcome, SEAT_OK);
	assert_int_equal(cached(&a, "c"), 0);
	assert_int_equal(seat(&a, a.out.expires_at).outcome, SEAT_OK);
	assert_in_range(cached(&a, "c"), now_ms() - 5000, now_ms() + 5000);
	assert_int_equal(look(a.hash).checked, 0);
	assert_int_equal(seat(&a, sooner).expires_at, sooner); /* it ends sooner than Redis knew */
	assert_in_range(strtoll(redis_do("PTTL portal:session:%s", hex_of(&a)), NULL, 10),
		DAY_US / 1000 - 60000, DAY_US / 1000);
}

static void an_end_behind_the_look_is_seen(void **state)
{
	struct person p = person_new();
	struct login_job a = sign_in(&p);
	struct session_look out = look(a.hash);

	(void)state;
	assert_true(out.live && out.checked);
	redis_do("DEL portal:session:%s", hex_of(&a));
	assert_int_equal(seat(&a, out.checked).outcome, SEAT_ENDED);
	assert_string_equal(redis_do("EXISTS portal:session:%s", hex_of(&a)), "0");
	assert_string_equal(redis_do("EXISTS portal:sockets:%lld", (long long)a.out.user.id), "0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_is_told_its_own),
		cmocka_unit_test(a_login_is_checked_at_first_use),
		cmocka_unit_test(a_lower_limit_holds),
		cmocka_unit_test(people_who_are_gone_have_none),
		cmocka_unit_test(stores_that_are_away),
		cmocka_unit_test(handshakes_are_counted_by_address),
		cmocka_unit_test(what_was_checked_is_marked_so),
		cmocka_unit_test(an_end_behind_the_look_is_seen),
	};

	return cmocka_run_group_tests(tests, stores_begin, stores_end);
}
