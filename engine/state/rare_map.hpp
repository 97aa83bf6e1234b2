#pragma once

#include <memory>
#include <optional>
#include <unordered_map>
#include <utility>

#include <aprotic/engine/ids.hpp>
#include <aprotic/engine/state/id_hash.hpp>

namespace aprotic::engine {

/// Values by delivery that most links never have: it takes a pointer until the first comes.
template <class T>
class RareMap {
public:
    bool contains(DeliveryId id) const { return map_ && map_->contains(id); }
    /// Null when there is none; valid until it is taken or erased.
    T* find(DeliveryId id) {
        if (!map_) return nullptr;
        const auto found = map_->find(id);
        return found == map_->end() ? nullptr : &found->second;
    }
    /// In the place of another of the same id.
    void put(DeliveryId id, T value) {
        if (!map_) map_ = std::make_unique<Map>();
        map_->insert_or_assign(id, std::move(value));
    }
    std::optional<T> take(DeliveryId id) {
        auto entry = map_ ? map_->extract(id) : typename Map::node_type();
        return entry ? std::optional<T>(std::move(entry.mapped())) : std::nullopt;
    }
    void erase(DeliveryId id) {
        if (map_) map_->erase(id);
    }
    /// Forgets all; then calls `visit(value)` with each, in no useful order.
    template <class F>
    void take_all(F visit) {
        const auto all = std::exchange(map_, nullptr);
        if (!all) return;
        for (auto& [id, value] : *all) visit(value);
    }
    template <class F>
    void for_each(F visit) const {
        if (!map_) return;
        for (const auto& [id, value] : *map_) visit(value);
    }

private:
    using Map = std::unordered_map<DeliveryId, T, IdHash>;
    std::unique_ptr<Map> map_;
};

}  // namespace aprotic::engine
