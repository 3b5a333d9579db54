/* What each error is called outside, and the end of a process that met a bug.
 *
 * Owns: nothing; the table is err.h's ERR_TABLE.
 * Lifetime: all strings are literals.
 * To add another error, add a row to ERR_TABLE in err.h. */
#include "base/err.h"
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const struct {
	int status;
	const char *code, *sentence;
} rows[ERR_COUNT] = {[OK] = {200, "OK", "OK"},
#define ERR_ROW(name, status, sentence) [ERR_##name] = {status, "ERR_" #name, sentence},
	ERR_TABLE(ERR_ROW)
#undef ERR_ROW
};

int err_status(enum err e)
{
	ASSERT((unsigned)e < ERR_COUNT);
	return rows[e].status;
}

const char *err_code(enum err e)
{
	ASSERT((unsigned)e < ERR_COUNT);
	return rows[e].code;
}

const char *err_sentence(enum err e)
{
	ASSERT((unsigned)e < ERR_COUNT);
	return rows[e].sentence;
}

void panic(const char *file, int line, const char *fmt, ...)
{
	va_list ap;

	log_flush(); /* what led here comes first; never waits, so a stuck reader cannot hold us */
	dprintf(STDERR_FILENO, "panic at %s:%d: ", file, line);
	va_start(ap, fmt);
	vdprintf(STDERR_FILENO, fmt, ap);
	va_end(ap);
	dprintf(STDERR_FILENO, "\n");
	abort();
}
