#include "runtime/cli/lock_file.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>
#include <stdexcept>

#include "runtime/cli/failure.h"
#include "runtime/cli/output_file.h"
#include "runtime/store/durable_file.h"

namespace bgw::cli {
namespace {

using schema::List;
using schema::Map;
using schema::Value;

constexpr const char* kFormat = "bgw-lock";
constexpr std::int64_t kVersion = 1;
constexpr const char* kNone = "none";

using Texts = std::map<std::string, std::string>;

Map files_of(const plan::Plan& plan, const std::filesystem::path& file) {
  Map files;
  for (const plan::Plan::Import& import : plan.imports) files[way_from(file, import.path).string()] = import.sha256;
  return files;
}

Map kinds_of(const plan::Plan& plan) {
  Map kinds;
  for (const plan::TaskSpec& spec : plan.tasks) kinds[spec.kind] = spec.version;
  return kinds;
}

Map targets_of(const plan::Plan& plan) {
  Map targets;
  for (const auto& [target, wanted] : plan.targets) {
    Map keys;
    for (const std::size_t task : with_inputs(plan, wanted)) {
      const plan::TaskSpec& spec = plan.tasks[task];
      keys[spec.kind + "." + spec.name] = spec.key.hex();  // blocks of two kinds may share a name
    }
    targets[target] = std::move(keys);
  }
  return targets;
}

// Of what computed the results that are there: name -> versions.
Map libraries_of(const plan::Plan& plan, store::Cache& cache) {
  std::map<std::string, std::set<std::string>> versions;
  for (const plan::TaskSpec& spec : plan.tasks) {
    if (spec.placement != plan::Placement::child) continue;
    const std::optional<store::Manifest> manifest = cache.manifest(spec.key);
    if (!manifest) continue;
    for (const auto& [name, version] : manifest->provenance.libraries) {
      versions[name].insert(version.is_string() ? version.as_string() : schema::to_json(version));
    }
  }
  Map libraries;
  for (const auto& [name, all] : versions) libraries[name] = List(all.begin(), all.end());
  return libraries;
}

Texts texts_of(const Value& map) {
  Texts texts;
  for (const auto& [name, value] : map.as_map()) texts[name] = value.is_string() ? value.as_string() : schema::to_json(value);
  return texts;
}

Texts files_in(const Value& lock) {
  Texts files = texts_of(lock.at("imports"));
  files[lock.at("program").at("path").as_string()] = lock.at("program").at("sha256").as_string();
  return files;
}

// A task of several targets once.
Texts tasks_in(const Value& lock) {
  Texts tasks;
  for (const auto& [target, keys] : lock.at("targets").as_map()) {
    for (const auto& [name, key] : keys.as_map()) tasks[name] = key.as_string();
  }
  return tasks;
}

Texts targets_in(const Value& lock) {
  Texts targets;
  for (const auto& [target, keys] : lock.at("targets").as_map()) {
    std::vector<std::string> names;
    for (const auto& [name, key] : keys.as_map()) names.push_back(name);
    targets[target] = fmt::format("{}", fmt::join(names, " "));
  }
  return targets;
}

void compare(const char* what, const Texts& locked, const Texts& now, std::vector<Drift>& found) {
  std::set<std::string> names;
  for (const auto* side : {&locked, &now}) {
    for (const auto& [name, text] : *side) names.insert(name);
  }
  for (const std::string& name : names) {
    const auto before = locked.find(name), after = now.find(name);
    const std::string old_text = before == locked.end() ? kNone : before->second;
    const std::string new_text = after == now.end() ? kNone : after->second;
    if (old_text != new_text) found.push_back({what, name, old_text, new_text});
  }
}

bool is_digest(const std::string& text) { return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string::npos; }

std::string shortened(const std::string& text) { return is_digest(text) ? text.substr(0, 12) : text; }

}  // namespace

std::filesystem::path default_lock(const std::string& program) {
  return std::filesystem::path(program).parent_path() / "bgw.lock";
}

Value make_lock(const lowering::Program& program, const std::filesystem::path& file, store::Cache& cache) {
  Map params;
  for (const auto& [name, text] : program.params) params[name] = text;
  return Map{{"format", kFormat},
             {"version", kVersion},
             {"bgw_version", BGW_VERSION},
             {"program", Map{{"path", way_from(file, program.plan.program).string()}, {"sha256", program.plan.program_sha256}}},
             {"imports", files_of(program.plan, file)},
             {"params", std::move(params)},
             {"kinds", kinds_of(program.plan)},
             {"targets", targets_of(program.plan)},
             {"libraries", libraries_of(program.plan, cache)}};
}

std::vector<Drift> drift(const Value& locked, const Value& now) {
  std::vector<Drift> found;
  compare("param", texts_of(locked.at("params")), texts_of(now.at("params")), found);
  compare("file", files_in(locked), files_in(now), found);
  compare("kind", texts_of(locked.at("kinds")), texts_of(now.at("kinds")), found);
  compare("task", tasks_in(locked), tasks_in(now), found);
  if (found.empty()) compare("target", targets_in(locked), targets_in(now), found);
  return found;
}

std::string to_text(const Drift& drift) {
  const char* noun = drift.what == "task" ? "key " : drift.what == "kind" ? "version " : drift.what == "file" ? "SHA-256 " : "";
  return fmt::format("{} {}: {}{} (locked: {})", drift.what, drift.name, noun, shortened(drift.now), shortened(drift.locked));
}

Value read_lock(const std::filesystem::path& file) {
  std::error_code error;
  if (!std::filesystem::exists(file, error))
    throw CommandFailure(kRefused, fmt::format("there is no lock file {}: `bgw lock PROGRAM` makes one", file.string()));
  Value lock;
  try {
    lock = schema::parse_json(store::read_bytes(file));
    if (!lock.is_map() || lock.string_or("format", "") != kFormat) throw std::runtime_error("it has another format");
    if (lock.int_or("version", 0) <= kVersion) drift(lock, lock);  // every member is there
  } catch (const std::logic_error& problem) {
    throw CommandFailure(kWrongUse, fmt::format("{} is a damaged lock file ({}): lock again", file.string(), problem.what()));
  } catch (const std::runtime_error& problem) {
    throw CommandFailure(kWrongUse, fmt::format("{} is no lock file: {}", file.string(), problem.what()));
  }
  if (lock.int_or("version", 0) > kVersion) {
    throw CommandFailure(kEnvironment, fmt::format("{} was written by a newer bgw (format {}), this one reads {}: lock again",
                                                   file.string(), lock.int_or("version", 0), kVersion));
  }
  return lock;
}

void refuse_drift(const lowering::Program& program, const SelectionOptions& options) {
  constexpr std::size_t kShown = 10;
  const std::filesystem::path file =
      options.lock_file.empty() ? default_lock(options.program) : std::filesystem::path(options.lock_file);
  const Value locked = read_lock(file);
  store::Cache cache = store::Cache::look(cache_directory(options));
  const std::vector<Drift> found = drift(locked, make_lock(program, file, cache));
  if (found.empty()) return;
  std::vector<std::string> lines;
  for (std::size_t i = 0; i < std::min(kShown, found.size()); ++i) lines.push_back(to_text(found[i]));
  if (found.size() > kShown) lines.push_back(fmt::format("and {} more", found.size() - kShown));
  throw CommandFailure(kRefused, fmt::format("this is not what {} locks: {}; undo that, or accept it with `{}{}`",
                                             file.string(), fmt::join(lines, ";\n  "), command_line("lock", options, {}),
                                             options.lock_file.empty() ? "" : " -o " + shell_word(options.lock_file)));
}

}  // namespace bgw::cli
