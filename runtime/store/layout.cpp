#include "runtime/store/layout.h"

namespace bgw::store {

std::filesystem::path Layout::object(const plan::Key& key) const {
  const std::string hex = key.hex();
  return objects() / hex.substr(0, 2) / hex;
}

std::filesystem::path Layout::work(const plan::Key& key) const { return work() / key.hex(); }

Layout layout_of_task(const std::filesystem::path& task_json) {
  return Layout{std::filesystem::absolute(task_json).parent_path().parent_path().parent_path()};
}

}  // namespace bgw::store
