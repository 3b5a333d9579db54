/* Manual pages (roff.h). Owns nothing: everything is appended to the buffer handed in. */
#include "base/roff.h"

/* The code point at *i of valid UTF-8; *i goes to its last byte. */
static unsigned code_point(struct str s, size_t *i)
{
	unsigned char c = (unsigned char)s.p[*i];
	unsigned v = c >= 0xF0 ? c & 0x07 : c >= 0xE0 ? c & 0x0F : c & 0x1F;

	while (*i + 1 < s.n && ((unsigned char)s.p[*i + 1] & 0xC0) == 0x80)
		v = v << 6 | ((unsigned char)s.p[++*i] & 0x3F);
	return v;
}

static void put(struct buf *b, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		if ((i == 0 || s.p[i - 1] == '\n') && (s.p[i] == '.' || s.p[i] == '\''))
			buf_lit(b, "\\&");
		if (s.p[i] == '\\')
			buf_lit(b, "\\e");
		else if (s.p[i] == '-')
			buf_lit(b, "\\-");
		else if ((unsigned char)s.p[i] < 0x80)
			buf_char(b, s.p[i]);
		else
			buf_printf(b, "\\[u%04X]", code_point(s, &i));
	}
}

void roff_line(struct buf *b, struct str text)
{
	put(b, text);
	buf_char(b, '\n');
}

void roff_page(struct buf *b, const char *name, int section, const char *version, const char *what)
{
	buf_printf(b, ".TH %s %d \"\" \"Portal %s\" \"Portal\"\n", name, section, version);
	roff_section(b, "NAME");
	put(b, str_of(name));
	buf_lit(b, " \\- ");
	roff_line(b, str_of(what));
}

void roff_section(struct buf *b, const char *title)
{
	buf_printf(b, ".SH %s\n", title);
}

void roff_text(struct buf *b, struct str text)
{
	buf_lit(b, ".PP\n");
	roff_line(b, text);
}

void roff_item(struct buf *b, struct str tag)
{
	buf_lit(b, ".TP\n\\fB");
	put(b, tag);
	buf_lit(b, "\\fR\n");
}
