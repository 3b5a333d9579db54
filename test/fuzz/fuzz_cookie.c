/* Cookie headers, and the other pieces of requests that strangers write: queries, escapes, types.
 */
#include "wire/http.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check_inside(struct str part, struct str whole)
{
	if (part.p)
		ASSERT(part.p >= whole.p && part.p + part.n <= whole.p + whole.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char *copy = malloc(n + 1), *out = malloc(n + 1);
	struct str s = str_make(copy, n), rest = s, name, value;
	size_t decoded;

	ASSERT(copy && out);
	memcpy(copy, data, n);
	value = cookie_find(s, STR("psession"));
	check_inside(value, s);
	for (size_t i = 0; value.p && i < value.n; i++)
		ASSERT(value.p[i] > ' ' && value.p[i] < 0x7f && value.p[i] != ';');
	while (query_next(&rest, &name, &value)) {
		check_inside(name, s);
		check_inside(value, s);
		if (uri_decode(value, true, out, &decoded))
			ASSERT(decoded <= value.n && utf8_valid(str_make(out, decoded)) &&
				!memchr(out, '\0', decoded) == !memchr(value.p, '\0', value.n));
	}
	if (uri_decode(s, false, out, &decoded))
		ASSERT(decoded <= n);
	media_type_is(s, STR("application/json"));
	free(copy);
	free(out);
	return 0;
}
