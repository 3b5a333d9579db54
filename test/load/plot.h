/* Plots as inline SVG, for a page that needs nothing else. */
#ifndef LOAD_PLOT_H
#define LOAD_PLOT_H

#include "base/buf.h"

#define PLOT_SERIES_MAX 12
#define PLOT_COLOURS    6 /* classes c0 … of the page's style sheet */

struct series {
	char name[64];
	size_t n;
	double *x, *y;   /* on malloc */
	unsigned colour; /* below PLOT_COLOURS */
	bool dashed;
};
struct plot {
	const char *title, *x_name, *y_name;
	const char *const *x_labels; /* of whole x from 0 on; or NULL: x is a number */
	size_t x_label_count;
	struct series series[PLOT_SERIES_MAX];
	size_t count;
};

/* The next series, empty, with room for n points; NULL: the plot is full. */
struct series *plot_series(struct plot *p, const char *name, size_t n);
/* Appends the plot, unless it has no points. Frees its series. */
void plot_write(struct plot *p, struct buf *b);
void html_text(struct buf *b, struct str s); /* escaped */

#endif
