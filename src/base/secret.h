/* Randomness, hashes and sealing: the only file that sees sodium.h.
 *
 * Tokens and keys are kept as BLAKE2b hashes; login codes are found by a keyed hash and kept in a
 * secretbox. The two keys are derived from SECRET_KEY. Nothing here is ever logged. */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include "base/err.h"
#include "base/str.h"

#define HASH_LEN      32 /* bytes of BLAKE2b-256 */
#define TOKEN_BYTES   32
#define TOKEN_TEXT    43 /* base64url of 32 bytes, no padding */
#define CODE_LEN      8
#define SEAL_OVERHEAD 40 /* 24 nonce + 16 tag */

/* Once, before anything else here. `secret_key` any length >= 16; empty: a random key for this
 * process (local mode). */
enum err secret_setup(struct str secret_key) MUST_CHECK;

void secret_random(void *out, size_t n);
uint32_t secret_below(uint32_t bound); /* uniform in [0, bound), no bias */
void secret_wipe(void *p, size_t n);
bool secret_eq(const void *a, const void *b, size_t n); /* constant time */

void secret_token(char out[TOKEN_TEXT]); /* a fresh session token or the tail of a bot key */
void secret_code(char out[CODE_LEN]);    /* 8 of A-Za-z0-9, uniform */
void secret_uuid(char out[36]);          /* random UUID, RFC 9562 version 4, lower case */

/* BLAKE2b-256, unkeyed: for tokens and keys. */
void secret_hash(struct str s, uint8_t out[HASH_LEN]);
void secret_code_hash(struct str code, uint8_t out[HASH_LEN]); /* keyed with the derived code key */
/* secretbox: out gets nonce + ciphertext, in.n + SEAL_OVERHEAD bytes. */
void secret_seal(struct str in, uint8_t *out);
/* False when it does not open. out gets in.n - SEAL_OVERHEAD bytes. */
bool secret_open(struct str in, uint8_t *out);

size_t base64url_encode(const uint8_t *p, size_t n, char *out); /* no padding; ceil(n*4/3) chars */
bool base64url_decode(struct str s, uint8_t *out, size_t n);    /* exactly n bytes, no padding */
void hex_encode(const uint8_t *p, size_t n, char *out);         /* 2n lower-case digits */
bool hex_decode(struct str s, uint8_t *out, size_t n);          /* exactly n bytes, lower case */

/* Is this an X25519 public key that may be used: standard base64 of 32 bytes, not of low order
 * (RFC 7748, section 6.1)? */
bool secret_public_key(struct str text);

#endif
