/* Sockets of bots, the namespace "/bot" (contract 4.3): inside api/. */
#ifndef API_BOT_SOCKET_H
#define API_BOT_SOCKET_H

#include "api/socket.h"
#include "hub/bus.h"

struct bot_socket;

/* For sockets.c, which serves hub/sio. */
void bots_setup(void);
void bots_stop(void); /* before the stores end */
void bot_connect(sio_id id, struct str auth);
bool bot_gone(void *socket); /* hub/sio says so; false: it is no bot's */
void bot_event(struct bot_socket *s, const struct sio_event *e);
void visitor_key(struct visitor *v, struct str key);         /* X-API-Key; may be empty */
void bots_each(void (*fn)(sio_id id, void *arg), void *arg); /* fn does not end it */

/* The bus: a control event of theirs (false: it is none); something may have been missed. */
bool bot_control(const struct bus_message *m);
void bots_check(void);

/* Hands a push that is due (store/code.h) to a bot; nobody waits for it. */
void bot_push(struct str platform, struct str name);

#endif
