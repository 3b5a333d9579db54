/* The chats of a run: made by --host and removed by it, or given by --chats. */
#ifndef LOAD_ROOMS_H
#define LOAD_ROOMS_H

#include "run.h"

struct room {
	int64_t id;
	uint64_t acked; /* messages of this run */
};

struct rooms {
	struct room *all;
	size_t count;
};
extern struct rooms rooms;

/* --chats and --rooms, for the option table of a scenario that needs chats. */
#define ROOM_OPTIONS                                                                               \
	{"--chats", &rooms_given, NULL, 0, 0,                                                      \
		"ids of official or public chats to use, as 1,2,3; else --host makes some"},       \
	{                                                                                          \
		"--rooms", NULL, &rooms_wanted, 1, 10000, "chats that --host makes"                \
	}
extern const char *rooms_given;
extern int64_t rooms_wanted;

void rooms_make(void (*done)(void));    /* calls back when they are there */
void rooms_release(void (*done)(void)); /* calls back when those that were made are gone */

#endif
