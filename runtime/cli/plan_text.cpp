// How a plan is printed: members of a family that share a fate stand on one line.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <ctime>
#include <map>
#include <set>
#include <tuple>

#include "runtime/cli/plan_view.h"
#include "runtime/report/number_format.h"
#include "runtime/report/text_table.h"

namespace bgw::cli {
namespace {

// "draws[64]" -> "draws"; "rdf(draws[64])" is nobody's member.
std::string family(const std::string& name) {
  return !name.empty() && name.back() == ']' && name.find('(') == std::string::npos ? name.substr(0, name.find('['))
                                                                                    : name;
}

// "upstream: draws[64], ref[64]" -> "upstream: draws, ref", so that a family fits on a line.
std::string family_reason(const std::string& reason) {
  constexpr std::string_view kUpstream = "upstream: ";
  if (!reason.starts_with(kUpstream)) return reason;
  std::vector<std::string> names;
  std::string rest = reason.substr(kUpstream.size());
  while (!rest.empty()) {
    // commas inside brackets belong to a name
    int depth = 0;
    std::size_t end = 0;
    while (end < rest.size() && (depth > 0 || rest[end] != ',')) {
      depth += rest[end] == '[' || rest[end] == '(' ? 1 : rest[end] == ']' || rest[end] == ')' ? -1 : 0;
      ++end;
    }
    const std::string name = family(rest.substr(0, end));
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    rest = end + 2 <= rest.size() ? rest.substr(end + 2) : "";
  }
  return fmt::format("{}{}", kUpstream, fmt::join(names, ", "));
}

struct Row {
  std::string state, kind, family, reason;
  std::vector<const PlannedTask*> members;
  std::string name() const { return kind + "." + (members.size() > 1 ? family + "[*]" : members.front()->name); }
};

std::vector<Row> rows_of(const PlanView& view) {
  std::vector<Row> rows;
  std::map<std::tuple<std::string, std::string, std::string>, std::size_t> known;  // of one state
  for (const char* state : {"cached", "run", "retry"}) {
    known.clear();
    for (const PlannedTask& task : view.tasks) {
      if (task.status != state) continue;
      const std::string reason = family_reason(task.reason);
      const auto [place, fresh] = known.try_emplace({task.kind, family(task.name), reason}, rows.size());
      if (fresh) rows.push_back({state, task.kind, family(task.name), reason, {}});
      rows[place->second].members.push_back(&task);
    }
  }
  return rows;
}

std::string range_of(const std::set<std::string>& texts) {
  return texts.size() > 1 ? fmt::format("{} .. {}", *texts.begin(), *texts.rbegin()) : fmt::format("{}", fmt::join(texts, ""));
}

// "cpu, float64, 2026-03-02, bgw 0.4.1" of all members; ranges where they differ.
std::string origin_of(const Row& row) {
  std::set<std::string> devices, precisions, dates, versions;
  for (const PlannedTask* task : row.members) {
    if (!task->origin) continue;
    devices.insert(task->origin->device);
    if (!task->precision.empty()) precisions.insert(task->precision);
    dates.insert(date_text(task->origin->made));
    versions.insert(task->origin->bgw_version);
  }
  if (devices.empty()) return "";
  std::vector<std::string> parts{fmt::format("{}", fmt::join(devices, "/"))};
  if (!precisions.empty()) parts.push_back(fmt::format("{}", fmt::join(precisions, "/")));
  parts.push_back(range_of(dates));
  parts.push_back("bgw " + range_of(versions));
  return fmt::format("{}", fmt::join(parts, ", "));
}

// "38 core h": two digits are more than such an estimate is worth.
std::string core_time(double seconds) {
  const auto [value, unit] = seconds < 100    ? std::pair{seconds, "core s"}
                             : seconds < 6000 ? std::pair{seconds / 60, "core min"}
                                              : std::pair{seconds / 3600, "core h"};
  return value < 9.95 ? fmt::format("{:.1f} {}", value, unit) : fmt::format("{:.0f} {}", value, unit);
}

std::string size_text(double bytes) {
  if (bytes < 1e3) return fmt::format("{:.0f} bytes", bytes);
  const auto [value, unit] = bytes < 1e6   ? std::pair{bytes / 1e3, "kB"}
                             : bytes < 1e9 ? std::pair{bytes / 1e6, "MB"}
                                           : std::pair{bytes / 1e9, "GB"};
  return value < 9.95 ? fmt::format("{:.1f} {}", value, unit) : fmt::format("{:.0f} {}", value, unit);
}

std::string counted(std::size_t count, const char* noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

// "; est. 38 core h (from 31 earlier tasks; no estimate for 1 task); 2 GB"
std::string cost_text(const PlanView& view) {
  double core_seconds = 0, bytes = 0;
  std::size_t with = 0, without = 0;
  for (const PlannedTask& task : view.tasks) {
    if (!task.heavy || task.status == "cached") continue;
    ++(task.cost ? with : without);
    if (task.cost) core_seconds += task.cost->core_seconds;
    if (task.cost) bytes += task.cost->bytes;
  }
  const std::string missing = without > 0 ? "no estimate for " + counted(without, "task") : "";
  if (with == 0) return missing.empty() ? "" : "; " + missing;
  return fmt::format("; est. {} (from {}{}{}){}", core_time(core_seconds), counted(view.earlier_tasks, "earlier task"),
                     missing.empty() ? "" : "; ", missing, bytes > 0 ? "; " + size_text(bytes) : "");
}

}  // namespace

std::string date_text(std::int64_t microseconds) {
  const std::time_t seconds = microseconds / 1'000'000;
  std::tm parts{};
  ::localtime_r(&seconds, &parts);
  return fmt::format("{:04d}-{:02d}-{:02d}", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday);
}

std::string plan_text(const PlanView& view) {
  std::string text = fmt::format("{}: target {}, {}\n", view.program, view.title, counted(view.tasks.size(), "task"));
  for (const auto& [name, change] : view.overridden) {
    text += fmt::format("  param    {} {} -> {}\n", name, change.string_or("old", "?"), change.string_or("new", "?"));
  }
  const std::vector<Row> rows = rows_of(view);
  std::size_t width = 0;
  for (const Row& row : rows) width = std::max(width, report::width_of(row.name()));
  for (const Row& row : rows) {
    const std::string name = row.name();
    const std::string remark = row.state == "cached" ? origin_of(row) : row.reason;
    const std::string blanks(remark.empty() ? 0 : width - report::width_of(name) + 2, ' ');
    text += fmt::format("  {:<6} {:>3}  {}{}{}\n", row.state, row.members.size(), name, blanks, remark);
  }
  text += view.to_run() == 0 ? fmt::format("  nothing to do ({} cached)\n", view.cached())
                             : fmt::format("  total    {} cached, {} to run{}\n", view.cached(), view.to_run(), cost_text(view));
  for (const std::string& part : view.not_run_yet) text += fmt::format("  not run by this version yet: {}\n", part);
  return text;
}

std::string seeds_text(const PlanView& view) {
  report::TextTable table{{{"task"}, {"seed", true}, {"random streams"}}, {}};
  for (const PlannedTask& task : view.tasks) {
    if (task.seed) table.rows.push_back({task.kind + "." + task.name, std::to_string(*task.seed), task.stream_key.substr(0, 12)});
  }
  return table.rows.empty() ? "no task of this plan draws random numbers from a seed\n" : report::render(table);
}

}  // namespace bgw::cli
