/* Moderation: decisions in plain memory, no state.
 *
 * To add an act: its name in enum moderation, a row in `needs`, and its rows in
 * test/unit/test_rules_moderation.c. */
#include "rules/moderation.h"

enum need {
	NEED_CHAT,   /* to moderate the chat */
	NEED_LEVEL,  /* a level, in a chat that one sees */
	NEED_NOTHING /* but a level: it is no matter of a chat */
};

static const struct {
	enum need need;
	int level;
} needs[MODERATION_COUNT] = {
	[MODERATION_KICK] = {NEED_CHAT, LEVEL_USER},
	[MODERATION_BAN] = {NEED_CHAT, LEVEL_USER},
	[MODERATION_UNBAN] = {NEED_CHAT, LEVEL_USER},
	[MODERATION_MUTE] = {NEED_CHAT, LEVEL_USER},
	[MODERATION_UNMUTE] = {NEED_CHAT, LEVEL_USER},
	[MODERATION_WARN] = {NEED_LEVEL, LEVEL_MODERATOR},
	[MODERATION_TIMEOUT] = {NEED_LEVEL, LEVEL_MODERATOR},
	[MODERATION_HARD_MUTE] = {NEED_NOTHING, LEVEL_ADMIN},
	[MODERATION_HARD_UNMUTE] = {NEED_NOTHING, LEVEL_ADMIN},
	[MODERATION_ACCOUNT_BAN] = {NEED_NOTHING, LEVEL_ADMIN},
	[MODERATION_ACCOUNT_UNBAN] = {NEED_NOTHING, LEVEL_ADMIN},
};

bool moderation_sees(
	struct person actor, enum visibility visibility, struct person owner, bool inside)
{
	return chat_shown(visibility, inside) || can_moderate_chat(actor, visibility, owner);
}

bool moderation_allowed(enum moderation what, struct person actor, struct person target,
	enum visibility visibility, struct person owner)
{
	bool own = actor.id == owner.id && needs[what].need == NEED_CHAT;

	if (actor.id == target.id || actor.level < needs[what].level)
		return false;
	if (needs[what].need != NEED_NOTHING && visibility == VISIBILITY_DIRECT)
		return false;
	if (needs[what].need == NEED_CHAT && !can_moderate_chat(actor, visibility, owner))
		return false;
	return own || can_act_on(actor, target);
}
