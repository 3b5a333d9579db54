/* Writes the history of a run: owns the file. Without history_open a line is dropped at once. */
#include "history.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"

#define BUFFER ((size_t)1 << 20)

static FILE *file;
static int64_t begun_ns;

bool history_open(const char *path)
{
	file = fopen(path, "w");
	begun_ns = clock_ns();
	return file && setvbuf(file, NULL, _IOFBF, BUFFER) == 0;
}

void history(const char *fmt, ...)
{
	va_list args;

	if (!file)
		return;
	fprintf(file, "%lld ", (long long)(clock_ns() - begun_ns) / 1000);
	va_start(args, fmt);
	vfprintf(file, fmt, args);
	va_end(args);
	putc_unlocked('\n', file);
}

bool history_close(void)
{
	bool failed = file && ferror(file);
	FILE *f = file;

	file = NULL;
	return (!f || fclose(f) == 0) && !failed;
}
