/* Private to this folder: what the loop needs of the timers (the public part is in loop.h). */
#ifndef IO_TIMER_H
#define IO_TIMER_H

#include "io/loop.h"

void timers_init(void);
void timers_run(void);   /* fires what is due at clock_ms(); once a turn */
void timers_arm(void);   /* before the poll: wakes the loop for the next due tick, or not at all */
bool timers_left(void);  /* is any set? */
void timers_close(void); /* closes the libuv timer */
struct loop_lag timers_lag(void);

#endif
