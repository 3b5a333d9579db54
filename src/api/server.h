/* The HTTP side of the process, for main.c. */
#ifndef API_SERVER_H
#define API_SERVER_H

#include "base/buf.h"
#include "base/err.h"
#include "hub/http.h"

extern const struct http_handler request_handler; /* for http_serve */
void request_pool_drain(void);                    /* at the end */

void gate_setup(void); /* hashes PUBLIC_API_KEYS; after config_load and secret_setup */
void gate_teardown(void);

/* What /readyz says. */
enum phase {
	PHASE_STARTING, /* stores not seen yet, or their schema is another */
	PHASE_SERVING,
	PHASE_DRAINING
};
void phase_set(enum phase p);
void operations_setup(void); /* builds /openapi.json and /docs; begins to watch the schema */
void operations_teardown(void);
int64_t process_started_at(void); /* us */

/* The pages that are made from the table of routes. */
void openapi_write(struct buf *out); /* OpenAPI 3.1, JSON */
void docs_write_html(struct buf *out);
void docs_write_markdown(struct buf *out); /* docs/api.md */

#endif
