#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "compiler/schema/value.h"
#include "runtime/cli/selection.h"
#include "runtime/engine/cost_model.h"
#include "runtime/engine/explain.h"
#include "runtime/store/cache.h"

namespace bgw::cli {

/// One task as a plan shows it.
struct PlannedTask {
  std::string name, kind, key;
  std::string status;                // "cached", "run", "retry"
  std::string reason;                // of one to run
  std::vector<std::string> changes;  // against the latest earlier task of that name
  bool heavy = false;                // a child process: what is not heavy costs nothing to speak of
  std::optional<engine::CostEstimate> cost;  // of a heavy one to run
  std::string extends;               // key of finished work that it goes on from
  std::optional<store::Origin> origin;       // of a heavy one that is cached
  std::string precision;
  std::optional<std::int64_t> seed;  // as the program gave or derived it
  std::string stream_key;            // root of its random streams: the key without steps and count
};

/// What a run would do: made from a program and its cache, or read back from a saved plan.
struct PlanView {
  std::string program, title;
  schema::Map overridden;
  std::vector<PlannedTask> tasks;
  std::vector<std::string> not_run_yet;
  std::size_t earlier_tasks = 0;  // behind the estimates

  std::size_t to_run() const;
  std::size_t cached() const { return tasks.size() - to_run(); }
};

/// The tasks that a plan shows: wanted or needed, without those that are gone and that nothing which runs reads.
std::vector<std::size_t> shown_tasks(const plan::Plan& plan, const Selection& selection,
                                     const std::vector<engine::TaskStatus>& statuses);

PlanView view_of(const plan::Plan& plan, const Selection& selection, const std::vector<engine::TaskStatus>& statuses,
                 store::Cache& cache);

/// What `plan --json` prints, see docs/commands.md.
schema::Map to_map(const PlanView& view);
/// Reads it back; throws std::logic_error when a member is missing or of another type.
PlanView plan_view_from(const schema::Value& value);

/// A line a family, and the totals.
std::string plan_text(const PlanView& view);
/// "2026-03-02", the local date of a time in microseconds.
std::string date_text(std::int64_t microseconds);
/// A line a task that draws random numbers: its seed.
std::string seeds_text(const PlanView& view);

}  // namespace bgw::cli
