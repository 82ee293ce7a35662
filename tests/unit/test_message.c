#include "session/message.h"

#include "vectors.h"

#include "session/channel.h"
#include "session/tlv.h"

static struct binding binding_of(uint32_t vni, uint8_t n, uint8_t n_ips)
{
	struct binding b = {
		.vni = vni,
		.mac = {{2, 0, 0, 0, 0, n}},
		.n_ips = n_ips,
	};

	for (uint8_t i = 0; i < n_ips; i++) {
		const uint8_t v4[4] = {10, 0, n, i};

		b.ips[i] = ip_from_v4(v4);
	}
	return b;
}

/* Encodes 'm' alone. */
static struct wbuf encoded(const struct message *m)
{
	struct wbuf out = WBUF_INITIALIZER(CHANNEL_PAYLOAD_MAX);

	ck_assert_int_eq(message_encode(m, &out), FDP_OK);
	return out;
}

static enum err decode_one(struct span in, struct message *m)
{
	bool found;
	enum err err = message_decode(&in, m, &found);

	if (!err) {
		ck_assert(found);
		ck_assert_uint_eq(in.size, 0);
	}
	return err;
}

/* One message of each type, with something in every field. */

static struct ip_addr addrs[2];
static struct binding bindings[3];
static struct binding_key keys[2];
static struct peer_hint hints[2];
static struct held_statement held[2];
static uint32_t links_gone = 0x61626364, links_come[] = {0x65666768, 1};
static uint8_t said[5];
static struct message samples[29];

static void setup(void)
{
	struct message *m = samples;
	const uint8_t v4[4] = {192, 0, 2, 1}, v4b[4] = {192, 0, 2, 2};
	const uint8_t v6[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 7};

	memset(samples, 0, sizeof samples);
	addrs[0] = ip_from_v4(v4);
	addrs[1] = ip_from_v6(v6);
	bindings[0] = binding_of(0, 1, 0);
	bindings[1] = binding_of(77, 2, 2);
	bindings[2] = binding_of(VNI_MAX, 3, BINDING_MAX_IPS);
	keys[0] = binding_key(&bindings[0]);
	keys[1] = binding_key(&bindings[2]);
	memset(hints[0].id.b, 0x11, sizeof hints[0].id.b);
	hints[0].at.ip = addrs[0];
	hints[0].at.port = 6783;
	memset(hints[1].id.b, 0x22, sizeof hints[1].id.b);
	hints[1].at.ip = addrs[1];
	hints[1].at.port = 7000;

	m->type = MSG_PING;
	m->ping.seq = 0x0102030405060708;
	m++;
	m->type = MSG_PONG;
	m->ping.seq = UINT64_MAX;
	m++;
	m->type = MSG_CLOSE;
	m->close.reason = ERR_LIMIT;
	snprintf(m->close.slug, sizeof m->close.slug, "limit");
	snprintf(m->close.text, sizeof m->close.text, "too many peers");
	m++;
	m->type = MSG_RECORD;
	memset(m->record.author.b, 0xab, sizeof m->record.author.b);
	m->record.incarnation = 5;
	m->record.seq = 6;
	m->record.part = 0x0708;
	m->record.last = true;
	snprintf(m->record.name, sizeof m->record.name, "host-1.example");
	m->record.addrs = addrs;
	m->record.n_addrs = 2;
	m->record.bindings = bindings;
	m->record.n_bindings = 3;
	m++;
	m->type = MSG_UPDATE;
	memset(m->update.author.b, 0xcd, sizeof m->update.author.b);
	m->update.incarnation = 9;
	m->update.seq = 10;
	m->update.added = bindings;
	m->update.n_added = 2;
	m->update.removed = keys;
	m->update.n_removed = 2;
	m++;
	m->type = MSG_SA_OFFER;
	m->sa_offer.spis[0] = 0xc0ffee01;
	m->sa_offer.n_spis = 1;
	memset(m->sa_offer.salt, 0x5a, sizeof m->sa_offer.salt);
	m->sa_offer.epoch = 3;
	m->sa_offer.src_ip = ip_from_v4(v4);
	m->sa_offer.dst_ip = ip_from_v4(v4b);
	m->sa_offer.vxlan_port = 6784;
	m->sa_offer.mtu = 1500;
	m++;
	m->type = MSG_SA_ACTIVE;
	m->sa_active.spi = 256;
	m->sa_active.epoch = 3;
	m++;
	m->type = MSG_SA_DELETE;
	m->sa_delete.spi = 0xffffffff;
	m++;
	m->type = MSG_REKEY_REQUEST;
	m->rekey.epoch = 0x01020304;
	memset(m->rekey.key, 0x3c, sizeof m->rekey.key);
	m++;
	m->type = MSG_REKEY_RESPONSE;
	m->rekey.epoch = UINT32_MAX;
	memset(m->rekey.key, 0xc3, sizeof m->rekey.key);
	m++;
	m->type = MSG_REKEY_ASK;
	m++;
	m->type = MSG_REHANDSHAKE;
	m->rehandshake.refused = true;
	m++;
	m->type = MSG_PEERS;
	m->peers.want = true;
	m->peers.port = 6783;
	m->peers.v = hints;
	m->peers.n = 2;
	m->peers.advertised[0] = hints[1].at;
	m->peers.advertised[1] = hints[0].at;
	m->peers.n_advertised = 2;
	m++;
	m->type = MSG_SA_OFFER;
	m->sa_offer = samples[5].sa_offer;
	m->sa_offer.spis[1] = 0x100;
	m->sa_offer.spis[2] = 0xdeadbeef;
	m->sa_offer.n_spis = 3;
	m++;
	m->type = MSG_PROBE_ACK;
	m->probe_ack.number = 0x1112131415161718;
	m->probe_ack.size = 1416;
	m->probe_ack.lane = 15;
	m++;
	m->type = MSG_PATH_ASK;
	m->path.number = 0x2122232425262728;
	m++;
	m->type = MSG_PATH_REPORT;
	m->path.number = 1;
	m++;
	m->type = MSG_STATEMENT;
	memset(m->statement.author.b, 0xab, sizeof m->statement.author.b);
	memset(m->statement.key.b, 0x17, sizeof m->statement.key.b);
	m->statement.incarnation = 11;
	m->statement.seq = 12;
	m->statement.chunk = STATEMENT_CHUNKS - 1;
	memcpy(said, "hello", sizeof said);
	m->statement.body = said;
	m->statement.size = sizeof said;
	memset(m->statement.signature, 0x99, sizeof m->statement.signature);
	m++;
	m->type = MSG_SUMMARY;
	m->summary.want = true;
	m->summary.more = true;
	memset(held[0].author.b, 0x11, sizeof held[0].author.b);
	held[0].incarnation = 13;
	held[0].seq = 14;
	memset(held[1].author.b, 0x22, sizeof held[1].author.b);
	held[1].incarnation = UINT64_MAX;
	held[1].seq = 1;
	held[1].chunk = STATEMENT_CHUNKS - 1;
	m->summary.v = held;
	m->summary.n = 2;
	m++;
	m->type = MSG_PATH_STATE;
	m->path_state.level = PATH_STATE_LEVELS - 1;
	snprintf(m->path_state.reason, sizeof m->path_state.reason,
		 "esp-filtered");
	m++;
	m->type = MSG_PATH_CHECK;
	m->path_check.number = 0x31323334;
	m->path_check.spis[0] = 0x100;
	m->path_check.spis[1] = 0xdeadbeef;
	m->path_check.n_spis = 2;
	m++;
	m->type = MSG_PATH_CHECKED;
	m->path_checked.number = 0x31323334;
	m->path_checked.heard = 15;
	m->path_checked.counted = true;
	m->path_checked.no_sa = 16;
	m->path_checked.not_authentic = 17;
	m->path_checked.policy = 18;
	m->path_checked.other = UINT64_MAX;
	m->path_checked.sas[0].exists = true;
	m->path_checked.sas[0].packets = 0x4142434445464748;
	m->path_checked.n_sas = 2;
	m++;
	m->type = MSG_PLAIN;
	m->plain.ready = true;
	m->plain.src_ip = ip_from_v4(v4);
	m->plain.dst_ip = ip_from_v4(v4b);
	m++;
	m->type = MSG_SLEEVE;
	m->sleeve.index = 0x51525354;
	m->sleeve.epoch = 3;
	m->sleeve.cipher = SLEEVE_CIPHER_AES_GCM;
	m->sleeve.port = 6783;
	m->sleeve.mtu = 9000;
	m++;
	m->type = MSG_HAVE;
	m->held.v = held;
	m->held.n = 2;
	m++;
	m->type = MSG_WANT;
	m->held.v = held;
	m->held.n = 1;
	m++;
	m->type = MSG_LINKS;
	m->links.incarnation = 11;
	m->links.seq = 15;
	m->links.base = 12;
	m->links.chunk = STATEMENT_CHUNKS - 1;
	m->links.gone = &links_gone;
	m->links.n_gone = 1;
	m->links.come = links_come;
	m->links.n_come = 2;
	memset(m->links.signature, 0x98, sizeof m->links.signature);
	m++;
	m->type = MSG_LINKS;
	m->links = m[-1].links;
	m->links.base = 0;
	m->links.chunk = STATEMENT_LINKS + 3;
	m->links.named = 4;
	m->links.named_hash = UINT64_C(0x6162636465666768);
	m++;
	m->type = MSG_WANT;
	m->held = m[-3].held;
	m->held.in_short = true;
}

enum {
	OFFER_BYTES = 4 + 32 + 4 + 16 + 16 + 2 + 4,  /* With one SPI. */
	PEERS_BYTES = 1 + 2 + 2 + 2 * (16 + 16 + 2), /* With two hosts. */
	WANT_BYTES = 2 + 33,			     /* Of one statement. */
	LINKS_BYTES = 25 + 2 + 4 + 2 + 2 * 4 + 64,
	N_SAMPLES = sizeof samples / sizeof samples[0]
};

static void expect_held(const struct held_statement *a, size_t n_a,
			const struct held_statement *b, size_t n_b)
{
	ck_assert_uint_eq(n_a, n_b);
	for (size_t i = 0; i < n_a; i++) {
		ck_assert(peer_id_equal(&a[i].author, &b[i].author));
		ck_assert_uint_eq(a[i].incarnation, b[i].incarnation);
		ck_assert_uint_eq(a[i].seq, b[i].seq);
		ck_assert_uint_eq(a[i].chunk, b[i].chunk);
	}
}

static void expect_bindings(const struct binding *a, size_t n_a,
			    const struct binding *b, size_t n_b)
{
	ck_assert_uint_eq(n_a, n_b);
	for (size_t i = 0; i < n_a; i++) {
		ck_assert(binding_equal(&a[i], &b[i]));
	}
}

static void expect_checked(const struct msg_path_checked *a,
			   const struct msg_path_checked *b)
{
	ck_assert_uint_eq(a->number, b->number);
	ck_assert_uint_eq(a->heard, b->heard);
	ck_assert(a->counted == b->counted);
	ck_assert_uint_eq(a->no_sa, b->no_sa);
	ck_assert_uint_eq(a->not_authentic, b->not_authentic);
	ck_assert_uint_eq(a->policy, b->policy);
	ck_assert_uint_eq(a->other, b->other);
	ck_assert_uint_eq(a->n_sas, b->n_sas);
	for (size_t i = 0; i < a->n_sas; i++) {
		ck_assert(a->sas[i].exists == b->sas[i].exists);
		ck_assert_uint_eq(a->sas[i].packets, b->sas[i].packets);
	}
}

static void expect_equal(const struct message *a, const struct message *b)
{
	ck_assert_int_eq(a->type, b->type);
	switch (a->type) {
	case MSG_PING:
	case MSG_PONG:
		ck_assert_uint_eq(a->ping.seq, b->ping.seq);
		return;
	case MSG_CLOSE:
		ck_assert_int_eq(a->close.reason, b->close.reason);
		ck_assert_str_eq(a->close.slug, b->close.slug);
		ck_assert_str_eq(a->close.text, b->close.text);
		return;
	case MSG_RECORD:
		ck_assert(peer_id_equal(&a->record.author, &b->record.author));
		ck_assert_uint_eq(a->record.incarnation, b->record.incarnation);
		ck_assert_uint_eq(a->record.seq, b->record.seq);
		ck_assert_uint_eq(a->record.part, b->record.part);
		ck_assert(a->record.last == b->record.last);
		ck_assert_str_eq(a->record.name, b->record.name);
		ck_assert_uint_eq(a->record.n_addrs, b->record.n_addrs);
		for (size_t i = 0; i < a->record.n_addrs; i++) {
			ck_assert(ip_equal(&a->record.addrs[i],
					   &b->record.addrs[i]));
		}
		expect_bindings(a->record.bindings, a->record.n_bindings,
				b->record.bindings, b->record.n_bindings);
		return;
	case MSG_UPDATE:
		ck_assert(peer_id_equal(&a->update.author, &b->update.author));
		ck_assert_uint_eq(a->update.incarnation, b->update.incarnation);
		ck_assert_uint_eq(a->update.seq, b->update.seq);
		expect_bindings(a->update.added, a->update.n_added,
				b->update.added, b->update.n_added);
		ck_assert_uint_eq(a->update.n_removed, b->update.n_removed);
		for (size_t i = 0; i < a->update.n_removed; i++) {
			ck_assert(binding_key_equal(&a->update.removed[i],
						    &b->update.removed[i]));
		}
		return;
	case MSG_SA_OFFER:
		ck_assert_uint_eq(a->sa_offer.n_spis, b->sa_offer.n_spis);
		ck_assert_mem_eq(a->sa_offer.spis, b->sa_offer.spis,
				 sizeof a->sa_offer.spis);
		ck_assert_mem_eq(a->sa_offer.salt, b->sa_offer.salt,
				 ESP_SALT_BYTES);
		ck_assert_uint_eq(a->sa_offer.epoch, b->sa_offer.epoch);
		ck_assert(ip_equal(&a->sa_offer.src_ip, &b->sa_offer.src_ip));
		ck_assert(ip_equal(&a->sa_offer.dst_ip, &b->sa_offer.dst_ip));
		ck_assert_uint_eq(a->sa_offer.vxlan_port,
				  b->sa_offer.vxlan_port);
		ck_assert_uint_eq(a->sa_offer.mtu, b->sa_offer.mtu);
		return;
	case MSG_SA_ACTIVE:
		ck_assert_uint_eq(a->sa_active.spi, b->sa_active.spi);
		ck_assert_uint_eq(a->sa_active.epoch, b->sa_active.epoch);
		return;
	case MSG_SA_DELETE:
		ck_assert_uint_eq(a->sa_delete.spi, b->sa_delete.spi);
		return;
	case MSG_REKEY_REQUEST:
	case MSG_REKEY_RESPONSE:
		ck_assert_uint_eq(a->rekey.epoch, b->rekey.epoch);
		ck_assert_mem_eq(a->rekey.key, b->rekey.key, REKEY_KEY_BYTES);
		return;
	case MSG_REKEY_ASK:
		return;
	case MSG_PLAIN:
		ck_assert(a->plain.ready == b->plain.ready);
		ck_assert(ip_equal(&a->plain.src_ip, &b->plain.src_ip));
		ck_assert(ip_equal(&a->plain.dst_ip, &b->plain.dst_ip));
		return;
	case MSG_SLEEVE:
		ck_assert_uint_eq(a->sleeve.index, b->sleeve.index);
		ck_assert_uint_eq(a->sleeve.epoch, b->sleeve.epoch);
		ck_assert_int_eq(a->sleeve.cipher, b->sleeve.cipher);
		ck_assert_uint_eq(a->sleeve.port, b->sleeve.port);
		ck_assert_uint_eq(a->sleeve.mtu, b->sleeve.mtu);
		return;
	case MSG_REHANDSHAKE:
		ck_assert(a->rehandshake.refused == b->rehandshake.refused);
		return;
	case MSG_PROBE_ACK:
		ck_assert_uint_eq(a->probe_ack.number, b->probe_ack.number);
		ck_assert_uint_eq(a->probe_ack.size, b->probe_ack.size);
		ck_assert_uint_eq(a->probe_ack.lane, b->probe_ack.lane);
		return;
	case MSG_PATH_ASK:
	case MSG_PATH_REPORT:
		ck_assert_uint_eq(a->path.number, b->path.number);
		return;
	case MSG_PATH_STATE:
		ck_assert_uint_eq(a->path_state.level, b->path_state.level);
		ck_assert_str_eq(a->path_state.reason, b->path_state.reason);
		return;
	case MSG_PATH_CHECK:
		ck_assert_uint_eq(a->path_check.number, b->path_check.number);
		ck_assert_uint_eq(a->path_check.n_spis, b->path_check.n_spis);
		ck_assert_mem_eq(a->path_check.spis, b->path_check.spis,
				 a->path_check.n_spis *
					 sizeof *a->path_check.spis);
		return;
	case MSG_PATH_CHECKED:
		expect_checked(&a->path_checked, &b->path_checked);
		return;
	case MSG_STATEMENT:
		ck_assert(peer_id_equal(&a->statement.author,
					&b->statement.author));
		ck_assert(sign_key_equal(&a->statement.key, &b->statement.key));
		ck_assert_uint_eq(a->statement.incarnation,
				  b->statement.incarnation);
		ck_assert_uint_eq(a->statement.seq, b->statement.seq);
		ck_assert_uint_eq(a->statement.chunk, b->statement.chunk);
		ck_assert_uint_eq(a->statement.size, b->statement.size);
		ck_assert_mem_eq(a->statement.body, b->statement.body,
				 a->statement.size);
		ck_assert_mem_eq(a->statement.signature, b->statement.signature,
				 SIGN_BYTES);
		return;
	case MSG_SUMMARY:
		ck_assert(a->summary.want == b->summary.want);
		ck_assert(a->summary.more == b->summary.more);
		expect_held(a->summary.v, a->summary.n, b->summary.v,
			    b->summary.n);
		return;
	case MSG_HAVE:
	case MSG_WANT:
		expect_held(a->held.v, a->held.n, b->held.v, b->held.n);
		ck_assert(a->held.in_short == b->held.in_short);
		return;
	case MSG_LINKS:
		ck_assert_uint_eq(a->links.incarnation, b->links.incarnation);
		ck_assert_uint_eq(a->links.seq, b->links.seq);
		ck_assert_uint_eq(a->links.base, b->links.base);
		ck_assert_uint_eq(a->links.chunk, b->links.chunk);
		ck_assert_uint_eq(a->links.named, b->links.named);
		ck_assert_uint_eq(a->links.named_hash, b->links.named_hash);
		ck_assert_uint_eq(a->links.n_gone, b->links.n_gone);
		ck_assert_mem_eq(a->links.gone, b->links.gone,
				 a->links.n_gone * sizeof *a->links.gone);
		ck_assert_uint_eq(a->links.n_come, b->links.n_come);
		ck_assert_mem_eq(a->links.come, b->links.come,
				 a->links.n_come * sizeof *a->links.come);
		ck_assert_mem_eq(a->links.signature, b->links.signature,
				 SIGN_BYTES);
		return;
	case MSG_PEERS:
		ck_assert(a->peers.want == b->peers.want);
		ck_assert_uint_eq(a->peers.port, b->peers.port);
		ck_assert_uint_eq(a->peers.n, b->peers.n);
		for (size_t i = 0; i < a->peers.n; i++) {
			ck_assert(peer_id_equal(&a->peers.v[i].id,
						&b->peers.v[i].id));
			ck_assert(endpoint_equal(&a->peers.v[i].at,
						 &b->peers.v[i].at));
		}
		ck_assert_uint_eq(a->peers.n_advertised, b->peers.n_advertised);
		for (size_t i = 0; i < a->peers.n_advertised; i++) {
			ck_assert(endpoint_equal(&a->peers.advertised[i],
						 &b->peers.advertised[i]));
		}
		return;
	}
	ck_abort_msg("type %d", a->type);
}

START_TEST(every_type_comes_back_as_sent)
{
	struct wbuf out = encoded(&samples[_i]);
	struct message m;

	ck_assert_int_eq(decode_one(wbuf_span(&out), &m), FDP_OK);
	expect_equal(&samples[_i], &m);
	ck_assert_str_ne(message_name(m.type), "unknown");
	message_free(&m);
	wbuf_free(&out);
}
END_TEST

/* Against the second implementation, tests/vectors/fdp1_session.py. */
START_TEST(every_type_is_as_specified)
{
	struct json *file = vectors_load("fdp1_session.json");
	const struct json *list = vector_member(file, "messages");
	struct wbuf out = encoded(&samples[_i]);
	struct vector_bytes want;

	ck_assert_uint_eq(vector_count(list), N_SAMPLES);
	ck_assert_str_eq(vector_string(vector_at(list, (size_t)_i), "type"),
			 message_name(samples[_i].type));
	vector_hex(vector_at(list, (size_t)_i), "tlv", &want);
	ck_assert_bytes_eq(wbuf_span(&out), want.b, want.size);
	wbuf_free(&out);
	json_destroy(file);
}
END_TEST

START_TEST(list_of_messages_is_read_in_order)
{
	struct wbuf out = WBUF_INITIALIZER(CHANNEL_PAYLOAD_MAX);
	struct message m;
	struct span in;
	bool found;

	for (int i = 0; i < N_SAMPLES; i++) {
		/* Something unknown and optional between each two. */
		tlv_put(&out, 0x1234, "later", 5);
		ck_assert_int_eq(message_encode(&samples[i], &out), FDP_OK);
	}
	tlv_put(&out, 0x1234, NULL, 0);
	in = wbuf_span(&out);
	for (int i = 0; i < N_SAMPLES; i++) {
		ck_assert_int_eq(message_decode(&in, &m, &found), FDP_OK);
		ck_assert(found);
		expect_equal(&samples[i], &m);
		message_free(&m);
	}
	ck_assert_int_eq(message_decode(&in, &m, &found), FDP_OK);
	ck_assert(!found);
	wbuf_free(&out);
}
END_TEST

/* Both as the end of the record and as a length that says so.  Fields are
 * fixed, so no truncation of a body may pass; message_free() of what was half
 * read is the sanitizers' to watch. */
START_TEST(every_truncation_is_refused)
{
	struct wbuf out = encoded(&samples[_i]);
	struct message m;
	struct span in;
	bool found;

	for (size_t size = 1; size < out.size; size++) {
		in = span_of(out.data, size);
		ck_assert_int_eq(message_decode(&in, &m, &found),
				 ERR_TRUNCATED);
		ck_assert_uint_eq(in.size, size);
	}
	for (size_t size = 0; size < out.size - TLV_HEADER_BYTES; size++) {
		if (samples[_i].type == MSG_SA_OFFER && size == OFFER_BYTES) {
			continue; /* All but the optional field. */
		}
		if ((samples[_i].type == MSG_PEERS && size == PEERS_BYTES) ||
		    (samples[_i].type == MSG_WANT && size == WANT_BYTES) ||
		    (samples[_i].type == MSG_LINKS && size == LINKS_BYTES)) {
			continue;
		}
		out.data[2] = (uint8_t)(size >> 8);
		out.data[3] = (uint8_t)size;
		in = span_of(out.data, TLV_HEADER_BYTES + size);
		ck_assert_int_ne(message_decode(&in, &m, &found), FDP_OK);
	}
	wbuf_free(&out);
}
END_TEST

/* What is decoded in spite of a changed bit must still be within the bounds,
 * and encode to what was read. */
START_TEST(changed_bits_are_refused_or_mean_what_they_say)
{
	struct wbuf out = encoded(&samples[_i]);
	struct message m;
	struct span in;
	bool found;

	for (size_t bit = 0; bit < 8 * out.size; bit++) {
		out.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		in = wbuf_span(&out);
		if (!message_decode(&in, &m, &found) && found) {
			struct wbuf again = encoded(&m);

			/* Not so for CLOSE, whose slug is kept, or lengths. */
			ck_assert_uint_le(again.size, out.size);
			if (again.size == out.size) {
				ck_assert_mem_eq(again.data, out.data,
						 out.size);
			}
			wbuf_free(&again);
			message_free(&m);
		}
		out.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	wbuf_free(&out);
}
END_TEST

/* Fields after the known ones: the room for later versions. */
START_TEST(added_fields_are_skipped_unless_critical)
{
	struct wbuf body = encoded(&samples[_i]);

	for (int critical = 0; critical < 2; critical++) {
		struct wbuf out = WBUF_INITIALIZER(0);
		struct wbuf longer = WBUF_INITIALIZER(0);
		struct message m;
		enum err err;

		wbuf_bytes(&longer, body.data + TLV_HEADER_BYTES,
			   body.size - TLV_HEADER_BYTES);
		tlv_put(&longer, 0x7001, "more", 4);
		tlv_put(&longer, critical ? TLV_CRITICAL | 0x7002 : 0x7002,
			NULL, 0);
		tlv_put(&out, (uint16_t)samples[_i].type, longer.data,
			longer.size);
		err = decode_one(wbuf_span(&out), &m);
		ck_assert_int_eq(err, critical ? ERR_UNKNOWN_CRITICAL : FDP_OK);
		if (!err) {
			expect_equal(&samples[_i], &m);
			message_free(&m);
		}
		wbuf_free(&longer);
		wbuf_free(&out);
	}
	wbuf_free(&body);
}
END_TEST

START_TEST(unknown_critical_type_is_refused)
{
	struct wbuf out = WBUF_INITIALIZER(0);
	struct message m;
	struct span in;
	bool found;

	tlv_put(&out, TLV_CRITICAL | 0x1234, "later", 5);
	in = wbuf_span(&out);
	ck_assert_int_eq(message_decode(&in, &m, &found), ERR_UNKNOWN_CRITICAL);
	wbuf_free(&out);
}
END_TEST

/* Bodies that are well formed and nonsense. */

static enum err decode_changed(int sample, size_t offset, const void *bytes,
			       size_t size)
{
	struct wbuf out = encoded(&samples[sample]);
	struct message m;
	enum err err;

	ck_assert_uint_le(TLV_HEADER_BYTES + offset + size, out.size);
	memcpy(out.data + TLV_HEADER_BYTES + offset, bytes, size);
	err = decode_one(wbuf_span(&out), &m);
	if (!err) {
		message_free(&m);
	}
	wbuf_free(&out);
	return err;
}

enum {
	RECORD = 3,
	UPDATE = 4,
	SA_OFFER = 5,
	SA_DELETE = 7,
	REHANDSHAKE = 11,
	PEERS = 12,
	STATEMENT = 17,
	SUMMARY = 18,
	PATH_STATE = 19,
	PATH_CHECK = 20,
	PATH_CHECKED = 21,
	PLAIN = 22,
	SLEEVE = 23,
	HAVE = 24,
	LINKS = 26,
	NAMED = 27,
	IN_SHORT = 28,
	SA_OFFERS = 13
};

static const struct {
	const char *what;
	int sample;
	size_t offset; /* Into the body. */
	const char *bytes;
	size_t size;
	enum err err;
} nonsense[] = {
	{"author zero", RECORD, 0, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16,
	 ERR_MALFORMED},
	{"last neither yes nor no", RECORD, 34, "\2", 1, ERR_RANGE},
	{"name with a line feed", RECORD, 36, "\n", 1, ERR_MALFORMED},
	{"name empty", RECORD, 35, "\0", 1, ERR_MALFORMED},
	{"name too long", RECORD, 35, "\x40", 1, ERR_OVERSIZED},
	{"65 addresses", RECORD, 50, "\0\x41", 2, ERR_LIMIT},
	{"201 bindings", RECORD, 84, "\0\xc9", 2, ERR_LIMIT},
	{"VNI of 25 bits", RECORD, 86, "\1", 1, ERR_RANGE},
	{"MAC multicast", RECORD, 90, "\3", 1, ERR_MALFORMED},
	{"MAC zero", RECORD, 90, "\0\0\0\0\0\0", 6, ERR_MALFORMED},
	{"17 addresses of a binding", RECORD, 96, "\x11", 1, ERR_LIMIT},
	{"1025 removed", UPDATE, 88, "\4\1", 2, ERR_LIMIT},
	{"removed VNI of 25 bits", UPDATE, 90, "\1", 1, ERR_RANGE},
	{"reserved SPI", SA_OFFER, 0, "\0\0\0\xff", 4, ERR_RANGE},
	{"source zero", SA_OFFER, 40, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16,
	 ERR_RANGE},
	{"two families", SA_OFFER, 40, "\x20\1", 2, ERR_RANGE},
	{"port zero", SA_OFFER, 72, "\0\0", 2, ERR_RANGE},
	/* The field of more SPIs: type, length, SPIs. */
	{"reserved SPI, third", SA_OFFERS, OFFER_BYTES + 8, "\0\0\0\xff", 4,
	 ERR_RANGE},
	{"SPI twice", SA_OFFERS, OFFER_BYTES + 8, "\0\0\1\0", 4, ERR_MALFORMED},
	{"SPI as the first one", SA_OFFERS, OFFER_BYTES + 4, "\xc0\xff\xee\1",
	 4, ERR_MALFORMED},
	{"SPIs end within one", SA_OFFERS, OFFER_BYTES + 2, "\0\7", 2,
	 ERR_MALFORMED},
	{"no SPIs", SA_OFFERS, OFFER_BYTES + 2,
	 "\0\0\x70\0\0\4\xde\xad\xbe\xef", 10, ERR_MALFORMED},
	{"two fields of SPIs", SA_OFFERS, OFFER_BYTES + 2, "\0\4\0\0\1\0", 6,
	 ERR_TRUNCATED},
	{"SPI zero", SA_DELETE, 0, "\0\0\0\0", 4, ERR_RANGE},
	{"refused neither yes nor no", REHANDSHAKE, 0, "\2", 1, ERR_RANGE},
	{"want neither yes nor no", PEERS, 0, "\2", 1, ERR_RANGE},
	{"no port of one's own", PEERS, 1, "\0\0", 2, ERR_RANGE},
	{"257 hosts", PEERS, 3, "\1\1", 2, ERR_LIMIT},
	{"host zero", PEERS, 5, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16,
	 ERR_MALFORMED},
	{"host at a multicast address", PEERS, 33, "\xe0", 1, ERR_RANGE},
	{"host at port zero", PEERS, 37, "\0\0", 2, ERR_RANGE},
	/* Behind two hosts, the field of the author's own addresses. */
	{"address that ends early", PEERS, PEERS_BYTES + 2, "\0\x23", 2,
	 ERR_MALFORMED},
	{"multicast address of one's own", PEERS, PEERS_BYTES + 4, "\xff", 1,
	 ERR_RANGE},
	{"address of one's own at port zero", PEERS, PEERS_BYTES + 20, "\0\0",
	 2, ERR_RANGE},
	{"field that must be known", PEERS, PEERS_BYTES, "\x80\1", 2,
	 ERR_UNKNOWN_CRITICAL},
	{"ready neither yes nor no", PLAIN, 0, "\2", 1, ERR_RANGE},
	{"plain with everybody", PLAIN, 17, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
	 16, ERR_RANGE},
	{"index zero", SLEEVE, 0, "\0\0\0\0", 4, ERR_RANGE},
	{"cipher that there is not", SLEEVE, 8, "\3", 1, ERR_RANGE},
	{"sleeve at port zero", SLEEVE, 9, "\0\0", 2, ERR_RANGE},
	{"statement of nobody", STATEMENT, 0,
	 "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16, ERR_MALFORMED},
	{"chunk that there is not", STATEMENT, 64, "\x51", 1, ERR_RANGE},
	{"body too long", STATEMENT, 65, "\xff\xff", 2, ERR_LIMIT},
	{"body beyond the end", STATEMENT, 65, "\1\0", 2, ERR_TRUNCATED},
	{"summary that may be wanted", SUMMARY, 0, "\2", 1, ERR_RANGE},
	{"summary that may go on", SUMMARY, 1, "\2", 1, ERR_RANGE},
	{"1,901 statements", SUMMARY, 2, "\x07\x6d", 2, ERR_LIMIT},
	{"statement held of nobody", SUMMARY, 4,
	 "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16, ERR_MALFORMED},
	{"held chunk that there is not", SUMMARY, 36, "\x51", 1, ERR_RANGE},
	{"1,901 statements to have", HAVE, 0, "\x07\x6d", 2, ERR_LIMIT},
	{"statement of nobody to have", HAVE, 2,
	 "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16, ERR_MALFORMED},
	{"chunk to have that there is not", HAVE, 34, "\x51", 1, ERR_RANGE},
	{"links of another chunk", LINKS, 24, "\x40", 1, ERR_RANGE},
	{"links of no chunk", LINKS, 24, "\x51", 1, ERR_RANGE},
	{"links that come of themselves", LINKS, 23, "\x0f", 1, ERR_RANGE},
	{"1,025 links gone", LINKS, 25, "\x04\x01", 2, ERR_LIMIT},
	{"1,025 links come", LINKS, 31, "\x04\x01", 2, ERR_LIMIT},
	{"links without a signature", LINKS, 31, "\0\3", 2, ERR_TRUNCATED},
	{"those named, and a base", NAMED, 23, "\1", 1, ERR_MALFORMED},
	{"hash that is too short", NAMED, LINKS_BYTES + 3, "\x08", 1,
	 ERR_MALFORMED},
	{"links over no chunk", NAMED, LINKS_BYTES + 12, "\0", 1, ERR_RANGE},
	{"links over two chunks, in the fourth", NAMED, LINKS_BYTES + 12, "\2",
	 1, ERR_RANGE},
	{"links over seven chunks", NAMED, LINKS_BYTES + 12, "\7", 1,
	 ERR_RANGE},
	{"links over 32 chunks", NAMED, LINKS_BYTES + 12, "\x20", 1, ERR_RANGE},
	{"in short, by a byte that is not there", IN_SHORT, WANT_BYTES + 3,
	 "\1", 1, ERR_TRUNCATED},
	{"level that there is not", PATH_STATE, 0, "\5", 1, ERR_RANGE},
	{"reason with a line feed", PATH_STATE, 2, "\n", 1, ERR_MALFORMED},
	{"check of 17 SAs", PATH_CHECK, 4, "\x11", 1, ERR_LIMIT},
	{"counted neither yes nor no", PATH_CHECKED, 12, "\2", 1, ERR_RANGE},
	{"17 SAs checked", PATH_CHECKED, 45, "\x11", 1, ERR_LIMIT},
	{"SA that may exist", PATH_CHECKED, 46, "\2", 1, ERR_RANGE},
};

START_TEST(nonsense_is_refused_as_in_table)
{
	ck_assert_int_eq(decode_changed(nonsense[_i].sample,
					nonsense[_i].offset, nonsense[_i].bytes,
					nonsense[_i].size),
			 nonsense[_i].err);
}
END_TEST

START_TEST(offer_of_more_than_sixteen_is_refused)
{
	struct message m = samples[SA_OFFER], back;
	struct wbuf out = WBUF_INITIALIZER(0);
	struct wbuf body = WBUF_INITIALIZER(0);

	for (uint32_t i = 0; i < MSG_MAX_SPIS; i++) {
		m.sa_offer.spis[i] = 0x1000 + i;
	}
	m.sa_offer.n_spis = MSG_MAX_SPIS;
	ck_assert_int_eq(message_encode(&m, &out), FDP_OK);
	ck_assert_int_eq(decode_one(wbuf_span(&out), &back), FDP_OK);
	expect_equal(&m, &back);
	message_free(&back);
	/* One more, and the lengths as they should be. */
	wbuf_bytes(&body, out.data + TLV_HEADER_BYTES,
		   out.size - TLV_HEADER_BYTES);
	wbuf_u32(&body, 0x2000);
	body.data[OFFER_BYTES + 3] = MSG_MAX_SPIS * 4;
	wbuf_clear(&out);
	tlv_put(&out, MSG_SA_OFFER, body.data, body.size);
	ck_assert_int_eq(decode_one(wbuf_span(&out), &back), ERR_LIMIT);
	m.sa_offer.n_spis++;
	ck_assert_int_eq(message_encode(&m, &out), ERR_LIMIT);
	m.sa_offer.n_spis = 0;
	ck_assert_int_eq(message_encode(&m, &out), ERR_LIMIT);
	wbuf_free(&body);
	wbuf_free(&out);
}
END_TEST

/* Numbers of elements that the body cannot hold are refused before memory is
 * taken for them. */
START_TEST(count_beyond_body_is_refused)
{
	ck_assert_int_eq(decode_changed(RECORD, 84, "\0\xc8", 2),
			 ERR_TRUNCATED);
	ck_assert_int_eq(decode_changed(UPDATE, 88, "\4\0", 2), ERR_TRUNCATED);
	ck_assert_int_eq(decode_changed(PEERS, 3, "\1\0", 2), ERR_TRUNCATED);
}
END_TEST

START_TEST(largest_messages_fit_into_a_record)
{
	static struct binding many[MSG_MAX_BINDINGS + 1];
	static struct binding_key gone[MSG_MAX_REMOVED + 1];
	static struct ip_addr where[MSG_MAX_ADDRS + 1];
	static struct peer_hint known[MSG_MAX_HINTS + 1];
	struct message m = samples[RECORD];
	struct wbuf none = WBUF_INITIALIZER(0);
	struct message back;
	struct wbuf out;

	for (size_t i = 0; i <= MSG_MAX_BINDINGS; i++) {
		many[i] = binding_of(1, (uint8_t)i, BINDING_MAX_IPS);
		many[i].mac.b[0] = 2;
	}
	memset(m.record.name, 'n', IDENTITY_NAME_SIZE - 1);
	m.record.addrs = where;
	m.record.n_addrs = MSG_MAX_ADDRS;
	m.record.bindings = many;
	m.record.n_bindings = MSG_MAX_BINDINGS;
	out = encoded(&m);
	ck_assert_int_eq(decode_one(wbuf_span(&out), &back), FDP_OK);
	expect_equal(&m, &back);
	message_free(&back);
	wbuf_free(&out);
	m.record.n_bindings++;
	ck_assert_int_eq(message_encode(&m, &none), ERR_LIMIT);
	m.record.n_bindings--;
	m.record.n_addrs++;
	ck_assert_int_eq(message_encode(&m, &none), ERR_LIMIT);

	m = samples[UPDATE];
	m.update.added = many;
	m.update.n_added = MSG_MAX_BINDINGS;
	m.update.removed = gone;
	m.update.n_removed = MSG_MAX_REMOVED;
	out = encoded(&m);
	ck_assert_int_eq(decode_one(wbuf_span(&out), &back), FDP_OK);
	expect_equal(&m, &back);
	message_free(&back);
	wbuf_free(&out);
	m.update.n_removed++;
	ck_assert_int_eq(message_encode(&m, &none), ERR_LIMIT);

	m = samples[PEERS];
	m.peers.v = known;
	m.peers.n = MSG_MAX_HINTS;
	m.peers.n_advertised = MSG_MAX_ADVERTISED;
	for (size_t i = 0; i < MSG_MAX_ADVERTISED; i++) {
		m.peers.advertised[i] = hints[1].at;
	}
	for (size_t i = 0; i <= MSG_MAX_HINTS; i++) {
		known[i] = hints[0];
	}
	out = encoded(&m);
	ck_assert_int_eq(decode_one(wbuf_span(&out), &back), FDP_OK);
	expect_equal(&m, &back);
	message_free(&back);
	wbuf_free(&out);
	m.peers.n++;
	ck_assert_int_eq(message_encode(&m, &none), ERR_LIMIT);
	m.peers.n = 0;
	m.peers.n_advertised++;
	ck_assert_int_eq(message_encode(&m, &none), ERR_LIMIT);
	ck_assert_uint_eq(none.size, 0);
}
END_TEST

START_TEST(full_buffer_is_left_as_it_was)
{
	struct wbuf out = WBUF_INITIALIZER(20);

	ck_assert_int_eq(message_encode(&samples[0], &out), FDP_OK);
	ck_assert_uint_eq(out.size, 12);
	ck_assert_int_eq(message_encode(&samples[0], &out), ERR_OVERSIZED);
	ck_assert_uint_eq(out.size, 12);
	ck_assert_int_eq(wbuf_done(&out), FDP_OK);
	wbuf_free(&out);
}
END_TEST

START_TEST(close_reason_travels_as_text)
{
	struct message m = {.type = MSG_CLOSE, .close = {.reason = ERR_SELF}};
	struct wbuf out = encoded(&m);
	struct message back;

	/* The slug is filled in from the reason. */
	ck_assert_int_eq(decode_one(wbuf_span(&out), &back), FDP_OK);
	ck_assert_int_eq(back.close.reason, ERR_SELF);
	ck_assert_str_eq(back.close.slug, "self-connection");
	message_free(&back);
	wbuf_free(&out);

	/* A reason of a later version keeps its word. */
	snprintf(m.close.slug, sizeof m.close.slug, "moon-phase");
	out = encoded(&m);
	ck_assert_int_eq(decode_one(wbuf_span(&out), &back), FDP_OK);
	ck_assert_int_eq(back.close.reason, ERR_REFUSED);
	ck_assert_str_eq(back.close.slug, "moon-phase");
	message_free(&back);

	/* Nothing unprintable gets into the log. */
	out.data[TLV_HEADER_BYTES + 2] = 0x1b;
	ck_assert_int_eq(decode_one(wbuf_span(&out), &back), ERR_MALFORMED);
	wbuf_free(&out);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("message");
	TCase *tc = tcase_create("message");

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, every_type_comes_back_as_sent, 0, N_SAMPLES);
	tcase_add_loop_test(tc, every_type_is_as_specified, 0, N_SAMPLES);
	tcase_add_test(tc, list_of_messages_is_read_in_order);
	tcase_add_loop_test(tc, every_truncation_is_refused, 0, N_SAMPLES);
	tcase_add_loop_test(tc, changed_bits_are_refused_or_mean_what_they_say,
			    0, N_SAMPLES);
	tcase_add_loop_test(tc, added_fields_are_skipped_unless_critical, 0,
			    N_SAMPLES);
	tcase_add_test(tc, unknown_critical_type_is_refused);
	tcase_add_loop_test(tc, nonsense_is_refused_as_in_table, 0,
			    sizeof nonsense / sizeof nonsense[0]);
	tcase_add_test(tc, offer_of_more_than_sixteen_is_refused);
	tcase_add_test(tc, count_beyond_body_is_refused);
	tcase_add_test(tc, largest_messages_fit_into_a_record);
	tcase_add_test(tc, full_buffer_is_left_as_it_was);
	tcase_add_test(tc, close_reason_travels_as_text);
	suite_add_tcase(suite, tc);
	return vectors_main(suite);
}
