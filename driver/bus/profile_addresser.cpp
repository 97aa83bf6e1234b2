#include <aprotic/driver/bus/profile_addresser.hpp>

#include <utility>

#include <fmt/core.h>

namespace aprotic::driver::bus {
namespace {

bool is_unreserved(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
           c == '_' || c == '~';
}

std::string encoded(NameEncoding encoding, std::string_view name) {
    std::string result;
    for (const char c : name) {
        const bool as_it_is = encoding == NameEncoding::none || (encoding == NameEncoding::slash && c != '/') ||
                              (encoding == NameEncoding::percent && is_unreserved(c));
        if (as_it_is)
            result += c;
        else
            result += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
    return result;
}

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
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

std::string percent_decoded(std::string_view text) {
    std::string result;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const int high = text[i] == '%' && text.size() - i > 2 ? hex_digit(text[i + 1]) : -1;
        const int low = high >= 0 ? hex_digit(text[i + 2]) : -1;
        if (low < 0) {
            result += text[i];
            continue;
        }
        result += static_cast<char>(high * 16 + low);
        i += 2;
    }
    return result;
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
