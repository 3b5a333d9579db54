/* Punishments, the subscription with its history, and the export of everything.
 *
 * To keep something new about people: add it to sql_user_export too. */
#include "store/user_record.h"

#include "io/pg.h"
#include "store/user.h"

/* ---- punishments ---- */

PG_STMT(sql_punishments_of, OP_READ,
	"SELECT id, action_type, reason, expires_at, lifted_at, created_at FROM moderation_actions"
	" WHERE user_id = $1::bigint ORDER BY created_at DESC, id DESC");

static enum err decode_punishments(struct task *t, const struct pg_rows *r, void *out)
{
	struct punishment_list *list = out;

	list->count = (size_t)pg_count(r);
	list->rows = arena_array(task_arena(t), struct punishment, list->count);
	for (size_t i = 0; i < list->count; i++) {
		struct punishment *p = &list->rows[i];
		int row = (int)i;

		p->id = pg_i64(r, row, 0);
		p->action_type = pg_text_copy(t, r, row, 1);
		p->reason = pg_text_copy(t, r, row, 2);
		p->expires_at = pg_time(r, row, 3);
		p->lifted_at = pg_time(r, row, 4);
		p->created_at = pg_time(r, row, 5);
	}
	return OK;
}

void punishments_of(struct task *t, int64_t user_id, struct punishment_list *out, task_fn *next)
{
	struct pg_args a = {0};

	pg_arg_i64(t, &a, user_id);
	pg_query(t, &sql_punishments_of, &a, decode_punishments, out, next);
}

/* ---- subscription ---- */

PG_STMT(sql_subscription_of, OP_READ,
	"SELECT subscription_now(u.subscription_level, u.subscription_expires_at),"
	" u.subscription_expires_at, u.subscription_created_at, u.subscription_updated_at,"
	" h.id, h.old_level, h.new_level, h.reason, h.granted_by_id, h.created_at"
	" FROM users u LEFT JOIN subscription_history h ON h.user_id = u.id"
	" WHERE u.id = $1::bigint AND u.deleted_at IS NULL ORDER BY h.created_at DESC, h.id DESC");

static enum err decode_subscription(struct task *t, const struct pg_rows *r, void *out)
{
	struct subscription *s = out;

	if (pg_count(r) == 0)
		return ERR_USER_NOT_FOUND;
	s->level = (int)pg_i64(r, 0, 0);
	s->expires_at = pg_time(r, 0, 1);
	s->created_at = pg_time(r, 0, 2);
	s->updated_at = pg_time(r, 0, 3);
	s->history_count = pg_null(r, 0, 4) ? 0 : (size_t)pg_count(r);
	s->history = arena_array(task_arena(t), struct subscription_change, s->history_count);
	for (size_t i = 0; i < s->history_count; i++) {
		struct subscription_change *c = &s->history[i];
		int row = (int)i;

		c->id = pg_i64(r, row, 4);
		c->old_level = (int)pg_i64(r, row, 5);
		c->new_level = (int)pg_i64(r, row, 6);
		c->reason = pg_text_copy(t, r, row, 7);
		c->granted_by = pg_i64(r, row, 8);
		c->created_at = pg_time(r, row, 9);
	}
	return OK;
}

void subscription_of(struct task *t, int64_t user_id, struct subscription *out, task_fn *next)
{
	struct pg_args a = {0};

	pg_arg_i64(t, &a, user_id);
	pg_query(t, &sql_subscription_of, &a, decode_subscription, out, next);
}

/* ---- export ---- */

/* A list of a person's rows, built by `object` from table `from`; [] when there are none. */
#define EXPORT_LIST(key, object, from, order)                                                      \
	" '" key "', (SELECT coalesce(json_agg(json_build_object(" object ") ORDER BY " order      \
	"), '[]'::json) FROM " from ")"

PG_STMT(sql_user_export, OP_READ,
	"SELECT json_build_object('exported_at', iso(now()), 'profile', json_build_object("
	" 'id', u.id, 'username', u.username, 'avatar_url', " AVATAR_OF(
		"u") ", 'avatar_source', u.avatar_source, 'permission_level', u.permission_level,"
		     " 'permission_since', iso(u.permission_since),"
		     " 'state', user_state(u.restriction, u.restricted_until),"
		     " 'restriction_reason', u.restriction_reason, 'restricted_until', "
		     "iso(u.restricted_until),"
		     " 'bot_logins', u.bot_logins, 'last_activity_at', iso(u.last_activity_at),"
		     " 'created_at', iso(u.created_at), 'updated_at', iso(u.updated_at)),"
		     " 'subscription', json_build_object("
		     " 'subscription_level', subscription_now(u.subscription_level, "
		     "u.subscription_expires_at),"
		     " 'expires_at', iso(u.subscription_expires_at), 'granted_by_id', "
		     "u.subscription_granted_by,"
		     " 'trial_used', u.trial_used, 'created_at', iso(u.subscription_created_at),"
		     " 'updated_at', iso(u.subscription_updated_at)," EXPORT_LIST("history",
			     "'id', h.id, 'old_level', h.old_level, 'new_level', h.new_level, "
			     "'reason', h.reason,"
			     " 'granted_by_id', h.granted_by_id, 'created_at', iso(h.created_at)",
			     "subscription_history h WHERE h.user_id = u.id",
			     "h.id") "), 'preferences', u.preferences::json," EXPORT_LIST("linked_"
											  "platform"
											  "s",
			     "'platform', i.platform, 'platform_user_id', i.platform_user_id,"
			     " 'platform_username', i.platform_username,"
			     " 'platform_avatar_url', i.platform_avatar_url, 'linked_at', "
			     "iso(i.linked_at),"
			     " 'last_authenticated_at', iso(i.last_authenticated_at)",
			     "identities i WHERE i.user_id = u.id",
			     "i.linked_at") "," EXPORT_LIST("sessions",
			     "'token_suffix', s.token_suffix, 'client_ip', s.client_ip, "
			     "'user_agent', s.user_agent,"
			     " 'created_at', iso(s.created_at), 'expires_at', iso(s.expires_at),"
			     " 'ended_at', iso(s.ended_at), 'end_reason', s.end_reason",
			     "sessions s WHERE s.user_id = u.id",
			     "s.created_at") "," EXPORT_LIST("punishments",
			     "'id', m.id, 'action_type', m.action_type, 'chat_id', m.chat_id, "
			     "'reason', m.reason,"
			     " 'expires_at', iso(m.expires_at), 'lifted_at', iso(m.lifted_at),"
			     " 'created_at', iso(m.created_at)",
			     "moderation_actions m WHERE m.user_id = u.id",
			     "m.id") "," EXPORT_LIST("permission_history",
			     "'id', p.id, 'old_level', p.old_level, 'new_level', p.new_level,"
			     " 'created_at', iso(p.created_at)",
			     "permission_history p WHERE p.user_id = u.id",
			     "p.id") "," EXPORT_LIST("notifications",
			     "'id', n.id, 'title', n.title, 'body', n.body, 'type', n.type,"
			     " 'read_at', iso(n.read_at), 'created_at', iso(n.created_at)",
			     "notifications n WHERE n.user_id = u.id",
			     "n.id") "," EXPORT_LIST("notifications_read",
			     "'id', rn.id, 'read_at', iso(nr.read_at)",
			     "notification_reads nr JOIN notifications rn ON rn.nr = nr.nr"
			     " WHERE nr.user_id = u.id",
			     "rn.id") "," EXPORT_LIST("notifications_read_up_to",
			     "'id', mn.id, 'read_at', iso(nm.read_at)",
			     "notification_marks nm JOIN notifications mn ON mn.nr = nm.up_to"
			     " WHERE nm.user_id = u.id",
			     "mn.id") "," EXPORT_LIST("owned_chats",
			     "'id', c.id, 'name', c.name, 'description', c.description, 'slug', "
			     "c.slug,"
			     " 'visibility', c.visibility, 'wipe_preset', c.wipe_preset,"
			     " 'history_visible', c.history_visible, 'created_at', "
			     "iso(c.created_at),"
			     " 'last_activity_at', iso(c.last_activity_at)",
			     "chats c WHERE c.owner_id = u.id",
			     "c.id") "," EXPORT_LIST("memberships",
			     "'chat_id', cm.chat_id, 'name', mc.name, 'joined_at', "
			     "iso(cm.joined_at)",
			     "chat_members cm JOIN chats mc ON mc.id = cm.chat_id WHERE cm.user_id "
			     "= u.id",
			     "cm.joined_at") "," EXPORT_LIST("blocks",
			     "'user_id', ub.blocked_id, 'created_at', iso(ub.created_at)",
			     "user_blocks ub WHERE ub.blocker_id = u.id",
			     "ub.created_at") "," EXPORT_LIST("bots",
			     "'id', b.id, 'name', b.name, 'platform', b.platform, 'bot_type', "
			     "b.bot_type,"
			     " 'login', b.login, 'is_active', b.is_active,"
			     " 'rate_limit_per_hour', b.rate_limit_per_hour, 'avatar_url', "
			     "b.avatar_url,"
			     " 'group_ids', b.group_ids, 'users', b.users, 'latency_ms', "
			     "b.latency_ms,"
			     " 'last_activity_at', iso(b.last_activity_at), 'created_at', "
			     "iso(b.created_at),"
			     " 'updated_at', iso(b.updated_at)",
			     "bots b WHERE b.owner_id = u.id AND b.deleted_at IS NULL",
			     "b.id") "," EXPORT_LIST("invites",
			     "'code', v.code, 'chat_id', v.chat_id, 'uses', v.uses, 'max_uses', "
			     "v.max_uses,"
			     " 'expires_at', iso(v.expires_at), 'created_at', iso(v.created_at)",
			     "invites v WHERE v.created_by = u.id",
			     "v.created_at") "," EXPORT_LIST("chat_bans",
			     "'chat_id', cb.chat_id, 'reason', cb.reason, 'expires_at', "
			     "iso(cb.expires_at),"
			     " 'created_at', iso(cb.created_at)",
			     "chat_bans cb WHERE cb.user_id = u.id",
			     "cb.created_at") "," EXPORT_LIST("chat_mutes",
			     "'chat_id', ct.chat_id, 'reason', ct.reason, 'expires_at', "
			     "iso(ct.expires_at),"
			     " 'created_at', iso(ct.created_at)",
			     "chat_mutes ct WHERE ct.user_id = u.id",
			     "ct.created_at") ", 'hard_mute', (SELECT json_build_object("
					      "'reason', hm.reason, 'expires_at', "
					      "iso(hm.expires_at), 'created_at',"
					      " iso(hm.created_at)) FROM hard_mutes hm WHERE "
					      "hm.user_id = u.id)," EXPORT_LIST("chat_activity",
						      "'chat_id', ca.chat_id, 'action', ca.action, "
						      "'method', ca.method, "
						      "'invite_code', ca.invite_code, "
						      "'created_at', iso(ca.created_at)",
						      "chat_activity ca WHERE ca.user_id = u.id",
						      "ca.id") ")::text FROM users u WHERE u.id = "
							       "$1::bigint AND "
							       "u.deleted_at IS NULL");

static enum err decode_export(struct task *t, const struct pg_rows *r, void *out)
{
	if (pg_count(r) == 0)
		return ERR_USER_NOT_FOUND;
	*(struct str *)out = pg_text_copy(t, r, 0, 0);
	return OK;
}

void user_export(struct task *t, int64_t user_id, struct str *out, task_fn *next)
{
	struct pg_args a = {0};

	pg_arg_i64(t, &a, user_id);
	pg_query(t, &sql_user_export, &a, decode_export, out, next);
}
