/* What the parts of the simulator share. */
#ifndef TEST_SIM_SIM_H
#define TEST_SIM_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Says what is wrong, with the seed and the last steps (world.c), and ends: the program, or the
 * seed when faults are being looked for. */
void die(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));
void *must(void *p); /* memory, or the end */

/* ---- chance (main.c) ---- */
void chance_seed(uint64_t seed);
uint64_t chance(void);
uint32_t below(uint32_t n); /* 0 … n - 1 */

/* ---- scripts (script.c) ---- */
enum script {
	MATCH_TRY,
	MATCH_DROP,
	MATCH_DUE,
	MATCH_END,
	MATCH_STARTED,
	MATCH_BLOCK,
	ROOM_JOIN,
	ROOM_LEAVE,
	SOCKET_COUNT,
	PROCESS_SWEEP,
	SCRIPTS
};
extern const char *const script_names[SCRIPTS];
/* Reads schema/redis/; with one line changed. Dies when `from` does not stand there exactly once.
 */
void script_load(enum script faulty, const char *from, const char *to);
void script_load_plain(void);
void script_forget(void); /* the interpreter, in the middle of a script */
/* Arguments: KEYS, then behind "|" ARGV, NULL at the end. */
void script_run(enum script script, const char **words);
/* The answer of the last: a number or the number in a text at a place (0 …), 0 when there is none.
 */
int64_t answer(int at);
int answer_n(int at); /* how many: of the list at that place, -1: of the whole */
/* A text of the list at a place (-1: of the whole), until the next script; "" when there is none.
 */
const char *answer_text(int at, int i);
/* One command, not of a script. Words are parted by spaces; a ~ stands for one within a word. */
void redis_do(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* ---- the seeds ---- */
/* False: something is wrong; why, and the last steps, are in world_why. */
bool world_run(uint64_t seed, int steps);
extern char world_why[];

/* ---- fairness (fair.c) ---- */
int fair_run(int people, const char *svg);

/* ---- planted faults (fault.c) ---- */
struct planted {
	const char *what;
	enum script script;
	const char *from, *to;
};
extern const struct planted planted[];
extern const int planted_n;

#endif
