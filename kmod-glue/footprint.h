/* How much of our code is in memory.
 *
 * A start reads far more of it than what comes after: libraries test themselves
 * (libipsec-mb: 3 MB), the linker looks up every name.  Of code the file on
 * disk has all, so what is not used any more can go, and what is used comes
 * back from the page cache when it is. */
#ifndef FDP_KMOD_GLUE_FOOTPRINT_H
#define FDP_KMOD_GLUE_FOOTPRINT_H 1

/* Lets go of what is mapped of code and constants, of ours and of all
 * libraries. */
void footprint_trim(void);

#endif
