/* Private to this folder: what the listener needs of the connections. */
#ifndef IO_ACCEPT_H
#define IO_ACCEPT_H

#include "io/conn.h"

/* A connection of its own from an accepted, nonblocking descriptor; calls `opened`. At
 * MAX_CONNECTIONS it closes the descriptor and counts it as refused. `secure`: speaks TLS, and is
 * opened when the handshake is over. */
void conn_accept(int fd, const struct addr *peer, const struct conn_ops *ops, bool secure);
void conn_refuse(int fd); /* closes and counts */

#endif
