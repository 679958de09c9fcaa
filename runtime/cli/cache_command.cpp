#include <fmt/format.h>

#include "runtime/cli/commands.h"
#include "runtime/cli/failure.h"
#include "runtime/store/cache.h"

namespace bgw::cli {

int cache_verify(const ProgramOptions& options) {
  const store::Cache cache = store::Cache::look(cache_directory(options));
  if (!options.json && !std::filesystem::exists(cache.root())) {
    fmt::print("nothing to verify: there is no cache in {}\n", cache.root().string());
    return kDone;
  }
  const std::size_t objects = cache.objects().keys().size();
  const std::vector<plan::Key> damaged = store::damaged_objects(cache);
  if (options.json) {
    schema::List keys;
    for (const plan::Key& key : damaged) keys.push_back(key.hex());
    fmt::print("{}\n", schema::to_json(
                           schema::Map{{"objects", static_cast<std::int64_t>(objects)}, {"damaged", std::move(keys)}}));
  } else {
    for (const plan::Key& key : damaged) {
      const std::optional<store::Manifest> manifest = cache.objects().find_manifest(key);
      fmt::print("damaged: {} {}\n", key.hex(), manifest ? manifest->name : "(its manifest is unreadable)");
    }
    fmt::print("{} of {} objects are sound{}\n", objects - damaged.size(), objects,
               damaged.empty() ? "" : "; `bgw run` moves the damaged ones aside and makes them again");
  }
  return damaged.empty() ? kDone : kEnvironment;
}

int cache_rebuild(const ProgramOptions& options) {
  store::Cache cache = store::Cache::open(cache_directory(options));
  const auto entered = static_cast<std::int64_t>(store::rebuild_records(cache));
  if (options.json)
    fmt::print("{}\n", schema::to_json(schema::Map{{"objects", entered}}));
  else
    fmt::print("{} objects stand in the index again; tables and figures are made anew when they are next asked for\n", entered);
  return kDone;
}

}  // namespace bgw::cli
