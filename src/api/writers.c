/* Writers of JSON: one for each thing of the product. They decide nothing and keep nothing.
 *
 * To add a member: write it here and add it to the shape in api/routes.c, which test builds hold
 * every reply against. */
#include "api/writers.h"

void write_id(struct json_out *j, const char *key, int64_t id)
{
	json_key(j, key);
	if (id == 0)
		json_null(j);
	else
		json_i64(j, id);
}

static void write_identity(struct json_out *j, const struct identity_row *i)
{
	json_obj(j);
	json_kstr(j, "platform", i->platform);
	json_kstr(j, "platform_user_id", i->platform_user_id);
	json_kstr(j, "platform_username", i->platform_username);
	json_kstr(j, "platform_avatar_url", i->platform_avatar_url);
	json_ktime(j, "linked_at", i->linked_at);
	json_ktime(j, "last_authenticated_at", i->last_authenticated_at);
	json_end(j);
}

void write_user(struct json_out *j, const struct user *u)
{
	json_ki64(j, "id", u->id);
	json_kstr(j, "username", u->username);
	json_kstr(j, "avatar_url", u->avatar_url);
	json_ki64(j, "permission_level", u->permission_level);
	json_ki64(j, "subscription_level", u->subscription_level);
	json_ktime(j, "subscription_expires_at", u->subscription_expires_at);
	write_id(j, "subscription_granted_by", u->subscription_granted_by);
	json_kstr(j, "state", u->state);
	json_ktime(j, "last_activity_at", u->last_activity_at);
	json_ktime(j, "permission_since", u->permission_since);
	json_kstr(j, "avatar_source", u->avatar_source);
	json_key(j, "linked_platforms");
	json_arr(j);
	for (size_t i = 0; i < u->identity_count; i++)
		write_identity(j, &u->identities[i]);
	json_end(j);
	json_ktime(j, "created_at", u->created_at);
	json_ktime(j, "updated_at", u->updated_at);
}

void write_profile(struct json_out *j, const struct profile *p)
{
	json_ki64(j, "id", p->id);
	json_kstr(j, "username", p->username);
	json_kstr(j, "avatar_url", p->avatar_url);
	json_ki64(j, "subscription_level", p->subscription_level);
}

void write_bot(struct json_out *j, const struct bot *b, enum bot_view view)
{
	json_obj(j);
	json_ki64(j, "id", b->id);
	json_kstr(j, "name", b->name);
	json_kstr(j, "platform", b->platform);
	json_kstr(j, "avatar_url", b->avatar_url);
	json_ki64(j, "groups", b->groups);
	json_ki64(j, "users", b->users);
	json_key(j, "latency_ms");
	if (b->latency_ms < 0)
		json_null(j);
	else
		json_i64(j, b->latency_ms);
	json_kbool(j, "is_verified", b->type == BOT_OFFICIAL || b->type == BOT_VERIFIED);
	json_ktime(j, "last_activity_at", b->last_activity_at);
	json_ktime(j, "created_at", b->created_at);
	json_ktime(j, "updated_at", b->updated_at);
	if (view != BOT_PUBLIC) {
		write_id(j, "owner_id", b->owner_id);
		json_ki64(j, "bot_type", b->type);
		json_kbool(j, "is_active", b->is_active);
		json_ki64(j, "rate_limit_per_hour", b->rate_limit_per_hour);
	}
	if (view == BOT_FULL) {
		json_kbool(j, "login", b->login);
		json_key(j, "group_ids");
		json_raw(j, b->group_ids);
	}
	json_end(j);
}

void write_direct(struct json_out *j, const struct match_status *s)
{
	struct chat chat;

	chat_direct(&chat, s->chat_id, s->queued_at, s->online);
	json_key(j, "chat");
	write_chat(j, &chat, false);
	json_key(j, "peer");
	json_obj(j);
	json_key(j, "user");
	json_raw(j, s->peer);
	json_end(j);
}

void write_interests(struct json_out *j, struct str tags)
{
	json_key(j, "interests");
	json_arr(j);
	while (tags.p && tags.n > 0)
		json_str(j, str_cut(&tags, ' '));
	json_end(j);
}
