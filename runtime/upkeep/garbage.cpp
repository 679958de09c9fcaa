#include "runtime/upkeep/garbage.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <optional>
#include <set>

#include "runtime/engine/claim.h"
#include "runtime/engine/task_look.h"
#include "runtime/store/clock.h"
#include "runtime/store/durable_file.h"
#include "runtime/store/index.h"
#include "runtime/store/object_store.h"
#include "runtime/store/records.h"
#include "runtime/store/use_lock.h"
#include "runtime/upkeep/removal.h"

namespace bgw::upkeep {
namespace {

namespace fs = std::filesystem;

std::uint64_t bytes_beneath(const fs::path& folder) {
  std::uint64_t bytes = 0;
  std::error_code ignored;
  for (fs::recursive_directory_iterator entry(folder, ignored), end; !ignored && entry != end; entry.increment(ignored)) {
    if (entry->is_regular_file(ignored)) bytes += entry->file_size(ignored);
  }
  return bytes;
}

// When something last happened to a folder or to what lies in it: renaming it counts, too.
std::int64_t last_change(const fs::path& folder) {
  std::int64_t newest = 0;
  const auto look_at = [&](const fs::path& path) {
    struct stat status{};
    if (::stat(path.c_str(), &status) != 0) return;
    newest = std::max<std::int64_t>(newest, status.st_ctim.tv_sec * 1'000'000LL + status.st_ctim.tv_nsec / 1000);
  };
  look_at(folder);
  for (const fs::path& entry : store::entries_of(folder)) look_at(entry);
  return newest;
}

// A run that has not ended may still read what it planned to read. Of those on other machines nobody here knows.
bool may_be_alive(const store::KnownRun& run) {
  if (run.ended) return false;
  if (run.host != store::host_name()) return true;
  return run.boot == store::boot_id() && engine::process_lives(run.pid);
}

std::string age_text(std::int64_t microseconds) {
  const double days = static_cast<double>(microseconds) / 86'400e6;
  return days < 1 ? fmt::format("{:.0f} h", days * 24) : fmt::format("{:.0f} d", days);
}

// Goes through a cache once and says of everything in it whether it stays.
class Tidier {
 public:
  Tidier(const store::Layout& layout, const KeepRules& rules, store::Index& index)
      : layout_(layout), rules_(rules), index_(index), now_(store::now_in_microseconds()) {}

  Tidying look() {
    read_results();
    for (const auto& [key, input] : index_.inputs()) inputs_[key].push_back(input);
    keep_pinned();
    keep_worked_on();
    keep_runs();
    for (const Root& root : rules_.roots) keep("root", root.program, root.keys);
    sort_results();
    sort_work();
    sort_old("damaged", layout_.damaged());
    for (const fs::path& entry : store::entries_of(layout_.trash())) add_folder("trash", entry, entry.stem());
    return std::move(tidying_);
  }

 private:
  struct Reason {
    std::string reason, detail;
  };

  // Objects that the database does not know are results, too.
  void read_results() {
    const store::ObjectStore objects(layout_);
    std::set<plan::Key> present;
    for (const plan::Key& key : objects.keys()) present.insert(key);
    std::set<plan::Key> entered;
    for (store::KnownResult& result : index_.results()) {
      if (!result.is_row && present.count(result.key) == 0) continue;  // gone behind our back: nothing to remove
      entered.insert(result.key);
      results_.push_back(std::move(result));
    }
    for (const plan::Key& key : present) {
      if (entered.count(key) == 0) read_unknown(objects, key);
    }
  }

  void read_unknown(const store::ObjectStore& objects, const plan::Key& key) {
    const fs::path place = layout_.object(key);
    const std::optional<store::Manifest> manifest = objects.find_manifest(key);
    results_.push_back({key, false, manifest ? manifest->name : "", manifest ? manifest->kind : "", bytes_beneath(place), last_change(place)});
    if (!manifest) return;
    for (const auto& [role, input] : manifest->inputs) inputs_[key].push_back(input);
  }

  // The first reason stays.
  void keep(const std::string& reason, const std::string& detail, std::vector<plan::Key> open) {
    while (!open.empty()) {
      const plan::Key key = open.back();
      open.pop_back();
      if (!reasons_.emplace(key, Reason{reason, detail}).second) continue;
      if (const auto found = inputs_.find(key); found != inputs_.end()) open.insert(open.end(), found->second.begin(), found->second.end());
    }
  }

  void keep_pinned() {
    for (const store::Pin& pin : index_.pins()) keep("pinned", pin.label, pin.keys);
  }

  void keep_worked_on() {
    for (const fs::path& folder : store::entries_of(layout_.work())) {
      const std::optional<plan::Key> key = store::key_named(folder);
      if (key && engine::is_claimed(folder)) keep("working", fmt::format("pid {}", engine::claim_owner(folder).pid), {*key});
    }
  }

  void keep_runs() {
    std::map<std::string, int> seen;
    for (const store::KnownRun& run : index_.runs()) {  // newest first
      history_begin_ = run.started;
      const bool alive = may_be_alive(run);
      if (++seen[run.program] > rules_.last_runs && !alive) continue;
      const std::string detail = fmt::format("run {} of {}", run.id, fs::path(run.program).filename().string());
      keep(alive ? "working" : "run", detail, index_.planned_by(run.id));
    }
  }

  bool is_young(std::int64_t made) const { return now_ - std::max(made, history_begin_.value_or(now_)) < rules_.younger; }

  void sort_results() {
    for (const store::KnownResult& result : results_) {
      const auto reason = reasons_.find(result.key);
      if (reason != reasons_.end()) {
        tidying_.kept.push_back({result.key, result.name, result.kind, result.bytes, reason->second.reason, reason->second.detail});
      } else if (is_young(result.made)) {
        const bool before_history = result.made < history_begin_.value_or(now_);
        tidying_.kept.push_back({result.key, result.name, result.kind, result.bytes, "young",
                                 before_history ? "made before the database remembers" : fmt::format("made {} ago", age_text(now_ - result.made))});
      } else {
        tidying_.garbage.push_back({result.is_row ? "row" : "object", result.key, result.name, result.kind,
                                    result.is_row ? layout_.database() : layout_.object(result.key), result.bytes, result.made});
      }
    }
  }

  // Unfinished work is worth what the checkpoints in it took to make; finished work may hold states that were found bad.
  void sort_work() {
    for (const fs::path& folder : store::entries_of(layout_.work())) {
      const std::optional<plan::Key> key = store::key_named(folder);
      if (!key || engine::is_claimed(folder)) continue;
      const bool finished = store::is_there(layout_.object(*key));
      if ((!finished && reasons_.count(*key) != 0) || is_young(last_change(folder))) continue;
      add_folder("work", folder, folder.filename());
    }
  }

  void sort_old(const char* what, const fs::path& folder) {
    for (const fs::path& entry : store::entries_of(folder)) {
      if (now_ - last_change(entry) >= rules_.younger) add_folder(what, entry, entry.stem());
    }
  }

  void add_folder(const char* what, const fs::path& folder, const fs::path& key_name) {
    tidying_.garbage.push_back({what, store::key_named(key_name).value_or(plan::Key{}), "", "", folder, bytes_beneath(folder), last_change(folder)});
  }

  const store::Layout& layout_;
  const KeepRules& rules_;
  store::Index& index_;
  std::int64_t now_;
  std::optional<std::int64_t> history_begin_;
  std::vector<store::KnownResult> results_;
  std::map<plan::Key, std::vector<plan::Key>> inputs_;
  std::map<plan::Key, Reason> reasons_;
  Tidying tidying_;
};

bool is_result(const Garbage& garbage) { return garbage.what == "object" || garbage.what == "row"; }

void keep_busy(Tidying& tidying, const std::vector<plan::Key>& busy) {
  const auto is_busy = [&](const Garbage& garbage) { return is_result(garbage) && std::find(busy.begin(), busy.end(), garbage.key) != busy.end(); };
  for (const Garbage& garbage : tidying.garbage) {
    if (is_busy(garbage)) tidying.kept.push_back({garbage.key, garbage.name, garbage.kind, garbage.bytes, "working", "another process"});
  }
  std::erase_if(tidying.garbage, is_busy);
}

// Folders that are no results: nobody reads them.
void delete_folders(Tidying& tidying) {
  std::erase_if(tidying.garbage, [](const Garbage& garbage) {
    if (garbage.what == "work") return !remove_work(garbage.path);
    std::error_code error;
    if (garbage.what == "damaged") std::filesystem::remove_all(garbage.path, error);
    return static_cast<bool>(error);
  });
}

}  // namespace

std::uint64_t Tidying::bytes() const {
  std::uint64_t sum = 0;
  for (const Garbage& item : garbage) sum += item.bytes;
  return sum;
}

std::map<std::string, std::size_t> Tidying::kept_by_reason() const {
  std::map<std::string, std::size_t> counts;
  for (const Kept& item : kept) ++counts[item.reason];
  return counts;
}

Tidying find_garbage(const store::Layout& layout, const KeepRules& rules) {
  { const store::Records checks_and_migrates(layout.database()); }
  store::Index index(layout.database());
  return Tidier(layout, rules, index).look();
}

Tidying remove_garbage(const store::Layout& layout, const KeepRules& rules) {
  { const store::Records checks_and_migrates(layout.database()); }
  store::Index index(layout.database());
  Tidying tidying;
  {
    const store::UseLock lock = store::UseLock::alone(layout);
    tidying = Tidier(layout, rules, index).look();
    std::vector<plan::Key> keys;
    for (const Garbage& garbage : tidying.garbage) {
      if (is_result(garbage)) keys.push_back(garbage.key);
    }
    keep_busy(tidying, remove_results(layout, index, keys).busy);
    delete_folders(tidying);
  }
  empty_trash(layout, index);  // takes its time, and nobody has to wait for it
  return tidying;
}

}  // namespace bgw::upkeep
