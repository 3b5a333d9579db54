/* Private to the scenarios of chats: chat.c is the course of chat, chat_client.c one client of it,
 * chat_code.c what is written and read in any chat (meet.h, too). */
#ifndef LOAD_CHAT_H
#define LOAD_CHAT_H

#include "rooms.h"

struct stream_at { /* a place in a stream: a message's id */
	uint64_t ms, seq;
};

struct client;

struct seat { /* a client in a room */
	struct client *client;
	struct room *room;
	struct stream_at last; /* the newest message it has */
	int64_t epoch, keyed;  /* keyed: the epoch that it has a key of */
	uint64_t received;     /* messages of this run */
	bool joined, joining, was_ready;
	bool partial; /* it cannot have all that was said in the load */
	bool paging;  /* the history behind a join is being read; what comes live waits in `held` */
	struct buf held;        /* JSON items with commas */
	struct stream_at paged; /* the newest that a page has brought: an answer of HTTP overtakes
				   events, which are dropped then */
};

struct client {
	struct sock *sock;
	struct person *person;
	struct timer timer; /* looks after what is missing */
	unsigned index;
	uint32_t connection;  /* its number, from 1 */
	uint32_t next;        /* number of the message at hand */
	bool posted, posting; /* its public key */
	bool in_flight, sent; /* of the message at hand */
	bool open;
	char public_key[45], session[17];
	struct seat *seats; /* chat_each of them */
};

struct chat {
	const struct share *mine;
	struct client *clients;
	struct seat *seats;
	size_t connected, ready; /* clients begun; seats joined and keyed for the first time */
	int64_t last_receive_ns;
};
extern struct chat chat;
extern int64_t chat_each; /* rooms of a client */

/* What is counted. acked: since the message was due; received: at each who receives it, since it
 * was due, and when it came live. */
extern struct meter chat_sent, chat_acked, chat_received, chat_resent, chat_refused, chat_gaps,
	chat_reconnected;

/* chat.c; storm.c is chat with something more. */
extern struct meter *const chat_meters[];
extern const struct option chat_options[];
void chat_prepare(const struct share *mine);
void chat_begin(void);
void chat_end(void);
void chat_explain(void);
void chat_release(void);
int64_t message_due(const struct client *c, uint32_t number); /* ns; INT64_MAX: never */
void seat_ready(void); /* one more seat is joined and keyed */

/* chat_client.c */
void client_open(struct client *c);
void client_close(struct client *c); /* for good; tells the history where it was */
void client_send(struct client *c);  /* the next message, when it is due and may leave */

/* chat_code.c */
struct stamp { /* what a message carries in its ct */
	uint32_t run, client, number, room;
	int64_t due_ns;
};
#define CLIENT_ID_MAX 37
/* bytes: of a message before encryption; with several scenarios the longest. */
void content_setup(size_t bytes);
void content_teardown(void);
/* A CiphertextV2 bundle as a JSON string, with its quotes. */
void content_put(struct buf *b, int64_t epoch, const struct stamp *s);
/* False: it is not what this client of the run sent under that number, to that room. */
bool content_fits(
	struct str json_string, uint32_t client, uint32_t number, int64_t room, struct stamp *out);
void client_id_write(char out[CLIENT_ID_MAX], uint32_t client, uint32_t number);
bool client_id_read(struct str text, uint32_t *client, uint32_t *number); /* of this run only */
struct str random_base64(char *out, size_t bytes); /* out: 4 characters for every 3 bytes */
struct item {                                      /* a message, as slices of its JSON */
	struct str chat_id, id, content, client_id;
};
struct item item_read(struct str json);
struct stream_at stream_read(struct str id); /* 0-0: none */
bool is_behind(struct stream_at a, struct stream_at b);
/* The data of the room:key_share that answers a room:key_needed: a blob that nobody opens for each
 * who needs one, and for `session`, the maker's own ("": not known yet), which is told so by
 * room:key. */
void key_share_write(struct buf *b, struct str needed, const char *session);

#endif
