/* Command lines, and the JSON on either side of the control socket.  Lines of
 * the input: a command line of words; a request; a reply to be shown. */
#include "control/args.h"
#include "control/render.h"
#include "engine/request.h"
#include "fuzz/fuzz.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/json.h"
#include "util.h"

enum {
	MAX_WORDS = 16
};

static const struct arg table[] = {
	{.key = "port", .kind = ARG_PORT, .value = "PORT"},
	{.option = "flag", .key = "flag", .kind = ARG_FLAG},
	{.option = "text", .key = "text", .kind = ARG_TEXT},
	{.option = "n", .key = "n", .kind = ARG_NUMBER, .min = 1, .max = 99},
	{.option = "mac", .key = "mac", .kind = ARG_MAC},
	{.option = "own", .key = "own", .kind = ARG_MAC_OWN},
	{.option = "ip", .key = "ip", .kind = ARG_IP, .flags = ARG_REPEATED},
	{.option = "prefix",
	 .key = "prefix",
	 .kind = ARG_PREFIX,
	 .flags = ARG_REPEATED},
	{.option = "end", .key = "end", .kind = ARG_ENDPOINT},
	{.option = "if", .key = "if", .kind = ARG_IFNAME},
	{.option = "type", .key = "type", .kind = ARG_ETH_TYPE},
	{.option = "proto", .key = "proto", .kind = ARG_IP_PROTO},
};

static render_fn *const renderers[] = {
	render_status,	 render_connections, render_peers,   render_ports,
	render_attached, render_detached,    render_connect, render_forget,
	render_rekey,	 render_reload,	     render_trace,   render_sas,
	render_reset,	 render_version,
};

static void words(char *line)
{
	const char *argv[MAX_WORDS];
	struct json *object = NULL;
	char *error = NULL, *save = NULL;
	int argc = 0;

	for (char *w = strtok_r(line, " ", &save); w && argc < MAX_WORDS;
	     w = strtok_r(NULL, " ", &save)) {
		argv[argc++] = w;
	}
	if (args_parse(table, sizeof table / sizeof table[0], argc, argv,
		       &object, &error)) {
		REQUIRE(error && *error);
		free(error);
		return;
	}
	json_destroy(
		args_request(table, sizeof table / sizeof table[0], object));
	json_destroy(object);
}

static void request(const char *line)
{
	struct json *json = json_from_string(line);
	char why[256] = "";
	struct port *port = xzalloc(sizeof *port);
	struct flow flow;

	REQUIRE(request_port(json, port, why, sizeof why) || *why);
	*why = '\0';
	REQUIRE(request_flow(json, &flow, why, sizeof why) || *why);
	free(port);
	json_destroy(json);
}

static void reply(const char *line)
{
	struct json *json = json_from_string(line);
	struct ds text = DS_EMPTY_INITIALIZER;

	for (size_t i = 0; i < sizeof renderers / sizeof renderers[0]; i++) {
		if (json->type == JSON_OBJECT) {
			renderers[i](json, i & 1, &text);
		}
	}
	ds_destroy(&text);
	json_destroy(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), *end, *line;

	REQUIRE(text);
	memcpy(text, data, size);
	text[size] = '\0';
	line = text;
	for (unsigned int i = 0; line && i < 3; i++) {
		end = strchr(line, '\n');
		if (end) {
			*end = '\0';
		}
		if (i == 0) {
			words(line);
		} else if (i == 1) {
			request(line);
		} else {
			reply(line);
		}
		line = end ? end + 1 : NULL;
	}
	free(text);
	return 0;
}
