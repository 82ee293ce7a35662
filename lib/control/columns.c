#include "control/columns.h"

#include <stdarg.h>
#include <stdlib.h>

#include "openvswitch/dynamic-string.h"
#include "openvswitch/util.h"
#include "util.h"

#include "control/printable.h"

struct cell {
	char *text;
	size_t width;
	enum colour colour;
};

struct row {
	struct cell *cells; /* n_columns of them. */
	char *note;	    /* Whole lines, or NULL. */
};

struct columns {
	const char *const *heads;
	size_t n_columns;
	struct row *rows;
	size_t n_rows, allocated;
	size_t n_filled; /* Cells of the last row; n_columns when complete. */
};

void colour_put(struct ds *ds, bool enabled, enum colour colour,
		const char *text)
{
	const char *code = NULL;

	switch (colour) {
	case COLOUR_NONE:
		break;
	case COLOUR_GOOD:
		code = "32";
		break;
	case COLOUR_WARN:
		code = "33";
		break;
	case COLOUR_BAD:
		code = "1;31";
		break;
	case COLOUR_HEAD:
		code = "1";
		break;
	}
	if (!enabled || !code || !*text) {
		ds_put_cstr(ds, text);
		return;
	}
	ds_put_format(ds, "\033[%sm%s\033[0m", code, text);
}

struct columns *columns_new(const char *const *heads, size_t n)
{
	struct columns *c = xzalloc(sizeof *c);

	c->heads = heads;
	c->n_columns = n;
	c->n_filled = n;
	return c;
}

void columns_free(struct columns *c)
{
	size_t i, j;

	for (i = 0; i < c->n_rows; i++) {
		for (j = 0; j < c->n_columns; j++) {
			free(c->rows[i].cells[j].text);
		}
		free(c->rows[i].cells);
		free(c->rows[i].note);
	}
	free(c->rows);
	free(c);
}

void columns_put_colour(struct columns *c, enum colour colour, const char *text)
{
	struct ds ds = DS_EMPTY_INITIALIZER;
	struct cell *cell;

	if (c->n_filled == c->n_columns) {
		if (c->n_rows == c->allocated) {
			c->rows = x2nrealloc(c->rows, &c->allocated,
					     sizeof *c->rows);
		}
		c->rows[c->n_rows].note = NULL;
		c->rows[c->n_rows].cells =
			xcalloc(c->n_columns, sizeof(struct cell));
		c->n_rows++;
		c->n_filled = 0;
	}
	cell = &c->rows[c->n_rows - 1].cells[c->n_filled++];
	cell->width = printable_put(&ds, text && *text ? text : "-");
	cell->text = ds_steal_cstr(&ds);
	cell->colour = colour;
}

void columns_put(struct columns *c, const char *text)
{
	columns_put_colour(c, COLOUR_NONE, text);
}

void columns_format(struct columns *c, const char *format, ...)
{
	va_list args;
	char *text;

	va_start(args, format);
	text = xvasprintf(format, args);
	va_end(args);
	columns_put(c, text);
	free(text);
}

void columns_note(struct columns *c, const char *text)
{
	struct ds ds = DS_EMPTY_INITIALIZER;
	struct row *row = &c->rows[c->n_rows - 1];

	if (row->note) {
		ds_put_cstr(&ds, row->note);
		free(row->note);
	}
	ds_put_cstr(&ds, "     ");
	printable_put(&ds, text);
	ds_put_char(&ds, '\n');
	row->note = ds_steal_cstr(&ds);
}

size_t columns_n_rows(const struct columns *c)
{
	return c->n_rows;
}

/* One line of the table; 'row' NULL means the titles. */
static void print_row(const struct columns *c, const struct row *row,
		      const size_t *widths, bool colour, struct ds *ds)
{
	size_t j;

	for (j = 0; j < c->n_columns; j++) {
		bool right = c->heads[j][0] == '>';
		const char *head = c->heads[j] + right;
		const char *text = head;
		enum colour how = COLOUR_HEAD;
		size_t pad;

		if (row) {
			text = row->cells[j].text ? row->cells[j].text : "-";
			how = row->cells[j].colour;
		}
		pad = widths[j] - printable_width(text);
		if (right) {
			ds_put_char_multiple(ds, ' ', pad);
		}
		colour_put(ds, colour, how, text);
		if (j + 1 < c->n_columns) {
			ds_put_char_multiple(ds, ' ', right ? 2 : pad + 2);
		}
	}
	ds_put_char(ds, '\n');
}

void columns_print(const struct columns *c, bool colour, struct ds *ds)
{
	size_t *widths = xcalloc(c->n_columns, sizeof *widths);
	size_t i, j;

	for (j = 0; j < c->n_columns; j++) {
		widths[j] =
			printable_width(c->heads[j] + (c->heads[j][0] == '>'));
		for (i = 0; i < c->n_rows; i++) {
			widths[j] = MAX(widths[j], c->rows[i].cells[j].width);
		}
	}
	print_row(c, NULL, widths, colour, ds);
	for (i = 0; i < c->n_rows; i++) {
		print_row(c, &c->rows[i], widths, colour, ds);
		if (c->rows[i].note) {
			ds_put_cstr(ds, c->rows[i].note);
		}
	}
	free(widths);
}
