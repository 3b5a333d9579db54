/* Sessions in real stores: who is live, through logins, ends, look-ups and losses in any
 * order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/config.h"
#include "people.h"

#define MANY 200

/* ---- what is done ---- */

struct end_job {
	struct job job;
	const uint8_t *hash; /* this one, or with user_id: never this one */
	int64_t user_id;
	struct str suffix;
	int64_t ended;
};

static void end_begin(struct task *t)
{
	struct end_job *j = task_subject(t);

	if (j->suffix.p)
		session_end_suffix(t, j->user_id, j->suffix, j->hash, &j->ended, job_done);
	else if (j->user_id)
		session_end_all(t, j->user_id, j->hash, "destroyed", &j->ended, job_done);
	else
		session_end(t, j->hash, "logout", &j->ended, job_done);
}

static int64_t end(struct end_job j)
{
	j.job.begin = end_begin;
	assert_int_equal(job_run(&j.job), OK);
	return j.ended;
}

static int64_t log_out(const struct login_job *l)
{
	return end((struct end_job){.hash = l->hash});
}

struct count_job {
	struct job job;
	const struct pg_stmt *stmt;
	int64_t arg, got;
};

static enum err count_decode(struct task *t, const struct pg_rows *r, void *out)
{
	(void)t;
	*(int64_t *)out = pg_i64(r, 0, 0);
	return OK;
}

static void count_begin(struct task *t)
{
	struct count_job *j = task_subject(t);
	struct pg_args a = {0};

	pg_arg_i64(t, &a, j->arg);
	pg_query(t, j->stmt, &a, count_decode, &j->got, job_done);
}

static int64_t count(const struct pg_stmt *stmt, int64_t arg)
{
	struct count_job j = {.job.begin = count_begin, .stmt = stmt, .arg = arg};

	assert_int_equal(job_run(&j.job), OK);
	return j.got;
}

PG_STMT(test_live_sessions, OP_READ,
	"SELECT count(*) FROM sessions WHERE user_id = $1 AND ended_at IS NULL");
PG_STMT(test_identities, OP_READ,
	"SELECT count(*) FROM identities WHERE platform_user_id = $1::text");
PG_STMT(test_users, OP_READ, "SELECT count(*) FROM users WHERE id > $1");
PG_STMT(test_welcomes, OP_READ, "SELECT count(*) FROM notifications WHERE user_id = $1");
PG_STMT(test_bot_logins, OP_READ, "SELECT bot_logins FROM users WHERE id = $1");

static const char *cached(const struct login_job *l, const char *field)
{
	char hex[HASH_HEX + 1] = {0};

	hex_encode(l->hash, HASH_LEN, hex);
	return redis_do("HGET portal:session:%s %s", hex, field);
}

/* As if PostgreSQL had been asked long ago. */
static void make_old(const struct login_job *l)
{
	char hex[HASH_HEX + 1] = {0};

	hex_encode(l->hash, HASH_LEN, hex);
	assert_non_null(cached(l, "c"));
	redis_do("HSET portal:session:%s c 1000", hex);
}

static int64_t seats(int64_t user_id)
{
	return strtoll(redis_do("ZCARD portal:sessions:%lld", (long long)user_id), NULL, 10);
}

/* ---- signing in ---- */

static void first_login_makes_an_account(void **state)
{
	struct person p = person_new();
	struct login_job bot = login_of(&p, false), first, second;

	(void)state;
	assert_int_equal(job_run(&bot.job), ERR_USER_NOT_FOUND);
	first = sign_in(&p);
	assert_true(first.out.created);
	assert_true(
		first.out.expires_at - first.out.created_at >= 30LL * 86400 * 1000000 - 1000000);
	assert_int_equal(count(&test_welcomes, first.out.user.id), 1);
	second = sign_in(&p);
	assert_false(second.out.created);
	assert_int_equal(second.out.user.id, first.out.user.id);
	assert_int_equal(count(&test_welcomes, first.out.user.id), 1);
	assert_true(live(&first) && live(&second));
}

static void first_logins_at_once_make_one_account(void **state)
{
	struct person p = person_new();
	int64_t before = count(&test_users, 0);
	struct login_job all[20];
	int created = 0;

	(void)state;
	for (int i = 0; i < 20; i++) {
		all[i] = login_of(&p, true);
		job_start(&all[i].job);
	}
	jobs_run();
	for (int i = 0; i < 20; i++) {
		assert_int_equal(all[i].job.fault.err, OK);
		assert_int_equal(all[i].out.user.id, all[0].out.user.id);
		created += all[i].out.created;
	}
	assert_int_equal(created, 1);
	assert_int_equal(count(&test_users, 0), before + 1);
	assert_int_equal(count(&test_identities, strtoll(p.id, NULL, 10)), 1);
	assert_int_equal(count(&test_welcomes, all[0].out.user.id), 1);
}

static void bot_logins_are_counted(void **state)
{
	struct person p = person_new();
	int64_t id = sign_in(&p).out.user.id;
	struct login_job bot = login_of(&p, false);

	(void)state;
	assert_int_equal(job_run(&bot.job), OK);
	assert_int_equal(job_run(&bot.job), OK);
	assert_int_equal(count(&test_bot_logins, id), 2);
	sign_in(&p);
	assert_int_equal(count(&test_bot_logins, id), 0);
}

static void many_logins_leave_five(void **state)
{
	struct person p = person_new();
	int64_t id = sign_in(&p).out.user.id;
	struct login_job *all = calloc(MANY, sizeof(*all));
	int left = 0, in_redis = 0;

	(void)state;
	for (int i = 0; i < MANY; i++) {
		all[i] = login_of(&p, true);
		job_start(&all[i].job);
	}
	jobs_run();
	for (int i = 0; i < MANY; i++) {
		assert_int_equal(all[i].job.fault.err, OK);
		secret_hash(str_make(all[i].out.token, TOKEN_TEXT), all[i].hash);
		in_redis += cached(&all[i], "u") != NULL;
	}
	assert_int_equal(in_redis, 5);
	assert_int_equal(seats(id), 5);
	assert_int_equal(count(&test_live_sessions, id), 5);
	for (int i = 0; i < MANY; i++)
		left += live(&all[i]);
	assert_int_equal(left, 5);
	free(all);
}

static void the_oldest_gives_way(void **state)
{
	struct person p = person_new();
	struct login_job all[7];

	(void)state;
	for (int i = 0; i < 7; i++)
		all[i] = sign_in(&p);
	for (int i = 0; i < 7; i++)
		assert_int_equal(live(&all[i]), i >= 2);
}

static void restricted_people_get_no_session(void **state)
{
	struct person p = person_new();
	struct login_job first = sign_in(&p), again = login_of(&p, true);
	long long id = first.out.user.id;

	(void)state;
	sql_do("UPDATE users SET restriction = 'banned', restriction_reason = 'x' WHERE id = %lld",
		id);
	assert_int_equal(job_run(&again.job), ERR_ACCOUNT_BANNED);
	assert_true(again.job.fault.has_ban);
	assert_int_equal(again.job.fault.expires_at, 0);
	sql_do("UPDATE users SET restriction = 'timeout', restricted_until = now() + '1 h' WHERE "
	       "id = %lld",
		id);
	assert_int_equal(job_run(&again.job), ERR_ACCOUNT_TIMEOUT);
	assert_true(again.job.fault.expires_at > first.out.created_at);
	sql_do("UPDATE users SET restricted_until = now() WHERE id = %lld", id);
	assert_int_equal(job_run(&again.job), OK);
	assert_int_equal(count(&test_live_sessions, id), 2);
}

static void admins_sign_in_for_a_day(void **state)
{
	struct person p = person_new();
	struct login_job user = sign_in(&p), admin;
	long long id = user.out.user.id;

	(void)state;
	sql_do("UPDATE users SET permission_level = 2 WHERE id = %lld", id);
	admin = sign_in(&p);
	assert_in_range(admin.out.expires_at - admin.out.created_at, 86399000000, 86401000000);
}

/* ---- signing in with others: what comes in one turn goes as one ---- */

static void known_people_share_a_statement(void **state)
{
	struct login_job before[10], all[10];
	struct person p[10];
	uint64_t queries;

	(void)state;
	for (int i = 0; i < 10; i++) {
		p[i] = person_new();
		before[i] = sign_in(&p[i]);
		all[i] = login_of(&p[i], i % 2);
	}
	queries = pg_stats().queries;
	for (int i = 0; i < 10; i++)
		job_start(&all[i].job);
	jobs_run();
	assert_int_equal(pg_stats().queries - queries, 1);
	for (int i = 0; i < 10; i++) {
		const struct login_job *l = &all[i];

		assert_int_equal(l->job.fault.err, OK);
		assert_false(l->out.created);
		assert_int_equal(l->out.user.id, before[i].out.user.id);
		assert_int_equal(l->out.expires_at - l->out.created_at > 29LL * 86400 * 1000000, 1);
		secret_hash(str_make(l->out.token, TOKEN_TEXT), all[i].hash);
		assert_int_equal(strtoll(cached(l, "a"), NULL, 10), l->out.created_at);
		assert_int_equal(
			strtoll(cached(l, "e"), NULL, 10), (l->out.expires_at + 500) / 1000);
		assert_int_equal(count(&test_bot_logins, l->out.user.id), !(i % 2));
		assert_true(live(l) && live(&before[i]));
	}
}

/* In one turn: known ones, one five times, one with five sessions, an Admin, a restricted, a new
 * person, a bot's unknown, and one whose words PostgreSQL refuses. */
static void all_kinds_sign_in_together(void **state)
{
	struct person p[8];
	struct login_job had[8], same[5], full[5], l[8];

	(void)state;
	for (int i = 0; i < 8; i++) {
		p[i] = person_new();
		if (i < 6)
			had[i] = sign_in(&p[i]);
		l[i] = login_of(&p[i], i != 7);
	}
	full[0] = had[1];
	for (int i = 1; i < 5; i++)
		full[i] = sign_in(&p[1]);
	sql_do("UPDATE users SET permission_level = 2 WHERE id = %lld",
		(long long)had[2].out.user.id);
	sql_do("UPDATE users SET restriction = 'banned' WHERE id = %lld",
		(long long)had[3].out.user.id);
	l[4].ask.user_agent = STR("\xff");
	for (int round = 0; round < 2; round++) { /* with the refused one, and without */
		for (int i = 0; i < 8; i++)
			if (i != 4 || round == 0)
				job_start(&l[i].job);
		for (int i = 0; i < 5 && round == 1; i++) {
			same[i] = login_of(&p[0], true);
			job_start(&same[i].job);
		}
		jobs_run();
		for (int i = 0; i < 8; i++)
			assert_int_equal(l[i].job.fault.err, i == 3   ? ERR_ACCOUNT_BANNED
							     : i == 4 ? ERR_INTERNAL
							     : i == 7 ? ERR_USER_NOT_FOUND
								      : OK);
		assert_true(l[3].job.fault.has_ban);
		assert_int_equal(l[6].out.created, round == 0);
		assert_in_range(
			l[2].out.expires_at - l[2].out.created_at, 86399000000, 86401000000);
		assert_int_equal(count(&test_live_sessions, had[1].out.user.id), 5);
		assert_int_equal(live(&full[round]), 0);
		assert_int_equal(live(&full[round + 1]), 1);
	}
	/* One person: had, two with the others, five at once. */
	assert_int_equal(count(&test_live_sessions, had[0].out.user.id), 5);
	assert_int_equal(seats(had[0].out.user.id), 5);
	assert_false(live(&had[0]));
	for (int i = 0; i < 5; i++)
		assert_int_equal(same[i].job.fault.err, OK);
	assert_int_equal(count(&test_live_sessions, had[3].out.user.id), 1);
	assert_int_equal(count(&test_live_sessions, had[4].out.user.id), 1);
}

/* ---- ends ---- */

static void ends(void **state)
{
	struct person p = person_new();
	struct login_job a = sign_in(&p), b = sign_in(&p), c = sign_in(&p), d = sign_in(&p);
	int64_t id = a.out.user.id;
	struct str suffix =
		str_make(b.out.token + TOKEN_TEXT - SESSION_SUFFIX_LEN, SESSION_SUFFIX_LEN);

	(void)state;
	assert_int_equal(log_out(&a), 1);
	assert_int_equal(log_out(&a), 0);
	assert_false(live(&a));
	assert_int_equal(end((struct end_job){.user_id = id, .suffix = suffix, .hash = b.hash}), 0);
	assert_int_equal(end((struct end_job){.user_id = id + 1, .suffix = suffix}), 0);
	assert_int_equal(end((struct end_job){.user_id = id, .suffix = suffix}), 1);
	assert_false(live(&b));
	assert_int_equal(end((struct end_job){.user_id = id, .hash = d.hash}), 1);
	assert_false(live(&c));
	assert_true(live(&d));
	assert_int_equal(end((struct end_job){.user_id = id}), 1);
	assert_false(live(&d));
	assert_int_equal(seats(id), 0);
}

struct list_job {
	struct job job;
	int64_t user_id;
	bool history;
	size_t count;
	char suffixes[8][SESSION_SUFFIX_LEN + 1];
	char reason[16];
	struct session_list list;
};

static void list_read(struct task *t)
{
	struct list_job *j = task_subject(t);

	j->count = j->list.count;
	for (size_t i = 0; i < j->count && i < 8; i++)
		snprintf(j->suffixes[i], sizeof(j->suffixes[i]), STR_FMT,
			STR_ARG(j->list.rows[i].suffix));
	if (j->count)
		snprintf(
			j->reason, sizeof(j->reason), STR_FMT, STR_ARG(j->list.rows[0].end_reason));
	task_end(t);
}

static void list_begin(struct task *t)
{
	struct list_job *j = task_subject(t);

	(j->history ? session_list_history : session_list_live)(t, j->user_id, &j->list, list_read);
}

static void lists(void **state)
{
	struct person p = person_new();
	struct login_job a = sign_in(&p), b = sign_in(&p), c = sign_in(&p);
	struct list_job now = {.job.begin = list_begin, .user_id = a.out.user.id}, past = now;

	(void)state;
	past.history = true;
	log_out(&b);
	assert_int_equal(job_run(&now.job), OK);
	assert_int_equal(now.count, 2);
	assert_memory_equal(now.suffixes[0], c.out.token + TOKEN_TEXT - 6, 6);
	assert_memory_equal(now.suffixes[1], a.out.token + TOKEN_TEXT - 6, 6);
	sql_do("UPDATE sessions SET expires_at = now() WHERE user_id = %lld AND ended_at IS NULL"
	       " AND token_suffix = '%s'",
		(long long)a.out.user.id, now.suffixes[0]);
	assert_int_equal(job_run(&past.job), OK);
	assert_int_equal(past.count, 2);
	assert_string_equal(past.reason, "expired");
	assert_memory_equal(past.suffixes[1], b.out.token + TOKEN_TEXT - 6, 6);
}

static void forget_begin(struct task *t)
{
	const struct list_job *j = task_subject(t);

	session_forget(t, j->user_id, job_done);
}

static void another_end_is_read(void **state)
{
	struct person p = person_new();
	struct login_job a = sign_in(&p);
	struct list_job j = {.job.begin = forget_begin, .user_id = a.out.user.id};
	int64_t ends_ms;

	(void)state;
	assert_true(live(&a));
	sql_do("UPDATE sessions SET expires_at = now() + interval '1 day' WHERE user_id = %lld",
		(long long)a.out.user.id);
	assert_int_equal(job_run(&j.job), OK);
	assert_true(live(&a));
	ends_ms = strtoll(cached(&a, "e"), NULL, 10);
	assert_in_range(ends_ms - a.out.created_at / 1000, 86390000, 86460000);
}

/* ---- losses ---- */

static void redis_comes_back_empty(void **state)
{
	struct person p = person_new();
	struct login_job all[7];
	int64_t id;

	(void)state;
	for (int i = 0; i < 7; i++)
		all[i] = sign_in(&p);
	id = all[0].out.user.id;
	log_out(&all[4]);
	redis_do("FLUSHDB");
	for (int i = 6; i >= 0; i--)
		assert_int_equal(live(&all[i]), i >= 2 && i != 4);
	assert_int_equal(seats(id), 4);
	redis_do("FLUSHDB");
	sign_in(&p);
	sign_in(&p); /* ends all[2] */
	assert_false(live(&all[2]));
	assert_true(live(&all[3]));
	assert_int_equal(seats(id), 5);
}

/* Ends that Redis never heard of take no seat from those who are live. */
static void lost_ends_leave_no_seats(void **state)
{
	struct person p = person_new();
	struct login_job all[5], late;
	long long id;

	(void)state;
	for (int i = 0; i < 5; i++)
		all[i] = sign_in(&p);
	id = all[0].out.user.id;
	sql_do("UPDATE sessions SET ended_at = now() WHERE user_id = %lld AND token_suffix <> "
	       "'%.6s'",
		id, all[0].out.token + TOKEN_TEXT - 6);
	late = sign_in(&p);
	assert_true(live(&late) && live(&all[0]));
	assert_int_equal(seats(id), 2);
	for (int i = 1; i < 5; i++)
		assert_false(live(&all[i]));
}

static void old_entries_are_checked(void **state)
{
	struct person p = person_new();
	struct login_job a = sign_in(&p), b = sign_in(&p);

	(void)state;
	assert_true(live(&a) && live(&b));
	sql_do("UPDATE sessions SET ended_at = now() WHERE user_id = %lld",
		(long long)a.out.user.id);
	assert_true(live(&a)); /* not yet */
	make_old(&a);
	assert_false(live(&a));
	assert_null(cached(&a, "u"));
	make_old(&b);
	pg_away();
	assert_true(live(&b)); /* on as it is */
	pg_back();
	assert_false(live(&b));
}

static void missing_entries_need_postgres(void **state)
{
	struct person p = person_new();
	struct login_job a = sign_in(&p);
	struct gate_job j = gate_of(a.hash);

	(void)state;
	redis_do("FLUSHDB");
	pg_away();
	assert_int_equal(job_run(&j.job), ERR_UNAVAILABLE);
	pg_back();
	assert_true(live(&a));
}

/* A login whose step in Redis comes after the end of its session, tombstone lost. */
static void a_login_is_checked_at_first_use(void **state)
{
	struct person p = person_new();
	struct login_job a = sign_in(&p);

	(void)state;
	assert_string_equal(cached(&a, "c"), "0");
	sql_do("UPDATE sessions SET ended_at = now() WHERE user_id = %lld",
		(long long)a.out.user.id);
	assert_false(live(&a));
}

struct put_job {
	struct job job;
	struct session_seat seat;
	bool in;
};

static void put_begin(struct task *t)
{
	struct put_job *j = task_subject(t);

	session_put(t, &j->seat, &j->in, job_done);
}

/* A look-up that read PostgreSQL before an end, and comes to Redis behind it. */
static void nothing_is_put_back_behind_an_end(void **state)
{
	struct person p = person_new();
	struct login_job a = sign_in(&p);
	char hex[HASH_HEX + 1] = {0}, list[128], marker[64];
	struct put_job j = {
		.job.begin = put_begin, .seat = {.user_id = a.out.user.id, .checked = true}};

	(void)state;
	hex_encode(a.hash, HASH_LEN, hex);
	snprintf(list, sizeof(list), "%s %lld %lld", hex, (long long)a.out.created_at,
		(long long)a.out.expires_at / 1000);
	redis_do("FLUSHDB");
	assert_true(live(&a));
	snprintf(marker, sizeof(marker), "%s", redis_do("GET portal:marker"));
	j.seat.hash = str_make(hex, HASH_HEX);
	j.seat.live = str_of(list);
	j.seat.marker = str_of(marker);
	assert_int_equal(job_run(&j.job), OK);
	assert_true(j.in);
	log_out(&a);
	assert_int_equal(job_run(&j.job), OK);
	assert_false(j.in); /* tombstone */
	redis_do("FLUSHDB");
	assert_int_equal(job_run(&j.job), OK);
	assert_false(j.in);     /* no marker */
	assert_false(live(&a)); /* makes another */
	assert_int_equal(job_run(&j.job), OK);
	assert_false(j.in);
	assert_null(cached(&a, "u"));
}

static void look_ups_and_an_end_at_once(void **state)
{
	(void)state;
	for (int round = 0; round < 30; round++) {
		struct person p = person_new();
		struct login_job a = sign_in(&p);
		struct gate_job looks[9];
		struct end_job out = {.job.begin = end_begin, .hash = a.hash};

		redis_do("FLUSHDB");
		for (int i = 0; i < 9; i++) {
			if (i == round % 9)
				job_start(&out.job);
			looks[i] = gate_of(a.hash);
			job_start(&looks[i].job);
		}
		jobs_run();
		for (int i = 0; i < 9; i++)
			assert_int_equal(looks[i].job.fault.err, OK);
		assert_int_equal(out.ended, 1);
		assert_false(live(&a));
		assert_null(cached(&a, "u"));
	}
}

static void ends_reach_redis_when_it_is_back(void **state)
{
	struct person p = person_new();
	struct login_job a = sign_in(&p), b = sign_in(&p), c = sign_in(&p), d;

	(void)state;
	assert_true(live(&a) && live(&b) && live(&c));
	redis_away();
	assert_int_equal(log_out(&a), 1);
	d = sign_in(&p); /* counts, without Redis */
	pg_away();       /* what this process knows needs no PostgreSQL */
	redis_back();
	assert_null(cached(&a, "u"));
	assert_non_null(cached(&b, "u"));
	pg_back();
	assert_false(live(&a));
	assert_true(live(&d));

	/* Another process died between commit and Redis. */
	sql_do("UPDATE sessions SET ended_at = now() WHERE user_id = %lld AND token_suffix = "
	       "'%.6s'",
		(long long)b.out.user.id, b.out.token + TOKEN_TEXT - 6);
	redis_away();
	redis_back();
	assert_null(cached(&b, "u"));
	assert_true(live(&c));
}

static void sessions_of_the_deleted_are_dead(void **state)
{
	struct person p = person_new();
	struct login_job a = sign_in(&p);

	(void)state;
	redis_do("FLUSHDB");
	sql_do("UPDATE users SET deleted_at = now() WHERE id = %lld", (long long)a.out.user.id);
	assert_false(live(&a));
}

static void a_lower_limit_holds_for_look_ups(void **state)
{
	struct person p = person_new();
	struct login_job all[5];

	(void)state;
	for (int i = 0; i < 5; i++)
		all[i] = sign_in(&p);
	redis_do("FLUSHDB");
	config.max_sessions = 3;
	for (int i = 0; i < 5; i++)
		assert_int_equal(live(&all[i]), i >= 2);
	config.max_sessions = 5;
}

/* ---- names ---- */

static void public_ids(void **state)
{
	uint8_t a[HASH_LEN] = {1}, b[HASH_LEN] = {2};
	char one[SESSION_ID_LEN], two[SESSION_ID_LEN], hex[HASH_HEX];

	(void)state;
	session_public_id(a, one);
	session_public_id(b, two);
	assert_memory_not_equal(one, two, SESSION_ID_LEN);
	hex_encode(a, HASH_LEN, hex);
	assert_memory_not_equal(one, hex, SESSION_ID_LEN); /* no part of what is in Redis' keys */
	for (int i = 0; i < SESSION_ID_LEN; i++)
		assert_non_null(strchr("0123456789abcdef", one[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_login_makes_an_account),
		cmocka_unit_test(first_logins_at_once_make_one_account),
		cmocka_unit_test(bot_logins_are_counted),
		cmocka_unit_test(many_logins_leave_five),
		cmocka_unit_test(the_oldest_gives_way),
		cmocka_unit_test(restricted_people_get_no_session),
		cmocka_unit_test(admins_sign_in_for_a_day),
		cmocka_unit_test(known_people_share_a_statement),
		cmocka_unit_test(all_kinds_sign_in_together),
		cmocka_unit_test(ends),
		cmocka_unit_test(lists),
		cmocka_unit_test(another_end_is_read),
		cmocka_unit_test(redis_comes_back_empty),
		cmocka_unit_test(lost_ends_leave_no_seats),
		cmocka_unit_test(old_entries_are_checked),
		cmocka_unit_test(missing_entries_need_postgres),
		cmocka_unit_test(a_login_is_checked_at_first_use),
		cmocka_unit_test(nothing_is_put_back_behind_an_end),
		cmocka_unit_test(look_ups_and_an_end_at_once),
		cmocka_unit_test(ends_reach_redis_when_it_is_back),
		cmocka_unit_test(sessions_of_the_deleted_are_dead),
		cmocka_unit_test(a_lower_limit_holds_for_look_ups),
		cmocka_unit_test(public_ids),
	};

	return cmocka_run_group_tests(tests, stores_begin, stores_end);
}
