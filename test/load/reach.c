/* The servers of a run: are they there, do they speak what their URL says, are they who they say?
 * Told before anything is made on them, and what to do about it.
 *
 *   servers_reach -> origin_new, GET /livez of each -> answered: no connection to this address of
 * the name, so the next -> all have answered: done
 *
 * Lifetime: a web of one connection for each question. To add something that a wrong URL shows by:
 * refuse. */
#include "run.h"

#define TIMEOUT_MS 10000

static struct web *webs[RUN_URLS_MAX];
static size_t asked;
static void (*done)(void);

static void ask(size_t i);

static void refuse(const struct origin *o, const struct web_answer *a)
{
	const char *url = origin_url(o);
	struct str to = web_header(a, "location");

	if (a->status == 0)
		run_fail("%s: %s", url, a->why);
	if (a->status >= 300 && a->status < 400 && to.p)
		run_fail("%s sends to " STR_FMT "; give the URL it wants", url, STR_ARG(to));
	if (a->status == 400 && !origin_is_tls(o))
		run_fail("%s takes no plain HTTP; is it https://?", url);
}

static void answered(void *arg, const struct web_answer *a)
{
	size_t i = (size_t)((struct origin **)arg - run.origins);

	web_free(webs[i]);
	if (a->status == 0 && origin_next(run.origins[i])) {
		ask(i);
		return;
	}
	refuse(run.origins[i], a);
	if (--asked == 0)
		done();
}

static void ask(size_t i)
{
	webs[i] = web_new(run.origins[i], 1, TIMEOUT_MS);
	web_ask(webs[i], "GET", STR("/livez"), STR(""), STR(""), answered, &run.origins[i]);
}

void servers_reach(void (*fn)(void))
{
	bool tls = false;
	char why[CLIENT_WHY];

	done = fn;
	if ((run.o.ca || run.o.insecure) && !client_trust(run.o.ca, run.o.insecure != 0, why))
		run_fail("%s", why);
	for (size_t i = 0; i < run.o.url_count; i++) {
		run.origins[i] = origin_new(run.o.urls[i], why);
		if (!run.origins[i])
			run_fail("%s", why);
		tls |= origin_is_tls(run.origins[i]);
	}
	if (tls && run.o.insecure)
		run_note("INSECURE: certificates are not verified; whoever answers gets the bot's "
			 "key");
	asked = run.o.url_count;
	for (size_t i = 0; i < run.o.url_count; i++)
		ask(i);
}

void servers_write(struct json_out *j)
{
	struct client_stats c = client_stats();

	if (c.handshakes == 0)
		return;
	json_key(j, "tls");
	json_obj(j);
	json_kbool(j, "verified", run.o.insecure == 0);
	json_ki64(j, "handshakes", (int64_t)c.handshakes);
	json_ki64(j, "resumed", (int64_t)c.resumed);
	json_end(j);
}
