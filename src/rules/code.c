/* Rules for identities that codes are asked for. Pure functions; nothing is kept.
 *
 * To add a platform whose ids have a form of their own: platform_has_numbers. */
#include "rules/code.h"

bool platform_known(struct str platform, const struct str *platforms, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (str_eq(platform, platforms[i]))
			return true;
	return false;
}

static bool platform_has_numbers(struct str platform)
{
	return str_eq(platform, STR("discord")) || str_eq(platform, STR("telegram"));
}

static bool all_in(struct str s, const char *set)
{
	for (size_t i = 0; i < s.n; i++)
		if (!s.p[i] || !strchr(set, s.p[i]))
			return false;
	return true;
}

#define DIGITS "0123456789"

const char *platform_user_id_fault(struct str platform, struct str id)
{
	if (id.n == 0)
		return "platform_user_id must be at least 1 character";
	if (id.n > PLATFORM_USER_ID_MAX)
		return "platform_user_id must be at most 64 characters";
	if (!all_in(id, DIGITS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_.:-"))
		return "platform_user_id contains invalid characters";
	if (platform_has_numbers(platform) && (!all_in(id, DIGITS) || id.p[0] == '0'))
		return "platform_user_id must be digits without a leading zero";
	return NULL;
}
