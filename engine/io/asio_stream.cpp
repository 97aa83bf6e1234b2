#include <algorithm>
#include <array>

#include <asio/buffer.hpp>
#include <asio/error.hpp>

#include <aprotic/engine/io/asio_stream.hpp>

namespace aprotic::engine::io {
namespace {

constexpr std::size_t gather_max = 64;  // what Asio hands to one writev

/// Asio tries the system call before it waits and always completes through its queue, which is what Stream asks for.
/// The handlers capture one pointer, so that they fit the memory Asio recycles.
class AsioStream final : public Stream {
public:
    AsioStream(asio::generic::stream_protocol::socket socket, std::string peer_name, bool is_private)
        : core_(std::make_shared<Core>(std::move(socket))), peer_name_(std::move(peer_name)), is_private_(is_private) {}
    ~AsioStream() override { close(); }

    void read(std::span<std::byte> into, Completion done) override {
        APROTIC_ASSERT(!core_->read_done);
        core_->read_done = std::move(done);
        core_->socket.async_read_some(asio::buffer(into.data(), into.size()),
                                      [core = core_](const std::error_code& error, std::size_t n) {
                                          auto read_done = std::exchange(core->read_done, nullptr);
                                          if (!read_done) return;
                                          if (error == asio::error::eof) return read_done({}, 0);
                                          read_done(error, n);
                                      });
    }

    void write(std::span<const codec::ConstBuffer> from, Completion done) override {
        APROTIC_ASSERT(!core_->write_done);
        core_->write_done = std::move(done);
        const std::size_t count = std::min(from.size(), gather_max);
        for (std::size_t i = 0; i < count; ++i) core_->gather[i] = asio::const_buffer(from[i].data, from[i].size);
        core_->socket.async_write_some(std::span<const asio::const_buffer>(core_->gather.data(), count),
                                       [core = core_](const std::error_code& error, std::size_t n) {
                                           auto write_done = std::exchange(core->write_done, nullptr);
                                           if (write_done) write_done(error, n);
                                       });
    }

    void shutdown_write() override {
        std::error_code ignored;  // the peer may have gone; the reader will learn it
        core_->socket.shutdown(asio::socket_base::shutdown_send, ignored);
    }

    void close() override {
        core_->read_done = nullptr;
        core_->write_done = nullptr;
        std::error_code ignored;
        core_->socket.close(ignored);
    }

    std::string peer_name() const override { return peer_name_; }
    bool is_private() const override { return is_private_; }

private:
    struct Core {
        explicit Core(asio::generic::stream_protocol::socket s) : socket(std::move(s)) {}
        asio::generic::stream_protocol::socket socket;
        Completion read_done;
        Completion write_done;
        std::array<asio::const_buffer, gather_max> gather;
    };

    std::shared_ptr<Core> core_;
    std::string peer_name_;
    bool is_private_;
};

}  // namespace

std::string to_string(const asio::ip::tcp::endpoint& endpoint) {
    return Address{.host = endpoint.address().to_string(), .port = endpoint.port()}.to_string();
}

std::unique_ptr<Stream> make_asio_stream(asio::ip::tcp::socket socket) {
    std::error_code error;
    socket.set_option(asio::ip::tcp::no_delay(true), error);
    const auto peer = socket.remote_endpoint(error);
    return std::make_unique<AsioStream>(std::move(socket),
                                        error ? std::string("a peer that has gone") : to_string(peer),
                                        !error && peer.address().is_loopback());
}

std::unique_ptr<Stream> make_asio_stream(asio::local::stream_protocol::socket socket, const std::string& path) {
    return std::make_unique<AsioStream>(std::move(socket), "unix:" + path, true);
}

}  // namespace aprotic::engine::io
