/* What a person likes to talk about (contract section 5): 1 to 3 tags, each "any" or 3-12 of a-z
 * and 0-9. */
#ifndef RULES_INTEREST_H
#define RULES_INTEREST_H

#include "base/str.h"

#define INTERESTS_MAX 3
#define INTEREST_MIN  3
#define INTEREST_MAX  12
#define INTERESTS_LEN (INTERESTS_MAX * (INTEREST_MAX + 1)) /* room for a normalised text */

bool interest_ok(struct str tag);
/* As the matcher takes them: in the order given, no two alike, parted by spaces; "any" alone when
 * one of them is. A view of `text` or a literal; STR_NULL when there are too many or too few, or
 * one is no tag.
 */
struct str interests_text(const struct str *tags, size_t count, char text[INTERESTS_LEN]);

#endif
