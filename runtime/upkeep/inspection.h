#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "compiler/plan/plan.h"
#include "runtime/store/layout.h"

namespace bgw::upkeep {

/// Something in a cache that is not as it should be.
struct Finding {
  plan::Key key;
  std::string name, kind;      // of the task; "" when nobody knows
  std::filesystem::path path;  // of the object, the checkpoint, the folder
  std::string cause;
};

/// What became of a look at everything in a cache.
struct Inspection {
  std::size_t objects = 0;
  std::uint64_t bytes = 0;               // of the sound objects
  std::vector<Finding> damaged;          // objects whose bytes are not those that were published
  std::vector<Finding> unreadable;       // objects of which the system did not give the bytes: nobody knows
  std::vector<Finding> dependents;       // results made from damaged ones, however far; the cause names which
  std::vector<Finding> not_entered;      // sound objects that the database does not know, or knows otherwise
  std::vector<Finding> gone;             // in the database, but no object stands behind it
  std::vector<std::string> database;     // what is wrong with the database itself
  // What killed processes left behind; it does no harm.
  std::vector<Finding> bad_checkpoints;  // cut short, changed, or of another task
  std::vector<Finding> drafts;           // objects in the making that nobody makes any more
  std::vector<Finding> idle_work;        // work directories at which nobody works; the cause says what they hold
  std::vector<Finding> trash;            // results that were being removed

  /// Nothing is wrong but what was left behind.
  bool holds() const { return damaged.empty() && unreadable.empty() && not_entered.empty() && gone.empty() && database.empty(); }
};

/// Reads every object and compares all that a cache holds; changes nothing. What is being worked on is left out.
/// @throws StoreError when a folder cannot be listed, or a newer bgw wrote the database
Inspection inspect(const store::Layout& layout);

}  // namespace bgw::upkeep
