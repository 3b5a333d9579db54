/* Who may do what to whom in the name of order (contract 3.4). Pure functions of levels and
 * ownership, in terms of rules/permission.h. */
#ifndef RULES_MODERATION_H
#define RULES_MODERATION_H

#include "rules/permission.h"

enum moderation {
	MODERATION_KICK,
	MODERATION_BAN,
	MODERATION_UNBAN,
	MODERATION_MUTE,
	MODERATION_UNMUTE,
	MODERATION_WARN,
	MODERATION_TIMEOUT,
	MODERATION_HARD_MUTE,
	MODERATION_HARD_UNMUTE,
	MODERATION_ACCOUNT_BAN,
	MODERATION_ACCOUNT_UNBAN,
	MODERATION_COUNT
};

/* Is the chat there for this person at all? Inside, shown to everyone, or theirs to moderate. */
bool moderation_sees(
	struct person actor, enum visibility visibility, struct person owner, bool inside);

/* kick, ban, unban, mute, unmute: whoever moderates the chat; in one's own chat to anyone,
 * elsewhere to those one can act on.
 * warn, timeout: Moderators and above in every chat they see but direct ones, to those they can act
 * on.
 * hard mute and unmute, ban and unban of the account: Admins and above, to those they can act on;
 * chat and owner are not looked at.
 * To oneself: never. */
bool moderation_allowed(enum moderation what, struct person actor, struct person target,
	enum visibility visibility, struct person owner);

#endif
