/* Randomness, hashes and sealing, by libsodium.
 *
 * Owns: the keys derived from SECRET_KEY, the key of str_hash, and a little stock of random bytes.
 * Path: secret_setup hashes SECRET_KEY to a master key and derives one key a purpose from it; the
 * master key is wiped.
 * To add another purpose: a value in enum purpose, a member of `keys`, a line in secret_setup.
 * Existing values never change: what is stored was made with them. */
#include "base/secret.h"

#include <sodium.h>

_Static_assert(SEAL_OVERHEAD == crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES, "");
_Static_assert(HASH_LEN == crypto_generichash_BYTES, "");

enum purpose {
	PURPOSE_CODE = 1,
	PURPOSE_SEAL = 2
};

static struct {
	uint8_t code[crypto_generichash_KEYBYTES];
	uint8_t seal[crypto_secretbox_KEYBYTES];
} keys;

enum err secret_setup(struct str secret_key)
{
	uint8_t master[crypto_kdf_KEYBYTES];

	if (secret_key.n > 0 && secret_key.n < 16)
		return ERR_INVALID_REQUEST;
	if (sodium_init() < 0)
		return ERR_INTERNAL;
	if (secret_key.n > 0)
		secret_hash(secret_key, master);
	else
		randombytes_buf(master, sizeof(master));
	crypto_kdf_derive_from_key(keys.code, sizeof(keys.code), PURPOSE_CODE, "portal__", master);
	crypto_kdf_derive_from_key(keys.seal, sizeof(keys.seal), PURPOSE_SEAL, "portal__", master);
	secret_wipe(master, sizeof(master));
	return OK;
}

/* One system call for some of them. What was given out is wiped. */
void secret_random(void *out, size_t n)
{
	static uint8_t stock[512];
	static size_t left;

	if (n > sizeof(stock) / 4) {
		randombytes_buf(out, n);
		return;
	}
	if (n > left) {
		randombytes_buf(stock, sizeof(stock));
		left = sizeof(stock);
	}
	left -= n;
	memcpy(out, stock + left, n);
	secret_wipe(stock + left, n);
}

/* What lies below 2^32 mod bound is thrown away: as many are left for each remainder. */
uint32_t secret_below(uint32_t bound)
{
	uint32_t v;

	if (bound < 2)
		return 0;
	do
		secret_random(&v, sizeof(v));
	while (v < (0 - bound) % bound);
	return v % bound;
}

void secret_wipe(void *p, size_t n)
{
	sodium_memzero(p, n);
}

bool secret_eq(const void *a, const void *b, size_t n)
{
	return sodium_memcmp(a, b, n) == 0;
}

void secret_token(char out[TOKEN_TEXT])
{
	uint8_t raw[TOKEN_BYTES];

	secret_random(raw, sizeof(raw));
	base64url_encode(raw, sizeof(raw), out);
	secret_wipe(raw, sizeof(raw));
}

void secret_code(char out[CODE_LEN])
{
	static const char letters[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

	for (int i = 0; i < CODE_LEN; i++)
		out[i] = letters[secret_below(sizeof(letters) - 1)];
}

/* Every request takes one, so the kernel is asked once: from then on a stream cipher makes ids, and
 * a key for those behind them. */
void secret_uuid(char out[36])
{
	static struct {
		uint8_t key[randombytes_SEEDBYTES], ids[256][16];
	} stock;
	static size_t left;
	static bool keyed;
	uint8_t key[sizeof(stock.key)], *id;
	char hex[32];

	if (left == 0) {
		if (!keyed)
			randombytes_buf(stock.key, sizeof(stock.key));
		keyed = true;
		memcpy(key, stock.key, sizeof(key));
		randombytes_buf_deterministic(&stock, sizeof(stock), key);
		secret_wipe(key, sizeof(key));
		left = sizeof(stock.ids) / sizeof(stock.ids[0]);
	}
	id = stock.ids[--left];
	id[6] = (id[6] & 0x0F) | 0x40; /* version 4 */
	id[8] = (id[8] & 0x3F) | 0x80; /* variant 10 */
	hex_encode(id, sizeof(stock.ids[0]), hex);
	memcpy(out, hex, 8);
	memcpy(out + 9, hex + 8, 4);
	memcpy(out + 14, hex + 12, 4);
	memcpy(out + 19, hex + 16, 4);
	memcpy(out + 24, hex + 20, 12);
	out[8] = out[13] = out[18] = out[23] = '-';
}

void secret_hash(struct str s, uint8_t out[HASH_LEN])
{
	crypto_generichash(out, HASH_LEN, (const uint8_t *)s.p, s.n, NULL, 0);
}

void secret_code_hash(struct str code, uint8_t out[HASH_LEN])
{
	crypto_generichash(
		out, HASH_LEN, (const uint8_t *)code.p, code.n, keys.code, sizeof(keys.code));
}

void secret_seal(struct str in, uint8_t *out)
{
	secret_random(out, crypto_secretbox_NONCEBYTES);
	crypto_secretbox_easy(
		out + crypto_secretbox_NONCEBYTES, (const uint8_t *)in.p, in.n, out, keys.seal);
}

bool secret_open(struct str in, uint8_t *out)
{
	const uint8_t *nonce = (const uint8_t *)in.p;

	return in.n >= SEAL_OVERHEAD &&
	       crypto_secretbox_open_easy(out, nonce + crypto_secretbox_NONCEBYTES,
		       in.n - crypto_secretbox_NONCEBYTES, nonce, keys.seal) == 0;
}

size_t base64url_encode(const uint8_t *p, size_t n, char *out)
{
	static const char letters[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	char *at = out;
	uint32_t bits = 0;
	unsigned have = 0;

	for (size_t i = 0; i < n; i++) {
		bits = bits << 8 | p[i];
		for (have += 8; have >= 6; have -= 6)
			*at++ = letters[bits >> (have - 6) & 63];
	}
	if (have > 0)
		*at++ = letters[bits << (6 - have) & 63];
	return (size_t)(at - out);
}

bool base64url_decode(struct str s, uint8_t *out, size_t n)
{
	size_t got;

	if (s.n != (n * 4 + 2) / 3)
		return false;
	return sodium_base642bin(out, n, s.p, s.n, NULL, &got, NULL,
		       sodium_base64_VARIANT_URLSAFE_NO_PADDING) == 0 &&
	       got == n;
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool hex_decode(struct str s, uint8_t *out, size_t n)
{
	if (s.n != 2 * n)
		return false;
	for (size_t i = 0; i < n; i++) {
		int high = hex_digit(s.p[2 * i]), low = hex_digit(s.p[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		out[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

void hex_encode(const uint8_t *p, size_t n, char *out)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		*out++ = digits[p[i] >> 4];
		*out++ = digits[p[i] & 15];
	}
}

/* Declared in str.h: the keyed hash of tables that strangers feed, SipHash-2-4. */
uint64_t str_hash(struct str s)
{
	static uint8_t key[crypto_shorthash_KEYBYTES];
	static bool made;
	uint8_t h[crypto_shorthash_BYTES];
	uint64_t out;

	if (!made) {
		secret_random(key, sizeof(key));
		made = true;
	}
	crypto_shorthash(h, (const uint8_t *)s.p, s.n, key);
	memcpy(&out, h, sizeof(out));
	return out;
}

/* A point of low order gives zero with any scalar, which libsodium refuses. */
bool secret_public_key(struct str text)
{
	static const uint8_t scalar[crypto_scalarmult_SCALARBYTES] = {8};
	uint8_t key[crypto_scalarmult_BYTES], shared[crypto_scalarmult_BYTES];
	size_t got;

	return sodium_base642bin(key, sizeof(key), text.p, text.n, NULL, &got, NULL,
		       sodium_base64_VARIANT_ORIGINAL) == 0 &&
	       got == sizeof(key) && crypto_scalarmult(shared, scalar, key) == 0;
}
