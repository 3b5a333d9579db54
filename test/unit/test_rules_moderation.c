/* Who may do what to whom: every act, kind of chat and level, against the sentences of the
 * contract. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "rules/moderation.h"

enum {
	ACTOR = 1,
	TARGET = 2,
	OWNER = 3
};

static struct person someone(int64_t id, int level)
{
	return (struct person){.id = id, .level = level};
}

static bool allowed(enum moderation what, int actor, int target, enum visibility v, int owner)
{
	return moderation_allowed(
		what, someone(ACTOR, actor), someone(TARGET, target), v, someone(OWNER, owner));
}

static bool of_chat(enum moderation what)
{
	return what <= MODERATION_UNMUTE;
}

static void in_ones_own_chat_to_anyone(void **state)
{
	struct person me = someone(ACTOR, LEVEL_USER);

	(void)state;
	for (enum moderation what = 0; what < MODERATION_COUNT; what++)
		for (enum visibility v = VISIBILITY_OFFICIAL; v <= VISIBILITY_PRIVATE; v++)
			for (int target = LEVEL_USER; target <= LEVEL_OWNER; target++)
				assert_int_equal(moderation_allowed(
							 what, me, someone(TARGET, target), v, me),
					of_chat(what));
}

static void elsewhere_above_owner_and_target(void **state)
{
	const enum visibility open[] = {VISIBILITY_OFFICIAL, VISIBILITY_PUBLIC};

	(void)state;
	for (int actor = LEVEL_USER; actor <= LEVEL_OWNER; actor++)
		for (int target = LEVEL_USER; target <= LEVEL_OWNER; target++)
			for (int owner = LEVEL_USER; owner <= LEVEL_OWNER; owner++)
				for (int i = 0; i < 2; i++) {
					bool top = actor == LEVEL_OWNER;
					bool want =
						(actor > target || top) && (actor > owner || top);

					assert_int_equal(allowed(MODERATION_BAN, actor, target,
								 open[i], owner),
						want);
				}
}

static void private_chats_of_others_are_for_admins(void **state)
{
	(void)state;
	for (int actor = LEVEL_USER; actor <= LEVEL_OWNER; actor++)
		for (int target = LEVEL_USER; target <= LEVEL_OWNER; target++) {
			bool want =
				actor >= LEVEL_ADMIN && (actor > target || actor == LEVEL_OWNER);

			assert_int_equal(allowed(MODERATION_KICK, actor, target, VISIBILITY_PRIVATE,
						 LEVEL_OWNER),
				want);
		}
}

static void warnings_and_timeouts_take_a_level(void **state)
{
	const enum moderation acts[] = {MODERATION_WARN, MODERATION_TIMEOUT};

	(void)state;
	for (int i = 0; i < 2; i++)
		for (int actor = LEVEL_USER; actor <= LEVEL_OWNER; actor++)
			for (int target = LEVEL_USER; target <= LEVEL_OWNER; target++) {
				bool want = actor >= LEVEL_MODERATOR &&
					    (actor > target || actor == LEVEL_OWNER);

				/* whoever owns the chat */
				assert_int_equal(allowed(acts[i], actor, target,
							 VISIBILITY_OFFICIAL, LEVEL_OWNER),
					want);
				assert_int_equal(allowed(acts[i], actor, target, VISIBILITY_PRIVATE,
							 LEVEL_USER),
					want);
			}
}

static void hard_mutes_and_bans_of_accounts_are_for_admins(void **state)
{
	const enum moderation acts[] = {MODERATION_HARD_MUTE, MODERATION_HARD_UNMUTE,
		MODERATION_ACCOUNT_BAN, MODERATION_ACCOUNT_UNBAN};

	(void)state;
	for (int i = 0; i < 4; i++)
		for (int actor = LEVEL_USER; actor <= LEVEL_OWNER; actor++)
			for (int target = LEVEL_USER; target <= LEVEL_OWNER; target++)
				assert_int_equal(allowed(acts[i], actor, target,
							 VISIBILITY_OFFICIAL, LEVEL_NONE),
					actor >= LEVEL_ADMIN &&
						(actor > target || actor == LEVEL_OWNER));
}

static void nobody_in_a_direct_chat(void **state)
{
	struct person none = someone(0, LEVEL_NONE);

	(void)state;
	for (enum moderation what = 0; what < MODERATION_HARD_MUTE; what++)
		assert_false(moderation_allowed(what, someone(ACTOR, LEVEL_OWNER),
			someone(TARGET, LEVEL_USER), VISIBILITY_DIRECT, none));
}

static void nobody_to_themselves(void **state)
{
	(void)state;
	for (enum moderation what = 0; what < MODERATION_COUNT; what++)
		for (int level = LEVEL_USER; level <= LEVEL_OWNER; level++) {
			struct person me = someone(ACTOR, level);

			assert_false(moderation_allowed(what, me, me, VISIBILITY_PUBLIC, me));
		}
}

static void a_deleted_account_does_nothing(void **state)
{
	(void)state;
	for (enum moderation what = 0; what < MODERATION_COUNT; what++)
		assert_false(moderation_allowed(what, someone(ACTOR, LEVEL_NONE),
			someone(TARGET, LEVEL_USER), VISIBILITY_PUBLIC,
			someone(ACTOR, LEVEL_NONE)));
}

static void private_chats_look_absent(void **state)
{
	struct person owner = someone(OWNER, LEVEL_OWNER);

	(void)state;
	assert_true(moderation_sees(owner, VISIBILITY_PRIVATE, owner, true));
	assert_true(moderation_sees(someone(ACTOR, LEVEL_USER), VISIBILITY_PRIVATE, owner, true));
	assert_true(moderation_sees(someone(ACTOR, LEVEL_USER), VISIBILITY_PUBLIC, owner, false));
	assert_true(moderation_sees(someone(ACTOR, LEVEL_ADMIN), VISIBILITY_PRIVATE, owner, false));
	assert_false(
		moderation_sees(someone(ACTOR, LEVEL_MODERATOR), VISIBILITY_PRIVATE, owner, false));
	assert_false(moderation_sees(
		someone(ACTOR, LEVEL_OWNER), VISIBILITY_DIRECT, someone(0, LEVEL_NONE), false));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_ones_own_chat_to_anyone),
		cmocka_unit_test(elsewhere_above_owner_and_target),
		cmocka_unit_test(private_chats_of_others_are_for_admins),
		cmocka_unit_test(warnings_and_timeouts_take_a_level),
		cmocka_unit_test(hard_mutes_and_bans_of_accounts_are_for_admins),
		cmocka_unit_test(nobody_in_a_direct_chat),
		cmocka_unit_test(nobody_to_themselves),
		cmocka_unit_test(a_deleted_account_does_nothing),
		cmocka_unit_test(private_chats_look_absent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
