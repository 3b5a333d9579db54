/* What the matcher must do, told a second time and naively: people in an array, each rule a loop
 * over them. A step runs its script, foresees answer and messages, and dies when they differ
 * (model.c); between any two steps the keys must be what is foreseen here (check.c). */
#ifndef TEST_SIM_MODEL_H
#define TEST_SIM_MODEL_H

#include "sim.h"

#define PEOPLE    8 /* at most; ids 1 … */
#define SESSIONS  2 /* of each */
#define PROCESSES 12
#define CHATS     96 /* made in a seed, at most */

#define GRACE_MS   60000
#define AWAY_MS    60000 /* grace of a search */
#define EXPIRY_MS  600000
#define LASTING_MS 86400000
#define ALONE_MS   10000 /* nobody else there: then a recent partner */
#define RECENT_MS  300000
#define STARTED_MS 15000
#define BESIDE_MS  10000  /* what a search being begun has to learn of blocks and bans */
#define UNDER_WAY  5000   /* the most that lies between its reading and its step */
#define KEPT_MS    600000 /* what was read is kept for the next search */

struct person {
	/* as PostgreSQL has them */
	uint32_t blocks;          /* bit i: has blocked person i */
	uint32_t doubt;           /* bit i: who told Redis of that died on the way */
	bool closed, closed_told; /* closed_told: search and chat have heard of it */
	/* the search */
	bool searching, queued, had;
	uint32_t tags;  /* bit 0: any */
	uint32_t known; /* blocked by either side, as the ticket knows */
	int64_t place, since, until, away;
	/* what a search being begun learns besides */
	uint32_t beside, beside_off;
	int64_t beside_until, closed_until;
	uint32_t kept; /* as the last search has read it */
	int64_t kept_until, not_kept_until;
	/* the chat */
	int chat; /* index, -1: none */
	int64_t recent[PEOPLE + 1];
	int64_t lost_at;  /* without a socket since */
	int64_t enqueued; /* when the search began */
};
struct direct {
	int64_t id, ends;
	int who[2];
	bool alive;
	int64_t ended;
	int64_t grace[2];             /* 0: none */
	bool missed[2], announced[2]; /* the other was told that they left: is to hear that they are
					 back; heard it */
	bool joined[2][SESSIONS];
	bool present[PROCESSES][2][SESSIONS];
};
struct model {
	int people, processes, chats;
	int64_t ids; /* given out for chats */
	int64_t places;
	struct person p[PEOPLE + 1];
	struct direct c[CHATS];
	bool listed[PROCESSES];                           /* has a lease, as Redis knows */
	uint8_t sockets[PROCESSES][PEOPLE + 1][SESSIONS]; /* as Redis knows */
};
extern struct model m;

bool connected(int p);
const char *process_name(int process);
const char *session_name(int p, int s);
struct direct *direct_of(int64_t id); /* NULL: never made */

/* ---- steps ---- */
/* `read`: with what PostgreSQL says, `known`. True: that is needed. */
bool step_try(int p, bool is_new, uint32_t tags, bool read, uint32_t known);
/* The chat they are in, 0: none. */
int64_t step_drop(int p, const char *reason);
void step_end(int64_t chat, const char *reason, int who, bool only_due);
void step_started(void);
void step_block(int p, int other, bool on);
void step_join(int64_t chat, int p, int s, int process, int sockets, const char *gate);
void step_leave(int64_t chat, int p, int s, int process, int sockets, bool emptied);
void step_sockets(int p, int s, int process, int sockets);
void step_sweep(int process); /* its rooms are the answer */
void step_swept(int process);

/* ---- checks (check.c) ---- */
void check_step(void);    /* after each */
void check_settled(void); /* behind a whole tick that nothing came between */
void check_chat_gone(int64_t chat);
void check_pair(int p, int q); /* about to be paired */

/* ---- the actors (world.c) ---- */
/* Of these two Redis may not know yet what PostgreSQL does. */
bool blocks_under_way(int p, int other);

#endif
