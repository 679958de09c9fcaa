#include "runtime/store/layout.h"

#include <algorithm>

namespace bgw::store {

std::filesystem::path Layout::object(const plan::Key& key) const {
  const std::string hex = key.hex();
  return objects() / hex.substr(0, 2) / hex;
}

std::filesystem::path Layout::work(const plan::Key& key) const { return work() / key.hex(); }

std::optional<plan::Key> key_named(const std::filesystem::path& folder) {
  const std::string name = folder.filename().string();
  const auto is_digit = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  if (name.size() != 64 || !std::all_of(name.begin(), name.end(), is_digit)) return std::nullopt;
  return plan::Key::from_hex(name);
}

Layout layout_of_task(const std::filesystem::path& task_json) {
  return Layout{std::filesystem::absolute(task_json).parent_path().parent_path().parent_path()};
}

}  // namespace bgw::store
