#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "runtime/cli/plan_view.h"

// A plan in a file, `bgw plan PROGRAM -o p.json`: what was decided, to be looked at and then run as it stands. It names
// the program, its imports and the cache by the way from the file's own folder, and holds no host, user or absolute path,
// so it can be shared with the program. Arguments of the tasks are in it, so that a plan that went stale can tell what
// changed; maps and lists that many tasks share stand once, in `values`.
namespace bgw::cli {

struct SavedPlan {
  std::filesystem::path file;
  PlanView view;
  schema::Value document;

  /// How the plan was asked for: its program, params, targets and cache in the place of those of `options`, which may
  /// name another cache and a lock file.
  /// @throws CommandFailure with exit code 2 when the options name params, targets or tasks themselves
  SelectionOptions selection(SelectionOptions options) const;
  int exit_code() const;  // of `plan --detailed-exitcode` when it was made
  std::string heading() const;
};

/// True for a file that begins as JSON does; no program does. False for one that cannot be read.
bool is_saved_plan(const std::string& path);
/// @throws CommandFailure with exit code 2 for a file that cannot be read or is no plan, 6 for one of a newer bgw
SavedPlan read_saved_plan(const std::string& path);

/// @throws StoreError
void save_plan(const std::filesystem::path& file, const lowering::Program& program, const SelectionOptions& options,
               const Selection& selection, const PlanView& view);

/// A plan holds as long as a run would do what it says. Results that came into the cache since leave less to do and are
/// welcome; another key, task or check, and results that are gone, are not.
/// @param options  those of the plan
/// @throws CommandFailure with exit code 7 naming up to five differences, and how to plan anew
void refuse_stale(const SavedPlan& saved, const lowering::Program& program, const SelectionOptions& options, const Selection& selection,
                  const std::vector<engine::TaskStatus>& statuses);

}  // namespace bgw::cli
