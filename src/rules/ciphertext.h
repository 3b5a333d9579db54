/* The form of a message's content, a CiphertextV2 bundle (contract 3.2):
 *
 *     {"v":2,"epoch":N,"ct":"<base64>"}
 *
 * These three members, in any order, with JSON's white space at will and nothing escaped; N from 1
 * to 2^53 - 1; ct standard base64 with padding (RFC 4648, section 4, unused bits zero) of at least
 * CIPHERTEXT_LEAST bytes. */
#ifndef RULES_CIPHERTEXT_H
#define RULES_CIPHERTEXT_H

#include "base/str.h"

#define CIPHERTEXT_MAX   4096 /* characters of the bundle */
#define CIPHERTEXT_LEAST 40   /* bytes of ct: 24 of nonce, 16 of tag */

bool ciphertext_check(struct str content, int64_t *epoch);
/* Standard base64 with padding; *bytes: how many it stands for. */
bool base64_check(struct str s, size_t *bytes);

#endif
