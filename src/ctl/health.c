/* portalctl health: one question to the server, for health checks that have no shell and no curl.
 *
 *   ctl_health -> ctl_server -> GET /livez or /readyz -> ended well or not */
#include <stdlib.h>

#include "base/config.h"
#include "ctl/ctl.h"
#include "ctl/fetch.h"

static const char *environment(const char *name)
{
	return getenv(name);
}

static struct str url_of_listen(struct arena *a)
{
	struct str at = config.listen;

	if (str_starts(at, STR("unix:")))
		return at;
	if (str_starts(at, STR("0.0.0.0:")))
		return arena_printf(a, "http://127.0.0.1:" STR_FMT, STR_ARG(str_from(at, 8)));
	if (str_starts(at, STR("[::]:")))
		return arena_printf(a, "http://[::1]:" STR_FMT, STR_ARG(str_from(at, 5)));
	return arena_printf(a, "http://" STR_FMT, STR_ARG(at));
}

struct str ctl_server(struct task *t)
{
	struct str url = ctl_str("--url");
	struct buf why = {0};

	if (url.p)
		return url;
	if (config_load(environment, &why) == OK)
		url = url_of_listen(task_arena(t));
	else
		ctl_fail(t, STR_FMT, STR_ARG(buf_view(&why)));
	buf_free(&why);
	return url;
}

void ctl_health(struct task *t)
{
	struct arena *a = task_arena(t);
	const char *path = ctl_has("--ready") ? "/readyz" : "/livez";
	struct str why = STR_NULL, url = ctl_server(t);
	struct buf body = {0};
	int status;

	if (!url.p)
		return;
	status = fetch(a, url, path, &body, &why);
	buf_free(&body);
	/* TLS is not spoken here; a port of TLS that tells so is alive. */
	if (status == 200 || (status == 400 && config.tls_cert.n > 0 && !ctl_has("--ready"))) {
		json_obj(ctl_json());
		json_key(ctl_json(), path + 1);
		json_z(ctl_json(), "ok");
		json_end(ctl_json());
		ctl_done(t);
		return;
	}
	ctl_fail(t, STR_FMT "%s: " STR_FMT, STR_ARG(url), path, STR_ARG(why));
}
