#include "runtime/upkeep/repair.h"

#include <algorithm>

#include "runtime/engine/checkpoints.h"
#include "runtime/engine/claim.h"
#include "runtime/store/durable_file.h"
#include "runtime/store/index.h"
#include "runtime/store/object_store.h"
#include "runtime/store/records.h"
#include "runtime/store/use_lock.h"
#include "runtime/upkeep/rebuild.h"
#include "runtime/upkeep/removal.h"

namespace bgw::upkeep {
namespace {

namespace fs = std::filesystem;

class Mender {
 public:
  explicit Mender(const store::Layout& layout) : layout_(layout), objects_(layout), records_(layout.database()), index_(layout.database()) {}

  Repairs mend(const Inspection& found, bool evict) {
    for (const Finding& damaged : found.damaged) move_aside(damaged);
    if (evict) remove(found.dependents);
    for (const Finding& object : found.not_entered) enter(object);
    for (const Finding& row : found.gone) forget(row);
    for (const Finding& draft : found.drafts) sweep(draft, draft.path.parent_path());
    for (const Finding& checkpoint : found.bad_checkpoints) rename_checkpoint(checkpoint);
    for (const Finding& work : found.idle_work) sweep_finished(work);
    empty_trash(layout_, index_);
    repairs_.swept.insert(repairs_.swept.end(), found.trash.begin(), found.trash.end());
    return std::move(repairs_);
  }

 private:
  // Runs `work` while nobody else may touch the task.
  template <class Work>
  void alone(const Finding& finding, const fs::path& folder, const Work& work) {
    const bool was_there = store::is_there(folder);
    const std::optional<engine::Claim> claim = engine::Claim::try_take(folder);
    if (!claim) return repairs_.busy.push_back(finding);
    work();
    std::error_code ignored;
    if (!was_there) fs::remove_all(folder, ignored);
  }

  void move_aside(Finding damaged) {
    alone(damaged, layout_.work(damaged.key), [&] {
      if (objects_.verify(damaged.key) != store::ObjectState::damaged) return;  // another process mended it
      const std::optional<fs::path> place = objects_.set_aside(damaged.key);
      records_.forget_object(damaged.key);
      if (place) damaged.path = *place;
      repairs_.moved_aside.push_back(damaged);
    });
  }

  void remove(const std::vector<Finding>& results) {
    std::vector<plan::Key> keys;
    for (const Finding& result : results) keys.push_back(result.key);
    const Removal removal = remove_results(layout_, index_, keys);
    for (const Finding& result : results) {
      const bool is_busy = std::find(removal.busy.begin(), removal.busy.end(), result.key) != removal.busy.end();
      (is_busy ? repairs_.busy : repairs_.evicted).push_back(result);
    }
  }

  void enter(const Finding& object) {
    const std::optional<store::Manifest> manifest = objects_.find_manifest(object.key);
    if (!manifest) return;  // evicted meanwhile
    records_.forget_object(object.key);
    records_.put_object(*manifest);
    index_.put_attempt(*manifest);
    repairs_.entered.push_back(object);
  }

  void forget(const Finding& row) {
    alone(row, layout_.work(row.key), [&] {
      if (store::is_there(row.path)) return;
      records_.forget_object(row.key);
      repairs_.forgotten.push_back(row);
    });
  }

  void sweep(const Finding& leftover, const fs::path& work) {
    alone(leftover, work, [&] {
      std::error_code ignored;
      fs::remove_all(leftover.path, ignored);
      repairs_.swept.push_back(leftover);
    });
  }

  void rename_checkpoint(Finding checkpoint) {
    alone(checkpoint, checkpoint.path.parent_path(), [&] {
      fs::path aside = checkpoint.path;
      aside += ".bad";
      std::error_code ignored;
      fs::rename(checkpoint.path, aside, ignored);
      checkpoint.path = aside;
      repairs_.set_aside.push_back(checkpoint);
    });
  }

  // Work that has a result is over; other work is taken up by the next run.
  void sweep_finished(const Finding& work) {
    if (!objects_.contains(work.key)) return;
    alone(work, work.path, [&] {
      engine::clear_work(work.path);
      repairs_.swept.push_back(work);
    });
  }

  const store::Layout& layout_;
  store::ObjectStore objects_;
  store::Records records_;
  store::Index index_;
  Repairs repairs_;
};

}  // namespace

Repairs repair(const store::Layout& layout, const Inspection& found, bool evict) {
  const store::UseLock lock = store::UseLock::alone(layout);
  std::optional<fs::path> old_database;
  if (!found.database.empty()) old_database = rebuild(layout).old_database;
  Repairs repairs = Mender(layout).mend(found, evict);
  repairs.old_database = old_database;
  return repairs;
}

}  // namespace bgw::upkeep
