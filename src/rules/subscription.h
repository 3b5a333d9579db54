/* Subscriptions: the levels, and how long each is granted for (contract 0.5, 8). */
#ifndef RULES_SUBSCRIPTION_H
#define RULES_SUBSCRIPTION_H

#include <stdint.h>

enum subscription {
	SUBSCRIPTION_BASIC,
	SUBSCRIPTION_TRIAL,
	SUBSCRIPTION_PREMIUM,
	SUBSCRIPTION_LIFETIME
};

#define TRIAL_DAYS            7
#define SUBSCRIPTION_DAYS_MAX 3650

/* Days of a grant; `asked` counts for Premium only. 0: for ever, or none. */
static inline int64_t subscription_days(int level, int64_t asked)
{
	return level == SUBSCRIPTION_TRIAL ? TRIAL_DAYS : level == SUBSCRIPTION_PREMIUM ? asked : 0;
}

#endif
