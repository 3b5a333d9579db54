/* Every pair of levels, and the ownership rules of chats and bots. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "rules/permission.h"

static struct person someone(int64_t id, int level)
{
	return (struct person){.id = id, .level = level};
}

static void acts_on_lower_levels_only(void **state)
{
	(void)state;
	for (int a = LEVEL_USER; a <= LEVEL_OWNER; a++)
		for (int b = LEVEL_USER; b <= LEVEL_OWNER; b++) {
			bool want = a > b || (a == LEVEL_OWNER && b == LEVEL_OWNER);

			assert_int_equal(can_act_on(someone(1, a), someone(2, b)), want);
		}
}

static void nobody_acts_on_themselves(void **state)
{
	(void)state;
	for (int a = LEVEL_USER; a <= LEVEL_OWNER; a++)
		assert_false(can_act_on(someone(7, a), someone(7, a)));
}

static void private_chats_are_their_owners(void **state)
{
	(void)state;
	assert_true(can_manage_chat(
		someone(1, LEVEL_USER), VISIBILITY_PRIVATE, someone(1, LEVEL_USER)));
	assert_false(can_manage_chat(
		someone(2, LEVEL_OWNER), VISIBILITY_PRIVATE, someone(1, LEVEL_USER)));
}

static void open_chats_follow_the_hierarchy(void **state)
{
	const enum visibility open[] = {VISIBILITY_OFFICIAL, VISIBILITY_PUBLIC};

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct person owner = someone(1, LEVEL_ADMIN);

		assert_true(can_manage_chat(owner, open[i], owner));
		assert_true(can_manage_chat(someone(2, LEVEL_OWNER), open[i], owner));
		assert_false(can_manage_chat(someone(2, LEVEL_ADMIN), open[i], owner));
		assert_false(can_manage_chat(someone(2, LEVEL_USER), open[i], owner));
	}
}

static void nobody_manages_a_direct_chat(void **state)
{
	(void)state;
	assert_false(can_manage_chat(
		someone(1, LEVEL_OWNER), VISIBILITY_DIRECT, someone(0, LEVEL_NONE)));
	assert_false(can_manage_chat(
		someone(1, LEVEL_OWNER), VISIBILITY_DIRECT, someone(1, LEVEL_OWNER)));
}

/* Every level against an owner of every level; a stranger, not the owner. */
static void chats_are_moderated_and_administered(void **state)
{
	(void)state;
	for (int a = LEVEL_USER; a <= LEVEL_OWNER; a++)
		for (int o = LEVEL_USER; o <= LEVEL_OWNER; o++) {
			struct person actor = someone(1, a), owner = someone(2, o);
			bool above = can_act_on(actor, owner);

			assert_int_equal(can_moderate_chat(actor, VISIBILITY_PUBLIC, owner), above);
			assert_int_equal(can_moderate_chat(actor, VISIBILITY_PRIVATE, owner),
				a >= LEVEL_ADMIN);
			for (int v = VISIBILITY_OFFICIAL; v <= VISIBILITY_PRIVATE; v++) {
				assert_int_equal(
					can_administer_chat(actor, (enum visibility)v, owner),
					above);
				assert_int_equal(can_delete_chat(actor, (enum visibility)v, owner),
					a == LEVEL_OWNER);
			}
		}
}

static void an_owner_does_all_in_the_own_chat(void **state)
{
	struct person me = someone(1, LEVEL_USER);

	(void)state;
	for (int v = VISIBILITY_OFFICIAL; v <= VISIBILITY_PRIVATE; v++) {
		assert_true(can_manage_chat(me, (enum visibility)v, me));
		assert_true(can_moderate_chat(me, (enum visibility)v, me));
		assert_true(can_administer_chat(me, (enum visibility)v, me));
		assert_true(can_delete_chat(me, (enum visibility)v, me));
	}
}

static void nobody_touches_a_direct_chat(void **state)
{
	struct person none = someone(0, LEVEL_NONE), boss = someone(1, LEVEL_OWNER);

	(void)state;
	assert_false(can_moderate_chat(boss, VISIBILITY_DIRECT, none));
	assert_false(can_administer_chat(boss, VISIBILITY_DIRECT, none));
	assert_false(can_delete_chat(boss, VISIBILITY_DIRECT, none));
}

static void chats_without_an_owner_are_for_admins(void **state)
{
	struct person none = someone(0, LEVEL_NONE);

	(void)state;
	assert_false(can_manage_chat(someone(1, LEVEL_MODERATOR), VISIBILITY_OFFICIAL, none));
	assert_true(can_manage_chat(someone(1, LEVEL_ADMIN), VISIBILITY_OFFICIAL, none));
	assert_false(can_manage_chat(none, VISIBILITY_OFFICIAL, none));
	assert_false(can_manage_chat(none, VISIBILITY_PRIVATE, none));
}

static void private_chats_are_shown_to_those_inside(void **state)
{
	(void)state;
	assert_true(chat_shown(VISIBILITY_OFFICIAL, false));
	assert_true(chat_shown(VISIBILITY_PUBLIC, false));
	assert_false(chat_shown(VISIBILITY_PRIVATE, false));
	assert_false(chat_shown(VISIBILITY_DIRECT, false));
	assert_true(chat_shown(VISIBILITY_PRIVATE, true));
}

static void bots_follow_their_owner(void **state)
{
	struct person admin = someone(1, LEVEL_ADMIN);

	(void)state;
	assert_true(can_manage_bot(admin, admin, false));
	assert_true(can_manage_bot(admin, someone(2, LEVEL_MODERATOR), false));
	assert_false(can_manage_bot(admin, someone(2, LEVEL_ADMIN), false));
	assert_false(can_manage_bot(admin, someone(2, LEVEL_OWNER), false));
	assert_true(can_manage_bot(someone(3, LEVEL_OWNER), someone(2, LEVEL_OWNER), false));
}

static void login_bots_are_for_owners(void **state)
{
	struct person admin = someone(1, LEVEL_ADMIN), owner = someone(2, LEVEL_OWNER);

	(void)state;
	assert_false(can_manage_bot(admin, admin, true));
	assert_false(can_manage_bot(admin, someone(3, LEVEL_USER), true));
	assert_true(can_manage_bot(owner, owner, true));
	assert_true(can_manage_bot(owner, admin, true));
}

static void bots_without_an_owner_are_for_owners(void **state)
{
	struct person none = someone(0, LEVEL_NONE);

	(void)state;
	assert_false(can_manage_bot(someone(1, LEVEL_ADMIN), none, false));
	assert_true(can_manage_bot(someone(1, LEVEL_OWNER), none, true));
}

static void levels_are_given_from_above(void **state)
{
	(void)state;
	for (int actor = LEVEL_NONE; actor <= LEVEL_OWNER; actor++)
		for (int target = LEVEL_USER; target <= LEVEL_OWNER; target++)
			for (int level = LEVEL_USER; level <= LEVEL_OWNER; level++) {
				struct person by = {1, actor}, whom = {2, target};
				bool above = actor > target ||
					     (actor == LEVEL_OWNER && target == LEVEL_OWNER);
				bool want = above && (actor == LEVEL_OWNER ? level <= LEVEL_ADMIN
							     : actor == LEVEL_ADMIN
								     ? level <= LEVEL_MODERATOR
								     : false);

				assert_int_equal(can_assign_level(by, whom, level), want);
				assert_false(can_assign_level(by, by, level));
			}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(acts_on_lower_levels_only),
		cmocka_unit_test(nobody_acts_on_themselves),
		cmocka_unit_test(private_chats_are_their_owners),
		cmocka_unit_test(open_chats_follow_the_hierarchy),
		cmocka_unit_test(nobody_manages_a_direct_chat),
		cmocka_unit_test(chats_are_moderated_and_administered),
		cmocka_unit_test(an_owner_does_all_in_the_own_chat),
		cmocka_unit_test(nobody_touches_a_direct_chat),
		cmocka_unit_test(chats_without_an_owner_are_for_admins),
		cmocka_unit_test(private_chats_are_shown_to_those_inside),
		cmocka_unit_test(bots_follow_their_owner),
		cmocka_unit_test(login_bots_are_for_owners),
		cmocka_unit_test(bots_without_an_owner_are_for_owners),
		cmocka_unit_test(levels_are_given_from_above),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
