/* Both stores for unit tests: a PostgreSQL database of its own with the schema, made from
 * DATABASE_URL, and database 15 of REDIS_URL, emptied. Every part of a test is a task that runs to
 * its end. */
#ifndef TEST_UNIT_STORES_H
#define TEST_UNIT_STORES_H

#include "io/pg.h"
#include "io/redis.h"

/* Setup and teardown of a group of tests; teardown asserts that nothing is left on the loop. */
int stores_begin(void **state);
int stores_end(void **state);

/* One operation, or several: `begin` starts it with job_done as what comes next. Embed it first. */
struct job {
	task_fn *begin;
	struct fault fault; /* err OK: it went well */
};
void job_done(struct task *t);
void job_start(struct job *j);
void jobs_run(void); /* until all have ended */
enum err job_run(struct job *j);

/* Redis by hand: "HSET %s c 0"; words are separated by spaces. The answer as text, valid until the
 * next call; NULL for nil; a number as decimal. */
const char *redis_do(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* SQL by hand, several statements at will. */
void sql_do(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Away and back. Back: with session_reconcile before commands are let in. */
void redis_away(void);
void redis_back(void);
void pg_away(void);
void pg_back(void);

/* The epoch of a chat as Redis counts it; 0 when it has none. */
int64_t epoch_of(int64_t chat);

#endif
