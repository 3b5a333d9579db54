/* The history of a run: what its clients did and saw, one line an event, in the order in which they
 * did and saw it. portal-load writes it, portal-check proves it.
 *
 *     MICROSECONDS KIND CLIENT [ROOM [field …]]       separated by one space; "-" is none
 *
 *   open C NUMBER ORIGIN       the client's connection of this number, from 1, is open
 *   lost C                     it is gone
 *   joined C R AFTER GAP       room:join was answered; what came `after` follows as `got`. GAP is 1
 *                              when the server said that `after` is no longer there
 *   sent C R CLIENT_ID         a message leaves for the first time
 *   again C R CLIENT_ID        the same, once more: no acknowledgement came
 *   acked C R CLIENT_ID ID     the server has acknowledged it
 *   refused C R CLIENT_ID CODE the server will not take it; it is given up
 *   got C R ID CLIENT_ID HOW   a message came. HOW: live, join (with the join's answer) or page
 * (from the history behind it). CLIENT_ID is "-" for what the run did not send bad C R ID CLIENT_ID
 * its content is not what was sent under that client_id cleared C R                the room's
 * messages were wiped or cleared out C R WHAT               the client was put out of the room end
 * C R IN                 the run is over; IN is 1 when the client was in the room then
 *
 * and of those who search and meet, in direct chats R:
 *
 *   grace SECONDS              the servers' MATCH_GRACE
 *   search C TAGS              the client searches: "any", or numbers with commas between
 *   idle C                     it searches no more, without a chat
 *   met C R TAGS               it is in this chat
 *   keyed C R                  it has the chat's key, of this connection
 *   left C R                   it has said and heard all, and asks to leave
 *   ended C R REASON           it was told that the chat has ended
 *
 * CLIENT_ID is RUN-CLIENT-NUMBER; a client numbers its messages from 0 over all its rooms and waits
 * for each one's acknowledgement before it sends the next. ID is MILLISECONDS-SEQUENCE. */
#ifndef LOAD_HISTORY_H
#define LOAD_HISTORY_H

#include <stdbool.h>

bool history_open(const char *path); /* false: errno says why */
void history(const char *fmt, ...) __attribute__((format(printf, 1, 2))); /* without the time */
bool history_close(void); /* false: not all of it could be written */

#endif
