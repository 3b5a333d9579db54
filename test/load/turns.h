/* Clients that do one operation after the other: with a rate, each when it is due and the one
 * before it is over; without one, again and again.
 *
 *   turns_setup -> turns_begin -> go -> turns_over -> go … -> turns_end: what is under way ends ->
 *   run_settled -> turns_release */
#ifndef LOAD_TURNS_H
#define LOAD_TURNS_H

#include "pace.h"

struct turn;
struct turns {
	const struct share *share;
	void (*go)(size_t client); /* begins an operation, which ends with turns_over */
	struct turn *all;
	struct pace pace;
	size_t busy;
	enum turns_phase {
		TURNS_GOING,
		TURNS_ENDING,
		TURNS_OVER
	} phase;
};

void turns_setup(struct turns *t, const struct share *s, void (*go)(size_t client));
void turns_begin(struct turns *t);
/* Returns how long it took, in us since it was due. After one that was no good, a client without a
 * rate rests for a moment. */
int64_t turns_over(struct turns *t, size_t client, bool good);
void turns_end(struct turns *t);
void turns_release(struct turns *t); /* turns_over may still come, and does nothing */
void turns_free(struct turns *t);

/* A web an origin, with a connection for each client: client i is at webs[i % url_count]. */
void turns_webs_make(struct web *webs[RUN_URLS_MAX], size_t clients);
void turns_webs_free(struct web *webs[RUN_URLS_MAX]);

#endif
