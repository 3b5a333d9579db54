/* Private to the proof: who searches and meets, as check_lines.c
 * takes it from the lines. */
#ifndef LOAD_CHECK_MEET_H
#define LOAD_CHECK_MEET_H

#include "base/map.h"
#include "check.h"

struct proof;

struct meeting { /* what a line tells */
	size_t line;
	int64_t us;
	uint32_t client;
	int64_t room;
};

struct direct { /* a direct chat */
	uint32_t people[2];
	size_t met[2];      /* lines; 0: nobody yet */
	int64_t met_us;     /* when the first was told */
	int64_t absence_us; /* the longest of either */
	bool left;          /* by `leaver`, who had said all up to `last` */
	uint32_t leaver, last;
};

struct mate { /* a client, as far as it searches */
	bool open, searching, absent, joined, keyed;
	uint32_t tags;    /* a bit each; all: anybody */
	uint32_t said;    /* number of its newest message */
	int64_t since_us; /* searching, and its socket open */
	int64_t lost_us;  /* absent: it has no socket in the chat */
	int64_t joined_us;
	int64_t gone_us, back_us; /* how long its last absence was, and when it ended */
	int64_t room;
	size_t since, room_line;
};

struct meets {
	struct mate *mates; /* by client */
	struct direct *directs;
	size_t mate_count, direct_count, direct_cap;
	struct map by_room; /* index + 1, as a pointer */
	int64_t grace_us;
};

uint32_t tags_read(
	struct str text); /* "any", or numbers below 31 with commas between; 0: neither */
void meet_open(struct meets *m, const struct meeting *e);
void meet_lost(struct meets *m, struct proof *p, const struct meeting *e);
void meet_search(struct meets *m, struct proof *p, const struct meeting *e, uint32_t tags);
void meet_idle(struct meets *m, struct proof *p, const struct meeting *e);
void meet_met(struct meets *m, struct proof *p, const struct meeting *e, uint32_t tags);
void meet_joined(struct meets *m, const struct meeting *e); /* nothing in other rooms */
void meet_keyed(struct meets *m, struct proof *p, const struct meeting *e);
void meet_said(struct meets *m, const struct meeting *e, uint32_t number);
void meet_left(struct meets *m, const struct meeting *e);
void meet_ended(struct meets *m, struct proof *p, const struct meeting *e);
void meet_over(struct meets *m, struct proof *p, size_t line, int64_t us); /* the history is over */
/* The direct chat of a room that was left; NULL: none, or it ended otherwise. */
const struct direct *direct_left(const struct meets *m, int64_t room);
void meets_free(struct meets *m);

#endif
