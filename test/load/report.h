/* What people read of results (result.h): a page with plots, and the comparison of two runs. */
#ifndef LOAD_REPORT_H
#define LOAD_REPORT_H

#include "base/str.h"

/* Writes a page that needs no other file. `second` is compared with the first; NULL p: there is
 * none. Ends the program when a text is no result or the file cannot be written. */
void report_html(struct str first, struct str second, const char *path);
/* portal-load report RESULT FILE.html, portal-load compare RESULT RESULT [FILE.html]: the exit
 * code. `argv` begins behind the command. */
int report_main(int argc, char **argv);
int compare_main(int argc, char **argv);

#endif
