/* Replies as text for people.
 *
 * One function per command takes the JSON object that `fdpctl --json` prints
 * (control.h, and fdpctl(8) for what fdpctl itself reads from the kernel) and
 * appends what it prints without.  Keys that are missing show as "-" or are
 * left out: the daemon may be older or newer than the tool. */
#ifndef FDP_CONTROL_RENDER_H
#define FDP_CONTROL_RENDER_H 1

#include <stdbool.h>
#include <stdint.h>

struct ds;
struct json;

typedef void render_fn(const struct json *reply, bool colour, struct ds *);

render_fn render_status;
render_fn render_connections;
render_fn render_peers;
render_fn render_why;
render_fn render_ports;
render_fn render_attached; /* An entry of "ports", just made. */
render_fn render_detached;
render_fn render_hidden;
render_fn render_connect;
render_fn render_forget;
render_fn render_forget_key;
render_fn render_rekey;
render_fn render_reload;
render_fn render_trace;
render_fn render_sas;
render_fn render_reset;
render_fn render_version;

/* "45 s", "3 min 20 s", "2 h 3 min", "5 d 4 h". */
void render_duration(int64_t seconds, struct ds *);
/* "0.4 ms", "12 ms", "3.2 s", then as above. */
void render_time(int64_t us, struct ds *ds);
/* A member in milliseconds, as microseconds; -1 where there is none. */
int64_t render_us_ago(const struct json *object, const char *key);

#endif
