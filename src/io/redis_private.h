/* What io/redis and io/redis_sub share: the URL, signing in, and the encoding of commands. */
#ifndef IO_REDIS_PRIVATE_H
#define IO_REDIS_PRIVATE_H

#include "base/buf.h"
#include "io/redis.h"

#define REDIS_ADDRS 4

struct redis_url {
	char *path;                  /* of the socket; NULL: TCP */
	char addrs[REDIS_ADDRS][64]; /* numeric; tried in turn */
	size_t addr_count;
	int port, db;
	struct str user, password; /* decoded; NULL when not given */
	char *text;                /* owns what the slices point to */
};
/* Resolves a host name, blocking: at start-up only. */
enum err redis_url_parse(struct redis_url *u, struct str url, struct str *why) MUST_CHECK;
void redis_url_free(struct redis_url *u);
/* The AUTH command that the URL asks for; returns how many parts it has, 0: none. */
int redis_url_auth(const struct redis_url *u, struct str parts[3]);

/* RESP: the head of a command of n parts, then its parts; or all at once. */
void redis_put_head(struct buf *b, int n);
void redis_put(struct buf *b, struct str s);
void redis_put_command(struct buf *b, int n, const struct str *parts);
void redis_put_args(struct buf *b, const struct redis_args *a);

#endif
