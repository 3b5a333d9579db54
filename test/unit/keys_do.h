/* What clients do with keys, and what they hear, for tests of keys in real stores. Whatever fails
 * is asserted, but where an error is answered. */
#ifndef TEST_UNIT_KEYS_DO_H
#define TEST_UNIT_KEYS_DO_H

#include "keys_rig.h"
#include "people.h"
#include "store/key.h"

struct key_job {
	struct job job;
	int64_t chat, epoch, user, n;
	const struct member *who;
	struct buf entries;
	struct key_shared shared;
	struct key_blob blob;
	const char *reason;
	const uint8_t *hash;
	struct str key;
	bool changed;
	bool keyed;
	char from[48];
};
/* For jobs that run side by side. */
task_fn ask_begin, request_begin, rotate_begin, added_begin, end_begin;
struct key_job share_of(int64_t chat, const struct member *from, const struct member *to, size_t n);
enum err share_run(struct key_job *j);

int64_t look(int64_t chat); /* ms until the next look */
void rotate(int64_t chat, const char *reason, int64_t user);
enum err share(int64_t chat, const struct member *from, const struct member *to, size_t n);
void shares(int64_t chat, const struct member *from, const struct member *to, size_t n,
	int64_t stored); /* the others are skipped */
enum err request(int64_t chat, const struct member *m);
enum err put_key(const struct login_job *l, const char *key, bool *changed);
struct member member_of(const struct login_job *l, const char *key);

struct key_job read_of(int64_t chat, const struct member *m);
bool holds(int64_t chat, const struct member *m);

/* In what was heard: "event user:session {", its key_needed, a recipient's row. */
char *to_of(const char *event, const struct member *m);
bool asked(const char *text, const struct member *m);
bool names(const char *text, const struct member *m);

/* A room of `n` whose first `holders` have the key of the epoch; 0: nobody was asked yet. */
int64_t room_of(const char *visibility, struct member *m, size_t n, size_t holders);

#endif
