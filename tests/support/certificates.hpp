#pragma once

#include <memory>
#include <string>
#include <vector>

namespace aprotic::test {

/// A certificate and its key, PEM.
struct Identity {
    std::string certificate;
    std::string key;
};

/// What a certificate is made for.
struct Wanted {
    std::string common_name;
    std::vector<std::string> hosts{};  ///< names or literal addresses
    int from_days = -1;                ///< from today
    int until_days = 10;
    std::string key_password{};  ///< encrypts the key
};

/// A certificate authority that lives as long as the test: nothing is kept in files.
class Authority {
public:
    explicit Authority(const std::string& name = "Test CA");
    ~Authority();

    const std::string& certificate() const { return certificate_; }
    Identity issue(const Wanted& wanted) const;
    /// A list that revokes these, which must be ours.
    std::string revoke(const std::vector<Identity>& revoked) const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
    std::string certificate_;
};

/// Signed by itself.
Identity self_signed(const Wanted& wanted);

/// A file with this text, which goes with the object.
class TemporaryFile {
public:
    explicit TemporaryFile(const std::string& text);
    ~TemporaryFile();
    TemporaryFile(const TemporaryFile&) = delete;
    TemporaryFile& operator=(const TemporaryFile&) = delete;
    const std::string& path() const { return path_; }
    void write(const std::string& text) const;

private:
    std::string path_;
};

}  // namespace aprotic::test
