/* An ear on the bus: what comes on the channels that a test subscribes to. On stores.h. */
#ifndef TEST_UNIT_EAR_H
#define TEST_UNIT_EAR_H

void ear_begin(void);
void ear_end(void);
/* What the bus brought since the last call, "channel event who data\n" a message, valid until the
 * next. */
const char *heard(void);
/* How often `what` stands in it. */
int times(const char *text, const char *what);

#endif
