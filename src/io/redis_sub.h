/* Redis subscriptions: a connection of their own (io/redis is the one for commands).
 *
 * Lifetime: redis_sub_start after redis_start, redis_sub_stop before the loop ends. Channels
 * survive a lost connection: after a reconnect all are subscribed again and proven by a message to
 * oneself, published through io/redis, before redis_sub_is_up is true and `back` runs. So `back`
 * also tells that both connections lead to one Redis. Reconnects as io/redis does.
 *
 * Away: whatever ends the connection, and silence: a PING goes out each second, and nothing heard
 * for timeout_ms behind it closes the connection. */
#ifndef IO_REDIS_SUB_H
#define IO_REDIS_SUB_H

#include "io/task.h"

struct redis_sub_setup {
	struct str url;
	int64_t timeout_ms;
	/* A message of a channel that is wanted; both slices live until return. In Redis' order,
	 * that of one channel and that of all. */
	void (*message)(struct str channel, struct str payload);
	/* From now on messages may be missed; once per loss. */
	void (*lost)(void);
	/* All channels are subscribed and proven; also after the first connect. Messages that came
	 * in front of the proof have been handed over before it. */
	void (*back)(void);
};
/* Errors as redis_start. None of the callbacks may call redis_sub_stop. */
enum err redis_sub_start(const struct redis_sub_setup *s, struct str *why) MUST_CHECK;
void redis_sub_stop(void); /* forgets all channels; who waits for one ends with UNAVAILABLE */
bool redis_sub_is_up(void);

#define REDIS_CHANNEL_MAX 255 /* bytes of a channel's name */

/* Counted: a channel that was subscribed n times is left at the n-th redis_unsubscribe. It is
 * wanted whether the connection is there or not. */
void redis_subscribe(struct str channel);
void redis_unsubscribe(struct str channel);
/* An operation of t: ends when Redis has confirmed the channel, which is subscribed: what is
 * published from then on arrives. Fails with UNAVAILABLE, at once, while the connection is away,
 * and when it is lost meanwhile; the channel stays subscribed all the same. */
void redis_sub_await(struct task *t, struct str channel, task_fn *next);

struct redis_sub_stats {
	uint64_t messages, reconnects;
	size_t channels;
};
struct redis_sub_stats redis_sub_stats(void);

#endif
