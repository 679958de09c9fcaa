#include "runtime/upkeep/inspection.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <set>

#include "runtime/engine/checkpoints.h"
#include "runtime/engine/claim.h"
#include "runtime/store/index.h"
#include "runtime/store/object_store.h"
#include "runtime/store/records.h"

namespace bgw::upkeep {
namespace {

namespace fs = std::filesystem;
using Files = std::map<std::string, plan::Key>;  // name -> checksum

// What is known of one key, from the objects and from the database.
struct Known {
  std::string name, kind;
  std::set<plan::Key> inputs;
  std::optional<Files> manifest;        // of a sound object
  const store::KnownResult* entry = nullptr;
};

// One pass over a cache, and what it gathers on the way.
class Inspector {
 public:
  explicit Inspector(const store::Layout& layout) : layout_(layout), objects_(layout) {}

  Inspection run() {
    // In this order: what was an object and unclaimed before the database was read, is in the database.
    read_objects();
    read_database();
    compare();
    find_dependents();
    read_work();
    read_trash();
    return std::move(report_);
  }

 private:
  Finding finding(const plan::Key& key, const fs::path& path, std::string cause) const {
    const auto found = known_.find(key);
    const Known nothing;
    const Known& known = found == known_.end() ? nothing : found->second;
    return {key, known.name, known.kind, path, std::move(cause)};
  }

  void read_objects() {
    for (const plan::Key& key : objects_.keys()) read_object(key);
  }

  void read_object(const plan::Key& key) {
    const store::ObjectReport look = objects_.inspect(key);
    if (look.state == store::ObjectState::absent) return;  // it was moved away this moment
    ++report_.objects;
    Known& known = known_[key];
    if (look.state == store::ObjectState::unreadable) return report_.unreadable.push_back(finding(key, layout_.object(key), look.cause));
    if (look.state == store::ObjectState::damaged) {
      remember_task(key, known);
      return report_.damaged.push_back(finding(key, layout_.object(key), look.cause));
    }
    const store::Manifest manifest = objects_.manifest(key);
    known.name = manifest.name;
    known.kind = manifest.kind;
    for (const auto& [role, input] : manifest.inputs) known.inputs.insert(input);
    known.manifest.emplace();
    for (const auto& [name, file] : manifest.files) {
      known.manifest->emplace(name, file.sha256);
      report_.bytes += file.bytes;
    }
    if (engine::is_claimed(layout_.work(key))) in_progress_.insert(key);
  }

  // Of a damaged object the manifest may still tell whose it is.
  void remember_task(const plan::Key& key, Known& known) const {
    try {
      const store::Manifest manifest = objects_.manifest(key);
      known.name = manifest.name;
      known.kind = manifest.kind;
    } catch (const StoreError&) {
      // then the database may
    }
  }

  void read_database() {
    if (!store::is_there(layout_.database())) {
      report_.database.push_back(fmt::format("there is no {}", layout_.database().string()));
      return;
    }
    try {
      { const store::Records checks_and_migrates(layout_.database()); }
      store::Index index(layout_.database());
      report_.database = index.complaints();
      if (report_.database.empty()) read_index(index);
    } catch (const store::UnusableDatabase& error) {
      report_.database = {error.what()};
    }
  }

  void read_index(store::Index& index) {
    results_ = index.results();
    for (const store::KnownResult& result : results_) {
      Known& known = known_[result.key];
      known.entry = &result;
      if (!result.name.empty()) known.name = result.name;
      known.kind = result.kind;
    }
    for (const auto& [key, input] : index.inputs()) {
      if (const auto found = known_.find(key); found != known_.end()) found->second.inputs.insert(input);
    }
    entered_files_ = index.files();
    has_index_ = true;
  }

  void compare() {
    if (!has_index_) return;
    // The damaged were looked at before the database could tell their names.
    for (std::vector<Finding>* list : {&report_.damaged, &report_.unreadable}) {
      for (Finding& old : *list) old = finding(old.key, old.path, old.cause);
    }
    for (const auto& [key, known] : known_) {
      if (known.manifest && in_progress_.count(key) == 0) compare_entry(key, known);
      if (known.entry != nullptr && !known.entry->is_row) look_for_object(key);
    }
  }

  void compare_entry(const plan::Key& key, const Known& known) {
    const auto files = entered_files_.find(key);
    if (known.entry == nullptr || known.entry->is_row || files == entered_files_.end()) {
      report_.not_entered.push_back(finding(key, layout_.object(key), "the database does not know it"));
    } else if (files->second != *known.manifest) {
      report_.not_entered.push_back(finding(key, layout_.object(key), "the database knows other checksums"));
    }
  }

  void look_for_object(const plan::Key& key) {
    const fs::path place = layout_.object(key);
    if (store::is_there(place) || in_trash(key) || engine::is_claimed(layout_.work(key))) return;
    report_.gone.push_back(finding(key, place, "its object is not there"));
  }

  bool in_trash(const plan::Key& key) const {
    const std::vector<fs::path> entries = store::entries_of(layout_.trash());
    return std::any_of(entries.begin(), entries.end(), [&](const fs::path& entry) { return entry.stem() == key.hex(); });
  }

  // From the damaged ones along the inputs, against their direction.
  void find_dependents() {
    std::map<plan::Key, std::vector<plan::Key>> readers;
    for (const auto& [key, known] : known_) {
      for (const plan::Key& input : known.inputs) readers[input].push_back(key);
    }
    std::map<plan::Key, plan::Key> cause;  // result -> the damaged object behind it
    for (const Finding& damaged : report_.damaged) {
      std::vector<plan::Key> open{damaged.key};
      while (!open.empty()) {
        const plan::Key key = open.back();
        open.pop_back();
        for (const plan::Key& reader : readers[key]) {
          if (cause.emplace(reader, damaged.key).second) open.push_back(reader);
        }
      }
    }
    for (const Finding& damaged : report_.damaged) cause.erase(damaged.key);
    for (const auto& [key, source] : cause) {
      const Finding from = finding(source, {}, "");
      const Known& known = known_.at(key);
      const bool is_row = known.entry != nullptr && known.entry->is_row;
      report_.dependents.push_back(finding(key, is_row ? layout_.database() : layout_.object(key),
                                           fmt::format("made from {}", from.name.empty() ? source.short_hex() : from.name)));
    }
  }

  void read_work() {
    for (const fs::path& folder : store::entries_of(layout_.work())) {
      const std::optional<plan::Key> key = store::key_named(folder);
      if (!key || engine::is_claimed(folder)) continue;
      read_work_of(*key, folder);
    }
  }

  void read_work_of(const plan::Key& key, const fs::path& folder) {
    Known& known = known_[key];
    if (known.name.empty()) name_by_description(folder, known);
    bool saved = false;
    for (const fs::path& entry : store::entries_of(folder)) {
      if (entry.filename().string().starts_with("out.")) report_.drafts.push_back(finding(key, entry, "of an attempt that was killed"));
    }
    for (const engine::CheckpointFile& file : engine::look_at_checkpoints(folder, key)) {
      if (file.problem.empty()) {
        saved = true;
      } else {
        report_.bad_checkpoints.push_back(finding(key, file.path, file.problem));
      }
    }
    const char* holds = store::is_there(layout_.object(key)) ? "its result is there" : saved ? "unfinished, goes on from its checkpoint" : "no result, nothing saved";
    report_.idle_work.push_back(finding(key, folder, holds));
  }

  static void name_by_description(const fs::path& folder, Known& known) {
    try {
      const schema::Value task = schema::parse_json(store::read_bytes(folder / "task.json"));
      known.name = task.string_or("name", "");
      known.kind = task.string_or("kind", "");
    } catch (const std::exception&) {
      // a claim was taken, no more
    }
  }

  void read_trash() {
    for (const fs::path& entry : store::entries_of(layout_.trash())) {
      report_.trash.push_back(finding(store::key_named(entry.stem()).value_or(plan::Key{}), entry, "was being removed"));
    }
  }

  const store::Layout& layout_;
  store::ObjectStore objects_;
  Inspection report_;
  std::map<plan::Key, Known> known_;
  std::set<plan::Key> in_progress_;
  std::vector<store::KnownResult> results_;
  std::map<plan::Key, Files> entered_files_;
  bool has_index_ = false;
};

}  // namespace

Inspection inspect(const store::Layout& layout) { return Inspector(layout).run(); }

}  // namespace bgw::upkeep
