/* Statistics (contract section 9). Owns this process's copy of the figures: whoever asks first in
 * REFRESH_MS reads them anew, and others get the copy meanwhile, so that no crowd of visitors
 * reaches the stores. No figure is older than KEEP_MS when it is sent.
 *
 *   begin -> reply, or statistics_read -> figures_read -> reply
 *
 * To add a figure: store/statistics.h, the shape in api/routes.c, and its writer here. */
#include "api/handlers.h"
#include "api/request.h"
#include "api/server.h"
#include "base/clock.h"
#include "gen/version.h"
#include "store/statistics.h"

#define REFRESH_MS 1000
#define KEEP_MS    4000

typedef void write_fn(struct json_out *j, const struct statistics *s);

static struct {
	struct statistics figures;
	int64_t read_at,
		asked_at; /* clock_ms: when these were asked for; when somebody asked last */
} copy;

static void write_users(struct json_out *j, const struct statistics *s)
{
	json_obj(j);
	json_ki64(j, "total_count", s->people);
	json_ki64(j, "basic_count", s->by_level[0]);
	json_ki64(j, "trial_count", s->by_level[1]);
	json_ki64(j, "premium_count", s->by_level[2]);
	json_ki64(j, "lifetime_count", s->by_level[3]);
	json_ki64(j, "online_count", s->online);
	json_end(j);
}

static void write_bots(struct json_out *j, const struct statistics *s)
{
	json_obj(j);
	json_ki64(j, "total_count", s->bots[1] + s->bots[2] + s->bots[3]);
	json_ki64(j, "official_count", s->bots[1]);
	json_ki64(j, "verified_count", s->bots[2]);
	json_ki64(j, "community_count", s->bots[3]);
	json_end(j);
}

static void write_chats(struct json_out *j, const struct statistics *s)
{
	json_obj(j);
	json_ki64(j, "total_count", s->public_chats + s->private_chats + s->direct_chats);
	json_ki64(j, "public_count", s->public_chats);
	json_ki64(j, "private_count", s->private_chats);
	json_ki64(j, "direct_count", s->direct_chats);
	json_end(j);
}

static void write_app(struct json_out *j, const struct statistics *s)
{
	json_obj(j);
	json_kstr(j, "application_name", STR("Portal"));
	json_kstr(j, "version", STR(PORTAL_VERSION));
	json_ktime(j, "started_at", process_started_at());
	json_key(j, "users");
	write_users(j, s);
	json_key(j, "bots");
	write_bots(j, s);
	json_key(j, "chats");
	write_chats(j, s);
	json_end(j);
}

struct asking {
	write_fn *write;
	struct statistics figures;
	int64_t at;
};

static void reply_figures(struct task *t, write_fn *write)
{
	write(reply_json(t), &copy.figures);
	reply_send(t);
}

static void figures_read(struct task *t)
{
	const struct asking *f = task_frame(t);

	if (f->at >= copy.read_at) {
		copy.figures = f->figures;
		copy.read_at = f->at;
	}
	reply_figures(t, f->write);
}

static void statistics_begin(struct task *t, write_fn *write)
{
	int64_t now = clock_ms();
	struct asking *f;

	if (copy.read_at > 0 && now - copy.read_at < KEEP_MS && now - copy.asked_at < REFRESH_MS) {
		reply_figures(t, write);
		return;
	}
	f = task_frame_make(t, sizeof(*f));
	f->write = write;
	f->at = copy.asked_at = now;
	statistics_read(t, &f->figures, figures_read);
}

void statistics_users(struct task *t)
{
	statistics_begin(t, write_users);
}

void statistics_bots(struct task *t)
{
	statistics_begin(t, write_bots);
}

void statistics_chats(struct task *t)
{
	statistics_begin(t, write_chats);
}

void statistics_app(struct task *t)
{
	statistics_begin(t, write_app);
}
