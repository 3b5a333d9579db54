/* portalctl config …, completion: what needs neither settings nor stores. */
#include <stdlib.h>

#include "base/config.h"
#include "base/secret.h"
#include "ctl/ctl.h"
#include "io/pg.h"
#include "io/redis.h"
#include "io/tls.h"

/* ---- config check: everything that could stop portald's start, but nothing is started ---- */

static const char *config_from(const char *name)
{
	struct str file = ctl_str("FILE");

	return file.p && strcmp(name, "PORTAL_CONFIG") == 0 ? file.p : getenv(name);
}

void ctl_config_check(struct task *t)
{
	struct buf text = {0};
	char tls[TLS_WHY];
	struct str why = STR_NULL;
	struct json_out *j = ctl_json();
	enum err e = config_load(config_from, &text);

	if (e != OK) {
		ctl_fail(t, STR_FMT, STR_ARG(buf_view(&text)));
		buf_free(&text);
		return;
	}
	if (secret_setup(config.secret_key) != OK)
		why = STR("SECRET_KEY cannot be used");
	if (!why.p && config.tls_cert.n > 0 &&
		tls_check(config.tls_cert, config.tls_key, tls) != OK)
		why = str_of(tls);
	/* A start looks at the URL and resolves its host; the connection is dropped at once. */
	if (!why.p && pg_start(&(struct pg_setup){config.database_url, 1, config.store_timeout},
			      &why) == OK)
		(void)!redis_start(&(struct redis_setup){.url = config.redis_url,
					   .timeout_ms = config.store_timeout},
			&why);
	if (why.p) {
		ctl_fail(t, STR_FMT, STR_ARG(why));
		return;
	}
	json_obj(j);
	json_key(j, "settings");
	json_z(j, "ok");
	json_key(j, "mode");
	json_z(j, config.local_mode ? "local" : "production");
	json_kstr(j, "listen", config.listen);
	json_kbool(j, "secret_key", config.secret_key.n > 0);
	json_end(j);
	ctl_done(t);
}

/* ---- completion ---- */

void ctl_completion(struct task *t)
{
	struct buf out = {0};

	/* zsh runs what bash does. */
	if (str_eq(ctl_str("SHELL"), STR("zsh")))
		buf_lit(&out, "autoload -U +X bashcompinit && bashcompinit\n");
	describe_bash(&out);
	ctl_print_line(str_make(out.p, out.n - 1));
	buf_free(&out);
	ctl_done(t);
}
