/* Pushes of login codes: which process is asked next, and which ones may be (store/push.h). Owns
 * nothing; each function is one script, schema/redis/push_*.lua. To tell more with a push:
 * code_web.lua keeps it with the code, code_named reads it. */
#include "store/push.h"

#include "gen/schema.h"
#include "io/redis.h"
#include "store/event.h"

static void bots_key(struct task *t, struct redis_args *a, struct str platform)
{
	redis_key(t, a, "portal:bots:" STR_FMT, STR_ARG(platform));
}

void push_next(struct task *t, struct str platform, struct str name, task_fn *next)
{
	struct redis_args a = {0};

	redis_key(t, &a, "portal:code:" STR_FMT, STR_ARG(name));
	bots_key(t, &a, platform);
	redis_arg(&a, name);
	redis_eval(t, &redis_scripts[SCRIPT_PUSH_NEXT], &a, NULL, NULL, next);
}

void push_lease(struct task *t, struct str platform, struct str process, int64_t ms, task_fn *next)
{
	struct redis_args a = {0};

	bots_key(t, &a, platform);
	redis_arg(&a, process);
	redis_arg_i64(t, &a, ms);
	redis_eval(t, &redis_scripts[SCRIPT_PUSH_LEASE], &a, NULL, NULL, next);
}

void push_bots_changed(struct task *t, task_fn *next)
{
	struct event *e = event_to_all(t, TO_CONTROL, "!bots:changed");

	json_obj(&e->json);
	json_end(&e->json);
	event_send(t, e, next);
}
