/* What the two files about bots share. */
#ifndef STORE_BOT_PRIVATE_H
#define STORE_BOT_PRIVATE_H

#include "io/pg.h"
#include "store/bot.h"

/* Of rows b (bots) and o (its owner); bot_decode reads them in this order. The groups are left out
 * where nobody asks: there may be thousands. */
#define BOT_COLUMNS(groups_)                                                                       \
	"b.id, b.owner_id, o.permission_level, b.name, b.platform, b.avatar_url, b.bot_type,"      \
	" b.login, b.is_active, b.rate_limit_per_hour, cardinality(b.group_ids), b.users,"         \
	" b.latency_ms, b.last_activity_at, b.created_at, b.updated_at, " groups_
#define BOT_GROUP_IDS "array_to_json(b.group_ids)::text"

void bot_decode(struct task *t, const struct pg_rows *r, int row, int first, struct bot *b);
/* Rows of total, details, BOT_COLUMNS; the bot's columns null in a single row: none. */
enum err bot_decode_page(struct task *t, const struct pg_rows *r, void *out);

static inline void bot_arg_id(struct task *t, struct pg_args *a, int64_t v) /* 0: NULL */
{
	if (v == 0)
		pg_arg_null(a);
	else
		pg_arg_i64(t, a, v);
}

static inline void bot_arg_given(struct task *t, struct pg_args *a, int64_t v) /* -1: NULL */
{
	if (v < 0)
		pg_arg_null(a);
	else
		pg_arg_i64(t, a, v);
}

#endif
