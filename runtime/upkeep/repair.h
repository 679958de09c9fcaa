#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "runtime/upkeep/inspection.h"

namespace bgw::upkeep {

/// What was done to make a cache whole.
struct Repairs {
  std::vector<Finding> moved_aside;  // damaged objects; the path is where they lie now
  std::vector<Finding> evicted;      // results made from them
  std::vector<Finding> entered;      // objects that the database did not know
  std::vector<Finding> forgotten;    // rows of objects that are gone
  std::vector<Finding> swept;        // drafts, trash, and work whose result is there
  std::vector<Finding> set_aside;    // checkpoints that cannot be used, kept under another name
  std::vector<Finding> busy;         // left alone: somebody works on them
  std::optional<std::filesystem::path> old_database;  // where an unusable one lies now
  std::size_t count() const {
    return moved_aside.size() + evicted.size() + entered.size() + forgotten.size() + swept.size() + set_aside.size() + (old_database ? 1 : 0);
  }
};

/// Makes database and objects agree, as far as the inspection found them at odds. What cannot be read stays as it is.
/// @param evict  results made from damaged ones go, too
/// @throws StoreError
Repairs repair(const store::Layout& layout, const Inspection& found, bool evict);

}  // namespace bgw::upkeep
