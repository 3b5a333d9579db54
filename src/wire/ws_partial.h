/* Messages that come in parts: a WebSocket frame that is not all there, a fragmented message, a
 * control frame. For wire/ws.c, whose reader this is the slow way of; takes any frame. */
#ifndef WIRE_WS_PARTIAL_H
#define WIRE_WS_PARTIAL_H

#include "wire/ws.h"

struct ws_partial;
struct ws_partial *ws_partial_new(void); /* between frames, no message begun */
void ws_partial_free(struct ws_partial *q);
/* A message was handed out, and none is begun: to be freed. */
bool ws_partial_spent(const struct ws_partial *q);
/* As ws_read, but p[0..n) stays as it is. */
enum ws_result ws_partial_read(struct ws_partial *q, uint32_t max, const char *p, size_t n,
	struct ws_message *out, size_t *consumed) MUST_CHECK;

#endif
