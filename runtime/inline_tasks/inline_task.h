#pragma once

#include "compiler/plan/plan.h"
#include "runtime/engine/task_inputs.h"

namespace bgw::inline_tasks {

/// Runs a task inside the controller: the engine's InlineFunction. Kinds: "table", "figure". To add one: its function
/// in a file of its own, one line here, its schema in runtime/catalog.
schema::Value run_inline_task(const plan::TaskSpec& spec, const engine::TaskInputs& inputs);

}  // namespace bgw::inline_tasks
