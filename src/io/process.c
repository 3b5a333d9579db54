/* What this process uses, asked of the system when somebody wants to know. Owns nothing.
 *
 * To add a figure: here, and in api/metrics.c or api/operations.c. */
#include "io/process.h"

#include <malloc.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <uv.h>

static double seconds(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

/* Linux tells the number as the size of the directory, from 6.2 on. To read the directory would
 * take long just when many are open. */
static int64_t descriptors(void)
{
	struct stat s;

	return stat("/proc/self/fd", &s) == 0 && s.st_size > 0 ? (int64_t)s.st_size : -1;
}

struct process_figures process_figures(void)
{
	struct mallinfo2 heap = mallinfo2();
	struct rlimit files = {0};
	struct rusage use = {0};
	size_t resident = 0;

	(void)uv_resident_set_memory(&resident);
	(void)getrusage(RUSAGE_SELF, &use);
	(void)getrlimit(RLIMIT_NOFILE, &files);
	return (struct process_figures){
		.resident = (int64_t)resident,
		.peak = (int64_t)use.ru_maxrss * 1024,
		.heap = (int64_t)(heap.uordblks + heap.hblkhd),
		.descriptors = descriptors(),
		.descriptors_max = (int64_t)files.rlim_cur,
		.cpu = seconds(use.ru_utime) + seconds(use.ru_stime),
	};
}
