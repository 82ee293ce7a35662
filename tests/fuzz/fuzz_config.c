/* The configuration file: what was read prints, and that reads as the same. */
#include "config/config.h"
#include "fuzz/fuzz.h"
#include "openvswitch/dynamic-string.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ds why = DS_EMPTY_INITIALIZER, text = DS_EMPTY_INITIALIZER;
	uint8_t *copy = fuzz_copy(span_of(data, size));
	struct config config, again;

	config_init(&config);
	config_init(&again);
	if (config_parse(&config, span_of(copy, size), &why)) {
		REQUIRE(why.length);
	} else {
		config_print(&config, &text);
		REQUIRE(!config_parse(&again, span_of(text.string, text.length),
				      &why));
		REQUIRE(config_equal(&config, &again));
	}
	config_free(&config);
	config_free(&again);
	ds_destroy(&why);
	ds_destroy(&text);
	free(copy);
	return 0;
}
