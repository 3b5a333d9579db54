/* Private to the scenario meet: meet.c is its course and one person's way to a chat and out of it,
 * meet_chat.c what they do in the chat. */
#ifndef LOAD_MEET_H
#define LOAD_MEET_H

#include "chat.h"
#include "turns.h"

#define MATE_TAGS_MAX 2
#define MEET_EACH     5 /* messages that each says before the last one */

struct mate {
	struct sock *sock;
	struct web *web; /* of one connection */
	const struct person *person;
	struct timer retry; /* looks after what is missing */
	struct timer pause; /* between two messages */
	size_t index;
	uint32_t client;     /* its number in the history */
	uint32_t connection; /* its number, from 1 */
	enum mate_state {
		MATE_HOME,
		MATE_SEARCHING,
		MATE_MEETING,
		MATE_LEAVING /* everything was said and heard */
	} state;
	enum mate_place { /* as the server last told it */
		PLACE_UNKNOWN,
		PLACE_IDLE,
		PLACE_SEARCHING,
		PLACE_MATCHED
	} place;
	bool turn; /* it is its turn (turns.h) */
	bool open, posted, asking;
	bool listed;                       /* the history has it searching */
	bool goes_home;                    /* is to search no more */
	unsigned tags, tag[MATE_TAGS_MAX]; /* tags: how many; 0: anybody */
	int64_t begun_ns;                  /* of the search */

	/* of the chat at hand */
	int64_t chat_id, over_id; /* over_id: the one before it */
	int64_t epoch, keyed, met_ns;
	struct stream_at last;
	int64_t join_ns, send_ns; /* of the newest; answers to what was asked before are late */
	bool joined, joining, was_keyed, in_flight, sent;
	unsigned said, heard, reloads_at; /* messages; reloads_at: how many it has said then */
	uint32_t next;                    /* number of the message at hand, over all chats */
	char public_key[45], session[17];
};

/* What is counted. met: since the search began; keyed: since then. */
extern struct meter meet_met, meet_opened, meet_told, meet_heard, meet_whole, meet_short,
	meet_reloaded;

/* meet.c */
void mate_look(struct mate *m);  /* does what comes next, or waits for what has to come first */
void mate_later(struct mate *m); /* the same after a moment */
void mate_over(struct mate *m, const char *reason); /* the chat at hand has ended */
void mate_leave(struct mate *m);                    /* everything was said and heard */
void mate_reload(struct mate *m); /* the page is closed, and open again after a while */

/* meet_chat.c */
void mate_chat_begin(struct mate *m);
void mate_chat_end(struct mate *m);  /* what is answered from now on counts no more */
void mate_chat_look(struct mate *m); /* joins, or says what is to be said */
/* False: none of a chat's. */
bool mate_chat_event(struct mate *m, struct str name, struct str data);

#endif
