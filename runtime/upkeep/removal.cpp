#include "runtime/upkeep/removal.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <optional>

#include "runtime/engine/checkpoints.h"
#include "runtime/engine/claim.h"
#include "runtime/store/clock.h"
#include "runtime/store/durable_file.h"

namespace bgw::upkeep {
namespace {

namespace fs = std::filesystem;

// A claim is an open file, of which a process has no unlimited number.
constexpr std::size_t kAtOnce = 100;

struct Claimed {
  plan::Key key;
  engine::Claim claim;
};

std::vector<Claimed> claim_all(const store::Layout& layout, const std::vector<plan::Key>& keys, Removal& removal) {
  std::vector<Claimed> claimed;
  for (const plan::Key& key : keys) {
    if (std::optional<engine::Claim> claim = engine::Claim::try_take(layout.work(key))) {
      claimed.push_back({key, *std::move(claim)});
    } else {
      removal.busy.push_back(key);
    }
  }
  return claimed;
}

void move_to_trash(const store::Layout& layout, const plan::Key& key) {
  const fs::path place = layout.trash() / fmt::format("{}.{}", key.hex(), store::random_token());
  if (::rename(layout.object(key).c_str(), place.c_str()) == 0 || errno == ENOENT) return;
  store::throw_system_error(errno, "rename to", place);
}

// A folder whose entries cannot all be removed stays; the next one to tidy up meets it again.
void delete_folder(const fs::path& folder) {
  std::error_code ignored;
  fs::remove_all(folder, ignored);
}

void remove_some(const store::Layout& layout, store::Index& index, const std::vector<plan::Key>& keys, Removal& removal) {
  const std::vector<Claimed> claimed = claim_all(layout, keys, removal);
  store::make_directories(layout.trash());
  for (const Claimed& result : claimed) move_to_trash(layout, result.key);
  store::sync_directory(layout.trash());
  store::Transaction transaction(index.database());
  for (const Claimed& result : claimed) index.forget(result.key);
  transaction.commit();
  for (const Claimed& result : claimed) {
    engine::remove_work(layout.work(result.key));
    removal.removed.push_back(result.key);
  }
}

}  // namespace

Removal remove_results(const store::Layout& layout, store::Index& index, const std::vector<plan::Key>& keys) {
  Removal removal;
  for (std::size_t first = 0; first < keys.size(); first += kAtOnce) {
    const auto begin = keys.begin() + static_cast<std::ptrdiff_t>(first);
    const auto count = static_cast<std::ptrdiff_t>(std::min(kAtOnce, keys.size() - first));
    remove_some(layout, index, {begin, begin + count}, removal);
  }
  return removal;
}

void empty_trash(const store::Layout& layout, store::Index& index) {
  for (const fs::path& entry : store::entries_of(layout.trash())) {
    const std::optional<plan::Key> key = store::key_named(entry.stem());
    if (key && !store::is_there(layout.object(*key))) {
      const std::optional<engine::Claim> claim = engine::Claim::try_take(layout.work(*key));
      if (!claim) continue;  // it is being made again; then its rows are in good hands
      if (!store::is_there(layout.object(*key))) {
        store::Transaction transaction(index.database());
        index.forget_object(*key);
        transaction.commit();
      }
      engine::remove_work(layout.work(*key));
    }
    delete_folder(entry);
  }
}

bool remove_work(const fs::path& work) {
  const std::optional<engine::Claim> claim = engine::Claim::try_take(work);
  if (!claim) return false;
  engine::remove_work(work);
  return true;
}

}  // namespace bgw::upkeep
