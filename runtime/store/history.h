#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "compiler/plan/plan.h"
#include "runtime/store/layout.h"

namespace bgw::store {

class Database;

/// What a finished task of earlier took.
struct EarlierWork {
  std::string preimage;     // its arguments are in it
  double seconds = 0;       // of all attempts that its result is made of
  double core_seconds = 0;  // the same times the cpus each of them had
  double bytes = 0;         // of its object; 0 when that is gone
};

/// Who made a result, and when.
struct Origin {
  std::string device;
  std::string bgw_version;
  std::int64_t made = 0;  // UTC, microseconds
};

/// Looks into the past of a cache, with a connection of its own: it reads and never writes.
class History {
 public:
  /// @throws StoreError when there is no database there, or one that cannot be read
  explicit History(const Layout& layout);
  ~History();
  History(History&&) noexcept;
  History& operator=(History&&) noexcept;

  /// The finished tasks of a kind, newest first.
  std::vector<EarlierWork> earlier_work(const std::string& kind, std::size_t most);
  /// Who made these objects, one entry a key; nullopt for those that the database does not know.
  std::vector<std::optional<Origin>> origins(const std::vector<plan::Key>& keys);

 private:
  std::unique_ptr<Database> database_;
};

}  // namespace bgw::store
