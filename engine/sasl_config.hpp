#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include <aprotic/codec/result.hpp>
#include <aprotic/engine/failure.hpp>

namespace aprotic::engine {

/// Settings of Cyrus SASL, from a file in its notation ("sasldb_path: /etc/users.db", one a line). Each connection goes
/// by the settings in its options, so that one process may have many; Cyrus' own file for the process is never read.
/// Any thread.
class SaslConfig {
public:
    using Made = codec::Result<std::shared_ptr<const SaslConfig>, Failure>;

    /// Reads `directory`/`name`.conf once. Empty: /etc/sasl2, and "amqp". The failure's text names the file, the line
    /// and what is wrong with it.
    static Made read(const std::string& directory, const std::string& name);

    /// The value of a setting; null where the file has none. Lives as long as this.
    const char* find(std::string_view setting) const noexcept;

private:
    SaslConfig() = default;
    std::map<std::string, std::string, std::less<>> settings_;
};

}  // namespace aprotic::engine
