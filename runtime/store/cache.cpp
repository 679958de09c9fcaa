#include "runtime/store/cache.h"

#include <stdexcept>

#include "runtime/store/durable_file.h"

namespace bgw::store {
namespace {

Layout layout_at(const std::filesystem::path& root) { return Layout{std::filesystem::absolute(root).lexically_normal()}; }

}  // namespace

Cache::Cache(Layout layout, std::unique_ptr<Records> records) 
    : objects_(std::move(layout)), records_(std::move(records)), manifests_(std::make_unique<Manifests>()) {}

std::shared_ptr<const Manifest> Cache::shared_manifest(const plan::Key& key) {
  constexpr std::size_t kKept = 1000;
  {
    const std::lock_guard guard(manifests_->mutex);
    if (const auto known = manifests_->known.find(key); known != manifests_->known.end()) return known->second;
  }
  auto manifest = std::make_shared<const Manifest>(objects_.manifest(key));
  const std::lock_guard guard(manifests_->mutex);
  if (manifests_->known.size() >= kKept) manifests_->known.clear();
  return manifests_->known.try_emplace(key, std::move(manifest)).first->second;
}

void Cache::forget_manifest(const plan::Key& key) {
  const std::lock_guard guard(manifests_->mutex);
  manifests_->known.erase(key);
}

Cache Cache::open(const std::filesystem::path& root) {
  Layout layout = layout_at(root);
  make_directories(layout.objects());
  make_directories(layout.work());
  auto records = std::make_unique<Records>(layout.database());
  return Cache(std::move(layout), std::move(records));
}

Cache Cache::look(const std::filesystem::path& root) {
  Layout layout = layout_at(root);
  std::error_code error;
  std::unique_ptr<Records> records;
  if (std::filesystem::exists(layout.database(), error)) records = std::make_unique<Records>(layout.database());
  return Cache(std::move(layout), std::move(records));
}

Records& Cache::records() {
  if (!records_) throw std::logic_error("this cache has no database: it was only looked at");
  return *records_;
}

bool Cache::has_result(const plan::TaskSpec& spec) {
  return spec.placement == plan::Placement::child ? objects_.contains(spec.key) : row(spec.key).has_value();
}

std::vector<ObjectState> Cache::look_at_objects(const std::vector<plan::Key>& keys) {
  std::vector<std::string> known(keys.size());
  if (records_) known = records_->object_stamps(keys);
  std::vector<ObjectState> states;
  states.reserve(keys.size());
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const bool untouched = !known[i].empty() && objects_.stamp(keys[i]) == known[i];
    states.push_back(untouched ? ObjectState::untouched : objects_.quick_look(keys[i]));
  }
  return states;
}

std::vector<bool> Cache::has_rows(const std::vector<plan::Key>& keys) {
  return records_ ? records_->has_rows(keys) : std::vector<bool>(keys.size());
}

std::optional<schema::Value> Cache::row(const plan::Key& key) { return records_ ? records_->row(key) : std::nullopt; }

}  // namespace bgw::store
