/* One GET over plain HTTP, blocking: for a program with nothing else to do. */
#ifndef CTL_FETCH_H
#define CTL_FETCH_H

#include "base/arena.h"
#include "base/buf.h"

#define FETCH_MS 2000 /* for all of it */

/* `url`: http://host[:port]/path, or unix:/socket, of which `path` is asked for. The answer's
 * status; 0: there is none (errno is EINTR when a signal came). *body is that of a 200, else there
 * is a sentence in *why. */
int fetch(struct arena *a, struct str url, const char *path, struct buf *body, struct str *why);

#endif
