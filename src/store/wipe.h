/* Wipe timers (contract 3.2): the stream of a chat is emptied a while after the first message of a
 * person since it was empty. Redis: portal:wipes, a sorted set of chat ids by due time in ms; +inf
 * where the preset is "off" and there is something to wipe. Each due one is taken by one process in
 * one step; what fell due while none ran is done at start. Whoever destroys a chat removes it from
 * portal:wipes and deletes portal:chat:{id}:stream in its step. */
#ifndef STORE_WIPE_H
#define STORE_WIPE_H

#include "io/task.h"

/* "1m 15m 1h 4h 24h off": milliseconds; 0: off. Another word is a bug. */
int64_t wipe_preset_ms(struct str preset);

/* Behind the commit of a new preset: the time starts anew, or ends ("off"). */
void wipe_restart(struct task *t, int64_t chat_id, struct str preset, task_fn *next);

/* Looks for due ones each second, while both stores are there. After loop_init; stop before the
 * stores end. */
void wipe_start(void);
void wipe_stop(void);

#endif
