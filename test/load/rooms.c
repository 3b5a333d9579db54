/* The chats of a run: owns them.
 *
 *   rooms_make -> (--chats: read them) or room_make, one after the other -> done
 *   rooms_release -> all are deleted at once -> done
 *
 * One scenario of a run has rooms. */
#include "rooms.h"

#include <stdio.h>
#include <stdlib.h>

struct rooms rooms;
const char *rooms_given;
int64_t rooms_wanted = 10;

static size_t left; /* to be deleted */
static void (*done)(void);

static void host_post(const char *path, struct str body, web_fn *fn, void *arg)
{
	struct buf headers = {0};

	person_headers(run_host(), &headers);
	web_ask(run.webs[0], "POST", str_of(path), buf_view(&headers), body, fn, arg);
	buf_free(&headers);
}

static void room_make(void);

static void room_made(void *arg, const struct web_answer *a)
{
	(void)arg;
	if (a->status != 201)
		run_fail("the host cannot make chats: %d " STR_FMT
			 "\n  (portalctl user promote lets a person of the platform do it)",
			a->status, STR_ARG(a->body));
	rooms.all[rooms.count++].id = slice_i64(slice_get(a->body, "id"), 0);
	room_make();
}

static void room_make(void)
{
	char body[128];

	if (rooms.count == (size_t)rooms_wanted) {
		done();
		return;
	}
	snprintf(body, sizeof(body), "{\"name\":\"load %zu\",\"slug\":\"load-%08x-%zu\"}",
		rooms.count, run.id, rooms.count);
	host_post("/v1/portal/chats", str_of(body), room_made, NULL);
}

static void given_read(void)
{
	struct str rest = str_of(rooms_given);

	while (rest.p) {
		if (rooms.count == (size_t)rooms_wanted ||
			!str_to_i64(str_cut(&rest, ','), &rooms.all[rooms.count++].id))
			run_fail("--chats: at most %lld ids with commas between them",
				(long long)rooms_wanted);
	}
}

void rooms_make(void (*fn)(void))
{
	if (!run.o.host == !rooms_given)
		run_fail("either --host, who makes the chats, or --chats");
	if (rooms_given)
		rooms_wanted = (int64_t)strlen(rooms_given);
	done = fn;
	rooms.all = calloc((size_t)rooms_wanted, sizeof(*rooms.all));
	if (!rooms.all)
		PANIC("no memory");
	if (!rooms_given) {
		room_make();
		return;
	}
	given_read();
	done();
}

static void all_gone(void)
{
	free(rooms.all);
	done();
}

static void room_deleted(void *arg, const struct web_answer *a)
{
	(void)arg;
	if (a->status != 200)
		run_note("a chat could not be deleted: %d", a->status);
	if (--left == 0)
		all_gone();
}

void rooms_release(void (*fn)(void))
{
	done = fn;
	if (rooms_given) {
		all_gone();
		return;
	}
	left = rooms.count;
	for (size_t i = 0; i < rooms.count; i++) {
		char path[64];

		snprintf(path, sizeof(path), "/v1/portal/chats/%lld/delete",
			(long long)rooms.all[i].id);
		host_post(path, STR(""), room_deleted, NULL);
	}
}
