/* Interests: what a tag is, and the one spelling of several (interest.h). */
#include "rules/interest.h"

#define ANY STR("any")

bool interest_ok(struct str tag)
{
	for (size_t i = 0; i < tag.n; i++)
		if (!((tag.p[i] >= 'a' && tag.p[i] <= 'z') || (tag.p[i] >= '0' && tag.p[i] <= '9')))
			return false;
	return tag.n >= INTEREST_MIN && tag.n <= INTEREST_MAX;
}

static bool listed(const struct str *tags, size_t count, struct str tag)
{
	for (size_t i = 0; i < count; i++)
		if (str_eq(tags[i], tag))
			return true;
	return false;
}

struct str interests_text(const struct str *tags, size_t count, char text[INTERESTS_LEN])
{
	size_t n = 0;

	if (count == 0 || count > INTERESTS_MAX)
		return STR_NULL;
	for (size_t i = 0; i < count; i++)
		if (!interest_ok(tags[i]))
			return STR_NULL;
	if (listed(tags, count, ANY))
		return ANY;
	for (size_t i = 0; i < count; i++) {
		if (listed(tags, i, tags[i]))
			continue;
		if (n > 0)
			text[n++] = ' ';
		memcpy(text + n, tags[i].p, tags[i].n);
		n += tags[i].n;
	}
	return str_make(text, n);
}
