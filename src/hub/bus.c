/* The bus: owns nothing but its settings; channels are redis_sub's, sockets hub/room's.
 *
 *   redis_sub -> on_message -> bus_parse -> live_deliver, or `control`
 *   redis_sub -> on_lost -> rooms_lost, `lost` … on_back -> `back`
 *
 * To add a scope: enum bus_scope, prefixes, and who delivers to it in room_deliver.c. */
#include "hub/bus.h"

#include <stdio.h>

#include "base/log.h"
#include "hub/room.h"

static struct bus_setup bus;

static const char *const prefixes[] = {
	[BUS_ALL] = "portal:all", [BUS_USER] = "portal:user:", [BUS_ROOM] = "portal:room:"};

#define KNOWN  "rofs1xdec" /* audiences, store/event.h */
#define SILENT "nx"        /* those that may come without an event */

/* ---- messages ---- */

static bool channel_parse(struct str channel, struct bus_message *out)
{
	out->id = 0;
	if (str_eq(channel, str_of(prefixes[BUS_ALL]))) {
		out->scope = BUS_ALL;
		return true;
	}
	for (int i = BUS_USER; i <= BUS_ROOM; i++) {
		struct str prefix = str_of(prefixes[i]);

		if (!str_starts(channel, prefix))
			continue;
		out->scope = (enum bus_scope)i;
		return str_to_i64(str_from(channel, prefix.n), &out->id) && out->id > 0;
	}
	return false;
}

/* The next word of the head; "-" becomes NULL p. False: there is none. */
static bool word(struct str *head, struct str *out)
{
	if (!head->p)
		return false;
	*out = str_cut(head, ' ');
	if (out->n == 0)
		return false;
	if (str_eq(*out, STR("-")))
		*out = STR_NULL;
	return true;
}

bool bus_parse(struct str channel, struct str payload, struct bus_message *out)
{
	struct str head = str_cut(&payload, '\n'), audience;

	if (!payload.p || !channel_parse(channel, out) || !word(&head, &audience) ||
		!word(&head, &out->event) || !word(&head, &out->position) ||
		!word(&head, &out->who) || head.p || audience.n != 1 || audience.p[0] == 0)
		return false;
	out->audience = audience.p[0];
	out->data = payload;
	if (!out->event.p)
		return payload.n == 0 && strchr(SILENT, out->audience);
	return payload.n >= 2 && payload.p[0] == '{' && payload.p[payload.n - 1] == '}' &&
	       strchr(KNOWN, out->audience);
}

static void on_message(struct str channel, struct str payload)
{
	struct bus_message m;

	if (!bus_parse(channel, payload, &m))
		log_line(LOG_ERROR, "a malformed message on the bus", LOG_S("channel", channel));
	else if (m.audience == 'c')
		bus.control(&m);
	else
		live_deliver(&m);
}

/* ---- the connection ---- */

static void on_lost(void)
{
	rooms_lost();
	if (bus.lost)
		bus.lost();
}

static void on_back(void)
{
	if (bus.back)
		bus.back();
}

enum err bus_start(const struct bus_setup *s, struct str *why)
{
	const struct redis_sub_setup sub = {.url = s->redis_url,
		.timeout_ms = s->timeout_ms,
		.message = on_message,
		.lost = on_lost,
		.back = on_back};
	enum err e;

	bus = *s;
	e = redis_sub_start(&sub, why);
	if (!e)
		redis_subscribe(str_of(prefixes[BUS_ALL]));
	return e;
}

void bus_stop(void)
{
	redis_sub_stop();
}

bool bus_is_up(void)
{
	return redis_sub_is_up();
}

/* ---- channels ---- */

#define CHANNEL_SIZE 40

static struct str channel_name(enum bus_scope scope, int64_t id, char out[CHANNEL_SIZE])
{
	int n = snprintf(out, CHANNEL_SIZE, "%s%lld", prefixes[scope], (long long)id);

	return str_make(out, (size_t)n);
}

void bus_hold(enum bus_scope scope, int64_t id)
{
	char name[CHANNEL_SIZE];

	redis_subscribe(channel_name(scope, id, name));
}

void bus_release(enum bus_scope scope, int64_t id)
{
	char name[CHANNEL_SIZE];

	redis_unsubscribe(channel_name(scope, id, name));
}

void bus_await(struct task *t, enum bus_scope scope, int64_t id, task_fn *next)
{
	char name[CHANNEL_SIZE];

	redis_sub_await(t, channel_name(scope, id, name), next);
}
