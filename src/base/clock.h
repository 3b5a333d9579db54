/* Time. All durations are int64 milliseconds unless the name says otherwise; wall times are int64
 * microseconds since 1970-01-01 UTC (`us`). The loop refreshes both once a turn; tests may add an
 * offset. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include "base/str.h"

int64_t clock_ms(void);         /* monotonic, as of this loop turn */
int64_t clock_us(void);         /* wall, as of this loop turn */
int64_t clock_ns(void);         /* monotonic, read now; for measuring */
int64_t clock_turn_ns(void);    /* the same, as of this loop turn */
void clock_refresh(void);       /* the loop calls it at the start of a turn */
void clock_advance(int64_t ms); /* tests: both clocks jump ahead */

#define TIME_LEN 27 /* 2026-03-31T16:03:16.763528Z */
/* Writes exactly TIME_LEN bytes, no NUL (RFC 3339, section 5.6). Clamped to the years 0000-9999. */
void time_format(int64_t us, char out[TIME_LEN]);
/* Accepts RFC 3339 with 0-9 fraction digits (those past microseconds are cut) and Z or an offset.
 * False when malformed, for days that do not exist, and for leap seconds (:60). */
bool time_parse(struct str s, int64_t *us);

#endif
