#include <fmt/format.h>
#include <fmt/ranges.h>

#include <optional>

#include "runtime/cli/failure.h"
#include "runtime/cli/json_output.h"
#include "runtime/cli/upkeep_commands.h"
#include "runtime/report/number_format.h"
#include "runtime/store/durable_file.h"
#include "runtime/upkeep/inspection.h"
#include "runtime/upkeep/rebuild.h"
#include "runtime/upkeep/repair.h"

namespace bgw::cli {
namespace {

using schema::List;
using schema::Map;
using upkeep::Finding;

store::Layout layout_of(const ProgramOptions& options) {
  return {std::filesystem::absolute(cache_directory(options)).lexically_normal()};
}

List to_list(const std::vector<Finding>& findings) {
  List list;
  for (const Finding& finding : findings) {
    list.push_back(Map{{"key", finding.key.hex()},
                       {"name", finding.name},
                       {"kind", finding.kind},
                       {"path", finding.path.string()},
                       {"cause", finding.cause}});
  }
  return list;
}

Map to_map(const upkeep::Inspection& found) {
  return {{"objects", static_cast<std::int64_t>(found.objects)},
          {"sound", static_cast<std::int64_t>(found.objects - found.damaged.size() - found.unreadable.size())},
          {"bytes", static_cast<std::int64_t>(found.bytes)},
          {"damaged", to_list(found.damaged)},
          {"unreadable", to_list(found.unreadable)},
          {"dependents", to_list(found.dependents)},
          {"not_entered", to_list(found.not_entered)},
          {"gone", to_list(found.gone)},
          {"database", List(found.database.begin(), found.database.end())},
          {"bad_checkpoints", to_list(found.bad_checkpoints)},
          {"drafts", to_list(found.drafts)},
          {"idle_work", to_list(found.idle_work)},
          {"trash", to_list(found.trash)}};
}

Map to_map(const upkeep::Repairs& repairs) {
  return {{"moved_aside", to_list(repairs.moved_aside)},
          {"evicted", to_list(repairs.evicted)},
          {"entered", to_list(repairs.entered)},
          {"forgotten", to_list(repairs.forgotten)},
          {"swept", to_list(repairs.swept)},
          {"set_aside", to_list(repairs.set_aside)},
          {"busy", to_list(repairs.busy)},
          {"old_database", repairs.old_database ? schema::Value(repairs.old_database->string()) : schema::Value()}};
}

std::string name_of(const Finding& finding) {
  if (finding.name.empty()) return finding.key == plan::Key{} ? finding.path.filename().string() : finding.key.short_hex();
  return fmt::format("{}.{} ({})", finding.kind, finding.name, finding.key.short_hex());
}

void print_findings(const char* word, const std::vector<Finding>& findings) {
  for (const Finding& finding : findings) fmt::print("{}: {}: {}\n", word, name_of(finding), finding.cause);
}

void print_inspection(const upkeep::Inspection& found) {
  print_findings("damaged", found.damaged);
  print_findings("  depends on it", found.dependents);
  print_findings("unreadable", found.unreadable);
  print_findings("not in the database", found.not_entered);
  print_findings("gone", found.gone);
  for (const std::string& complaint : found.database) fmt::print("database: {}\n", complaint);
  print_findings("bad checkpoint", found.bad_checkpoints);
  print_findings("draft", found.drafts);
  print_findings("work of nobody", found.idle_work);
  print_findings("trash", found.trash);
  fmt::print("{} of {} objects are sound ({})\n", found.objects - found.damaged.size() - found.unreadable.size(), found.objects,
             report::format_bytes(found.bytes));
}

// One way out for each kind of fault.
void print_way_out(const upkeep::Inspection& found) {
  if (!found.damaged.empty()) {
    fmt::print("`bgw cache verify --repair` moves what is damaged aside, a `bgw run` that needs it makes it again{}\n",
               found.dependents.empty() ? "" : "; --evict also removes what was made from it");
  } else if (!found.not_entered.empty() || !found.gone.empty() || !found.database.empty()) {
    fmt::print("`bgw cache verify --repair` makes the database agree with the objects\n");
  }
  if (!found.unreadable.empty()) fmt::print("what is unreadable was left alone: mend its cause and verify again\n");
}

void print_repairs(const upkeep::Repairs& repairs) {
  for (const Finding& damaged : repairs.moved_aside) fmt::print("moved aside: {} to {}\n", name_of(damaged), damaged.path.string());
  for (const Finding& checkpoint : repairs.set_aside) fmt::print("moved aside: a checkpoint of {} to {}\n", name_of(checkpoint), checkpoint.path.string());
  for (const auto& [word, findings] : {std::pair{"evicted", &repairs.evicted}, {"entered", &repairs.entered}, {"forgotten", &repairs.forgotten},
                                       {"swept", &repairs.swept}, {"left alone, somebody works on it", &repairs.busy}}) {
    for (const Finding& finding : *findings) fmt::print("{}: {}\n", word, name_of(finding));
  }
  if (repairs.old_database) fmt::print("the database was made anew; the old one lies in {}\n", repairs.old_database->string());
  fmt::print("{} mended\n", repairs.count());
}

}  // namespace

int cache_verify(const CacheVerifyOptions& options) {
  const store::Layout layout = layout_of(options);
  if (!options.json && !store::is_there(layout.root)) {
    fmt::print("nothing to verify: there is no cache in {}\n", layout.root.string());
    return kDone;
  }
  const bool there = store::is_there(layout.root);
  const upkeep::Inspection found = there ? upkeep::inspect(layout) : upkeep::Inspection{};
  std::optional<upkeep::Repairs> repairs;
  if (there && (options.repair || options.evict)) repairs = upkeep::repair(layout, found, options.evict);
  const bool holds = repairs ? upkeep::inspect(layout).holds() : found.holds();
  if (options.json) {
    Map map = to_map(found);
    map["holds"] = holds;
    if (repairs) map["repairs"] = to_map(*repairs);
    put_document(map);
  } else {
    print_inspection(found);
    if (repairs) print_repairs(*repairs);
    if (!holds && !repairs) print_way_out(found);
    if (!holds && repairs) fmt::print("not all could be mended: `bgw cache verify` says what is left\n");
  }
  return holds ? kDone : kEnvironment;
}

int cache_rebuild(const ProgramOptions& options) {
  const upkeep::Rebuilt rebuilt = upkeep::rebuild(layout_of(options));
  if (options.json) {
    put_document(Map{{"objects", static_cast<std::int64_t>(rebuilt.objects)}, {"damaged", static_cast<std::int64_t>(rebuilt.damaged)}, {"old_database", rebuilt.old_database ? schema::Value(rebuilt.old_database->string()) : schema::Value()}});
    return kDone;
  }
  if (rebuilt.old_database) fmt::print("the old database was unusable ({}) and lies in {}\n", rebuilt.cause, rebuilt.old_database->string());
  fmt::print("{} objects stand in the index again; tables and figures are made anew when they are next asked for\n", rebuilt.objects);
  if (rebuilt.damaged > 0) fmt::print("{} damaged objects were left out; `bgw cache verify` names them\n", rebuilt.damaged);
  return kDone;
}

}  // namespace bgw::cli
