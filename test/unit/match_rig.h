/* People who search, and the direct chats they get, for tests of the matcher. */
#ifndef TEST_UNIT_MATCH_RIG_H
#define TEST_UNIT_MATCH_RIG_H

#include "ear.h"
#include "store/match_private.h"
#include "stores.h"

int match_begin(void **state);
int match_finish(void **state);

/* An empty matcher, and the settings as they are by default. */
void matcher_new(void);
/* Someone with an account, whose channel is heard. */
int64_t seeker(void);

/* One thing that is done, with what came of it. */
struct move {
	struct job job;
	enum move_call {
		ENQUEUE,
		DEQUEUE,
		LEAVE,
		CLOSE,
		STATUS,
		DIRECT,
		BLOCK,
		BLOCKS,
		TRY,
		DROP,
		END,
		DELETE_USER,
		SWEEP,
		CHANGED
	} call;
	int64_t user, other; /* other: of a block; the chat, of DIRECT and END */
	const char *text;    /* tags; the reason */
	bool flag;           /* of a block: on; of END: only if it is due */
	/* what came of it */
	struct match_status status; /* its strings, those of direct: */
	char interests[64], peer[300], other_peer[300];
	struct direct direct;
	int64_t ids[8]; /* of BLOCKS and SWEEP */
	size_t ids_n;
	struct profile_page page;
	struct try try;
	struct dropped dropped;
};
struct move move_of(enum move_call call, int64_t user);
struct move enqueuing(int64_t user, const char *tags);
struct move blocking(int64_t user, int64_t other, bool on);
enum err move_run(struct move *m);

/* These assert that it goes well. */
struct match_status enqueue(int64_t user, const char *tags);
struct match_status status_of(int64_t user);
/* The chat they are in with each other; asserts that they are. */
int64_t chat_of(int64_t a, int64_t b);
void leave(int64_t user);
void block(int64_t user, int64_t other, bool on);
/* As the tick of a process does, once. */
void tick(void);

bool searching(int64_t user);
bool idle(int64_t user);

/* A socket comes or goes, as store/room tells it. */
void socket_comes(int64_t user);
void socket_goes(int64_t user);
/* Into a chat's room, and out of it. */
void comes_in(int64_t chat, int64_t user);
/* Both as who has begun with it before the chat ended. */
bool comes_in_late(int64_t chat, int64_t user);
enum err says_late(int64_t chat, int64_t user);
/* `sockets` of theirs stay. */
void goes_out(int64_t chat, int64_t user, int64_t sockets);

/* Everything in the matcher happened so much earlier. */
void age(int64_t ms);
/* Every key whose name or value has that number, parted by spaces; valid until the next call. */
const char *traces(int64_t number);

#endif
