/* A loop with the command connection to REDIS_URL, for tests of what stands on subscriptions. Time
 * passes by running the loop until something is so. */
#ifndef TEST_UNIT_REDIS_RIG_H
#define TEST_UNIT_REDIS_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "io/redis.h"

#define REDIS_RIG_MS 300 /* of both connections */

/* False, and a line, when REDIS_URL is not set. */
bool redis_possible(const char *name);
struct str redis_rig_url(void);
void redis_rig_begin(void);
void redis_rig_end(void); /* asserts that nothing is left on the loop */

/* Runs the loop until it is so; fails after 5 s. */
void wait_until(bool (*is_so)(void));
/* Words separated by spaces; the number answered, or 0. */
int64_t redis_word(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Begins it and does not wait. */
void redis_word_begin(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* One PUBLISH, of any bytes, with what was begun before; waits. */
void redis_publish(const char *channel, const char *payload);

/* A task that runs `first` and then, as its last step, step_done; `err`: how it ended. */
struct step {
	enum err err;
	bool ended;
};
void step_start(struct step *r, task_fn *first);
enum err step_run(struct step *r, task_fn *first);
void step_done(struct task *t);

#endif
