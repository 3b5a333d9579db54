/* A model of the Redis commands that the matcher's scripts use: strings, hashes, sets, sorted sets,
 * streams as lists, times to live, under a clock that only the caller moves. What it does not know
 * stops the program. */
#ifndef TEST_SIM_REDIS_H
#define TEST_SIM_REDIS_H

#include <stdbool.h>
#include <stdint.h>
#include <lua.h>

extern int64_t redis_ms;     /* the clock */
extern uint64_t redis_calls; /* commands run so far */

void redis_reset(void); /* no keys */

/* argv: NUL-terminated texts. Pushes the answer as redis.call does. */
void redis_run(lua_State *lua, int argc, const char **argv);

/* Each living key; for sets, sorted sets and hashes also each member (NULL: the key itself). */
void redis_each(
	void (*fn)(void *arg, const char *key, const char *member, bool expires), void *arg);
/* Keys made and members added since the last call: "key=member" lines, "key=" for the key itself.
 */
const char *redis_fresh(void);

/* ---- looks that change nothing; for checks ---- */
bool redis_has(const char *key);
const char *redis_get(const char *key);                      /* NULL: none */
const char *redis_field(const char *key, const char *field); /* of a hash; NULL: none */
bool redis_member(const char *key, const char *member);      /* of a set or sorted set */
double redis_score(const char *key, const char *member);     /* NAN: none */
uint32_t redis_count(const char *key);

/* What PUBLISH said since redis_told_clear. */
struct told {
	char channel[48];
	char text[464];
};
extern struct told *redis_told;
extern int redis_told_n;

#endif
