/* Pushes of login codes to the sockets of bots (contract 1, 4.3). A process with login bots of a
 * platform holds a lease on portal:bots:{platform}. A push that code_request found due goes over
 * the bus from process to process, each asked once, until one says that it was delivered:
 *
 *     portal:all   c !login:push {process} {name of the code}\n{}
 *
 * Nothing but the code's name is told; code_named reads the rest. Every step may be lost: the code
 * stays fetchable. */
#ifndef STORE_PUSH_H
#define STORE_PUSH_H

#include "io/task.h"

/* Asks the next process; does nothing when the code is gone or all were asked. */
void push_next(struct task *t, struct str platform, struct str name, task_fn *next);
/* `ms`: from now; 0 gives it up. */
void push_lease(struct task *t, struct str platform, struct str process, int64_t ms, task_fn *next);
/* Tells every process to look again at the keys of its bots' sockets; never fails (event_send). */
void push_bots_changed(struct task *t, task_fn *next);

#endif
