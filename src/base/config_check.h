/* What the settings must fulfil together; for config.c alone. */
#ifndef BASE_CONFIG_CHECK_H
#define BASE_CONFIG_CHECK_H

#include "base/arena.h"
#include "base/config.h"

/* The error, and a sentence for the operator in `why`. */
#define CONFIG_REFUSE(why, ...) (buf_printf((why), __VA_ARGS__), ERR_INVALID_REQUEST)

/* Checks `c` and fills in what is worked out from the rows. */
enum err config_check(struct config *c, struct arena *memory, struct buf *why) MUST_CHECK;

#endif
