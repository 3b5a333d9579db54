/* CiphertextV2 bundles: what passes, and everything that is nearly one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "rules/ciphertext.h"

#define CT40 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==" /* 40 bytes */
#define CT39 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"     /* 39 bytes */

static int64_t epoch_of(const char *text)
{
	int64_t epoch = 0;
	/* Bytes of its own, so that a read past the end is seen. */
	size_t n = strlen(text);
	char *copy = malloc(n + 1);
	bool ok;

	assert_non_null(copy);
	memcpy(copy, text, n);
	copy = realloc(copy, n ? n : 1);
	assert_non_null(copy);
	ok = ciphertext_check(str_make(copy, n), &epoch);
	free(copy);
	return ok ? epoch : -1;
}

static void bundles_pass(void **state)
{
	(void)state;
	assert_int_equal(epoch_of("{\"v\":2,\"epoch\":7,\"ct\":\"" CT40 "\"}"), 7);
	assert_int_equal(epoch_of("{\"ct\":\"" CT40 "\",\"epoch\":1,\"v\":2}"), 1);
	assert_int_equal(
		epoch_of(" {\n\t\"v\" : 2 , \"epoch\" : 1001 ,\r\n \"ct\" : \"" CT40 "\" } "),
		1001);
	assert_int_equal(epoch_of("{\"v\":2,\"epoch\":9007199254740991,\"ct\":\"" CT40 "\"}"),
		INT64_C(9007199254740991));
	assert_int_equal(epoch_of("{\"v\":2,\"epoch\":3,\"ct\":\"+/" CT39 "AA\"}"), 3);
}

static void others_do_not(void **state)
{
	static const char *const bad[] = {
		"",
		" ",
		"{",
		"{}",
		"null",
		"2",
		"\"v\"",
		"[]",
		"hello",
		"{\"v\":2,\"epoch\":7}",
		"{\"v\":2,\"ct\":\"" CT40 "\"}",
		"{\"epoch\":7,\"ct\":\"" CT40 "\"}",
		"{\"v\":1,\"epoch\":7,\"ct\":\"" CT40 "\"}",
		"{\"v\":3,\"epoch\":7,\"ct\":\"" CT40 "\"}",
		"{\"v\":\"2\",\"epoch\":7,\"ct\":\"" CT40 "\"}",
		"{\"v\":2.0,\"epoch\":7,\"ct\":\"" CT40 "\"}",
		"{\"v\":02,\"epoch\":7,\"ct\":\"" CT40 "\"}",
		"{\"v\":2,\"epoch\":0,\"ct\":\"" CT40 "\"}",
		"{\"v\":2,\"epoch\":-1,\"ct\":\"" CT40 "\"}",
		"{\"v\":2,\"epoch\":07,\"ct\":\"" CT40 "\"}",
		"{\"v\":2,\"epoch\":7.5,\"ct\":\"" CT40 "\"}",
		"{\"v\":2,\"epoch\":7e1,\"ct\":\"" CT40 "\"}",
		"{\"v\":2,\"epoch\":\"7\",\"ct\":\"" CT40 "\"}",
		"{\"v\":2,\"epoch\":null,\"ct\":\"" CT40 "\"}",
		"{\"v\":2,\"epoch\":9007199254740992,\"ct\":\"" CT40 "\"}",
		"{\"v\":2,\"epoch\":99999999999999999999999999,\"ct\":\"" CT40 "\"}",
		"{\"v\":2,\"epoch\":7,\"ct\":\"" CT39 "\"}",
		"{\"v\":2,\"epoch\":7,\"ct\":\"\"}",
		"{\"v\":2,\"epoch\":7,\"ct\":7}",
		"{\"v\":2,\"epoch\":7,\"ct\":\"A" CT40 "\"}",
		"{\"v\":2,\"epoch\":7,\"ct\":\"" CT39 "A\"}",
		"{\"v\":2,\"epoch\":7,\"ct\":\"" CT39 "A===\"}",
		"{\"v\":2,\"epoch\":7,\"ct\":\"" CT39 "AB==\"}", /* bits that nobody needs */
		"{\"v\":2,\"epoch\":7,\"ct\":\"" CT39 "AAB=\"}",
		"{\"v\":2,\"epoch\":7,\"ct\":\"=" CT39 "AAA\"}",
		"{\"v\":2,\"epoch\":7,\"ct\":\"" CT39 "A=A=\"}",
		"{\"v\":2,\"epoch\":7,\"ct\":\"-_" CT39 "AA\"}", /* the other alphabet */
		"{\"v\":2,\"epoch\":7,\"ct\":\"\\/A" CT39 "A\"}",
		"{\"v\":2,\"epoch\":7,\"ct\":\"" CT40 "}",
		"{\"v\":2,\"epoch\":7,\"ct\":\"" CT40 "\"",
		"{\"v\":2,\"epoch\":7,\"ct\":\"" CT40 "\"}}",
		"{\"v\":2,\"epoch\":7,\"ct\":\"" CT40 "\"}x",
		"{\"v\":2,\"epoch\":7,\"ct\":\"" CT40 "\",}",
		"{,\"v\":2,\"epoch\":7,\"ct\":\"" CT40 "\"}",
		"{\"v\":2 \"epoch\":7,\"ct\":\"" CT40 "\"}",
		"{\"v\":2,\"epoch\":7,\"ct\":\"" CT40 "\",\"x\":1}",
		"{\"v\":2,\"v\":2,\"epoch\":7,\"ct\":\"" CT40 "\"}",
		"{\"V\":2,\"epoch\":7,\"ct\":\"" CT40 "\"}",
		"{v:2,\"epoch\":7,\"ct\":\"" CT40 "\"}",
		"{'v':2,\"epoch\":7,\"ct\":\"" CT40 "\"}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (epoch_of(bad[i]) != -1)
			fail_msg("passed: %s", bad[i]);
}

static void length_is_bounded(void **state)
{
	char text[CIPHERTEXT_MAX + 8];
	int64_t epoch;
	int n = snprintf(text, sizeof(text), "{\"v\":2,\"epoch\":7,\"ct\":\"" CT40 "\"");

	(void)state;
	memset(text + n, ' ', sizeof(text) - (size_t)n);
	text[CIPHERTEXT_MAX - 1] = '}';
	assert_true(ciphertext_check(str_make(text, CIPHERTEXT_MAX), &epoch));
	text[CIPHERTEXT_MAX - 1] = ' ';
	text[CIPHERTEXT_MAX] = '}';
	assert_false(ciphertext_check(str_make(text, CIPHERTEXT_MAX + 1), &epoch));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bundles_pass),
		cmocka_unit_test(others_do_not),
		cmocka_unit_test(length_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
