/* Structured logs: one line an event, JSON or (on a terminal) coloured text, to stderr.
 *
 * Lines go into a bounded buffer that is flushed once a loop turn, and only as far as the reader
 * takes it without blocking (poll, then writes of at most PIPE_BUF); what does not fit is dropped
 * and counted in the next line. Nothing secret is logged: callers pass routes, not paths; ids, not
 * tokens. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/str.h"

enum log_level {
	LOG_DEBUG,
	LOG_INFO,
	LOG_WARN,
	LOG_ERROR
};

enum log_format {
	LOG_AUTO, /* text when stderr is a terminal, else JSON */
	LOG_JSON,
	LOG_TEXT
};

void log_setup(enum log_level least, enum log_format format);

/* One field of a line. Names are literals. */
struct log_field {
	const char *name;
	enum {
		LOG_F_END,
		LOG_F_STR,
		LOG_F_INT
	} kind;
	struct str s;
	int64_t i;
};
#define LOG_S(name_, str_) ((struct log_field){.name = (name_), .kind = LOG_F_STR, .s = (str_)})
#define LOG_Z(name_, cstr) LOG_S(name_, str_of(cstr))
#define LOG_I(name_, int_) ((struct log_field){.name = (name_), .kind = LOG_F_INT, .i = (int_)})

bool log_wants(enum log_level level); /* for who would have to gather the fields first */
void log_write(enum log_level level, const char *message, const struct log_field *fields);
/* log_line(LOG_INFO, "listening", LOG_Z("address", addr), LOG_I("port", port)); */
#define log_line(level, message, ...)                                                              \
	log_write((level), (message), (const struct log_field[]){__VA_ARGS__ __VA_OPT__(, ){0}})

void log_flush(void);     /* as much as goes without blocking */
void log_flush_all(void); /* blocking; before the process ends */

#endif
