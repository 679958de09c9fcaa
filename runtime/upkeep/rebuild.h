#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>

#include "runtime/store/layout.h"

namespace bgw::upkeep {

/// What rebuilding the database came to.
struct Rebuilt {
  std::size_t objects = 0;      // that stand in the index now
  std::size_t damaged = 0;      // that were left out
  std::optional<std::filesystem::path> old_database;  // where the unusable one lies now
  std::string cause;            // why it was unusable
};

/// Enters all sound objects into the database: tasks, inputs, files, numbers and the attempt that made each, from their
/// manifests. A database that is damaged or none of bgw is moved aside first; a usable one keeps its history, and
/// forgets objects that are gone.
/// @throws StoreError when a newer bgw wrote the database, or the disk refuses
Rebuilt rebuild(const store::Layout& layout);

}  // namespace bgw::upkeep
