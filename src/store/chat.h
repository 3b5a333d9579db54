/* Chats as they are read, contract 3.1. PostgreSQL keeps chats and memberships, Redis direct chats
 * (store/match.h) and who is present: portal:room:{chat}:people, a hash user_id -> number of
 * present sessions; and portal:directory, in which the chats that people are in have their order.
 * What changes a chat: store/chat_change.h. */
#ifndef STORE_CHAT_H
#define STORE_CHAT_H

#include "io/task.h"
#include "rules/permission.h"

struct chat {
	int64_t id;
	struct str name, label, slug, description, avatar_url;
	enum visibility visibility;
	int64_t owner_id; /* 0: none */
	int owner_level;  /* LEVEL_NONE without one */
	struct str owner_username, owner_avatar_url;
	int64_t member_count;                 /* without the owner */
	int64_t online;                       /* people present */
	int64_t created_at, last_activity_at; /* us */
	struct str wipe_preset;
	bool history_visible;
	int64_t people[2]; /* of a direct one, that chat_view has read */
};
/* A direct chat (store/match.h): its two people are its members, and nobody owns it. */
#define DIRECT_NAME STR("Direct chat")
void chat_direct(struct chat *c, int64_t id, int64_t created_at, int64_t online);

struct chat_list {
	struct chat *rows;
	size_t count;
	int64_t total;    /* chats_browse */
	int viewer_level; /* of who asked, as of now; LEVEL_NONE: nobody */
};
/* Those the person owns, and the private ones joined, the latest active first; and their level. */
void chats_of(struct task *t, int64_t user_id, struct chat_list *out, task_fn *next);

struct chat_filter {
	int64_t viewer; /* whose direct and private chats come first; 0: only official and public
			   ones */
	bool open_only; /* official and public ones, whoever asks */
	struct str q;   /* part of the name or slug, any case; NULL p: any */
	int64_t offset, limit;
};
/* The directory: official, then public, the busiest first; the latest active of equals (to the
 * second, where people are). */
void chats_browse(
	struct task *t, const struct chat_filter *f, struct chat_list *out, task_fn *next);
/* Where a chat that people are in stands in there, but for how many they are, as
 * schema/redis/directory_busy.lua says; 0: nowhere. */
int64_t directory_rank(enum visibility visibility, int64_t last_activity_at);

/* One chat and how `viewer` (0: nobody) stands to it. CHAT_NOT_FOUND only when there is none:
 * whether it is shown is decided by chat_shown. A direct one is looked for when PostgreSQL knows
 * none (viewer_level: LEVEL_NONE). */
struct chat_view {
	struct chat chat;
	int viewer_level; /* as of now; LEVEL_NONE: nobody */
	bool is_member;   /* has a membership; the owner too */
};
void chat_view(struct task *t, int64_t id, int64_t viewer, struct chat_view *out, task_fn *next);
/* What a live invite, else a slug, leads to. INVITE_NOT_FOUND. */
struct chat_resolved {
	struct chat_view view;
	struct str method; /* invite, vanity */
};
void chat_resolve(
	struct task *t, struct str code, int64_t viewer, struct chat_resolved *out, task_fn *next);

/* Chats under administration: open ones, one's own, and those of people one can act on. */
void chats_administered(struct task *t, int64_t actor, int level, const struct chat_filter *f,
	struct chat_list *out, task_fn *next);

/* ---- people ---- */
struct chat_person {
	int64_t id;
	struct str username, avatar_url;
	int permission_level;
	bool is_owner, is_online;
	int64_t joined_at;     /* us; 0: no membership */
	struct str session_id; /* people_online */
};
struct chat_people {
	struct chat_person *rows;
	size_t count;
	int64_t total;
};
/* Owner first, then the longest joined; by id: of official and public chats those present, of a
 * direct one its two people. */
void chat_members(struct task *t, const struct chat *c, int64_t offset, int64_t limit,
	struct chat_people *out, task_fn *next);

/* Everyone who is connected: portal:online (sorted set: user_id by time of connecting) and
 * portal:online:session (hash: user_id -> session id of one of the sessions). */
struct status {
	struct chat_people online;
	bool muted;          /* the viewer, everywhere */
	int64_t muted_until; /* us; 0: until lifted */
};
void people_online(struct task *t, int64_t viewer, int64_t offset, int64_t limit,
	struct status *out, task_fn *next);

struct chat_event {
	int64_t user_id;
	struct str username, avatar_url, action, method, invite_code;
	int permission_level;
	int64_t created_at; /* us */
};
struct chat_activity {
	struct chat_event *rows; /* newest first */
	size_t count;
	int64_t total;
};
void chat_activity(struct task *t, int64_t chat_id, int64_t offset, int64_t limit,
	struct chat_activity *out, task_fn *next);

const char *visibility_name(enum visibility v);

#endif
