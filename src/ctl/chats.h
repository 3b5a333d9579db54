/* What the files of portalctl chat … share. */
#ifndef CTL_CHATS_H
#define CTL_CHATS_H

#include "base/json.h"
#include "store/chat.h"

void ctl_chat_write(struct json_out *j, const struct chat *c);
/* Looks at --name, --slug, --description, as far as they are there. False: the command has failed.
 */
bool ctl_chat_words_ok(struct task *t);

#endif
