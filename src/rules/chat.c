/* Rules of chats. Pure functions; nothing is kept.
 *
 * To reserve another path of the site: slug_reserved. */
#include "rules/chat.h"
#include "rules/permission.h"
#include "rules/subscription.h"

bool slug_reserved(struct str slug)
{
	static const char *const reserved[] = {"auth", "admin", "api", "c", "docs", "health", "v1"};

	for (size_t i = 0; i < sizeof(reserved) / sizeof(*reserved); i++)
		if (str_eq(slug, str_of(reserved[i])))
			return true;
	return false;
}

static int64_t more(int64_t slots, int64_t limit)
{
	if (limit == 0)
		return INT64_MAX;
	return limit > slots ? limit : slots;
}

int64_t chat_slots(int permission_level, int subscription_level, const struct slot_limits *l)
{
	int64_t slots = 0;

	if (subscription_level == SUBSCRIPTION_PREMIUM)
		slots = more(slots, l->premium);
	else if (subscription_level == SUBSCRIPTION_LIFETIME)
		slots = more(slots, l->lifetime);
	if (permission_level == LEVEL_ADMIN)
		slots = more(slots, l->admin);
	else if (permission_level == LEVEL_OWNER)
		slots = more(slots, l->owner);
	return slots;
}
