/* Writers of JSON for what the bus and Redis carry too (shown.h). They decide nothing and keep
 * nothing.
 *
 * To add a member: write it here and add it to the shape in api/routes.c. */
#include "store/shown.h"

void write_person(struct json_out *j, int64_t id, struct str username, struct str avatar_url)
{
	json_obj(j);
	json_ki64(j, "id", id);
	json_kstr(j, "username", username);
	json_kstr(j, "avatar_url", avatar_url);
	json_end(j);
}

void write_chat_person(struct json_out *j, int64_t id, struct str username, struct str avatar_url,
	int permission_level)
{
	json_obj(j);
	json_ki64(j, "id", id);
	json_kstr(j, "username", username);
	json_kstr(j, "avatar_url", avatar_url);
	json_ki64(j, "permission_level", permission_level);
	json_end(j);
}

void write_chat(struct json_out *j, const struct chat *c, bool manager)
{
	json_obj(j);
	json_ki64(j, "id", c->id);
	json_key(j, "chat_type");
	json_z(j, c->visibility == VISIBILITY_DIRECT ? "direct" : "group");
	json_kstr(j, "name", c->name);
	json_key(j, "owner");
	if (c->owner_id == 0)
		json_null(j);
	else
		write_person(j, c->owner_id, c->owner_username, c->owner_avatar_url);
	json_key(j, "visibility");
	json_z(j, visibility_name(c->visibility));
	json_kstr(j, "label", c->label);
	json_kstr(j, "slug", c->slug);
	json_kstr(j, "description", c->description);
	json_kstr(j, "avatar_url", c->avatar_url);
	json_kbool(j, "archived", false);
	json_ki64(j, "member_count", c->member_count);
	json_ki64(j, "online", c->online);
	json_ktime(j, "created_at", c->created_at);
	json_ktime(j, "last_activity_at", c->last_activity_at);
	if (manager) {
		json_key(j, "config");
		json_obj(j);
		json_kstr(j, "wipe_preset", c->wipe_preset);
		json_kbool(j, "history_visible", c->history_visible);
		json_end(j);
	}
	json_end(j);
}
