/* Keys in real stores: who makes one, who may share it, who is served, and the public keys of
 * sessions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "gen/schema.h"
#include "keys_do.h"

/* ---- making ---- */

static void longest_present_makes_the_key(void **state)
{
	struct member m[3];
	int64_t chat = room_of("public", m, 3, 0);
	const char *text;

	(void)state;
	assert_int_equal(look(chat), 1000);
	text = heard();
	assert_int_equal(times(text, "room:key_needed"), 1);
	assert_true(asked(text, &m[0]));
	assert_int_equal(times(text, "\"make_key\":true"), 1);
	assert_true(names(text, &m[0]) && names(text, &m[1]) && names(text, &m[2]));
	assert_true(look(chat) > 900); /* holds for a second */
	assert_int_equal(times(heard(), "room:key_needed"), 0);

	shares(chat, &m[0], m, 3, 3);
	text = heard();
	for (int i = 0; i < 3; i++)
		assert_int_equal(times(text, to_of("room:key", &m[i])), 1);
	assert_int_equal(look(chat), 0);
	assert_int_equal(epoch_of(chat), 1);
}

static void another_is_asked_to_make_it_after_a_second(void **state)
{
	struct member m[2];
	int64_t chat = room_of("public", m, 2, 0);
	const char *text;

	(void)state;
	look(chat);
	asks_age(chat, 1000);
	heard();
	assert_int_equal(look(chat), 1000);
	text = heard();
	assert_true(asked(text, &m[1]) && !asked(text, &m[0]));
	asks_age(chat, 1000); /* all were asked: round again */
	look(chat);
	assert_true(asked(heard(), &m[0]));

	shares(chat, &m[1], m, 2, 2);
	assert_int_equal(share(chat, &m[0], m, 2), ERR_KEY_EXISTS); /* made in vain, a holder now */
	assert_string_equal(read_of(chat, &m[0]).from, m[1].key);
}

static void who_made_a_key_in_vain_and_holds_none(void **state)
{
	struct member m[3];
	int64_t chat = room_of("public", m, 3, 0);

	(void)state;
	look(chat);
	asks_age(chat, 1000);
	look(chat);
	shares(chat, &m[1], &m[1], 2, 2); /* not to m[0] */
	assert_int_equal(share(chat, &m[0], m, 3), ERR_KEY_EXISTS);
	assert_int_equal(share(chat, &m[0], &m[2], 1), ERR_KEY_EXISTS);
	assert_false(holds(chat, &m[0]));
	heard();
	look(chat);
	assert_true(asked(heard(), &m[1])); /* for m[0] */
	shares(chat, &m[1], m, 1, 1);
	assert_true(holds(chat, &m[0]));
	member_joins(chat, &m[0]);
	assert_int_equal(share(chat, &m[0], &m[2], 1), OK); /* a holder like any other */
}

static void two_makers_at_once(void **state)
{
	(void)state;
	for (int first = 0; first < 2; first++) {
		struct member m[2];
		int64_t chat = room_of("public", m, 2, 0);
		struct key_job a, b;

		look(chat);
		asks_age(chat, 1000);
		look(chat);
		a = share_of(chat, &m[first], m, 2);
		b = share_of(chat, &m[1 - first], m, 2);
		job_start(&a.job);
		job_start(&b.job);
		jobs_run();
		buf_free(&a.entries);
		buf_free(&b.entries);
		assert_int_equal(a.job.fault.err, OK);
		assert_int_equal(b.job.fault.err, ERR_KEY_EXISTS);
		for (int i = 0; i < 2; i++)
			assert_string_equal(read_of(chat, &m[i]).from, m[first].key);
	}
}

static void a_maker_who_left_is_not_waited_for(void **state)
{
	struct member m[2];
	int64_t chat = room_of("public", m, 2, 0);

	(void)state;
	look(chat);
	heard();
	member_leaves(chat, &m[0]);
	look(chat);
	assert_true(asked(heard(), &m[1]));
	assert_int_equal(epoch_of(chat), 1); /* it had no blob */
}

static void a_session_without_a_key_is_nobody(void **state)
{
	struct member m[2];
	int64_t chat = chat_new("public");

	(void)state;
	m[0] = member_new(0);
	redis_do("DEL portal:e2ee:keys:%lld", (long long)m[0].user);
	member_joins(chat, &m[0]);
	assert_int_equal(look(chat), 0);
	m[1] = member_new(0);
	member_joins(chat, &m[1]);
	look(chat);
	assert_true(asked(heard(), &m[1]));
	shares(chat, &m[1], (struct member[]){m[1], m[0]}, 2, 1);
}

/* ---- sharing ---- */

static void only_holders_and_makers_share(void **state)
{
	struct member m[3], stranger = member_new(0);
	int64_t chat = room_of("public", m, 3, 1);
	struct key_job old;

	(void)state;
	assert_int_equal(share(chat, &m[1], &m[2], 1), ERR_NO_ROOM_KEY);
	assert_int_equal(share(chat, &stranger, &m[2], 1), ERR_NOT_JOINED);
	old = share_of(chat, &m[0], &m[1], 1);
	rotate(chat, "clear", 0);
	assert_int_equal(share_run(&old), ERR_EPOCH_MISMATCH);
	assert_int_equal(old.job.fault.epoch, 2);
	assert_false(holds(chat, &m[1]));
	assert_int_equal(share(chat, &m[0], &m[1], 1), ERR_NO_ROOM_KEY); /* not asked yet */
}

static void who_is_not_entitled_is_skipped(void **state)
{
	struct member m[3], away = member_new(0), second, nobody = {.session = "ffffffffffffffff"};
	int64_t chat = room_of("public", m, 3, 2);
	struct member to[] = {m[0], m[2], away, nobody, m[2]};

	(void)state;
	shares(chat, &m[1], to, 5, 1);
	assert_true(holds(chat, &m[2]));
	assert_string_equal(read_of(chat, &m[0]).from, m[0].key);
	assert_false(holds(chat, &away));

	second = member_new(m[2].user); /* not in the room, but the person is */
	shares(chat, &m[0], &second, 1, 1);
	assert_true(holds(chat, &second));
	assert_int_equal(times(heard(), to_of("room:key", &second)), 0);
	assert_int_equal(look(chat), 0);
}

static void members_of_a_private_chat_are_served_while_away(void **state)
{
	struct person p[3] = {person_new(), person_new(), person_new()};
	struct login_job l[3] = {sign_in(&p[0]), sign_in(&p[1]), sign_in(&p[2])};
	int64_t chat = chat_new("private");
	struct key_job added = {.job.begin = added_begin, .chat = chat};
	struct member m[3];
	const char *text;

	(void)state;
	for (int i = 0; i < 3; i++)
		m[i] = member_new(l[i].out.user.id);
	sql_do("UPDATE chats SET owner_id = %lld WHERE id = %lld", (long long)m[0].user,
		(long long)chat);
	sql_do("INSERT INTO chat_members (chat_id, user_id) VALUES (%lld, %lld)", (long long)chat,
		(long long)m[1].user);
	member_joins(chat, &m[1]);
	look(chat);
	text = heard();
	assert_true(asked(text, &m[1]) && names(text, &m[0]) && !names(text, &m[2]));
	shares(chat, &m[1], m, 3, 2);
	assert_true(holds(chat, &m[0]));
	assert_int_equal(look(chat), 0); /* nobody who is here waits */

	sql_do("INSERT INTO chat_members (chat_id, user_id) VALUES (%lld, %lld)", (long long)chat,
		(long long)m[2].user);
	assert_int_equal(job_run(&added.job), OK);
	shares(chat, &m[1], &m[2], 1, 1);
}

/* ---- kick against share ---- */

static void who_is_removed_gets_no_later_blob(void **state)
{
	struct person p[2] = {person_new(), person_new()};
	struct login_job l[2] = {sign_in(&p[0]), sign_in(&p[1])};
	const char *const kinds[] = {"public", "private"};

	(void)state;
	for (int i = 0; i < 4; i++) {
		struct member m[2] = {member_new(l[0].out.user.id), member_new(l[1].out.user.id)};
		int64_t chat = chat_new(kinds[i / 2]);
		struct key_job s, k = {.job.begin = rotate_begin,
					  .chat = chat,
					  .reason = "kick",
					  .user = m[1].user};

		sql_do("INSERT INTO chat_members (chat_id, user_id) VALUES (%lld, %lld), (%lld, "
		       "%lld)",
			(long long)chat, (long long)m[0].user, (long long)chat,
			(long long)m[1].user);
		member_joins(chat, &m[0]);
		look(chat);
		shares(chat, &m[0], m, 1, 1);
		member_joins(chat, &m[1]);
		look(chat);
		s = share_of(chat, &m[0], &m[1], 1);
		sql_do("DELETE FROM chat_members WHERE user_id = %lld", (long long)m[1].user);
		if (i % 2)
			job_start(&s.job);
		job_start(&k.job);
		if (i % 2 == 0)
			job_start(&s.job);
		jobs_run();
		buf_free(&s.entries);
		/* The share came first: it has a blob of the epoch that is over. */
		assert_int_equal(s.job.fault.err, i % 2 ? OK : ERR_EPOCH_MISMATCH);
		assert_int_equal(k.job.fault.err, OK);
		assert_int_equal(epoch_of(chat), 2);
		assert_false(holds(chat, &m[1]));
		heard();
		look(chat);
		assert_false(names(heard(), &m[1]));
		shares(chat, &m[0], m, 2, 1);
		assert_false(holds(chat, &m[1]));
	}
}

/* The copy of the members was read before the removal and comes to be stored behind it. */
static void circle_begin(struct task *t)
{
	struct key_job *j = task_subject(t);
	struct redis_args a = {0};

	redis_key(t, &a, "portal:e2ee:circle:%lld", (long long)j->chat);
	redis_key(t, &a, "portal:chat:%lld:gate", (long long)j->chat);
	redis_arg(&a, STR("0"));
	redis_arg(&a, STR(""));
	redis_arg(&a, STR(" 77"));
	redis_eval(t, &redis_scripts[SCRIPT_KEY_CIRCLE], &a, NULL, NULL, job_done);
}

static void a_copy_of_the_members_does_not_outlive_a_removal(void **state)
{
	int64_t chat = chat_new("private");
	struct key_job late = {.job.begin = circle_begin, .chat = chat};
	struct member m = member_new(0);
	const char *circle;

	(void)state;
	member_joins(chat, &m);
	look(chat);
	circle = redis_do("GET portal:e2ee:circle:%lld", (long long)chat);
	assert_memory_equal(circle, "0 ", 2);
	rotate(chat, "kick", 77);
	look(chat);
	circle = redis_do("GET portal:e2ee:circle:%lld", (long long)chat);
	assert_memory_equal(circle, "1 ", 2);
	redis_do("DEL portal:e2ee:circle:%lld", (long long)chat);
	assert_int_equal(job_run(&late.job), OK);
	assert_null(redis_do("GET portal:e2ee:circle:%lld", (long long)chat));
}

/* ---- public keys ---- */

static void another_key_drops_the_blobs(void **state)
{
	struct person p = person_new();
	struct login_job l = sign_in(&p);
	struct member spare = member_new(0), other = member_new(0), m = member_of(&l, other.key);
	struct member rooms[2][1];
	int64_t chat[2];
	const char *text;
	bool changed;

	(void)state;
	assert_int_equal(put_key(&l, other.key, &changed), OK);
	assert_true(changed);
	for (int i = 0; i < 2; i++) {
		chat[i] = room_of("public", rooms[i], 1, 1);
		member_joins(chat[i], &m);
		shares(chat[i], rooms[i], &m, 1, 1);
		assert_true(holds(chat[i], &m));
	}
	member_leaves(chat[1], &m);
	heard();
	assert_int_equal(put_key(&l, other.key, &changed), OK);
	assert_false(changed);
	assert_true(holds(chat[0], &m) && holds(chat[1], &m));
	assert_int_equal(put_key(&l, spare.key, &changed), OK);
	assert_true(changed);
	assert_false(holds(chat[0], &m) || holds(chat[1], &m));
	text = heard();
	assert_int_equal(times(text, "portal:key_added"), 1); /* where it is present */
	assert_int_equal(times(text, spare.key), 1);
	assert_int_equal(times(text, "!keys"), 1);
	look(chat[0]);
	assert_true(asked(heard(), rooms[0]));
}

/* A blob on its way when the key changed was sealed for the one before. */
static void a_blob_for_the_key_before_is_skipped(void **state)
{
	struct person p = person_new();
	struct login_job l = sign_in(&p);
	struct member first[1], spare = member_new(0), m = member_of(&l, spare.key);
	int64_t chat = room_of("public", first, 1, 1);
	bool changed;

	(void)state;
	assert_int_equal(put_key(&l, spare.key, &changed), OK);
	member_joins(chat, &m);
	look(chat);
	assert_int_equal(put_key(&l, first[0].key, &changed), OK);
	shares(chat, first, &m, 1, 0);
	look(chat);
	shares(chat, first, &m, 1, 1);

	rotate(chat, "clear", 0); /* the same with a maker */
	look(chat);
	assert_int_equal(put_key(&l, spare.key, &changed), OK);
	shares(chat, first, (struct member[]){first[0], m}, 2, 1);
	look(chat);
	shares(chat, first, &m, 1, 1);
	assert_int_equal(epoch_of(chat), 2);
}

static void an_ended_session_has_no_key(void **state)
{
	struct person p = person_new();
	struct login_job l = sign_in(&p), l2 = sign_in(&p);
	struct member spare = member_new(0), m = member_of(&l, spare.key), first[1];
	int64_t chat = room_of("public", first, 1, 1);
	struct key_job end = {.job.begin = end_begin, .hash = l.hash};
	const char *text;
	bool changed;

	(void)state;
	assert_int_equal(put_key(&l, spare.key, &changed), OK);
	assert_int_equal(put_key(&l2, spare.key, &changed), OK);
	member_joins(chat, &m);
	shares(chat, first, &m, 1, 1);
	heard();
	assert_int_equal(job_run(&end.job), OK);
	text = heard();
	assert_int_equal(times(text, "portal:key_removed"), 1);
	assert_int_equal(times(text, m.session), 1);
	assert_false(holds(chat, &m));
	assert_string_equal(redis_do("HLEN portal:e2ee:keys:%lld", (long long)m.user), "1");
	assert_int_equal(look(chat), 0);
	assert_int_equal(put_key(&l, spare.key, &changed), ERR_AUTH_REQUIRED);
	shares(chat, first, &m, 1, 0);
}

static void keys_of_low_order_are_refused(void **state)
{
	static const char *const bad[] = {"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", /* 0 */
		"AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",                           /* 1 */
		"4Ot6fDtBuK4WVuP68Z/EatoJjeucMrH9hmIFFl9JuAA=", /* order 8 */
		"X5yVvKNQjCSx0LFVnIPvWwREXMRYHI6G2CJO3dCfEVc=", /* order 8 */
		"7P///////////////////////////////////////38=", /* p - 1 */
		"7f///////////////////////////////////////38=", /* p */
		"7v///////////////////////////////////////38=", /* p + 1 */
		"", "AAAA", "CQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB=",
		"CQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
		"CQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n="};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_false(secret_public_key(str_of(bad[i])));
	assert_true(secret_public_key(STR("CQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_copy_of_the_members_does_not_outlive_a_removal),
		cmocka_unit_test(longest_present_makes_the_key),
		cmocka_unit_test(another_is_asked_to_make_it_after_a_second),
		cmocka_unit_test(who_made_a_key_in_vain_and_holds_none),
		cmocka_unit_test(two_makers_at_once),
		cmocka_unit_test(a_maker_who_left_is_not_waited_for),
		cmocka_unit_test(a_session_without_a_key_is_nobody),
		cmocka_unit_test(only_holders_and_makers_share),
		cmocka_unit_test(who_is_not_entitled_is_skipped),
		cmocka_unit_test(members_of_a_private_chat_are_served_while_away),
		cmocka_unit_test(who_is_removed_gets_no_later_blob),
		cmocka_unit_test(another_key_drops_the_blobs),
		cmocka_unit_test(a_blob_for_the_key_before_is_skipped),
		cmocka_unit_test(an_ended_session_has_no_key),
		cmocka_unit_test(keys_of_low_order_are_refused),
	};

	return cmocka_run_group_tests(tests, keys_begin, keys_end);
}
