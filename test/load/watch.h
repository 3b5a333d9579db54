/* What the load costs the servers: their /metrics (where METRICS_ALLOW lets this machine in),
 * looked at before the clients come and every second from then; or, of a portald on this machine
 * whose metrics are closed, /proc of --pid.
 *
 *   watch_begin -> first look -> done;  watch_look every second -> watch_write: the newest
 *   -> watch_end: a last look -> done -> watch_write_all */
#ifndef LOAD_WATCH_H
#define LOAD_WATCH_H

#include "run.h"

extern const struct option watch_options[]; /* --pid */

void watch_begin(void (*done)(void));
void watch_look(void);
/* A member of the open object, "server": what a second cost. Absent when nothing was to be seen. */
void watch_write(struct json_out *j);
void watch_end(void (*done)(void));
/* The same over the whole load, and what was there before the clients came. */
void watch_write_all(struct json_out *j);
bool watch_busy(void);         /* a server is away, catches up, or has requests in line */
void watch_say(struct buf *b); /* the last second in words */
void watch_free(void);

#endif
