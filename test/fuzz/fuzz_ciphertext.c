/* Contents from strangers: what passes as a bundle is the JSON that the contract says. */
#include <stdint.h>

#include "base/err.h"
#include "base/json.h"
#include "rules/ciphertext.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = {(const char *)data, size};
	const struct json *v;
	struct arena a;
	int64_t epoch;
	size_t bytes;

	arena_init(&a);
	if (ciphertext_check(text, &epoch)) {
		ASSERT(size <= CIPHERTEXT_MAX);
		v = json_parse(&a, text);
		ASSERT(json_type(v) == JSON_OBJECT && json_len(v) == 3);
		ASSERT(json_to_i64(json_get(v, "v")) == 2);
		ASSERT(json_to_i64(json_get(v, "epoch")) == epoch && epoch > 0);
		ASSERT(base64_check(json_to_str(json_get(v, "ct")), &bytes));
		ASSERT(bytes >= CIPHERTEXT_LEAST);
	}
	arena_release(&a);
	return 0;
}
