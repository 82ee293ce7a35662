/* A table of text in aligned columns, as fdpctl prints it.
 *
 * Cells are handed over row by row from the left, are copied and made
 * printable (printable.h), so that foreign text cannot break out of its place.
 * The last column is not padded; below a row there may be notes. */
#ifndef FDP_CONTROL_COLUMNS_H
#define FDP_CONTROL_COLUMNS_H 1

#include <stdbool.h>
#include <stddef.h>

#include "openvswitch/compiler.h"

struct ds;

enum colour {
	COLOUR_NONE,
	COLOUR_GOOD,
	COLOUR_WARN,
	COLOUR_BAD,
	COLOUR_HEAD
};

/* Appends 'text', as it is, in 'colour' if 'enabled'. */
void colour_put(struct ds *, bool enabled, enum colour, const char *text);

struct columns;

/* 'heads' are the columns' titles, borrowed for ever.  A title that starts
 * with '>' makes the column right-aligned. */
struct columns *columns_new(const char *const *heads, size_t n);
void columns_free(struct columns *);

/* The next cell; "" or NULL is shown as "-". */
void columns_put(struct columns *, const char *text);
void columns_put_colour(struct columns *, enum colour, const char *text);
void columns_format(struct columns *, const char *format, ...)
	OVS_PRINTF_FORMAT(2, 3);

/* A line below the row that was completed last. */
void columns_note(struct columns *, const char *text);

size_t columns_n_rows(const struct columns *);

/* Appends the table, with its titles. */
void columns_print(const struct columns *, bool colour, struct ds *);

#endif
