/* The username rule, for the one place where a bad name is no refusal of the whole request:
 * me/update, whose fields stand alone. Routes elsewhere say the same with CHARS_USERNAME. */
#include "rules/username.h"

static bool name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '.' || c == '_' || c == '-';
}

const char *username_fault(struct str name)
{
	size_t length = utf8_length(name);

	if (length < USERNAME_MIN)
		return "username must be at least 3 characters";
	if (length > USERNAME_MAX)
		return "username must be at most 32 characters";
	for (size_t i = 0; i < name.n; i++)
		if (!name_char(name.p[i]))
			return "username contains invalid characters";
	return NULL;
}
