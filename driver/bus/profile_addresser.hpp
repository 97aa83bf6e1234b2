#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <aprotic/driver/addressing.hpp>
#include <aprotic/driver/profile.hpp>

namespace aprotic::driver::bus {

/// `form` with its places filled. A name that begins with "/" is an address already where names are encoded: somebody
/// has configured prefixes that way.
std::string fill_address(std::string_view form, NameEncoding encoding, std::string_view name, std::string_view server,
                         std::string_view id);

/// Legacy or routable names in the address forms of a profile.
class ProfileAddresser final : public Addresser {
public:
    ProfileAddresser(std::shared_ptr<const Addresser> names, Profile profile, std::string id);

    std::string rpc_address(const Target& target) const override;
    std::array<std::string, 3> server_addresses(const Target& target) const override;
    std::string notification_address(const Target& target, std::string_view priority) const override;

private:
    std::string queue(std::string_view name) const;

    const std::shared_ptr<const Addresser> names_;
    const Profile profile_;
    const std::string id_;
};

/// The addresser for a connection with this profile; `id` is what {id} stands for on it.
std::shared_ptr<const Addresser> make_addresser(const TransportOptions& options, const std::string& virtual_host,
                                                const codec::Open& peer, const Profile& profile, std::string id);

}  // namespace aprotic::driver::bus
