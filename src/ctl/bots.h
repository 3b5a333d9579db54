/* What the files of portalctl bot … share. */
#ifndef CTL_BOTS_H
#define CTL_BOTS_H

#include "base/json.h"
#include "store/bot.h"

#define RATE_LIMIT_MAX 100000

void ctl_bot_write(struct json_out *j, const struct bot *b);

#endif
