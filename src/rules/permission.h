/* Who may act on whom (contract 0.5). Decisions in plain memory: whoever calls reads the levels in
 * the same step in which it acts, or acts only if they still hold. */
#ifndef RULES_PERMISSION_H
#define RULES_PERMISSION_H

#include <stdbool.h>
#include <stdint.h>

enum level {
	LEVEL_NONE = -1, /* nobody, or not asked for */
	LEVEL_USER,
	LEVEL_MODERATOR,
	LEVEL_ADMIN,
	LEVEL_OWNER
};

enum visibility {
	VISIBILITY_OFFICIAL,
	VISIBILITY_PUBLIC,
	VISIBILITY_PRIVATE,
	VISIBILITY_DIRECT
};

struct person {
	int64_t id; /* 0: nobody */
	int level;  /* of enum level */
};

/* Strictly higher; Owners also act on each other; nobody acts on themselves. */
bool can_act_on(struct person actor, struct person target);
/* Official and public chats are shown to everyone, private and direct ones to those inside: owner
 * and members. To all others they look absent, whatever their level. */
bool chat_shown(enum visibility visibility, bool inside);
/* Private: its owner only. Official and public: its owner, or who can act on the owner. */
bool can_manage_chat(struct person actor, enum visibility visibility, struct person owner);
/* As manage, and in a private chat also Admin and above. Direct: nobody. */
bool can_moderate_chat(struct person actor, enum visibility visibility, struct person owner);
/* From outside, by the administration: one's own, or those of whom one can act on. Direct: nobody.
 */
bool can_administer_chat(struct person actor, enum visibility visibility, struct person owner);
/* Its owner, or an Owner of the platform. Direct: nobody. */
bool can_delete_chat(struct person actor, enum visibility visibility, struct person owner);
/* May give the person that permission level: Admins up to Moderator, Owners up to Admin, to those
 * they can act on. Further Owners are made by the command line. */
bool can_assign_level(struct person actor, struct person target, int level);
/* One's own bots, or those of whom one can act on; a bot that can sign people in, and one without
 * an owner (registered by the command line): Owners only. */
bool can_manage_bot(struct person actor, struct person owner, bool login);

#endif
