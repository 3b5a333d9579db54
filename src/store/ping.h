/* Is the store there, and how long does it take? Each one round trip; UNAVAILABLE when it is away.
 */
#ifndef STORE_PING_H
#define STORE_PING_H

#include "io/task.h"

void ping_database(struct task *t, task_fn *next);
void ping_cache(struct task *t, task_fn *next);

#endif
