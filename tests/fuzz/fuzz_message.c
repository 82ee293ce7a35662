/* The messages of the record channel, identities, and the record of a peer that
 * comes in parts and steps.  What was decoded encodes, and that decodes to the
 * same. */
#include "fuzz/fuzz.h"
#include "mesh/record.h"
#include "session/identity.h"
#include "session/message.h"
#include "session/tlv.h"

static void same_again(const struct message *m)
{
	struct wbuf first = WBUF_INITIALIZER(0), second = WBUF_INITIALIZER(0);
	struct message again;
	struct span in;
	bool found;

	REQUIRE(!message_encode(m, &first));
	in = wbuf_span(&first);
	REQUIRE(!message_decode(&in, &again, &found) && found && !in.size);
	REQUIRE(!message_encode(&again, &second));
	REQUIRE(first.size == second.size &&
		!memcmp(first.data, second.data, first.size));
	message_free(&again);
	wbuf_free(&first);
	wbuf_free(&second);
}

static void messages(struct span in)
{
	struct record_inbox inbox;
	bool found, whole = false;

	memset(&inbox, 0, sizeof inbox);
	for (;;) {
		struct message m;
		enum err err = message_decode(&in, &m, &found);

		if (err || !found) {
			break;
		}
		same_again(&m);
		if (m.type == MSG_RECORD) {
			err = record_receive(&inbox, &m.record, &whole);
		} else if (m.type == MSG_UPDATE && whole) {
			err = record_step(&inbox.record, &m.update);
		}
		message_free(&m);
		if (err) {
			break;
		}
	}
	record_free(&inbox.record);
}

static void identity(struct span in)
{
	struct wbuf out = WBUF_INITIALIZER(0);
	struct identity id, again;

	if (!identity_decode(in, &id)) {
		REQUIRE(identity_name_is_valid(id.name));
		identity_encode(&id, &out);
		REQUIRE(!identity_decode(wbuf_span(&out), &again));
		REQUIRE(!strcmp(id.name, again.name) &&
			!memcmp(&id.id, &again.id, sizeof id.id) &&
			id.incarnation == again.incarnation &&
			id.vxlan_port == again.vxlan_port &&
			id.mtu == again.mtu);
	}
	wbuf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of(data, size);
	uint8_t pick = fuzz_u8(&in);
	uint8_t *copy = fuzz_copy(in);

	switch (pick % 3) {
	case 0:
		messages(span_of(copy, in.size));
		break;
	case 1:
		identity(span_of(copy, in.size));
		break;
	default:
		(void)!tlv_skip_all(span_of(copy, in.size));
		break;
	}
	free(copy);
	return 0;
}
