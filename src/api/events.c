/* The tables of socket events: those of clients with their fields and acks, and those of the
 * server. Nothing but data: api/event.c, docs/events.md and docs/asyncapi.json read it
 * (api/event.h).
 *
 * To add a client's event: its row here, its first step to api/handlers.h. To add a server's: a row
 * in server_events; whoever publishes it decides what it says. */
#include "api/event.h"
#include "api/handlers.h"
#include "api/rows.h"

#define CHAT  NEED_INT("chat_id", 1, ID_MAX, "the chat")
#define EPOCH NEED_INT("epoch", 1, ID_MAX, "that the client takes for the current one")
#define NEED_BOOL(name_, help_)                                                                    \
	{                                                                                          \
		.name = (name_), .in = IN_BODY, .type = FIELD_BOOL, .required = true,              \
		.help = (help_)                                                                    \
	}
#define EVENT(name_, begin_)                                                                       \
	.method = HTTP_OTHER, .path = (name_), .tier = TIER_NONE, .cred = CRED_SESSION,            \
	.begin = (begin_), .status = 200

/* clang-format off */
const struct route events[] = {
	{EVENT("room:join", room_join),
	 .fields = FIELDS(CHAT, MAY_STR("after", CHARS_ANY, 1, 41, "a message's id: what came behind it is answered")),
	 .reply = "{ok:bool, chat:@chat, epoch:int, session_id:str,"
		  " members:[{user:@chat_person, session_id:str, public_key:str?}]?,"
		  " key:{blob:str, from_public_key:str}?, muted:{until:time?}?,"
		  " messages:[@history_item], more:bool, gap:bool}",
	 .errors = "CHAT_NOT_FOUND BANNED NOT_JOINED",
	 .help = "Brings this socket into a chat. Behind the ack it gets the chat's events; `messages` are those behind"
		 " `after`, at most 100, else the newest 50."},
	{EVENT("room:leave", room_leave), .fields = FIELDS(CHAT), .reply = "{ok:bool}",
	 .help = "Takes this socket out of a chat; membership stays."},
	{EVENT("room:typing", room_typing), .fields = FIELDS(CHAT, NEED_BOOL("typing", "begins or ends")),
	 .reply = "{ok:bool}", .errors = "NOT_JOINED",
	 .help = "Passed on to the others in the room, at most once a second, not stored."},
	{EVENT("room:read", room_read), .fields = FIELDS(CHAT, NEED_STR("id", CHARS_ANY, 1, 41, "of the last message read")),
	 .reply = "{ok:bool}", .errors = "NOT_JOINED", .help = "The caller's read position: passed on, not stored."},
	{EVENT("message:send", message_send_event),
	 .fields = FIELDS(CHAT, NEED_STR("content", CHARS_RAW, 0, 65536, "a CiphertextV2 bundle, at most 4096 characters"),
		MAY_STR("client_id", CHARS_CLIENT_ID, 1, 36, "makes a repetition safe for 10 minutes")),
	 .reply = "{ok:bool, id:str}",
	 .errors = "CHAT_NOT_FOUND BANNED MUTED NOT_JOINED EPOCH_MISMATCH NO_ROOM_KEY BAD_CIPHERTEXT MESSAGE_RATE",
	 .help = "Sends a message; the room's sockets, this one too, get message:new."},
	{EVENT("room:key_share", key_share_event),
	 .fields = FIELDS(CHAT, EPOCH, {.name = "keys", .in = IN_BODY, .type = FIELD_OBJECTS, .required = true, .min = 1, .max = 64,
		.help = "{session_id, blob}: the chat's key, sealed for each session"}),
	 .reply = "{ok:bool, stored:int, skipped:int}", .errors = "NOT_JOINED EPOCH_MISMATCH NO_ROOM_KEY KEY_EXISTS",
	 .help = "Hands the chat's key to sessions; skipped are those that may not have it or have it."},
	{EVENT("room:key_request", key_request_event), .fields = FIELDS(CHAT, EPOCH), .reply = "{ok:bool}",
	 .errors = "NOT_JOINED EPOCH_MISMATCH", .help = "The caller's blob does not open: another is asked for."},
	{EVENT("room:kick", room_kick_event),
	 .fields = FIELDS(CHAT, NEED_INT("user_id", 1, ID_MAX, "whom"), MAY_BOOL("ban", "they may not come back"),
		MAY_INT("duration", 0, 2592000, "of the ban in seconds; 0: for ever"),
		MAY_STR("reason", CHARS_TEXT, 0, 500, "for the person and the record")),
	 .reply = "{ok:bool}", .errors = "CHAT_NOT_FOUND USER_NOT_FOUND ACCESS_DENIED", .help = "Puts a person out of the room."},
};
const size_t event_count = sizeof(events) / sizeof(*events);

#define ROOM   "the sockets in the room"
#define ROSTER "the sockets in the room, while at most ROSTER_MAX sessions are present"
#define OTHERS "the others in the room, while at most 50 sessions are present"
#define PERSON "all sockets of the person"
#define TARGET "the room and the person"

const struct server_event server_events[] = {
	{"chat:list", "the socket, first after CONNECT", "{chats:[@chat]}",
	 "The person's own private and direct chats, then the first 50 of the directory."},
	{"chat:status", ROOM, "{chat_id:int, online:int}", "How many people are present; at most once a second."},
	{"message:new", ROOM, "@history_item", "A message, in the order of the chat."},
	{"message:bulk_deleted", ROOM, "{chat_id:int, ids:[str]}", "Messages are gone."},
	{"portal:cleared", ROOM, "{chat_id:int, epoch:int, reason:(clear|wipe)}", "All messages are gone."},
	{"room:member_joined", ROSTER, "{chat_id:int, user:@chat_person, session_id:str, public_key:str?}", "A session has come."},
	{"room:member_left", ROSTER, "{chat_id:int, user_id:int, session_id:str}", "A session has gone."},
	{"portal:key_added", ROSTER, "{chat_id:int, user:@chat_person, session_id:str, public_key:str}", "A session has a new key."},
	{"portal:key_removed", ROSTER, "{chat_id:int, user_id:int, session_id:str}", "A session's key is gone."},
	{"room:key_needed", "one socket of the session asked",
	 "{chat_id:int, epoch:int, make_key:bool, recipients:[{user_id:int, session_id:str, public_key:str}]}",
	 "Sessions wait for the chat's key; make_key: make one first."},
	{"room:key", "the session's sockets in the room", "{chat_id:int, epoch:int, blob:str, from_public_key:str}",
	 "The chat's key, sealed for this session."},
	{"room:epoch_changed", ROOM,
	 "{chat_id:int, epoch:int, reason:(wipe|clear|kick|ban|leave|join|visibility|lost)}", "The former key is of no use any more."},
	{"room:config", ROOM,
	 "{chat_id:int, name:str, description:str, slug:str?, visibility:str, wipe_preset:str, history_visible:bool}",
	 "The chat was changed."},
	{"room:typing", OTHERS, "{chat_id:int, user_id:int, typing:bool}", "Somebody types."},
	{"room:read", OTHERS, "{chat_id:int, user_id:int, id:str}", "Somebody has read up to a message."},
	{"room:kicked", "the person's sockets in the room, which leave it", "{chat_id:int, reason:(kick|ban|private)}", "Put out."},
	{"room:destroyed", ROOM, "{chat_id:int, name:str}", "The chat is gone."},
	{"room:peer_left", "the other person of a direct chat", "{chat_id:int, user_id:int, grace_until_ms:int}",
	 "No socket of theirs is in the chat any more, which ends when they are not back in time (Unix ms); 0: they are gone for good."},
	{"room:peer_back", "the other person of a direct chat", "{chat_id:int, user_id:int}", "They are there again."},
	{"match:searching", PERSON, "{expires_at:time}", "The search has begun."},
	{"match:idle", PERSON, "{reason:(dequeued|expired)}", "The search is over."},
	{"match:found", "all sockets of both people", "{chat:@chat, peer:{user:@chat_person}, interests:[str]}",
	 "Somebody was found. The sockets are put into the chat's room; room:join tells members, key and messages."},
	{"match:ended", "all sockets of both people", "{chat_id:int, reason:(left|grace|expired|gone)}",
	 "The direct chat is over, and everything of it gone."},
	{"user:muted", TARGET, "{chat_id:int, user_id:int, until:time?}", "May read and not write."},
	{"user:unmuted", TARGET, "{chat_id:int, user_id:int, until:time?}", "May write again."},
	{"user:banned", TARGET, "{chat_id:int, user_id:int, until:time?}", "May not come back."},
	{"user:unbanned", TARGET, "{chat_id:int, user_id:int, until:time?}", "May come back."},
	{"user:hard_muted", PERSON, "{until:time?}", "May write nowhere."},
	{"user:hard_unmuted", PERSON, "{until:time?}", "May write again."},
	{"notification:new", "all sockets of the person; of one for everyone, all sockets", "@notification", "A notification."},
	{"announcement:new", "all sockets", "@announcement", "An announcement."},
	{"session:ended", "the session's sockets, which are then disconnected",
	 "{reason:(evicted|logout|destroyed|banned|timeout|expired|deleted)}", "The session has ended."},
	{"login:code", "in `/bot`: one bot of the platform that has `login`",
	 "{platform:str, platform_user_id:str, code:str, expires_at:time, is_new_user:bool}",
	 "A web code was requested; the ack is {delivered: bool, reason?}. Not delivered within 3 s: another bot is asked."},
	{"server:restarting", "all sockets of the process", "{retry_ms:int}", "The transport closes; connect again after retry_ms."},
};
/* clang-format on */
const size_t server_event_count = sizeof(server_events) / sizeof(*server_events);
