/* Keys in real stores: which holders are asked, and what becomes of an epoch whose key nobody
 * gives. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "keys_do.h"

/* ---- holders ---- */

static void holders_are_asked_for_64_each(void **state)
{
	struct member m[150];
	int64_t chat = room_of("public", m, 150, 2);
	const char *text;

	(void)state;
	look(chat);
	text = heard();
	assert_int_equal(times(text, "room:key_needed"), 2);
	assert_int_equal(times(text, "\"user_id\":"), 128);
	assert_int_equal(times(text, "\"make_key\":false"), 2);
	assert_true(asked(text, &m[0]) && asked(text, &m[1]));
	for (int i = 2; i < 130; i++)
		assert_true(names(text, &m[i]));
	shares(chat, &m[0], &m[2], 64, 64);
	heard();
	look(chat); /* they help with the rest, longest joined first */
	text = heard();
	assert_int_equal(times(text, "\"user_id\":"), 20);
	assert_true(asked(text, &m[0]));
	shares(chat, &m[1], &m[66], 64, 64);
	shares(chat, &m[0], &m[130], 20, 20);
	assert_int_equal(look(chat), 0);
}

static void what_is_not_there_after_a_second_is_asked_of_another(void **state)
{
	struct member m[4];
	int64_t chat = room_of("public", m, 4, 3);
	const char *text;

	(void)state;
	assert_true(look(chat) <= 1000);
	assert_true(asked(heard(), &m[0]));
	for (int i = 1; i < 3; i++) {
		asks_age(chat, 1000);
		look(chat);
		text = heard();
		assert_true(asked(text, &m[i]));
		assert_int_equal(times(text, "room:key_needed"), 1);
	}
	asks_age(chat, 1000);
	look(chat);
	assert_int_equal(times(heard(), "room:key_needed"), 1); /* round again */
}

static void a_holder_who_left_is_not_waited_for(void **state)
{
	struct member m[3];
	int64_t chat = room_of("public", m, 3, 2);

	(void)state;
	look(chat);
	heard();
	member_leaves(chat, &m[0]);
	look(chat);
	assert_true(asked(heard(), &m[1]));
	assert_int_equal(epoch_of(chat), 1);
}

static void silent_holders_lose_the_epoch_after_5_s(void **state)
{
	struct member m[3];
	int64_t chat = room_of("public", m, 3, 2);
	const char *text;

	(void)state;
	for (int i = 0; i < 5; i++) {
		look(chat);
		assert_int_equal(epoch_of(chat), 1);
		asks_age(chat, 1000);
	}
	heard();
	assert_int_equal(look(chat), 1000);
	text = heard();
	assert_int_equal(epoch_of(chat), 2);
	assert_int_equal(times(text, "\"reason\":\"lost\""), 1);
	assert_int_equal(times(text, "!keys"), 1);
	assert_true(asked(text, &m[0]));
	assert_int_equal(times(text, "\"make_key\":true"), 1);
	assert_true(names(text, &m[2]));
	assert_false(holds(chat, &m[0]));
	asks_age(chat, 1000);
	look(chat);
	assert_true(asked(heard(), &m[1])); /* 6 s, when the first is not honest */
	assert_int_equal(epoch_of(chat), 2);
}

static void a_delivery_begins_the_5_s_anew(void **state)
{
	struct member m[4];
	int64_t chat = room_of("public", m, 4, 2);

	(void)state;
	for (int i = 0; i < 4; i++) {
		look(chat);
		asks_age(chat, 1000);
	}
	shares(chat, &m[0], &m[2], 1, 1);
	for (int i = 0; i < 5; i++) {
		look(chat);
		assert_int_equal(epoch_of(chat), 1);
		asks_age(chat, 1000);
	}
	look(chat);
	assert_int_equal(epoch_of(chat), 2);
}

static void a_wait_that_ended_unseen_does_not_count(void **state)
{
	struct member m[3];
	int64_t chat = room_of("public", m, 3, 1);

	(void)state;
	look(chat);
	member_leaves(chat, &m[1]);
	member_leaves(chat, &m[2]);
	asks_age(chat, 20000);
	member_joins(chat, &m[2]);
	look(chat);
	assert_int_equal(epoch_of(chat), 1);
}

static void a_key_that_nobody_present_holds_is_made_anew(void **state)
{
	struct member m[2];
	int64_t chat = room_of("public", m, 2, 1);
	const char *text;

	(void)state;
	member_leaves(chat, &m[0]);
	look(chat);
	text = heard();
	assert_int_equal(epoch_of(chat), 2);
	assert_true(asked(text, &m[1]));
	assert_false(names(text, &m[0]));
	shares(chat, &m[1], &m[1], 1, 1);
	member_joins(chat, &m[0]); /* its old blob is gone */
	assert_false(holds(chat, &m[0]));
	look(chat);
	assert_true(asked(heard(), &m[1]));
	assert_int_equal(epoch_of(chat), 2);
}

static void two_looks_at_a_lost_key_rotate_once(void **state)
{
	struct member m[3];
	int64_t chat = room_of("public", m, 3, 1);
	struct key_job looks[10];
	const char *text;

	(void)state;
	member_leaves(chat, &m[0]);
	for (int i = 0; i < 10; i++) {
		looks[i] = (struct key_job){.job.begin = ask_begin, .chat = chat};
		job_start(&looks[i].job);
	}
	jobs_run();
	text = heard();
	assert_int_equal(epoch_of(chat), 2);
	assert_int_equal(times(text, "room:epoch_changed"), 1);
	assert_int_equal(times(text, "room:key_needed"), 1);
}

static void two_rotations_at_once_are_two_epochs_and_one_maker(void **state)
{
	struct member m[2];
	int64_t chat = room_of("public", m, 2, 2);
	struct key_job a = {.job.begin = rotate_begin, .chat = chat, .reason = "wipe"};
	struct key_job b = {.job.begin = rotate_begin, .chat = chat, .reason = "clear"};
	struct key_job c = {.job.begin = ask_begin, .chat = chat};
	const char *text;

	(void)state;
	job_start(&a.job);
	job_start(&b.job);
	job_start(&c.job);
	jobs_run();
	text = heard();
	assert_int_equal(epoch_of(chat), 3);
	assert_int_equal(times(text, "room:epoch_changed"), 2);
	assert_int_equal(times(text, "room:key_needed"), 1);
	assert_int_equal(times(text, "\"epoch\":3,\"make_key\":true"), 1);
	assert_int_equal(share(chat, &m[0], m, 2), OK);
}

static void the_ceiling_is_raised_by_a_lost_key(void **state)
{
	struct member m[2];
	int64_t chat = room_of("public", m, 2, 1);

	(void)state;
	redis_do("SET portal:chat:%lld:epoch 999", (long long)chat);
	redis_do("RENAME portal:e2ee:chatkey:%lld:1 portal:e2ee:chatkey:%lld:999", (long long)chat,
		(long long)chat);
	redis_do("HSET portal:e2ee:asks:%lld epoch 999", (long long)chat);
	member_leaves(chat, &m[0]);
	look(chat);
	assert_int_equal(epoch_of(chat), 1000);
	assert_string_equal(redis_do("GET portal:chat:%lld:ceiling", (long long)chat), "2000");
	assert_true(asked(heard(), &m[1]));
}

/* ---- blobs that do not open ---- */

static void a_blob_that_does_not_open_is_asked_of_another(void **state)
{
	struct member m[3];
	int64_t chat = room_of("public", m, 3, 3);
	const char *text;

	(void)state;
	assert_int_equal(request(chat, &m[2]), OK);
	assert_false(holds(chat, &m[2]));
	look(chat);
	text = heard();
	assert_true(asked(text, &m[1]) && !asked(text, &m[0]) && names(text, &m[2]));
	shares(chat, &m[1], &m[2], 1, 1);
	assert_int_equal(epoch_of(chat), 1);

	assert_int_equal(request(chat, &m[2]), OK); /* both are liars: once a minute it rotates */
	look(chat);
	assert_int_equal(epoch_of(chat), 2);
	heard();
	shares(chat, &m[0], m, 3, 3);
	assert_int_equal(request(chat, &m[2]), OK);
	look(chat);
	assert_true(asked(heard(), &m[1]));
	shares(chat, &m[1], &m[2], 1, 1);
	assert_int_equal(request(chat, &m[2]), ERR_RATE_LIMITED);
	assert_true(holds(chat, &m[2]));

	assert_int_equal(request(chat, &m[1]), OK); /* m[0] made it, m[2] is another */
	look(chat);
	assert_true(asked(heard(), &m[2]));
	shares(chat, &m[2], &m[1], 1, 1);
	assert_int_equal(request(chat, &m[1]), OK); /* nobody is left, and the minute is not over */
	look(chat);
	assert_int_equal(epoch_of(chat), 2);
	assert_int_equal(times(heard(), "room:key_needed"), 1);
}

static void requests_are_refused(void **state)
{
	struct member m[2], stranger = member_new(0);
	int64_t chat = room_of("public", m, 2, 2);
	struct key_job old = {.job.begin = request_begin, .chat = chat, .epoch = 9, .who = &m[0]};

	(void)state;
	assert_int_equal(request(chat, &stranger), ERR_NOT_JOINED);
	assert_int_equal(job_run(&old.job), ERR_EPOCH_MISMATCH);
	assert_int_equal(old.job.fault.epoch, 1);
	assert_true(holds(chat, &m[0]));
	for (int i = 0; i < 2; i++)
		assert_int_equal(request(chat, &m[0]), OK);
	old.epoch = 1;
	assert_int_equal(job_run(&old.job), ERR_RATE_LIMITED);
	assert_in_range(old.job.fault.retry_after, 59, 60);
}

/* Everyone says that nothing opens, as often as they may: the chat survives it with one rotation a
 * minute and a key in the end. */
static void a_storm_of_requests(void **state)
{
	struct member m[30];
	int64_t chat = room_of("public", m, 30, 30);
	struct key_job all[120];

	(void)state;
	for (int i = 0; i < 120; i++) {
		all[i] = (struct key_job){.job.begin = i % 7 ? request_begin : ask_begin,
			.chat = chat,
			.epoch = 1,
			.who = &m[i % 30]};
		job_start(&all[i].job);
	}
	jobs_run();
	look(chat);
	assert_in_range(epoch_of(chat), 2, 2);
	asks_age(chat, 1000);
	heard();
	look(chat);
	assert_int_equal(times(heard(), "\"make_key\":true"), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(holders_are_asked_for_64_each),
		cmocka_unit_test(what_is_not_there_after_a_second_is_asked_of_another),
		cmocka_unit_test(a_holder_who_left_is_not_waited_for),
		cmocka_unit_test(silent_holders_lose_the_epoch_after_5_s),
		cmocka_unit_test(a_delivery_begins_the_5_s_anew),
		cmocka_unit_test(a_wait_that_ended_unseen_does_not_count),
		cmocka_unit_test(a_key_that_nobody_present_holds_is_made_anew),
		cmocka_unit_test(two_looks_at_a_lost_key_rotate_once),
		cmocka_unit_test(two_rotations_at_once_are_two_epochs_and_one_maker),
		cmocka_unit_test(the_ceiling_is_raised_by_a_lost_key),
		cmocka_unit_test(a_blob_that_does_not_open_is_asked_of_another),
		cmocka_unit_test(requests_are_refused),
		cmocka_unit_test(a_storm_of_requests),
	};

	return cmocka_run_group_tests(tests, keys_begin, keys_end);
}
