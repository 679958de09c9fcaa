#include <fmt/format.h>

#include "runtime/cli/commands.h"
#include "runtime/cli/failure.h"
#include "runtime/cli/json_output.h"
#include "runtime/cli/lock_file.h"
#include "runtime/cli/output_file.h"

namespace bgw::cli {
namespace {

using schema::Map;
using schema::Value;

std::string counted(std::size_t count, const char* noun) { return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s"); }

std::size_t tasks_in(const Value& lock) {
  std::map<std::string, bool> names;
  for (const auto& [target, keys] : lock.at("targets").as_map()) {
    for (const auto& [name, key] : keys.as_map()) names[name] = true;
  }
  return names.size();
}

int check_lock(const Value& locked, const Value& now, const std::filesystem::path& file, bool json) {
  const std::vector<Drift> found = drift(locked, now);
  if (json) {
    schema::List list;
    for (const Drift& one : found)
      list.push_back(Map{{"what", one.what}, {"name", one.name}, {"locked", one.locked}, {"now", one.now}});
    put_document(Map{{"lock", file.string()}, {"holds", found.empty()}, {"drift", std::move(list)}});
  } else {
    for (const Drift& one : found) fmt::print("{}\n", to_text(one));
    fmt::print("{}: {}\n", file.string(), found.empty() ? "holds" : counted(found.size(), "difference"));
  }
  return found.empty() ? kDone : kRefused;
}

}  // namespace

int lock(const LockOptions& options) {
  const std::filesystem::path file = options.output.empty() ? default_lock(options.program) : std::filesystem::path(options.output);
  const LoadedProgram loaded = load_program(options);
  store::Cache cache = store::Cache::look(cache_directory(options));
  const Value now = make_lock(loaded.program, file, cache);
  if (options.check) return check_lock(read_lock(file), now, file, options.json);
  write_output(file, schema::to_pretty_json(now) + "\n", loaded.program.plan);
  const std::size_t params = now.at("params").as_map().size(), files = 1 + now.at("imports").as_map().size();
  const std::size_t tasks = tasks_in(now), targets = now.at("targets").as_map().size();
  if (options.json) {
    put_document(Map{{"lock", file.string()}, {"params", static_cast<std::int64_t>(params)}, {"files", static_cast<std::int64_t>(files)}, {"tasks", static_cast<std::int64_t>(tasks)}, {"targets", static_cast<std::int64_t>(targets)}});
  } else {
    fmt::print("{}: {}, {}, {} in {}\n", file.string(), counted(params, "param"), counted(files, "file"), counted(tasks, "task"),
               counted(targets, "target"));
  }
  return kDone;
}

}  // namespace bgw::cli
