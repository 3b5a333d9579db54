/* What this process uses of the machine. Nothing here waits for a disk: /proc is memory. */
#ifndef IO_PROCESS_H
#define IO_PROCESS_H

#include <stdint.h>

struct process_figures {
	int64_t resident, peak, heap; /* bytes: in memory now, at its highest, allocated */
	int64_t descriptors;          /* open; -1: not known, before Linux 6.2 */
	int64_t descriptors_max;      /* that may be open */
	double cpu;                   /* seconds, user and system */
};
struct process_figures process_figures(void);

#endif
