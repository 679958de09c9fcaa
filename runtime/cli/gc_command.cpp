#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>

#include "runtime/cli/failure.h"
#include "runtime/cli/json_output.h"
#include "runtime/cli/upkeep_commands.h"
#include "runtime/report/number_format.h"
#include "runtime/report/text_table.h"
#include "runtime/store/durable_file.h"
#include "runtime/upkeep/garbage.h"

namespace bgw::cli {
namespace {

using schema::List;
using schema::Map;

// "30d", "12h", "0": in microseconds.
std::int64_t duration(const std::string& text) {
  double number = 0;
  const char* last = text.data() + text.size();
  const auto [end, error] = std::from_chars(text.data(), last, number);
  const std::string unit(end, last);
  if (error == std::errc() && number == 0 && unit.empty()) return 0;
  for (const auto& [name, seconds] : {std::pair{"s", 1.0}, {"min", 60.0}, {"h", 3600.0}, {"d", 86400.0}, {"w", 604800.0}}) {
    if (error == std::errc() && unit == name && number >= 0 && number * seconds < 1e11) return static_cast<std::int64_t>(number * seconds * 1e6);
  }
  throw CommandFailure(kWrongUse, fmt::format("--older {}: a time is needed, for instance 30d, 12h, 2w or 0", text));
}

// One cache at a time: what a program needs says nothing about the cache of another folder.
std::filesystem::path cache_of(const GarbageOptions& options) {
  ProgramOptions one = options;
  one.program = options.programs.empty() ? "" : options.programs.front();
  const auto place = [&] { return std::filesystem::absolute(cache_directory(one)).lexically_normal(); };
  const std::filesystem::path first = place();
  for (const std::string& program : options.programs) {
    one.program = program;
    if (place() != first) {
      throw CommandFailure(kWrongUse, fmt::format("{} and {} have different caches: clear them one after the other", options.programs.front(), program));
    }
  }
  return first;
}

std::vector<upkeep::Root> roots_of(const GarbageOptions& options) {
  std::vector<upkeep::Root> roots;
  for (const std::string& program : options.roots) {
    ProgramOptions one = options;
    one.program = program;
    upkeep::Root root{program, {}};
    for (const plan::TaskSpec& task : load_program(one).program.plan.tasks) root.keys.push_back(task.key);
    roots.push_back(std::move(root));
  }
  return roots;
}

std::string name_of(const upkeep::Garbage& item) {
  if (!item.name.empty()) return item.kind + "." + item.name;
  return item.kind.empty() ? item.path.filename().string().substr(0, 24) : item.kind;
}

std::string kept_text(const upkeep::Tidying& tidying, const GarbageOptions& options) {
  const std::map<std::string, std::string> words{{"pinned", "pinned"},
                                                 {"working", "being worked on"},
                                                 {"run", fmt::format("needed by the last {} runs of a program", options.keep_last)},
                                                 {"root", "needed by a --root"},
                                                 {"young", fmt::format("younger than {}", options.older)}};
  std::vector<std::string> parts;
  for (const char* reason : {"pinned", "working", "run", "root", "young"}) {
    const auto counts = tidying.kept_by_reason();
    if (const auto found = counts.find(reason); found != counts.end()) parts.push_back(fmt::format("{} {}", found->second, words.at(reason)));
  }
  return fmt::format("kept     {}{}{}\n", tidying.kept.size(), parts.empty() ? "" : ": ", fmt::join(parts, ", "));
}

void print(const upkeep::Tidying& tidying, const GarbageOptions& options) {
  report::TextTable table{{{"what"}, {"name"}, {"key"}, {"made"}, {"size", true}}, {}};
  for (const upkeep::Garbage& item : tidying.garbage) {
    table.rows.push_back({item.what, name_of(item), item.key.short_hex(), report::format_time(item.made), report::format_bytes(item.bytes)});
  }
  if (!table.rows.empty()) fmt::print("{}", report::render(table));
  fmt::print("{}  {}: {}{}\n", options.apply ? "removed" : "garbage", tidying.garbage.size(), report::format_bytes(tidying.bytes()),
             options.apply || tidying.garbage.empty() ? "" : "; --apply removes it");
  fmt::print("{}", kept_text(tidying, options));
}

Map to_map(const upkeep::Tidying& tidying, bool applied) {
  List garbage, kept;
  for (const upkeep::Garbage& item : tidying.garbage) {
    garbage.push_back(Map{{"what", item.what}, {"key", item.key.hex()}, {"name", item.name}, {"kind", item.kind},
                          {"path", item.path.string()}, {"bytes", static_cast<std::int64_t>(item.bytes)}, {"made_us", item.made}});
  }
  for (const upkeep::Kept& item : tidying.kept) {
    kept.push_back(Map{{"key", item.key.hex()}, {"name", item.name}, {"kind", item.kind},
                       {"bytes", static_cast<std::int64_t>(item.bytes)}, {"reason", item.reason}, {"detail", item.detail}});
  }
  Map counts;
  for (const auto& [reason, count] : tidying.kept_by_reason()) counts[reason] = static_cast<std::int64_t>(count);
  return {{"applied", applied}, {"garbage", std::move(garbage)}, {"bytes", static_cast<std::int64_t>(tidying.bytes())},
          {"kept", std::move(kept)}, {"kept_by_reason", std::move(counts)}};
}

}  // namespace

int collect_garbage(const GarbageOptions& options) {
  const store::Layout layout{cache_of(options)};
  upkeep::KeepRules rules;
  rules.last_runs = options.keep_last;
  rules.younger = duration(options.older);
  rules.roots = roots_of(options);
  upkeep::Tidying tidying;
  const bool there = store::is_there(layout.database()) || store::is_there(layout.objects());
  if (there) tidying = options.apply ? upkeep::remove_garbage(layout, rules) : upkeep::find_garbage(layout, rules);
  if (options.json) {
    put_document(to_map(tidying, options.apply));
  } else if (there) {
    print(tidying, options);
  } else {
    fmt::print("nothing to remove: there is no cache in {}\n", layout.root.string());
  }
  return kDone;
}

}  // namespace bgw::cli
