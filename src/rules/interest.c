/* Interests: what a tag is, and the one spelling of several (interest.h). */
#include "rules/interest.h"

#include <stdlib.h>

#define ANY STR("any")

bool interest_ok(struct str tag)
{
	for (size_t i = 0; i < tag.n; i++)
		if (!((tag.p[i] >= 'a' && tag.p[i] <= 'z') || (tag.p[i] >= '0' && tag.p[i] <= '9')))
			return false;
	return tag.n >= INTEREST_MIN && tag.n <= INTEREST_MAX;
}

static int by_text(const void *a, const void *b)
{
	const struct str *x = a, *y = b;
	int order = memcmp(x->p, y->p, x->n < y->n ? x->n : y->n);

	return order ? order : (x->n > y->n) - (x->n < y->n);
}

struct str interests_text(const struct str *tags, size_t count, char text[INTERESTS_LEN])
{
	struct str sorted[INTERESTS_MAX];
	size_t n = 0;

	if (count == 0 || count > INTERESTS_MAX)
		return STR_NULL;
	for (size_t i = 0; i < count; i++) {
		if (!interest_ok(tags[i]))
			return STR_NULL;
		sorted[i] = tags[i];
	}
	for (size_t i = 0; i < count; i++)
		if (str_eq(tags[i], ANY))
			return ANY;
	qsort(sorted, count, sizeof(*sorted), by_text);
	for (size_t i = 0; i < count; i++) {
		if (i > 0 && str_eq(sorted[i], sorted[i - 1]))
			continue;
		if (n > 0)
			text[n++] = ' ';
		memcpy(text + n, sorted[i].p, sorted[i].n);
		n += sorted[i].n;
	}
	return str_make(text, n);
}
