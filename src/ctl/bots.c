/* portalctl bot list, register: registration is how the first login bots come to be. */
#include "base/config.h"
#include "ctl/bots.h"
#include "ctl/ctl.h"
#include "store/user_admin.h"

#define RATE_LIMIT 1000

void ctl_bot_write(struct json_out *j, const struct bot *b)
{
	static const char *const types[] = {"?", "official", "verified", "community"};

	json_obj(j);
	json_ki64(j, "id", b->id);
	json_kstr(j, "name", b->name);
	json_kstr(j, "platform", b->platform);
	json_key(j, "type");
	json_z(j, types[b->type]);
	json_kbool(j, "login", b->login);
	json_kbool(j, "active", b->is_active);
	json_key(j, "owner_id");
	if (b->owner_id)
		json_i64(j, b->owner_id);
	else
		json_null(j);
	json_ktime(j, "last_activity_at", b->last_activity_at);
	json_ktime(j, "created_at", b->created_at);
	json_end(j);
}

/* ---- bot list ---- */
static void listed(struct task *t)
{
	struct bot_page *f = task_frame(t);

	json_arr(ctl_json());
	for (size_t i = 0; i < f->count; i++)
		ctl_bot_write(ctl_json(), &f->rows[i]);
	json_end(ctl_json());
	ctl_done(t);
}

void ctl_bot_list(struct task *t)
{
	struct bot_page *f = task_frame_make(t, sizeof(*f));

	bots_managed(t, 0, 3, 0, 10000, f, listed);
}

/* ---- bot register: (owner_resolved) -> created -> registered ---- */
struct registration {
	struct bot_new bot;
	int64_t id;
	struct bot made;
	struct bot_key key;
};

static void registered(struct task *t)
{
	struct registration *f = task_frame(t);
	struct json_out *j = ctl_json();

	json_obj(j);
	json_key(j, "bot");
	ctl_bot_write(j, &f->made);
	json_kstr(j, "api_key", str_make(f->key.text, sizeof(f->key.text)));
	json_end(j);
	ctl_say("the key is shown this once");
	ctl_done(t);
}

static void created(struct task *t)
{
	struct registration *f = task_frame(t);

	bot_by_id(t, f->id, &f->made, registered);
}

static void create(struct task *t)
{
	struct registration *f = task_frame(t);

	bot_create(t, &f->bot, &f->id, created);
}

void ctl_bot_register(struct task *t)
{
	struct registration *f = task_frame_make(t, sizeof(*f));
	struct bot_new *b = &f->bot;
	bool known = false;

	b->name = ctl_str("--name");
	b->platform = ctl_str("--platform");
	b->rate_limit_per_hour = ctl_int("--rate-limit", RATE_LIMIT);
	b->login = !ctl_has("--no-login");
	for (size_t i = 0; i < config.platforms.count; i++)
		known |= str_eq(config.platforms.items[i], b->platform);
	if (!ctl_length_ok(t, "--name", 2, 32))
		return;
	if (!known || b->rate_limit_per_hour > RATE_LIMIT_MAX) {
		ctl_fail(t, known ? "--rate-limit must be at most 100000"
				  : "--platform must be one of PLATFORMS");
		return;
	}
	bot_key_make(&f->key);
	memcpy(b->key_hash, f->key.hash, HASH_LEN);
	if (ctl_has("--owner"))
		user_resolve(t, ctl_str("--owner"), &b->owner_id, create);
	else
		create(t);
}
