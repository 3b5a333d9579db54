/* What a username may be (contract section 1, lookup): 3-32 of letters, digits, '.', '_' and '-'.
 */
#ifndef RULES_USERNAME_H
#define RULES_USERNAME_H

#include "base/str.h"

#define USERNAME_MIN 3
#define USERNAME_MAX 32

/* The sentence about what is wrong, a literal that starts with "username"; NULL when it is right.
 * `name` is valid UTF-8. */
const char *username_fault(struct str name);

#endif
