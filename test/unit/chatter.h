/* Chats in which people speak, for tests of messages. */
#ifndef TEST_UNIT_CHATTER_H
#define TEST_UNIT_CHATTER_H

#include "store/message_private.h"
#include "stores.h"

#define SESSION "0123456789abcdef" /* everybody's */
#define CT      "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=="

/* One thing that is done, with what came of it. */
struct act {
	struct job job;
	enum {
		SEND,
		SYSTEM,
		READ,
		DELETE,
		DELETE_OF,
		DELETE_LAST,
		CLEAR,
		WIPE,
		RESTART,
		PERSON,
		CHAT,
		MUTE
	} call;
	int64_t chat, user;
	struct str content, client_id, text;
	int64_t epoch, n;
	char id[48], buffer[200];
	struct str taken;
	/* reading */
	struct message_ask ask;
	struct message_list list;
	char ids[64][48];
	char cursor[48];
	size_t count;
	/* deleting */
	bool any;
	struct str some[4];
	size_t some_count;
};

/* A person who exists. */
int64_t someone(void);
/* A chat of nobody's, at epoch 1. */
int64_t a_chat(const char *visibility);
/* Presence and key, as room:join and room:key_share leave them. */
void enter(int64_t chat, int64_t user);
void give_key(int64_t chat, int64_t user);
/* Messages in the stream. */
long long length(int64_t chat);
struct act act_of(int call, int64_t chat, int64_t user);
/* Of that epoch; client_id may be NULL. */
struct act sending(int64_t chat, int64_t user, const char *client_id, int64_t epoch);
/* Of the chat's epoch now. */
struct act send_now(int64_t chat, int64_t user, const char *client_id);
enum err send_err(int64_t chat, int64_t user);
/* Asserts that it goes well. */
struct act run(struct act a);
/* The system does. */
void say(int64_t chat);
struct act reading(int64_t chat, const char *after, const char *before, int64_t limit);
struct act read_now(int64_t chat, const char *after, const char *before, int64_t limit);
/* An empty Redis, no rates. */
void fresh(void);
/* Someone who may speak there. */
int64_t speaker(int64_t chat);

#endif
