#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <aprotic/codec/definitions.hpp>
#include <aprotic/codec/delivery_state.hpp>
#include <aprotic/codec/result.hpp>
#include <aprotic/codec/terminus.hpp>
#include <aprotic/codec/types.hpp>
#include <aprotic/codec/value.hpp>
#include <aprotic/engine/security.hpp>
#include <aprotic/engine/time.hpp>
#include <aprotic/engine/web_socket.hpp>

namespace aprotic::engine {

struct SuspendedLink;
class TraceSink;

/// Which end of the byte stream we are: who opened it, and who answers.
enum class EngineRole { client, server };

/// Everything a peer could make grow has its bound here. Defaults suit a service with some thousand peers.
struct Limits {
    /// Largest frame we take, announced in open. Bytes, at least 512. 64 KiB: one slab, and 16 times what a small
    /// message needs. [2.7.1]
    std::uint32_t frame_size_max = 64 * 1024;
    /// Highest channel number we take, so one less than the sessions a peer may begin. [2.7.1]
    std::uint16_t channel_max = 255;
    /// Highest handle we take per session. [2.7.2]
    std::uint32_t handle_max = 1023;
    /// Transfer frames the peer may send on a session before we have said we took them. [2.5.6]
    std::uint32_t incoming_window = 2048;
    /// Largest message taken on a link, announced in attach. Bytes; 0 = no limit. [2.7.3]
    std::uint64_t message_size_max = 64ull * 1024 * 1024;
    /// Bytes of not yet handled deliveries and events one connection may hold before we stop reading from it.
    std::size_t buffered_bytes_max = 256ull * 1024 * 1024;
    /// Bytes a peer may send before its protocol headers, TLS handshake and SASL are through.
    std::size_t handshake_bytes_max = 128 * 1024;
    /// Server role: connections of one listener that may be without an open. Beyond it the oldest of them is cut, so
    /// that peers who only connect keep nobody out.
    std::size_t unopened_max = 1000;
};

/// One connection, either role. Plain data.
struct ConnectionOptions {
    std::string container_id{};             ///< empty: the Container's
    std::optional<std::string> hostname{};  ///< open's hostname; empty: the host of the URL (client) or none (server)
    /// We give a silent peer up after this; half of it is announced. nullopt = never. At least 2 ms. [2.4.5]
    std::optional<Duration> idle_timeout{};
    Limits limits{};
    std::vector<codec::Symbol> offered_capabilities{};
    std::vector<codec::Symbol> desired_capabilities{};
    codec::Map properties{};  ///< symbol keys
    ConnectionTls tls{};
    WebSocketOptions web_socket{};
    ProxyOptions proxy{};             ///< client role, with TCP; `hostname` and the certificate stay the server's
    SaslClientOptions sasl{};         ///< client role
    SaslServerOptions sasl_server{};  ///< server role
    /// Sees every header and frame, in both roles; shared by all connections that a listener accepts.
    std::shared_ptr<TraceSink> trace{};
    /// From the first address tried to open received. Client role; the server gives a peer the same time to open.
    Duration connect_timeout = std::chrono::seconds(10);
    /// How long a peer may take to answer our close before the stream is cut.
    Duration close_timeout = std::chrono::seconds(2);
};

/// One session. [2.7.2]
struct SessionOptions {
    std::optional<std::uint32_t> incoming_window{};  ///< frames; nullopt: Limits::incoming_window
    codec::Map properties{};
};

/// Our half of one link, as it goes into attach. [2.7.3]
struct LinkOptions {
    std::string name{};                      ///< unique per direction and pair of containers; empty: one is made
    codec::Role role = codec::Role::sender;  ///< ours
    codec::SenderSettleMode snd_settle_mode = codec::SenderSettleMode::mixed;
    codec::ReceiverSettleMode rcv_settle_mode = codec::ReceiverSettleMode::first;
    std::optional<codec::Source> source{};
    std::optional<codec::AttachTarget> target{};
    std::optional<std::uint64_t> message_size_max{};  ///< nullopt: Limits::message_size_max
    std::vector<codec::Symbol> offered_capabilities{};
    std::vector<codec::Symbol> desired_capabilities{};
    codec::Map properties{};
    /// Receiving: deliveries are told part by part as they come, and about this many bytes may wait for the application
    /// to take them; beyond that the session's window stays shut, for the other links of the session too. 0: whole
    /// messages only. Receiver holds up to as much again, ready to be read.
    std::size_t stream_window = 0;
    /// Unsettled deliveries outlive a detach that does not close, an ended session and a lost connection: LinkDetached
    /// hands them over, and each attach says what is unsettled. [2.6.13]
    bool resumable = false;
    /// What LinkDetached handed over for the link that is to be attached again, whose name holds; implies `resumable`.
    /// Read during the call only.
    std::shared_ptr<SuspendedLink> suspended{};
};

/// One message handed to a sending link.
struct SendOptions {
    bool settled = false;                     ///< fire and forget: no outcome will come
    std::optional<codec::DeliveryTag> tag{};  ///< nullopt: the link counts
    std::uint32_t message_format = 0;
    /// Ours, on every transfer frame of the message: the transaction that it belongs to. [4.4.1] At most 128 octets.
    std::shared_ptr<const codec::DeliveryState> state{};
    void* context = nullptr;  ///< the application's; DeliveryUpdated has it again
};

/// Checks ranges (for example frame_size_max >= 512). The failure's text names the option and what was expected.
codec::Result<void, std::string> validate(const ConnectionOptions& options);

}  // namespace aprotic::engine
