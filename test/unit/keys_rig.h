/* Chats, sessions and presence made by hand, for tests of keys: what the bus brings is kept. */
#ifndef TEST_UNIT_KEYS_RIG_H
#define TEST_UNIT_KEYS_RIG_H

#include "base/buf.h"
#include "ear.h"
#include "stores.h"

int keys_begin(void **state); /* stores_begin, and the bus */
int keys_end(void **state);

/* A session of a person who is present with each of theirs, or of none. */
struct member {
	int64_t user;
	char session[17];
	char key[45];
};
struct member member_new(int64_t user); /* has a key; user 0: a person of its own */
void member_joins(int64_t chat, const struct member *m);
void member_leaves(int64_t chat, const struct member *m);
/* A chat that PostgreSQL knows; visibility "public" or "private"; its channel is heard. */
int64_t chat_new(const char *visibility);

/* Everything in the chat's asks happened so much earlier. */
void asks_age(int64_t chat, int64_t ms);

#endif
