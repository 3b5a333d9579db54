/* The result of a run, as JSON: what was asked for, what all meters counted, what went wrong, what
 * the load cost the clients, and the same second by second. */
#ifndef LOAD_RESULT_H
#define LOAD_RESULT_H

void result_second(void); /* a second is over: it is taken down, and the meters begin anew */
void result_write(void);  /* to --json or stdout */
void result_free(void);

#endif
