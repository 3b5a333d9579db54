/* Plots: lines over a grid, with the largest value known. The y axis begins at 0 and ends at a
 * round number above the largest. */
#include "plot.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"

#define WIDTH  640.0
#define HEIGHT 220.0
#define LEFT   64.0
#define RIGHT  12.0
#define TOP    12.0
#define BOTTOM 36.0
#define STEPS  4 /* lines of the grid */

struct frame {
	double x_min, x_max, y_max;
};

void html_text(struct buf *b, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		switch (s.p[i]) {
		case '&':
			buf_lit(b, "&amp;");
			break;
		case '<':
			buf_lit(b, "&lt;");
			break;
		case '"':
			buf_lit(b, "&quot;");
			break;
		default:
			buf_char(b, s.p[i]);
		}
	}
}

struct series *plot_series(struct plot *p, const char *name, size_t n)
{
	struct series *s;

	if (p->count == PLOT_SERIES_MAX)
		return NULL;
	s = &p->series[p->count];
	*s = (struct series){.colour = (unsigned)p->count % PLOT_COLOURS,
		.x = calloc(n + 1, sizeof(*s->x)),
		.y = calloc(n + 1, sizeof(*s->y))};
	if (!s->x || !s->y)
		PANIC("no memory");
	snprintf(s->name, sizeof(s->name), "%s", name);
	p->count++;
	return s;
}

/* 1, 2 or 5 times a power of ten, not below v / STEPS, as a step of the grid. */
static double step_above(double v)
{
	double least = v / STEPS, power = pow(10, floor(log10(least)));

	for (double k = 1; k <= 5; k = k < 2 ? 2 : 5)
		if (k * power >= least || k == 5)
			return k * power >= least ? k * power : 10 * power;
	return least;
}

static struct frame frame_of(const struct plot *p)
{
	struct frame f = {0, -INFINITY, 0};

	for (size_t i = 0; i < p->count; i++)
		for (size_t k = 0; k < p->series[i].n; k++) {
			f.x_max = fmax(f.x_max, p->series[i].x[k]);
			f.y_max = fmax(f.y_max, p->series[i].y[k]);
		}
	if (f.x_max <= 0)
		f.x_max = 1;
	f.y_max = f.y_max > 0 ? STEPS * step_above(f.y_max) : 1;
	return f;
}

static double x_at(const struct frame *f, double x)
{
	return LEFT + (x - f->x_min) / (f->x_max - f->x_min) * (WIDTH - LEFT - RIGHT);
}

static double y_at(const struct frame *f, double y)
{
	return HEIGHT - BOTTOM - y / f->y_max * (HEIGHT - TOP - BOTTOM);
}

static void grid_write(const struct plot *p, const struct frame *f, struct buf *b)
{
	for (int i = 0; i <= STEPS; i++) {
		double y = f->y_max * i / STEPS;

		buf_printf(b,
			"<line class=\"grid\" x1=\"%.0f\" x2=\"%.0f\" y1=\"%.1f\" y2=\"%.1f\"/>"
			"<text class=\"y\" x=\"%.0f\" y=\"%.1f\">%g</text>\n",
			LEFT, WIDTH - RIGHT, y_at(f, y), y_at(f, y), LEFT - 6, y_at(f, y) + 4, y);
	}
	for (size_t i = 0; i < p->x_label_count; i++)
		buf_printf(b, "<text class=\"x\" x=\"%.1f\" y=\"%.0f\">%s</text>\n",
			x_at(f, (double)i), HEIGHT - BOTTOM + 16, p->x_labels[i]);
	for (int i = 0; p->x_label_count == 0 && i <= 5; i++) {
		double x = f->x_min + (f->x_max - f->x_min) * i / 5;

		buf_printf(b, "<text class=\"x\" x=\"%.1f\" y=\"%.0f\">%.3g</text>\n", x_at(f, x),
			HEIGHT - BOTTOM + 16, x);
	}
	buf_printf(b, "<text class=\"x\" x=\"%.1f\" y=\"%.0f\">%s</text>\n", WIDTH / 2, HEIGHT - 4,
		p->x_name);
}

static void line_write(const struct series *s, const struct frame *f, struct buf *b)
{
	buf_printf(b, "<polyline class=\"c%u%s\" points=\"", s->colour, s->dashed ? " dashed" : "");
	for (size_t k = 0; k < s->n; k++)
		buf_printf(b, "%.1f,%.1f ", x_at(f, s->x[k]), y_at(f, s->y[k]));
	buf_lit(b, "\"/>\n");
	for (size_t k = 0; s->n <= 8 && k < s->n; k++)
		buf_printf(b, "<circle class=\"c%u\" cx=\"%.1f\" cy=\"%.1f\" r=\"3\"/>\n",
			s->colour, x_at(f, s->x[k]), y_at(f, s->y[k]));
}

static void names_write(const struct plot *p, struct buf *b)
{
	buf_lit(b, "<figcaption>");
	for (size_t i = 0; i < p->count; i++) {
		double max = 0;

		for (size_t k = 0; k < p->series[i].n; k++)
			max = fmax(max, p->series[i].y[k]);
		buf_printf(b, "<span class=\"c%u\">%s</span> ", p->series[i].colour,
			p->series[i].dashed ? "╌╌" : "──");
		html_text(b, str_of(p->series[i].name));
		buf_printf(b, " (at most %.4g) &#160; ", max);
	}
	buf_lit(b, "</figcaption>\n");
}

void plot_write(struct plot *p, struct buf *b)
{
	struct frame f = frame_of(p);
	size_t points = 0;

	for (size_t i = 0; i < p->count; i++)
		points += p->series[i].n;
	if (points > 0) {
		buf_printf(b,
			"<figure><h3>%s, %s</h3>\n<svg viewBox=\"0 0 %.0f %.0f\" role=\"img\" "
			"aria-label=\"%s\">\n",
			p->title, p->y_name, WIDTH, HEIGHT, p->title);
		grid_write(p, &f, b);
		for (size_t i = 0; i < p->count; i++)
			line_write(&p->series[i], &f, b);
		buf_lit(b, "</svg>\n");
		names_write(p, b);
		buf_lit(b, "</figure>\n");
	}
	for (size_t i = 0; i < p->count; i++) {
		free(p->series[i].x);
		free(p->series[i].y);
	}
	p->count = 0;
}
