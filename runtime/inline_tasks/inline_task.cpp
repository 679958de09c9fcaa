#include "runtime/inline_tasks/inline_task.h"

#include <stdexcept>

#include "runtime/inline_tasks/figure.h"
#include "runtime/inline_tasks/table.h"
#include "runtime/inline_tasks/task_results.h"

namespace bgw::inline_tasks {

schema::Value run_inline_task(const plan::TaskSpec& spec, const engine::TaskInputs& inputs) {
  const TaskResults results(inputs);
  if (spec.kind == "table") return make_table(spec.arguments, results);
  if (spec.kind == "figure") return make_figure(spec.arguments, results);
  throw std::logic_error("no inline task is of kind " + spec.kind);
}

}  // namespace bgw::inline_tasks
