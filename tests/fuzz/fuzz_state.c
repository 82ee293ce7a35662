/* The state file, as a starting daemon reads it: whatever is in it, the daemon
 * starts, and what it saves it reads again. */
#include "fuzz/fuzz.h"
#include "unit/straw.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	REQUIRE(text);
	memcpy(text, data, size);
	text[size] = '\0';
	straw_start_with(false, text);
	straw_wait(UINT64_C(1000000));
	straw_stop();
	free(text);
	return 0;
}
