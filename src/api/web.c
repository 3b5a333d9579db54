/* The web client: its page and what the page loads, embedded in the program (vendor/web.sh).
 *
 *   /, /auth, /c/{slug}      -> web_page: one page, whose script shows what the address names
 *   /web/{version}/{file}    -> web_asset: scripts, styles, pictures
 *   /web/config              -> web_config: the platforms, and the public key that it is to send
 * Nothing is read or compressed here; what a browser has already is answered with 304.
 * A file of another version (a page of the release before, while processes are replaced) is served
 * as it is now, and not to be kept. To add a file: put it into src/web/. */
#include "api/handlers.h"
#include "api/request.h"
#include "base/config.h"
#include "gen/web.h"

#define WEB_TAG      "\"" WEB_VERSION "\""
#define WEB_TAG_GZIP "\"" WEB_VERSION "-gzip\""
/* Avatars come from other hosts; wss: for a browser that does not count it to 'self'. */
#define WEB_POLICY                                                                                 \
	"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' https: data:; "   \
	"connect-src 'self' ws: wss:; manifest-src 'self'; base-uri 'none'; form-action 'none'; "  \
	"frame-ancestors 'none'"

static const struct web_file *web_find(struct str name)
{
	for (size_t i = 0; i < web_file_count; i++)
		if (str_eq(name, str_of(web_files[i].name)))
			return &web_files[i];
	return NULL;
}

static void web_reply(struct task *t, const struct web_file *f, const char *keep)
{
	bool gzip = request_takes_gzip(t);
	struct str tag = gzip ? STR(WEB_TAG_GZIP) : STR(WEB_TAG);

	reply_header(t, "ETag", tag);
	reply_header(t, "Cache-Control", str_of(keep));
	reply_header(t, "Vary", STR("Accept-Encoding"));
	reply_header(t, "Content-Security-Policy", STR(WEB_POLICY));
	reply_header(t, "Referrer-Policy", STR("no-referrer"));
	if (str_eq(request_has_tag(t), tag)) {
		reply_page(t, 304, NULL, STR(""));
		return;
	}
	if (gzip)
		reply_header(t, "Content-Encoding", STR("gzip"));
	reply_page(t, 200, f->type,
		gzip ? str_make(f->gzip, f->gzip_length) : str_make(f->plain, f->plain_length));
}

void web_page(struct task *t)
{
	const struct web_file *page = web_find(STR("index.html"));

	ASSERT(page);
	web_reply(t, page, "no-cache");
}

/* The key is for front ends, as this is one; what it guards is counted by address all the same. */
void web_config(struct task *t)
{
	struct json_out *j = reply_json(t);

	json_obj(j);
	json_key(j, "platforms");
	json_arr(j);
	for (size_t i = 0; i < config.platforms.count; i++)
		json_str(j, config.platforms.items[i]);
	json_end(j);
	if (config.public_api_keys.count > 0)
		json_kstr(j, "public_key", config.public_api_keys.items[0]);
	else
		json_knull(j, "public_key");
	json_end(j);
	reply_send(t);
}

void web_asset(struct task *t)
{
	const struct web_file *f = web_find(in_str(t, "file"));

	if (!f)
		task_fail(t, ERR_NOT_FOUND);
	else
		web_reply(t, f,
			str_eq(in_str(t, "version"), STR(WEB_VERSION))
				? "public, max-age=31536000, immutable"
				: "no-cache");
}
