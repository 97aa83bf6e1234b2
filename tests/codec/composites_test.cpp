// Every composite against octets written by hand, and what holds for all of them.
#include "printing.hpp"

#include <aprotic/codec/described_codec.hpp>
#include <aprotic/codec/performatives.hpp>
#include <aprotic/codec/sasl_frames.hpp>
#include <aprotic/codec/sections.hpp>
#include <aprotic/codec/transactions.hpp>
#include <aprotic/codec/value_view.hpp>

#include <set>

using namespace aprotic::codec;
using namespace aprotic::test;

namespace {

using Octets = std::vector<std::byte>;

std::set<std::uint64_t>& seen() {
    static std::set<std::uint64_t> codes;
    return codes;
}

/// A composite put together from a descriptor and items that are encoded already.
Octets assemble(std::span<const std::byte> descriptor, const std::vector<Octets>& items, bool wide = false) {
    Octets content;
    for (const Octets& item : items) content.insert(content.end(), item.begin(), item.end());
    Octets whole{std::byte{0}};
    whole.insert(whole.end(), descriptor.begin(), descriptor.end());
    if (wide || content.size() > 254) {
        std::array<std::byte, 9> head{std::byte{code::list32}};
        store_be(head.data() + 1, static_cast<std::uint32_t>(content.size() + 4));
        store_be(head.data() + 5, static_cast<std::uint32_t>(items.size()));
        whole.insert(whole.end(), head.begin(), head.end());
    } else {
        for (const std::size_t octet : {std::size_t{code::list8}, content.size() + 1, items.size()}) {
            whole.push_back(static_cast<std::byte>(octet));
        }
    }
    whole.insert(whole.end(), content.begin(), content.end());
    return whole;
}

const Octets null_item{std::byte{code::null}};

template <class T>
void golden(const T& composite, const char* hex) {
    INFO(Table<T>::name << " " << hex);
    const Octets octets = from_hex(hex);
    CHECK(hex_of(composite) == to_hex(octets));
    const Result<T> read = decode_as<T>(octets);
    CHECK(read);
    if (!read) return;  // the next golden still counts
    CHECK(*read == composite);
    seen().insert(Table<T>::code);

    for (std::size_t cut = 0; cut < octets.size(); ++cut) {
        CHECK_FALSE(decode_as<T>(std::span(octets).first(cut)));
    }

    const CompositeInfo* info = find_composite(Table<T>::code);
    REQUIRE(info != nullptr);
    const Octets code = encode_value(info->code).size() == 2 ? Octets(octets.begin() + 1, octets.begin() + 3) : Octets();
    std::vector<Octets> items;
    for (const RawValue item : ListView(std::span(octets).subspan(3))) items.emplace_back(item.octets().begin(), item.octets().end());

    // [1.4-d]
    CHECK(*decode_as<T>(assemble(code, items, true)) == composite);
    if (items.empty()) {
        CHECK(*decode_as<T>(assemble(code, items)) == composite);
    }
    // [1.5-a], [1.5-b]
    const Bytes symbol = encode_value(Symbol(descriptor_symbol(info->code)));
    CHECK(*decode_as<T>(assemble(symbol.span(), items)) == composite);
    Octets wide_code(9, std::byte{0});
    wide_code.front() = std::byte{code::ulong};
    wide_code.back() = static_cast<std::byte>(info->code);
    CHECK(*decode_as<T>(assemble(wide_code, items)) == composite);
    // [1.4-b], [1.4-c]
    std::vector<Octets> longer = items;
    while (longer.size() < info->fields.size()) {
        longer.push_back(null_item);
        CHECK(*decode_as<T>(assemble(code, longer)) == composite);
    }
    longer.push_back(null_item);
    CHECK(decode_as<T>(assemble(code, longer)).error() == Errc::too_many_fields);
    // [1.4-a]
    CHECK(decode_as<T>(assemble(code, {}).size() > 0 ? from_hex("00" + to_hex(code) + "c10100") : Octets()).error() == Errc::not_a_list);
    CHECK(decode_as<T>(from_hex("45")).error() == Errc::bad_descriptor);
    CHECK(decode_as<T>(from_hex("00 53 1f 45")).error() == Errc::unknown_descriptor);
    // [1.3-a], [1.3-c]
    for (std::size_t i = 0; i < items.size(); ++i) {
        INFO(info->fields[i].name);
        std::vector<Octets> changed = items;
        changed[i] = null_item;
        const std::error_code error = decode_as<T>(assemble(code, changed)).error();
        const Errc missing = info->fields[i].multiple ? Errc::empty_mandatory_multiple : Errc::missing_mandatory_field;
        CHECK(error == (info->fields[i].mandatory ? make_error_code(missing) : std::error_code()));
        changed[i] = from_hex("74 01020304");
        CHECK_FALSE(decode_as<T>(assemble(code, changed)));
        if (!info->fields[i].mandatory) continue;
        changed.assign(items.begin(), items.begin() + static_cast<std::ptrdiff_t>(i));
        CHECK(decode_as<T>(assemble(code, changed)).error() == Errc::missing_mandatory_field);
    }
}

}  // namespace

static void golden_performatives() {
    golden(Open{.container_id = "c"}, "00 53 10 c0 04 01 a1 01 'c'");
    golden(Open{.container_id = "c", .hostname = "h", .max_frame_size = 512, .channel_max = 9, .idle_time_out = 1000,
                .outgoing_locales = {"en-US"}, .incoming_locales = {}, .offered_capabilities = {"a", "b"}, .desired_capabilities = {},
                .properties = {{Symbol("p"), 1}}},
           "00 53 10 c0 30 0a a1 01 'c' a1 01 'h' 70 00000200 60 0009 70 000003e8 e0 08 01 a3 05 'en-US' 40"
           "e0 06 02 a3 01 'a' 01 'b' 40 c1 06 02 a3 01 'p' 54 01");
    golden(Begin{.next_outgoing_id = 0, .incoming_window = 100, .outgoing_window = 2147483647},
           "00 53 11 c0 0a 04 40 43 52 64 70 7fffffff");
    golden(Begin{.remote_channel = 7, .next_outgoing_id = 4294967295, .incoming_window = 1, .outgoing_window = 0, .handle_max = 255,
                 .offered_capabilities = {"x"}, .desired_capabilities = {"y"}, .properties = {{Symbol("k"), "v"}}},
           "00 53 11 c0 23 08 60 0007 70 ffffffff 52 01 43 52 ff e0 04 01 a3 01 'x' e0 04 01 a3 01 'y' c1 07 02 a3 01 'k' a1 01 'v'");
    golden(Attach{.name = "l", .handle = 0, .role = Role::receiver}, "00 53 12 c0 06 03 a1 01 'l' 43 41");
    golden(Attach{.name = "l", .handle = 3, .role = Role::sender, .snd_settle_mode = SenderSettleMode::settled,
                  .rcv_settle_mode = ReceiverSettleMode::second, .source = Source{}, .target = Target{.address = "q"},
                  .unsettled = Map{}, .incomplete_unsettled = true, .initial_delivery_count = 0, .max_message_size = 65536,
                  .offered_capabilities = {"o"}, .desired_capabilities = {"d"}, .properties = {{Symbol("k"), Value()}}},
           "00 53 12 c0 39 0e a1 01 'l' 52 03 42 50 01 50 01 00 53 28 45 00 53 29 c0 04 01 a1 01 'q' c1 01 00 41 43"
           "80 0000000000010000 e0 04 01 a3 01 'o' e0 04 01 a3 01 'd' c1 05 02 a3 01 'k' 40");
    golden(Attach{.name = "t", .handle = 1, .role = Role::sender, .target = Coordinator{.capabilities = {"amqp:local-transactions"}}},
           "00 53 12 c0 2c 07 a1 01 't' 52 01 42 40 40 40 00 53 30 c0 1d 01 e0 1a 01 a3 17 'amqp:local-transactions'");
    golden(Flow{.incoming_window = 5, .next_outgoing_id = 0, .outgoing_window = 6}, "00 53 13 c0 07 04 40 52 05 43 52 06");
    golden(Flow{.next_incoming_id = 1, .incoming_window = 2, .next_outgoing_id = 3, .outgoing_window = 4, .handle = 5,
                .delivery_count = 6, .link_credit = 7, .available = 8, .drain = true, .echo = true, .properties = {{Symbol("k"), true}}},
           "00 53 13 c0 1a 0b 52 01 52 02 52 03 52 04 52 05 52 06 52 07 52 08 41 41 c1 05 02 a3 01 'k' 41");
    golden(Transfer{.handle = 0}, "00 53 14 c0 02 01 43");
    golden(Transfer{.handle = 1, .delivery_id = 2, .delivery_tag = DeliveryTag("tag"), .message_format = 0, .settled = false, .more = true,
                    .rcv_settle_mode = ReceiverSettleMode::first, .state = Accepted{}, .resume = true, .aborted = true, .batchable = true},
           "00 53 14 c0 16 0b 52 01 52 02 a0 03 'tag' 43 42 41 50 00 00 53 24 45 41 41 41");
    golden(Disposition{.role = Role::receiver, .first = 0}, "00 53 15 c0 03 02 41 43");
    golden(Disposition{.role = Role::sender, .first = 1, .last = 2, .settled = true, .state = Released{}, .batchable = true},
           "00 53 15 c0 0c 06 42 52 01 52 02 41 00 53 26 45 41");
    golden(Detach{.handle = 0}, "00 53 16 c0 02 01 43");
    golden(Detach{.handle = 9, .closed = true, .error = ErrorCondition{.condition = condition::not_found}},
           "00 53 16 c0 1a 03 52 09 41 00 53 1d c0 11 01 a3 0e 'amqp:not-found'");
    golden(End{}, "00 53 17 45");
    golden(End{.error = ErrorCondition{.condition = "x"}}, "00 53 17 c0 0a 01 00 53 1d c0 04 01 a3 01 'x'");
    golden(Close{}, "00 53 18 45");
    golden(Close{.error = ErrorCondition{.condition = "x", .description = "why", .info = {{Symbol("i"), 1U}}}},
           "00 53 18 c0 17 01 00 53 1d c0 11 03 a3 01 'x' a1 03 'why' c1 06 02 a3 01 'i' 52 01");
}

TEST_CASE("performatives against octets written by hand", "[2.7.1][2.7.2][2.7.3][2.7.4][2.7.5][2.7.6][2.7.7][2.7.8][2.7.9][1.4-b][1.4-d][1.5-a][1.5-b]") { golden_performatives(); }

static void golden_states_and_termini() {
    golden(ErrorCondition{.condition = "x"}, "00 53 1d c0 04 01 a3 01 'x'");
    golden(Received{.section_number = 1, .section_offset = 300}, "00 53 23 c0 0c 02 52 01 80 000000000000012c");
    golden(Accepted{}, "00 53 24 45");
    golden(Rejected{}, "00 53 25 45");
    golden(Rejected{.error = ErrorCondition{.condition = "x", .description = "d"}}, "00 53 25 c0 0d 01 00 53 1d c0 07 02 a3 01 'x' a1 01 'd'");
    golden(Released{}, "00 53 26 45");
    golden(Modified{}, "00 53 27 45");
    golden(Modified{.delivery_failed = true, .undeliverable_here = false, .message_annotations = {{Symbol("k"), 1}}},
           "00 53 27 c0 0b 03 41 42 c1 06 02 a3 01 'k' 54 01");
    golden(Declared{.txn_id = Binary("t")}, "00 53 33 c0 04 01 a0 01 't'");
    golden(TransactionalState{.txn_id = Binary("t")}, "00 53 34 c0 04 01 a0 01 't'");
    golden(TransactionalState{.txn_id = Binary("t"), .outcome = Accepted{}}, "00 53 34 c0 08 02 a0 01 't' 00 53 24 45");
    golden(Source{}, "00 53 28 45");
    golden(Source{.address = "a", .durable = TerminusDurability::unsettled_state, .expiry_policy = TerminusExpiryPolicy::never,
                  .timeout = 60, .dynamic = true, .dynamic_node_properties = {{Symbol("lifetime-policy"), Described(std::uint64_t{0x2b}, List{})}},
                  .distribution_mode = StdDistMode::copy, .filter = {{Symbol("f"), Described(Symbol("s"), "x=1")}},
                  .default_outcome = Released{}, .outcomes = {"amqp:accepted:list"}, .capabilities = {"queue"}},
           "00 53 28 c0 62 0b a1 01 'a' 52 02 a3 05 'never' 52 3c 41 c1 16 02 a3 0f 'lifetime-policy' 00 53 2b 45"
           "a3 04 'copy' c1 0d 02 a3 01 'f' 00 a3 01 's' a1 03 'x=1' 00 53 26 45 e0 15 01 a3 12 'amqp:accepted:list' e0 08 01 a3 05 'queue'");
    golden(Target{}, "00 53 29 45");
    golden(Target{.address = "a", .durable = TerminusDurability::configuration, .expiry_policy = TerminusExpiryPolicy::link_detach,
                  .timeout = 1, .dynamic = false, .dynamic_node_properties = {{Symbol("k"), 1}}, .capabilities = {"c"}},
           "00 53 29 c0 24 07 a1 01 'a' 52 01 a3 0b 'link-detach' 52 01 40 c1 06 02 a3 01 'k' 54 01 e0 04 01 a3 01 'c'");
    golden(DeleteOnClose{}, "00 53 2b 45");
    golden(DeleteOnNoLinks{}, "00 53 2c 45");
    golden(DeleteOnNoMessages{}, "00 53 2d 45");
    golden(DeleteOnNoLinksOrMessages{}, "00 53 2e 45");
    golden(Coordinator{}, "00 53 30 45");
    golden(Coordinator{.capabilities = {"a"}}, "00 53 30 c0 07 01 e0 04 01 a3 01 'a'");
}

TEST_CASE("termini and delivery states against octets written by hand", "[3.4.1][3.4.2][3.4.3][3.4.4][3.4.5][3.5.3][3.5.4][2.8.14][4.5.1][4.5.5][4.5.6]") { golden_states_and_termini(); }

static void golden_sasl_and_sections() {
    golden(SaslMechanisms{.sasl_server_mechanisms = {"PLAIN", "ANONYMOUS"}}, "00 53 40 c0 15 01 e0 12 02 a3 05 'PLAIN' 09 'ANONYMOUS'");
    golden(SaslInit{.mechanism = "PLAIN"}, "00 53 41 c0 08 01 a3 05 'PLAIN'");
    golden(SaslInit{.mechanism = "PLAIN", .initial_response = Binary(std::string("\0u\0p", 4)), .hostname = "h"},
           "00 53 41 c0 11 03 a3 05 'PLAIN' a0 04 00 'u' 00 'p' a1 01 'h'");
    golden(SaslInit{.mechanism = "X", .initial_response = Binary()}, "00 53 41 c0 06 02 a3 01 'X' a0 00");
    golden(SaslChallenge{.challenge = Binary("c")}, "00 53 42 c0 04 01 a0 01 'c'");
    golden(SaslResponse{.response = Binary()}, "00 53 43 c0 03 01 a0 00");
    golden(SaslOutcome{.code = SaslCode::ok}, "00 53 44 c0 03 01 50 00");
    golden(SaslOutcome{.code = SaslCode::sys_temp, .additional_data = Binary("d")}, "00 53 44 c0 06 02 50 04 a0 01 'd'");
    golden(Declare{}, "00 53 31 45");
    golden(Declare{.global_id = Binary("g")}, "00 53 31 c0 04 01 a0 01 'g'");
    golden(Discharge{.txn_id = Binary("t")}, "00 53 32 c0 04 01 a0 01 't'");
    golden(Discharge{.txn_id = Binary("t"), .fail = true}, "00 53 32 c0 05 02 a0 01 't' 41");
    golden(Header{}, "00 53 70 45");
    golden(Header{.durable = true, .priority = 255, .ttl = 60000, .first_acquirer = true, .delivery_count = 2},
           "00 53 70 c0 0c 05 41 50 ff 70 0000ea60 41 52 02");
    golden(Properties{}, "00 53 73 45");
    golden(Properties{.message_id = std::uint64_t{7}, .user_id = Binary("u"), .to = "t", .subject = "s", .reply_to = "r",
                      .correlation_id = "c", .content_type = "ct", .content_encoding = "ce", .absolute_expiry_time = Timestamp{1},
                      .creation_time = Timestamp{2}, .group_id = "g", .group_sequence = 3, .reply_to_group_id = "rg"},
           "00 53 73 c0 35 0d 53 07 a0 01 'u' a1 01 't' a1 01 's' a1 01 'r' a1 01 'c' a3 02 'ct' a3 02 'ce' 83 0000000000000001"
           "83 0000000000000002 a1 01 'g' 52 03 a1 02 'rg'");
    golden(Properties{.message_id = *Uuid::parse("00112233-4455-6677-8899-aabbccddeeff"), .correlation_id = Binary("b")},
           "00 53 73 c0 19 06 98 00112233445566778899aabbccddeeff 40 40 40 40 a0 01 'b'");
}

TEST_CASE("SASL transactions and sections against octets written by hand", "[5.3.3][4.5.2][4.5.3][3.2.1][3.2.4]") { golden_sasl_and_sections(); }

TEST_CASE("no composite is without octets written by hand", "[1.4-i]") {
    golden_performatives();
    golden_states_and_termini();
    golden_sasl_and_sections();
    for (const CompositeInfo& info : composites()) {
        INFO(info.name);
        CHECK(seen().contains(info.code));
    }
}

TEST_CASE("a field of multiple values is a bare symbol or an array of symbols", "[1.4-e][1.4-f][1.4-g][1.4-h]") {
    const auto capabilities = [](const char* hex) {
        INFO(hex);
        return decode_as<Coordinator>(assemble(from_hex("53 30"), {from_hex(hex)}));
    };
    const std::vector<Symbol> one{"a"};
    CHECK(capabilities("a3 01 'a'")->capabilities == one);
    CHECK(capabilities("b3 00000001 'a'")->capabilities == one);
    CHECK(capabilities("e0 04 01 a3 01 'a'")->capabilities == one);
    CHECK(capabilities("f0 0000000a 00000001 b3 00000001 'a'")->capabilities == one);
    CHECK(capabilities("40")->capabilities.empty());
    CHECK(capabilities("e0 02 00 a3")->capabilities.empty());
    CHECK(capabilities("e0 02 00 40")->capabilities.empty());
    CHECK(capabilities("c0 04 01 a3 01 'a'").error() == Errc::multiple_as_list);
    CHECK(capabilities("e0 04 01 a1 01 'a'").error() == Errc::multiple_element_type);
    CHECK(capabilities("a1 01 'a'").error() == Errc::wrong_type);
    const auto mechanisms = [](const char* hex) { return decode_as<SaslMechanisms>(assemble(from_hex("53 40"), {from_hex(hex)})); };
    CHECK(mechanisms("a3 05 'PLAIN'")->sasl_server_mechanisms == std::vector<Symbol>{"PLAIN"});
    CHECK(mechanisms("e0 02 00 a3").error() == Errc::empty_mandatory_multiple);
    CHECK(mechanisms("40").error() == Errc::empty_mandatory_multiple);
    CHECK(decode_as<SaslMechanisms>(from_hex("00 53 40 45")).error() == Errc::missing_mandatory_field);
}

TEST_CASE("a restricted type takes only its choices", "[1.3-e]") {
    const auto attach = [](const char* hex) {
        std::vector<Octets> items{from_hex("a1 01 'l'"), from_hex("43"), from_hex("41"), null_item, null_item};
        const bool receiver = std::string_view(hex).starts_with("r");
        items[receiver ? 4 : 3] = from_hex(hex + (receiver ? 1 : 0));
        return decode_as<Attach>(assemble(from_hex("53 12"), items));
    };
    CHECK(attach("50 02"));
    CHECK(attach("50 03").error() == Errc::value_out_of_choice);
    CHECK(attach("r50 01"));
    CHECK(attach("r50 02").error() == Errc::value_out_of_choice);
    CHECK(decode_as<Source>(from_hex("00 53 28 c0 04 02 40 52 02")));
    CHECK(decode_as<Source>(from_hex("00 53 28 c0 04 02 40 52 03")).error() == Errc::value_out_of_choice);
    CHECK(decode_as<Source>(from_hex("00 53 28 c0 06 03 40 40 a3 01 'x'")).error() == Errc::value_out_of_choice);
    CHECK(decode_as<SaslOutcome>(from_hex("00 53 44 c0 03 01 50 05")).error() == Errc::value_out_of_choice);
}

TEST_CASE("a described type that does not belong in a field is refused", "[1.3-b][4.5-f]") {
    const auto disposition = [](const char* state) {
        return decode_as<Disposition>(assemble(from_hex("53 15"), {from_hex("41"), from_hex("43"), null_item, from_hex("41"), from_hex(state)}));
    };
    CHECK(disposition("00 53 24 45")->state == DeliveryState(Accepted{}));
    CHECK(disposition("00 a3 12 'amqp:accepted:list' 45")->state == DeliveryState(Accepted{}));
    CHECK(disposition("00 53 28 45").error() == Errc::wrong_archetype);
    CHECK(disposition("45").error() == Errc::bad_descriptor);
    CHECK(disposition("00 a1 01 'x' 45").error() == Errc::bad_descriptor);
    // [4.5.6] What holds if the transaction is committed is an outcome.
    const DeliveryState accepted = TransactionalState{Binary("x"), Accepted{}};
    CHECK(disposition("00 53 34 c0 08 02 a0 01 'x' 00 53 24 45")->state == accepted);
    CHECK(disposition("00 53 34 c0 0c 02 a0 01 'x' 00 53 23 c0 03 02 43 44").error() == Errc::wrong_archetype);
    const std::vector<Octets> name_handle_role{from_hex("a1 01 'l'"), from_hex("43"), from_hex("41"), null_item, null_item};
    auto with_source = name_handle_role;
    with_source.push_back(from_hex("00 53 24 45"));
    CHECK(decode_as<Attach>(assemble(from_hex("53 12"), with_source)).error() == Errc::wrong_archetype);
    auto with_target = name_handle_role;
    with_target.push_back(null_item);
    with_target.push_back(from_hex("00 53 28 45"));
    CHECK(decode_as<Attach>(assemble(from_hex("53 12"), with_target)).error() == Errc::wrong_archetype);
    with_target.back() = from_hex("00 80 0000468c00000001 45");
    CHECK(decode_as<Attach>(assemble(from_hex("53 12"), with_target)).error() == Errc::unknown_descriptor);
}

TEST_CASE("a delivery state of an extension reads as none", "[1.3-b][1.5-d]") {
    const char* const state = "00 a3 05 'x:new' c0 03 02 41 41";
    const auto octets = assemble(from_hex("53 15"), {from_hex("41"), from_hex("52 05"), null_item, from_hex("41"), from_hex(state), from_hex("41")});
    const Result<Disposition> read = decode_as<Disposition>(octets);
    REQUIRE(read);
    CHECK_FALSE(read->state);
    CHECK(read->settled);
    CHECK(read->batchable);
    CHECK(decode_as<DeliveryState>(from_hex(state)).error() == Errc::unknown_descriptor);
}

TEST_CASE("a delivery tag has at most 32 octets", "[2.8.7-a]") {
    const auto tag = [](std::size_t size) {
        return decode_as<Transfer>(assemble(from_hex("53 14"), {from_hex("43"), from_hex("43"), from_hex("a0" + to_hex(Octets{static_cast<std::byte>(size)}) + std::string(2 * size, '7'))}));
    };
    CHECK(tag(0)->delivery_tag == DeliveryTag());
    CHECK(tag(32)->delivery_tag->size() == 32);
    CHECK(tag(33).error() == Errc::delivery_tag_too_long);
}

TEST_CASE("decoding replaces what the struct held before") {
    Flow flow{.next_incoming_id = 9, .handle = 8, .drain = true, .properties = {{Symbol("k"), 1}}};
    const auto octets = from_hex("00 53 13 c0 07 04 40 52 05 43 52 06");
    Decoder from(octets);
    REQUIRE(decode(from, flow));
    CHECK(flow == Flow{.incoming_window = 5, .next_outgoing_id = 0, .outgoing_window = 6});
}

TEST_CASE("the error is where the bad field is") {
    const auto octets = from_hex("00 53 16 c0 05 02 52 09 a1 00");
    Decoder from(octets);
    Detach detach;
    CHECK_FALSE(decode(from, detach));
    CHECK(from.error() == Errc::wrong_type);
    CHECK(from.error_offset() == 8);
}

TEST_CASE("a performative is told by its descriptor", "[1.5-a][2.3.2-a]") {
    const Result<Performative> read = decode_as<Performative>(from_hex("00 53 16 c0 02 01 43"));
    REQUIRE(read);
    CHECK(name_of(*read) == "detach");
    CHECK(decode_as<Performative>(from_hex("00 53 24 45")).error() == Errc::unknown_performative);
    CHECK(decode_as<Performative>(from_hex("00 53 19 45")).error() == Errc::unknown_performative);
    CHECK(decode_as<SaslFrame>(from_hex("00 53 10 45")).error() == Errc::unknown_performative);
    CHECK(hex_of(Performative(End{})) == "00531745");
}

TEST_CASE("delivery states go into unsettled maps and come back", "[2.7.3]") {
    for (const DeliveryState& state : std::initializer_list<DeliveryState>{
             Received{.section_number = 2, .section_offset = 3}, Accepted{}, Modified{.delivery_failed = true},
             TransactionalState{.txn_id = Binary("t"), .outcome = Rejected{}}}) {
        CHECK(*delivery_state_of(to_value(state)) == state);
    }
    CHECK(delivery_state_of(Value(1)).error() == Errc::bad_descriptor);
    CHECK(is_terminal(Accepted{}));
    CHECK_FALSE(is_terminal(Received{}));
    CHECK_FALSE(is_terminal(TransactionalState{.txn_id = Binary("t")}));
}

namespace user {

struct Point {
    std::int32_t x = 0;
    std::optional<std::string> label;
    friend bool operator==(const Point&, const Point&) = default;
};

}  // namespace user

template <>
struct aprotic::codec::Table<user::Point> {
    static constexpr std::string_view name = "point";
    static constexpr std::uint64_t code = 0x0000'4242'0000'0001;
    static constexpr auto fields = std::tuple{mandatory("x", &user::Point::x), field("label", &user::Point::label)};
};

TEST_CASE("a user's struct gets its wire form from a table of its own") {
    const user::Point point{.x = -1, .label = "here"};
    Encoder to;
    encode_composite(to, point);
    CHECK(to_hex(to.written()) == to_hex(from_hex("00 80 0000424200000001 c0 09 02 54 ff a1 04 'here'")));
    Decoder from(to.written());
    user::Point read;
    CHECK(decode_composite(from, read));
    CHECK(read == point);
}

namespace user {
struct Short {
    std::int32_t x = 0;
    std::int32_t forgotten = 0;
};
}  // namespace user
template <>
struct aprotic::codec::Table<user::Short> {
    static constexpr std::string_view name = "short";
    static constexpr std::uint64_t code = 1;
    static constexpr auto fields = std::tuple{mandatory("x", &user::Short::x)};
};
static_assert(Composite<user::Point>);
static_assert(!Composite<user::Short>, "a table that leaves a member out is not accepted");

namespace {

/// What the tables alone write, without the short way of frequent composites.
template <class T>
Bytes general(const T& composite) {
    Encoder to;
    encode_composite(to, composite);
    return to.take();
}

}  // namespace

TEST_CASE("the short way of frequent composites writes what the tables say", "[1.4-b][3.2.4-a]") {
    constexpr unsigned fields = 13;
    for (unsigned set = 0; set < 1U << fields; ++set) {
        const auto has = [set](unsigned field) { return (set >> field & 1U) != 0; };
        Properties p;
        if (has(0)) p.message_id = std::uint64_t{set};
        if (has(1)) p.user_id = Binary("me");
        if (has(2)) p.to = "";
        if (has(3)) p.subject = std::string(set % 70, 's');
        if (has(4)) p.reply_to = std::string(set % 300, 'r');
        if (has(5)) p.correlation_id = std::string("abc");
        if (has(6)) p.content_type = Symbol("a/b");
        if (has(7)) p.content_encoding = Symbol("zip");
        if (has(8)) p.absolute_expiry_time = Timestamp{-1};
        if (has(9)) p.creation_time = Timestamp{set};
        if (has(10)) p.group_id = "group";
        if (has(11)) p.group_sequence = set % 3 == 0 ? 0 : set;
        if (has(12)) p.reply_to_group_id = "replies";
        REQUIRE(encode_as(p) == general(p));
    }
    for (const MessageId& id : {MessageId(Uuid{}), MessageId(Binary("x")), MessageId(std::uint64_t{0})}) {
        CHECK(encode_as(Properties{.message_id = id}) == general(Properties{.message_id = id}));
    }
    for (const std::uint8_t priority : {std::uint8_t{0}, std::uint8_t{4}, std::uint8_t{255}}) {
        for (const std::uint32_t count : {0U, 1U, 255U, 256U, UINT32_MAX}) {
            const Header header{.priority = priority, .first_acquirer = count == 1, .delivery_count = count};
            CHECK(encode_as(header) == general(header));
        }
    }
}

TEST_CASE("the short way needs no more room than the general one and never writes beyond it") {
    Properties p;
    p.to = "somewhere";
    p.correlation_id = std::uint64_t{7};
    const Map map{{"text", "value"}, {Symbol("number"), 1000}, {"long", std::int64_t{-1}}, {"none", Value()}};
    Encoder whole;
    encode(whole, p);
    encode(whole, map);
    const auto wanted = whole.written();
    for (std::size_t room = 0; room < wanted.size() + 12; ++room) {
        std::vector<std::byte> buffer(room + 1, std::byte{0xee});
        Encoder to(std::span<std::byte>(buffer).first(room));
        encode(to, p);
        encode(to, map);
        if (to.ok()) CHECK(std::equal(wanted.begin(), wanted.end(), to.written().begin(), to.written().end()));
        if (room >= wanted.size() + 6) CHECK(to.ok());
        if (room < wanted.size()) CHECK(to.error() == make_error_code(Errc::buffer_too_small));
        CHECK(buffer.back() == std::byte{0xee});
    }
}
