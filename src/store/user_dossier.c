/* What operators may know of a person: one statement, one JSON document, from one snapshot. Lists
 * are the newest DOSSIER_ROWS.
 *
 * To add a list: a LIST here, and its shape in the row of admin/users/{id} in api/routes.c. */
#include "io/pg.h"
#include "store/user.h"
#include "store/user_admin.h"

#define DOSSIER_ROWS "100"
#define LIST(key_, from_, order_, object_)                                                         \
	" '" key_ "', (SELECT coalesce(json_agg(x.row), '[]'::json) FROM (SELECT "                 \
	"json_build_object(" object_ ") AS row FROM " from_ " ORDER BY " order_                    \
	" DESC LIMIT " DOSSIER_ROWS ") x)"

#define ACCOUNT                                                                                    \
	"'id', u.id, 'username', u.username, 'avatar_url', " AVATAR_OF(                            \
		"u") ","                                                                           \
		     " 'avatar_source', u.avatar_source, 'permission_level', u.permission_level,"  \
		     " 'permission_since', iso(u.permission_since),"                               \
		     " 'subscription_level', subscription_now(u.subscription_level, "              \
		     "u.subscription_expires_at),"                                                 \
		     " 'subscription_expires_at', iso(u.subscription_expires_at),"                 \
		     " 'subscription_granted_by', u.subscription_granted_by, 'trial_used', "       \
		     "u.trial_used,"                                                               \
		     " 'state', s.state,"                                                          \
		     " 'restriction_reason', CASE WHEN s.state <> 'active' THEN "                  \
		     "u.restriction_reason END,"                                                   \
		     " 'restricted_until', CASE WHEN s.state <> 'active' THEN "                    \
		     "iso(u.restricted_until) END,"                                                \
		     " 'bot_logins', u.bot_logins, 'last_activity_at', iso(u.last_activity_at),"   \
		     " 'created_at', iso(u.created_at), 'updated_at', iso(u.updated_at)"

#define PLATFORMS                                                                                  \
	LIST("linked_platforms", "identities i WHERE i.user_id = u.id", "i.linked_at",             \
		"'platform', i.platform, 'platform_user_id', i.platform_user_id,"                  \
		" 'platform_username', i.platform_username, 'platform_avatar_url', "               \
		"i.platform_avatar_url, 'linked_at', iso(i.linked_at),"                            \
		" 'last_authenticated_at', iso(i.last_authenticated_at)")
#define MODERATION                                                                                 \
	LIST("moderation", "moderation_actions m WHERE m.user_id = u.id", "m.created_at",          \
		"'id', m.id, 'action_type', m.action_type, 'chat_id', m.chat_id,"                  \
		" 'actor_id', m.actor_id, 'reason', m.reason, 'is_lifted', m.lifted_at IS NOT "    \
		"NULL, 'expires_at', iso(m.expires_at), 'lifted_at', iso(m.lifted_at),"            \
		" 'lifted_by', m.lifted_by, 'created_at', iso(m.created_at)")                      \
	", 'hard_mute', (SELECT json_build_object('reason', h.reason, 'actor_id', h.actor_id,"     \
	" 'expires_at', iso(h.expires_at), 'created_at', iso(h.created_at)) FROM hard_mutes h"     \
	" WHERE h.user_id = u.id AND (h.expires_at IS NULL OR h.expires_at > now()))"
/* As chats_administered and bots_managed: $2 the viewer, $3 the level. */
#define CHATS                                                                                      \
	LIST("chats",                                                                              \
		"chat_members j JOIN chats c ON c.id = j.chat_id LEFT JOIN users o ON o.id = "     \
		"c.owner_id WHERE j.user_id = u.id AND (c.visibility <> 'private' OR c.owner_id "  \
		"= $2::bigint OR o.permission_level < $3::bigint OR $3::bigint = 3)",              \
		"j.joined_at",                                                                     \
		"'id', c.id, 'name', c.name, 'visibility', c.visibility, 'slug', c.slug,"          \
		" 'is_owner', c.owner_id IS NOT DISTINCT FROM u.id, 'joined_at', "                 \
		"iso(j.joined_at)")
#define BOTS                                                                                       \
	LIST("bots",                                                                               \
		"bots b WHERE b.owner_id = u.id AND b.deleted_at IS NULL AND ($3::bigint = 3 OR "  \
		"(NOT b.login AND (u.id = $2::bigint OR u.permission_level < $3::bigint)))",       \
		"b.id",                                                                            \
		"'id', b.id, 'name', b.name, 'platform', b.platform, 'bot_type', b.bot_type,"      \
		" 'login', b.login, 'is_active', b.is_active, 'created_at', iso(b.created_at)")
#define HISTORIES                                                                                  \
	LIST("subscription_history", "subscription_history h WHERE h.user_id = u.id", "h.id",      \
		"'id', h.id, 'old_level', h.old_level, 'new_level', h.new_level, 'reason', "       \
		"h.reason, 'granted_by_id', h.granted_by_id, 'created_at', iso(h.created_at)")     \
	"," LIST("permission_history", "permission_history p WHERE p.user_id = u.id", "p.id",      \
		"'id', p.id, 'old_level', p.old_level, 'new_level', p.new_level, 'actor_id', "     \
		"p.actor_id, 'created_at', iso(p.created_at)")
#define SESSIONS                                                                                   \
	" 'sessions', CASE WHEN $3::bigint = 3 THEN (SELECT coalesce(json_agg(x.row), "            \
	"'[]'::json) FROM (SELECT json_build_object('token_suffix', n.token_suffix, 'client_ip', " \
	"n.client_ip, 'user_agent', n.user_agent, 'created_at', iso(n.created_at), 'expires_at', " \
	"iso(n.expires_at), 'ended_at', iso(n.ended_at), 'end_reason', n.end_reason) AS row"       \
	" FROM sessions n WHERE n.user_id = u.id ORDER BY n.created_at DESC LIMIT " DOSSIER_ROWS   \
	") x) END"

PG_STMT(sql_user_dossier, OP_READ,
	"SELECT json_build_object(" ACCOUNT "," PLATFORMS "," MODERATION "," CHATS "," BOTS
	"," HISTORIES "," SESSIONS ")::text FROM users u,"
	" LATERAL (SELECT user_state(u.restriction, u.restricted_until)) s (state)"
	" WHERE u.id = $1::bigint AND u.deleted_at IS NULL");

static enum err decode_dossier(struct task *t, const struct pg_rows *r, void *out)
{
	if (pg_count(r) == 0)
		return ERR_USER_NOT_FOUND;
	*(struct str *)out = pg_text_copy(t, r, 0, 0);
	return OK;
}

void user_dossier(struct task *t, int64_t id, struct person viewer, struct str *out, task_fn *next)
{
	struct pg_args a = {0};

	pg_arg_i64(t, &a, id);
	pg_arg_i64(t, &a, viewer.id);
	pg_arg_i64(t, &a, viewer.level);
	pg_query(t, &sql_user_dossier, &a, decode_dossier, out, next);
}
