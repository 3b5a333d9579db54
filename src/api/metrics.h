/* What the process counts about its requests, and the text for Prometheus. */
#ifndef API_METRICS_H
#define API_METRICS_H

#include "api/route.h"
#include "base/buf.h"
#include "store/match.h"

/* One answered request. `route` NULL: none matched. status 0: the client left before the answer. */
void metrics_request(const struct route *route, int status, int64_t duration_us);
/* The text exposition format, version 0.0.4. `match` NULL: Redis is away. */
void metrics_write(struct buf *out, const struct match_figures *match);

#endif
