#include "control/control.h"

#include <string.h>

static const struct {
	const char *name;
	const char *help;
} commands[N_CONTROL_COMMANDS] = {
#define X(NAME, TEXT, HELP) [CONTROL_##NAME] = {TEXT, HELP},
#include "control/control.def"
#undef X
};

const char *control_name(enum control_command command)
{
	return commands[command].name;
}

const char *control_help(enum control_command command)
{
	return commands[command].help;
}

enum control_command control_find(const char *name)
{
	unsigned int i;

	for (i = 0; i < N_CONTROL_COMMANDS; i++) {
		if (!strcmp(commands[i].name, name)) {
			break;
		}
	}
	return (enum control_command)i;
}
