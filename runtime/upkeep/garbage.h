#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "compiler/plan/plan.h"
#include "runtime/store/layout.h"

namespace bgw::upkeep {

/// Results that a program leads to, whatever runs there were.
struct Root {
  std::string program;
  std::vector<plan::Key> keys;
};

/// What is worth keeping.
struct KeepRules {
  int last_runs = 2;                             // of every program
  std::int64_t younger = 30 * 86'400'000'000LL;  // microseconds
  std::vector<Root> roots;
};

/// Something of which nobody has need.
struct Garbage {
  std::string what;            // "object", "row", "work", "damaged", "trash"
  plan::Key key;
  std::string name, kind;      // "" when nobody knows
  std::filesystem::path path;  // of the folder; the database for a row
  std::uint64_t bytes = 0;
  std::int64_t made = 0;       // UTC, microseconds
};

/// A result that stays, and the first of the reasons for it, in the order pinned, working, run, root, young.
struct Kept {
  plan::Key key;
  std::string name, kind;
  std::uint64_t bytes = 0;
  std::string reason;  // "pinned", "working", "run", "root", "young"
  std::string detail;  // "paper", "run 12 of ice.bgw", "made 3 d ago"
};

struct Tidying {
  std::vector<Garbage> garbage;
  std::vector<Kept> kept;
  std::uint64_t bytes() const;                        // of the garbage
  std::map<std::string, std::size_t> kept_by_reason() const;
};

/// What could go, and why the rest stays; changes nothing. Whoever keeps a result keeps what it was made from, however
/// far; a result that is merely young keeps nothing else. Results from before the first run that the database
/// remembers count as made at its beginning: who needed them is not known.
/// @throws StoreError
Tidying find_garbage(const store::Layout& layout, const KeepRules& rules);

/// Looks once more, while no run can begin, and removes what nobody needs then. May be killed at any moment.
/// @return what is gone, and what stayed
Tidying remove_garbage(const store::Layout& layout, const KeepRules& rules);

}  // namespace bgw::upkeep
