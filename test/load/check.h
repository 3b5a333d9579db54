/* Proves the history of a run (history.h). What must hold:
 *
 *   lost       who is in a room has every message sent there after their join that was
 *              acknowledged, and every other that anybody there has
 *   double     nobody has a message twice, on however many connections
 *   disorder   what comes to a client of a room has rising ids
 *   sender     a sender's messages come in the order of their numbers
 *   invented   nothing comes that was not sent, or not to that room
 *   content    a message has the content that was sent under its client_id
 *   two ids    a client_id has one id, however often it was sent
 *   one id     an id has one message
 *   gap        nobody is told that their place in the stream is lost
 *   absent     everybody is in their rooms at the end
 *   history    it is whole, well-formed, and somebody has said something
 *
 * Of people who search and meet (scenario meet):
 *
 *   waits      no two who may meet search for a minute, both with a socket
 *   pair       who meets is two people with a tag in common, and each is in one chat at a time
 *   keyless    no two are in their chat for a minute, and one has no key
 *   ended      a chat ends because one leaves, or has no socket in it for the grace
 *   lost       in a chat that one left, both have what was said, but for the leaver's last message
 *              and the echo of their own; in one that ended otherwise, nobody lacks a message
 *              before one that they have
 *
 * With `gaps` the stores may have lost messages (a Redis that came back empty) or streams may have
 * been trimmed. Then a gap is no violation, and it excuses what it covers: to the client that was
 * told, the messages between its `after` and the first that came behind it; and a client_id whose
 * message was lost before its acknowledgement may get a second id, and come to its receivers again,
 * behind a gap. Nothing else is excused: who was told of no gap lacks nothing. */
#ifndef LOAD_CHECK_H
#define LOAD_CHECK_H

#include "base/buf.h"
#include "base/str.h"

enum fault {
	FAULT_LOST,
	FAULT_DOUBLE,
	FAULT_DISORDER,
	FAULT_SENDER,
	FAULT_INVENTED,
	FAULT_CONTENT,
	FAULT_TWO_IDS,
	FAULT_ONE_ID,
	FAULT_GAP,
	FAULT_ABSENT,
	FAULT_WAITS,
	FAULT_PAIR,
	FAULT_KEYLESS,
	FAULT_ENDED,
	FAULT_HISTORY,
	FAULTS
};
const char *fault_name(enum fault f);

struct verdict {
	uint64_t lines, clients, seats, sent, resent, acked, refused, stored, deliveries,
		reconnects, gaps, chats, left; /* chats: direct ones; of these were left */
	uint64_t faults[FAULTS], violations;   /* of each kind, and of all */
	struct buf offences; /* the first of them, a line each: what, and the history's line */
};
/* `text`: a whole history. verdict_free when done. */
void history_prove(struct str text, bool gaps, struct verdict *v);
void verdict_free(struct verdict *v);

#endif
