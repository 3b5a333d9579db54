/* Randomness, hashes, sealing, encodings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/secret.h"

#define KEY "0123456789abcdef0123456789abcdef"

static int setup(void **state)
{
	(void)state;
	return secret_setup(STR(KEY)) == OK ? 0 : -1;
}

static void keys_come_from_the_secret(void **state)
{
	uint8_t one[HASH_LEN], two[HASH_LEN], plain[HASH_LEN], sealed[4 + SEAL_OVERHEAD], out[4];

	(void)state;
	secret_code_hash(STR("ABCDEFGH"), one);
	secret_hash(STR("ABCDEFGH"), plain);
	assert_memory_not_equal(one, plain, HASH_LEN);
	secret_seal(STR("code"), sealed);
	assert_int_equal(secret_setup(STR(KEY "x")), OK);
	secret_code_hash(STR("ABCDEFGH"), two);
	assert_memory_not_equal(one, two, HASH_LEN);
	assert_false(secret_open(str_make((char *)sealed, sizeof(sealed)), out));
	assert_int_equal(secret_setup(STR(KEY)), OK); /* as after a restart */
	secret_code_hash(STR("ABCDEFGH"), two);
	assert_memory_equal(one, two, HASH_LEN);
	assert_true(secret_open(str_make((char *)sealed, sizeof(sealed)), out));
	assert_memory_equal(out, "code", 4);
	assert_int_equal(secret_setup(STR("short")), ERR_INVALID_REQUEST);
	assert_int_equal(secret_setup(STR("")), OK); /* random */
	secret_code_hash(STR("ABCDEFGH"), two);
	assert_memory_not_equal(one, two, HASH_LEN);
	assert_int_equal(secret_setup(STR(KEY)), OK);
}

static void hash_is_blake2b(void **state)
{
	char text[64];
	uint8_t h[HASH_LEN];

	(void)state;
	secret_hash(STR("abc"), h);
	hex_encode(h, HASH_LEN, text);
	assert_memory_equal(
		text, "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319", 64);
	secret_hash(STR_NULL, h);
	hex_encode(h, HASH_LEN, text);
	assert_memory_equal(
		text, "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8", 64);
}

static void seal_notices_every_change(void **state)
{
	uint8_t sealed[20 + SEAL_OVERHEAD], again[20 + SEAL_OVERHEAD], out[20];
	struct str text = STR("twenty bytes of text"), all = {(char *)sealed, sizeof(sealed)};

	(void)state;
	secret_seal(text, sealed);
	secret_seal(text, again);
	assert_memory_not_equal(sealed, again, sizeof(sealed)); /* a nonce of its own */
	assert_true(secret_open(all, out));
	assert_memory_equal(out, text.p, text.n);
	for (size_t bit = 0; bit < sizeof(sealed) * 8; bit++) {
		sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_false(secret_open(all, out));
		sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (size_t n = 0; n < sizeof(sealed); n++)
		assert_false(secret_open(str_make(all.p, n), out));
	assert_true(secret_open(all, out));
}

static void seals_nothing(void **state)
{
	uint8_t sealed[SEAL_OVERHEAD], out[1];

	(void)state;
	secret_seal(STR(""), sealed);
	assert_true(secret_open(str_make((char *)sealed, sizeof(sealed)), out));
}

static void codes_are_uniform(void **state)
{
	enum {
		ROUNDS = 20000
	};
	int count[128] = {0}, letters = 0;
	char code[CODE_LEN];

	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		secret_code(code);
		for (int k = 0; k < CODE_LEN; k++)
			count[code[k] & 127]++;
	}
	for (int c = 0; c < 128; c++) {
		bool allowed =
			(c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');

		assert_true(allowed || count[c] == 0);
		letters += count[c] > 0;
		/* 2580 expected each, deviation 50: a bias of one part in ten would show. */
		assert_true(!allowed || (count[c] > 2250 && count[c] < 2910));
	}
	assert_int_equal(letters, 62);
}

static void below_is_below(void **state)
{
	bool seen[7] = {0};

	(void)state;
	for (int i = 0; i < 1000; i++) {
		uint32_t v = secret_below(7);

		assert_true(v < 7);
		seen[v] = true;
	}
	for (int i = 0; i < 7; i++)
		assert_true(seen[i]);
	assert_int_equal(secret_below(1), 0);
}

/* More than are made at a time. */
static void uuids(void **state)
{
	static char made[600][36];

	(void)state;
	for (int i = 0; i < 600; i++) {
		char *uuid = made[i];

		secret_uuid(uuid);
		for (int k = 0; k < 36; k++)
			if (k == 8 || k == 13 || k == 18 || k == 23)
				assert_int_equal(uuid[k], '-');
			else
				assert_non_null(memchr("0123456789abcdef", uuid[k], 16));
		assert_int_equal(uuid[14], '4');
		assert_non_null(memchr("89ab", uuid[19], 4));
		for (int k = 0; k < i; k++)
			assert_memory_not_equal(uuid, made[k], 36);
	}
}

/* Sizes around the stock of random bytes: nothing is given out twice, nothing is left unset. */
static void random_bytes_never_repeat(void **state)
{
	static uint8_t taken[300][16];
	uint8_t large[2000] = {0}, skip[128];

	(void)state;
	for (int i = 0; i < 300; i++) {
		secret_random(taken[i], 16);
		secret_random(skip, (size_t)i % 129);
		for (int k = 0; k < i; k++)
			assert_memory_not_equal(taken[i], taken[k], 16);
	}
	secret_random(large, sizeof(large));
	for (size_t i = 0; i + 16 < sizeof(large); i += 16)
		assert_memory_not_equal(large + i, (uint8_t[16]){0}, 16);
}

static void tokens(void **state)
{
	char one[TOKEN_TEXT], two[TOKEN_TEXT];
	uint8_t raw[TOKEN_BYTES];

	(void)state;
	secret_token(one);
	secret_token(two);
	assert_memory_not_equal(one, two, TOKEN_TEXT);
	assert_true(base64url_decode(str_make(one, TOKEN_TEXT), raw, TOKEN_BYTES));
}

static void base64url(void **state)
{
	static const char *const vectors[][2] = {/* RFC 4648, section 10, without padding */
		{"", ""}, {"f", "Zg"}, {"fo", "Zm8"}, {"foo", "Zm9v"}, {"foob", "Zm9vYg"},
		{"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}, {"\xFB\xFF\xFE", "-__-"}};
	char text[16];
	uint8_t raw[8];

	(void)state;
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		struct str plain = str_of(vectors[i][0]), coded = str_of(vectors[i][1]);
		size_t n = base64url_encode((const uint8_t *)plain.p, plain.n, text);

		assert_true(str_eq(str_make(text, n), coded));
		assert_true(base64url_decode(coded, raw, plain.n));
		assert_memory_equal(raw, plain.p, plain.n);
		assert_false(base64url_decode(coded, raw, plain.n + 1));
	}
}

static void base64url_is_strict(void **state)
{
	static const char *const bad[] = {
		"Zg==", "Zh", "Z", "Z+", "Z/", "Zg\n", " Zg", "Z g", "Zg=", "Zm8", "Zj"};
	uint8_t raw[8];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (base64url_decode(str_of(bad[i]), raw, 1))
			fail_msg("decoded: %s", bad[i]);
	assert_false(base64url_decode(STR("Zm9="), raw, 2));
	assert_false(base64url_decode(STR("Zm9"), raw, 2)); /* bits left over */
	assert_false(base64url_decode(str_make("Z\0", 2), raw, 1));
	assert_false(base64url_decode(STR_NULL, raw, 1));
	assert_true(base64url_decode(STR("_w"), raw, 1) && raw[0] == 0xFF);
}

static void compares_and_wipes(void **state)
{
	char secret[8] = "secretly";

	(void)state;
	assert_true(secret_eq("abc", "abc", 3));
	assert_false(secret_eq("abc", "abd", 3));
	assert_true(secret_eq("abc", "abd", 2));
	secret_wipe(secret, sizeof(secret));
	assert_memory_equal(secret, (char[8]){0}, 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_come_from_the_secret),
		cmocka_unit_test(hash_is_blake2b),
		cmocka_unit_test(seal_notices_every_change),
		cmocka_unit_test(seals_nothing),
		cmocka_unit_test(codes_are_uniform),
		cmocka_unit_test(below_is_below),
		cmocka_unit_test(uuids),
		cmocka_unit_test(random_bytes_never_repeat),
		cmocka_unit_test(tokens),
		cmocka_unit_test(base64url),
		cmocka_unit_test(base64url_is_strict),
		cmocka_unit_test(compares_and_wipes),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
