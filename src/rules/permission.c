/* Permissions: pure functions of levels and ownership, no state.
 *
 * To add a rule: write it here in terms of can_act_on, and its table in
 * test/unit/test_rules_permission.c. */
#include "rules/permission.h"

bool can_act_on(struct person actor, struct person target)
{
	if (actor.id == target.id)
		return false;
	return actor.level > target.level ||
	       (actor.level == LEVEL_OWNER && target.level == LEVEL_OWNER);
}

/* One's own, or that of someone one can act on; one without an owner: Admin and above. */
static bool above_owner(struct person actor, struct person owner)
{
	if (owner.id == 0)
		return actor.level >= LEVEL_ADMIN;
	return actor.id == owner.id || can_act_on(actor, owner);
}

bool chat_shown(enum visibility visibility, bool inside)
{
	return inside || visibility == VISIBILITY_OFFICIAL || visibility == VISIBILITY_PUBLIC;
}

bool can_manage_chat(struct person actor, enum visibility visibility, struct person owner)
{
	switch (visibility) {
	case VISIBILITY_PRIVATE:
		return actor.id != 0 && actor.id == owner.id;
	case VISIBILITY_OFFICIAL:
	case VISIBILITY_PUBLIC:
		return actor.id != 0 && above_owner(actor, owner);
	case VISIBILITY_DIRECT:
		break;
	}
	return false;
}

bool can_moderate_chat(struct person actor, enum visibility visibility, struct person owner)
{
	return can_manage_chat(actor, visibility, owner) ||
	       (visibility == VISIBILITY_PRIVATE && actor.level >= LEVEL_ADMIN);
}

bool can_administer_chat(struct person actor, enum visibility visibility, struct person owner)
{
	return visibility != VISIBILITY_DIRECT && above_owner(actor, owner);
}

bool can_delete_chat(struct person actor, enum visibility visibility, struct person owner)
{
	return visibility != VISIBILITY_DIRECT &&
	       (actor.id == owner.id || actor.level == LEVEL_OWNER);
}

bool can_assign_level(struct person actor, struct person target, int level)
{
	return actor.level >= LEVEL_ADMIN && level < actor.level && can_act_on(actor, target);
}

bool can_manage_bot(struct person actor, struct person owner, bool login)
{
	if (actor.level == LEVEL_OWNER)
		return true;
	return !login && owner.id != 0 && (actor.id == owner.id || can_act_on(actor, owner));
}
