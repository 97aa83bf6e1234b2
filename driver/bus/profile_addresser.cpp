#include <aprotic/driver/bus/profile_addresser.hpp>

#include <utility>

#include <aprotic/engine/percent_encoding.hpp>

namespace aprotic::driver::bus {
namespace {

std::string encoded(NameEncoding encoding, std::string_view name) {
    if (encoding == NameEncoding::percent) return engine::percent_encoded(name);
    std::string result;
    for (const char c : name) {
        if (encoding == NameEncoding::slash && c == '/')
            result += "%2F";
        else
            result += c;
    }
    return result;
}

}  // namespace

std::string fill_address(std::string_view form, NameEncoding encoding, std::string_view name, std::string_view server,
                         std::string_view id) {
    if (encoding != NameEncoding::none && name.starts_with('/')) return std::string(name);
    std::string address;
    while (!form.empty()) {
        const auto take = [&](std::string_view place, const std::string& by) {
            if (!form.starts_with(place)) return false;
            form.remove_prefix(place.size());
            address += by;
            return true;
        };
        if (take("{name}", encoded(encoding, name)) || take("{server}", encoded(encoding, server)) ||
            take("{id}", std::string(id)))
            continue;
        address += form.front();
        form.remove_prefix(1);
    }
    return address;
}

ProfileAddresser::ProfileAddresser(std::shared_ptr<const Addresser> names, Profile profile, std::string id)
    : names_(std::move(names)), profile_(std::move(profile)), id_(std::move(id)) {}

std::string ProfileAddresser::queue(std::string_view name) const {
    return fill_address(profile_.queue_address, profile_.encoding, name, {}, id_);
}

std::string ProfileAddresser::rpc_address(const Target& target) const {
    const std::string name = names_->rpc_address(target);
    return target.fanout ? fill_address(profile_.topic_address, profile_.encoding, name, {}, id_) : queue(name);
}

std::array<std::string, 3> ProfileAddresser::server_addresses(const Target& target) const {
    const auto names = names_->server_addresses(target);
    const std::string& form =
        profile_.subscription_address.empty() ? profile_.topic_address : profile_.subscription_address;
    return {queue(names[0]), fill_address(form, profile_.encoding, names[1], target.server, id_), queue(names[2])};
}

std::string ProfileAddresser::notification_address(const Target& target, std::string_view priority) const {
    return queue(names_->notification_address(target, priority));
}

std::shared_ptr<const Addresser> make_addresser(const TransportOptions& options, const std::string& virtual_host,
                                                const codec::Open& peer, const Profile& profile, std::string id) {
    if (options.make_addresser)
        if (auto own = options.make_addresser(peer)) return own;
    const std::string in_address = options.pseudo_vhost ? virtual_host : std::string();
    std::shared_ptr<const Addresser> names;
    if (profile.routable)
        names = std::make_shared<RoutableAddresser>(options, in_address);
    else
        names = std::make_shared<LegacyAddresser>(options, in_address);
    const Profile plain;
    if (profile.queue_address == plain.queue_address && profile.topic_address == plain.topic_address &&
        profile.subscription_address.empty() && profile.encoding == plain.encoding)
        return names;
    return std::make_shared<ProfileAddresser>(std::move(names), profile, std::move(id));
}

}  // namespace aprotic::driver::bus
