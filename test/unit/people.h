/* People who sign in, for tests of sessions. */
#ifndef TEST_UNIT_PEOPLE_H
#define TEST_UNIT_PEOPLE_H

#include "store/session_private.h"
#include "stores.h"

struct person {
	char id[24]; /* on discord */
};
struct person person_new(void);

struct login_job {
	struct job job;
	struct login_ask ask;
	struct login out;
	uint8_t hash[HASH_LEN];
};
struct login_job login_of(const struct person *p, bool web);
struct login_job sign_in(const struct person *p); /* by a web code; asserts that it goes well */

struct gate_job {
	struct job job;
	struct gate_ask ask;
	struct gate_result out;
};
struct gate_job gate_of(const uint8_t *hash); /* NULL: no token */
bool live(const struct login_job *l);

#endif
