#include <iterator>
#include <memory>
#include <new>

#include <asio/buffer.hpp>
#include <asio/error.hpp>

#include <aprotic/engine/io/asio_stream.hpp>

namespace aprotic::engine::io {
namespace {

/// A gather list as Asio wants to see it. It refers to the list.
class AsioBuffers {
public:
    class const_iterator {
    public:
        using iterator_category = std::bidirectional_iterator_tag;
        using value_type = asio::const_buffer;
        using difference_type = std::ptrdiff_t;
        using pointer = const value_type*;
        using reference = value_type;

        const_iterator() = default;
        explicit const_iterator(const codec::ConstBuffer* at) noexcept : at_(at) {}
        reference operator*() const noexcept { return {at_->data, at_->size}; }
        const_iterator& operator++() noexcept { return ++at_, *this; }
        const_iterator operator++(int) noexcept { return const_iterator(at_++); }
        const_iterator& operator--() noexcept { return --at_, *this; }
        const_iterator operator--(int) noexcept { return const_iterator(at_--); }
        bool operator==(const const_iterator&) const = default;

    private:
        const codec::ConstBuffer* at_ = nullptr;
    };
    using value_type = asio::const_buffer;

    explicit AsioBuffers(std::span<const codec::ConstBuffer> list) noexcept : list_(list) {}
    const_iterator begin() const noexcept { return const_iterator(list_.data()); }
    const_iterator end() const noexcept { return const_iterator(list_.data() + list_.size()); }

private:
    std::span<const codec::ConstBuffer> list_;
};

/// Memory of one operation of Asio's at a time, kept for the next of its kind. What Asio itself keeps for a thread is
/// enough for two operations, and one connection may have three under way.
class OperationMemory {
public:
    void* take(std::size_t bytes) {
        if (taken_) return ::operator new(bytes);
        if (size_ < bytes) {
            block_ = std::make_unique<std::byte[]>(bytes);
            size_ = bytes;
        }
        taken_ = true;
        return block_.get();
    }
    void give_back(void* block) noexcept {
        if (block != block_.get()) return ::operator delete(block);
        taken_ = false;
    }

private:
    std::unique_ptr<std::byte[]> block_;
    std::size_t size_ = 0;
    bool taken_ = false;
};

template <class T>
struct OperationAllocator {
    using value_type = T;

    explicit OperationAllocator(OperationMemory& from) noexcept : memory(&from) {}
    template <class U>
    OperationAllocator(const OperationAllocator<U>& other) noexcept : memory(other.memory) {}

    T* allocate(std::size_t count) {
        static_assert(alignof(T) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__);
        return static_cast<T*>(memory->take(count * sizeof(T)));
    }
    void deallocate(T* block, std::size_t) noexcept { memory->give_back(block); }
    friend bool operator==(const OperationAllocator&, const OperationAllocator&) noexcept = default;

    OperationMemory* memory;
};

/// Asio tries the system call before it waits and always completes through its queue, which is what Stream asks for.
class AsioStream final : public Stream {
public:
    AsioStream(asio::generic::stream_protocol::socket socket, std::string peer_name, bool is_private)
        : core_(std::make_shared<Core>(std::move(socket))), peer_name_(std::move(peer_name)), is_private_(is_private) {}
    ~AsioStream() override { close(); }

    void read(std::span<std::byte> into, Completion done) override {
        APROTIC_ASSERT(!core_->read_done);
        core_->read_done = std::move(done);
        core_->socket.async_read_some(asio::buffer(into.data(), into.size()), Reading{core_});
    }

    std::optional<Read> try_read(std::span<std::byte> into) override {
        APROTIC_ASSERT(!core_->read_done);
        auto& socket = core_->socket;
        Read read;
        // What Asio does behind our back alone would have it wait.
        if (!socket.non_blocking()) socket.non_blocking(true, read.error);
        if (!read.error) read.size = socket.read_some(asio::buffer(into.data(), into.size()), read.error);
        if (read.error == asio::error::would_block || read.error == asio::error::try_again) return std::nullopt;
        if (read.error == asio::error::eof) read.error.clear();
        return read;
    }

    void write(std::span<const codec::ConstBuffer> from, Completion done) override {
        APROTIC_ASSERT(!core_->write_done);
        core_->write_done = std::move(done);
        core_->socket.async_write_some(AsioBuffers(from), Writing{core_});
    }

    std::size_t try_write(std::span<const codec::ConstBuffer> from) override {
        APROTIC_ASSERT(!core_->write_done);
        std::error_code error;
        auto& socket = core_->socket;
        if (!socket.non_blocking()) socket.non_blocking(true, error);
        return error ? 0 : socket.write_some(AsioBuffers(from), error);
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
        OperationMemory read_memory;
        OperationMemory write_memory;
    };

    struct Reading {
        using allocator_type = OperationAllocator<void>;
        allocator_type get_allocator() const noexcept { return allocator_type(core->read_memory); }
        void operator()(const std::error_code& error, std::size_t n) const {
            auto done = std::exchange(core->read_done, nullptr);
            if (!done) return;
            if (error == asio::error::eof) return done({}, 0);
            done(error, n);
        }
        std::shared_ptr<Core> core;
    };

    struct Writing {
        using allocator_type = OperationAllocator<void>;
        allocator_type get_allocator() const noexcept { return allocator_type(core->write_memory); }
        void operator()(const std::error_code& error, std::size_t n) const {
            auto done = std::exchange(core->write_done, nullptr);
            if (done) done(error, n);
        }
        std::shared_ptr<Core> core;
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
