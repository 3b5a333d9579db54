/* Manual pages: text in the man macros of groff and mandoc. Text is escaped; what is no ASCII
 * becomes \[uXXXX]. */
#ifndef BASE_ROFF_H
#define BASE_ROFF_H

#include "base/buf.h"

/* ".TH" and NAME. `section`: of the manual; `what`: one line, for whatis(1). */
void roff_page(struct buf *b, const char *name, int section, const char *version, const char *what);
void roff_section(struct buf *b, const char *title); /* "EXIT STATUS" */
void roff_text(struct buf *b, struct str text);      /* a paragraph */
/* What an indented paragraph is about, in bold; roff_text or roff_line follows. */
void roff_item(struct buf *b, struct str tag);
void roff_line(struct buf *b, struct str text); /* a line of the paragraph begun */

#endif
