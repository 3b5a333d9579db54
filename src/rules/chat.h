/* What a chat may be called and who may have how many (contract 3.1). Pure functions. */
#ifndef RULES_CHAT_H
#define RULES_CHAT_H

#include <stdbool.h>
#include <stdint.h>
#include "base/str.h"

#define SLUG_MIN 2
#define SLUG_MAX 32

/* Paths of the site that no chat may take. */
bool slug_reserved(struct str slug);

struct slot_limits { /* 0: any number */
	int64_t premium, lifetime, admin, owner;
};
/* How many chats a person may own; 0: none (Premium is needed). The more generous of permission and
 * subscription (as it counts now) holds. */
int64_t chat_slots(int permission_level, int subscription_level, const struct slot_limits *l);

#endif
