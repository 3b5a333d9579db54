/* Private to the proof: check_lines.c reads the history into messages and seats, check_prove.c says
 * what must hold of them, check_meet.c what must hold of people who search and meet. */
#ifndef LOAD_CHECK_PRIVATE_H
#define LOAD_CHECK_PRIVATE_H

#include "base/map.h"
#include "check.h"
#include "check_meet.h"

#define NO_INDEX UINT32_MAX
#define ROOM_MAX ((int64_t)1 << 40)

struct id {
	uint64_t ms, seq; /* 0-0: none */
};

struct message {
	uint32_t client, number;
	int64_t room;
	struct id id;
	size_t sent, id_line; /* lines; id_line: where the id was first seen */
	size_t acked;         /* 0: not */
	bool seen;            /* came to somebody */
};

struct arrival {
	struct id id;
	uint32_t message; /* its index; NO_INDEX: the run did not send it */
	size_t line;
};

struct gap {                    /* what a client was told that it may lack */
	struct id after, until; /* exclusive; until 0-0: to the end */
	size_t line;
	size_t arrivals; /* that came before it */
};

struct seat {
	uint32_t client;
	int64_t room;
	size_t joined, out; /* lines: of the first join; of being put out, 0: not */
	bool ended;
	bool direct, over; /* a direct chat; it has ended */
	struct arrival *arrivals;
	struct gap *gaps;
	size_t arrival_count, arrival_cap, gap_count, gap_cap;
};

struct proof {
	struct str text;
	bool gaps;
	size_t line, last_gap; /* numbers of lines */
	int64_t us;            /* of the line */
	struct meets meets;
	struct verdict *v;
	struct message *messages;
	struct seat *seats;
	const char **starts; /* of the lines, from 1 on */
	size_t message_count, message_cap, seat_count, seat_cap, start_cap;
	struct map by_client_id, by_seat; /* index + 1, as a pointer */
	uint32_t clients;                 /* one more than the highest */
};

/* check_prove.c. `line` offends; `other`, unless 0, is what it does not fit. */
void offend(struct proof *p, enum fault f, size_t line, size_t other);

/* check_lines.c */
void line_take(struct proof *p, struct str line); /* the line of number p->line */
/* Room for one more element behind n of them, of this size. */
void *grown(void *p, size_t n, size_t *cap, size_t size);
int id_compare(struct id a, struct id b);
bool id_is(struct id id);

#endif
