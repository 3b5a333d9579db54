/* How the caller stands to the chat that a request is about: what handlers ask first. */
#ifndef API_CHAT_LOOK_H
#define API_CHAT_LOOK_H

#include "api/request.h"
#include "store/chat_change.h"

int64_t chat_viewer(const struct task *t); /* 0: not signed in */
struct person chat_actor(const struct task *t, const struct chat_view *v);
struct person chat_owner(const struct chat *c);
struct chat_by chat_changer(const struct task *t, const struct chat_view *v); /* the caller */

/* True: the task has failed. 404 when the chat is not shown to the caller; 403 when it is and the
 * caller does not manage it. */
bool chat_hidden(struct task *t, const struct chat_view *v);
bool chat_unmanaged(struct task *t, const struct chat_view *v);

/* The fields of config/update, for both who may send them. */
void chat_edit_read(const struct task *t, struct chat_edit *e);
const char *chat_destroyed_text(struct task *t, const struct chat *c);

#endif
