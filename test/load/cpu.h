/* CPU time of processes on this machine, as --cpu-of names them: NAME=PID[+PID…][,NAME=…]. */
#ifndef LOAD_CPU_H
#define LOAD_CPU_H

#include "base/json.h"

#define CPU_WATCHED_MAX 8

void cpu_of(const char *text); /* run_fail when it is none of that; NULL: nobody */
/* Time counts between these two, as often as they are called; of the threads
 * that live to the end of it. */
void cpu_begin(void);
void cpu_end(void);
/* A member of the open object by each name: microseconds for each of `count`; null when 0. */
void cpu_write(uint64_t count, struct json_out *j);

#endif
