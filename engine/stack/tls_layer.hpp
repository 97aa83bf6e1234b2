#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include <aprotic/engine/failure.hpp>
#include <aprotic/engine/security.hpp>
#include <aprotic/engine/tls.hpp>

namespace aprotic::engine::stack {

/// TLS between the stream and what is above it: records go in and out below, what they carry above. Sans I/O: it never
/// waits, and what it holds is bounded by one read, and above output_max it takes no more to encrypt. [5.2]
class TlsLayer {
public:
    enum class Status { handshaking, open, ended, failed };

    /// `server_name` is what a client expects on the certificate; a server leaves it empty.
    TlsLayer(std::shared_ptr<const TlsContext> context, const std::string& server_name);
    ~TlsLayer();

    /// A client says its first word.
    void start();

    // --- below -----------------------------------------------------------------------------------------------------

    /// Memory for what is read from the stream; empty while what came before is not understood yet.
    std::span<std::byte> prepare_input();
    void commit_input(std::size_t n);
    /// What was read before this layer was there.
    void feed(std::span<const std::byte> octets);

    /// What is to be written; the same, and more, until it is committed.
    std::span<const std::byte> output();
    void commit_output(std::size_t n);
    bool has_output() const noexcept;

    // --- above -----------------------------------------------------------------------------------------------------

    /// Decrypts into `into`; 0 when nothing (more) can be had from what has come. Makes the handshake go on.
    std::size_t read(std::span<std::byte> into);
    /// Whether read() might give something without more input.
    bool has_input() const noexcept;
    /// Takes what it may of `from` to encrypt; 0 while the handshake lasts or much waits to be written. Once it has
    /// failed it takes everything, and drops it.
    std::size_t write(std::span<const std::byte> from);
    /// Encrypts what write() has gathered.
    void flush();
    /// It will never be open: what is still to be encrypted is dropped.
    void abandon_handshake() noexcept;
    /// Says that nothing will follow, once.
    void end_output();
    bool output_ended() const noexcept;

    Status status() const noexcept;
    /// failed: why.
    const Failure& failure() const noexcept;
    /// open: what was agreed.
    TlsStatus agreed() const;
    bool has_certificate() const;
    /// Continues "the peer ended the connection …".
    std::string progress() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace aprotic::engine::stack
