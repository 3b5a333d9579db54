/* What an identity on a platform may be (contract section 1). */
#ifndef RULES_CODE_H
#define RULES_CODE_H

#include "base/str.h"

#define PLATFORM_USER_ID_MAX 64

/* Is it one of the setting PLATFORMS? */
bool platform_known(struct str platform, const struct str *platforms, size_t count);
/* The sentence about what is wrong, a literal that starts with "platform_user_id"; NULL when it is
 * right. */
const char *platform_user_id_fault(struct str platform, struct str id);

#endif
