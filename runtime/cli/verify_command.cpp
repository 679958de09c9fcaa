#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "runtime/cli/commands.h"
#include "runtime/cli/failure.h"
#include "runtime/cli/json_output.h"
#include "runtime/cli/result_view.h"
#include "runtime/store/cache.h"

namespace bgw::cli {
namespace {

// The checks behind the names: those named, those of targets, and those that read a task that is named.
std::vector<std::size_t> checks_behind(const lowering::Program& program, const std::vector<std::string>& names) {
  const Wanted wanted = find_wanted(program, names);
  if (names.empty()) return wanted.checks;
  std::set<std::size_t> checks(wanted.checks.begin(), wanted.checks.end());
  for (const std::string& name : names) {
    const lowering::Found found = lowering::find_instances(program, name);
    const std::set<std::size_t> tasks(found.tasks.begin(), found.tasks.end());
    for (std::size_t check = 0; check < program.plan.checks.size(); ++check) {
      const std::vector<plan::TaskInput>& inputs = program.plan.checks[check].inputs;
      if (std::any_of(inputs.begin(), inputs.end(), [&](const plan::TaskInput& input) { return tasks.count(input.task) > 0; }))
        checks.insert(check);
    }
  }
  return {checks.begin(), checks.end()};
}

struct Counts {
  std::int64_t hold = 0, fail = 0, missing = 0;
  int exit_code() const { return fail > 0 ? kCheckFailed : missing > 0 ? kTaskFailed : kDone; }
};

Counts count(const std::vector<CheckOutcome>& outcomes) {
  Counts counts;
  for (const CheckOutcome& outcome : outcomes) ++(!outcome.verdict ? counts.missing : outcome.holds() ? counts.hold : counts.fail);
  return counts;
}

std::string summary(const Counts& counts, const VerifyOptions& options) {
  if (counts.hold + counts.fail + counts.missing == 0) return "there is no require and no expect to judge\n";
  std::string text = fmt::format("{} {}", counts.hold, counts.hold == 1 ? "holds" : "hold");
  if (counts.fail > 0) text += fmt::format(", {} {} not", counts.fail, counts.fail == 1 ? "does" : "do");
  if (counts.missing > 0)
    text += fmt::format(", {} cannot be judged yet: `{}` makes what is missing", counts.missing, run_command(options, options.names));
  return text + "\n";
}

}  // namespace

int verify(const VerifyOptions& options) {
  const LoadedProgram loaded = load_program(options);
  const plan::Plan& plan = loaded.program.plan;
  store::Cache cache = store::Cache::look(cache_directory(options));
  std::vector<CheckOutcome> outcomes;
  for (const std::size_t check : checks_behind(loaded.program, options.names))
    outcomes.push_back(judge_check(plan.checks[check], plan, cache));
  const Counts counts = count(outcomes);
  if (options.json) {
    schema::List checks;
    for (const CheckOutcome& outcome : outcomes) checks.push_back(to_value(outcome));
    put_document(schema::Map{{"program", plan.program}, {"checks", std::move(checks)}, {"hold", counts.hold}, {"fail", counts.fail}, {"missing", counts.missing}, {"exit_code", counts.exit_code()}});
  } else {
    fmt::print("{}{}", checks_text(outcomes), summary(counts, options));
  }
  return counts.exit_code();
}

}  // namespace bgw::cli
