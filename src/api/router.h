/* From a method and a path to a row of the table. Built once; a path without parameters is one
 * look-up in a hash table, the others walk a tree of segments. */
#ifndef API_ROUTER_H
#define API_ROUTER_H

#include "api/route.h"

#define ROUTE_PARAMS 4 /* parameters of one path, at most */

struct route_match {
	const struct route *route;       /* NULL: no such path, or not with this method */
	bool known;                      /* the path exists */
	bool get, post;                  /* methods it takes */
	struct str params[ROUTE_PARAMS]; /* as sent, percent-encoded, in the order of the path */
};

void router_build(const struct route *rows, size_t n); /* again: replaces the former */
void router_free(void);
/* `path`: raw, without query. HEAD finds what GET finds. Literal segments are compared decoded and
 * win over parameters; a parameter is never empty; a trailing slash is another path. */
void router_find(enum http_method method, struct str path, struct route_match *out);
/* Which parameter of the row's path has this name: 0..; -1: none. */
int route_param(const struct route *r, const char *name);

#endif
