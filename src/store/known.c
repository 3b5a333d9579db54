/* Two tables without chains or growth: a place for each hash.
 *
 * Lifetime: of the process; all zero is empty. Time is clock_ms, which no step of a wall clock
 * moves. A token's hash is uniform, a counter's is keyed: strangers cannot aim at a place. */
#include "store/known.h"

#include "base/clock.h"

struct known_window {
	uint64_t counter; /* its hash */
	int64_t end;      /* clock_ms */
};

static struct known_session sessions[KNOWN_SLOTS];
static struct known_window windows[KNOWN_SLOTS];

static struct known_session *session_slot(const uint8_t hash[HASH_LEN])
{
	uint64_t at;

	memcpy(&at, hash, sizeof(at));
	return &sessions[at % KNOWN_SLOTS];
}

void known_session_put(
	const uint8_t hash[HASH_LEN], int64_t user_id, int64_t checked, int64_t fresh_ms)
{
	struct known_session *s = session_slot(hash);

	memcpy(s->hash, hash, HASH_LEN);
	s->user_id = user_id;
	s->checked = checked;
	s->until = clock_ms() + (fresh_ms < KNOWN_MS ? fresh_ms : KNOWN_MS);
}

const struct known_session *known_session(const uint8_t hash[HASH_LEN])
{
	const struct known_session *s = session_slot(hash);

	return clock_ms() < s->until && secret_eq(s->hash, hash, HASH_LEN) ? s : NULL;
}

void known_session_forget(const uint8_t hash[HASH_LEN])
{
	struct known_session *s = session_slot(hash);

	if (secret_eq(s->hash, hash, HASH_LEN))
		s->until = 0;
}

void known_window_put(struct str counter, int64_t left_ms)
{
	uint64_t hash = str_hash(counter);

	if (left_ms <= KNOWN_MS)
		windows[hash % KNOWN_SLOTS] = (struct known_window){hash, clock_ms() + left_ms};
}

int64_t known_window_left(struct str counter)
{
	uint64_t hash = str_hash(counter);
	const struct known_window *w = &windows[hash % KNOWN_SLOTS];
	int64_t left = w->end - clock_ms();

	return w->counter == hash && left > KNOWN_MARGIN_MS ? left : 0;
}
