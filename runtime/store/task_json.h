#pragma once

#include <string>

#include "compiler/plan/plan.h"

namespace bgw::store {

/// Text of task.json: everything a bgw-task process needs to run the task. The index of an input in its plan is
/// left out, since it means nothing outside that plan (it reads back as 0).
std::string to_json(const plan::TaskSpec& spec);
/// Reads it back; throws std::runtime_error naming what is missing.
plan::TaskSpec parse_task(const std::string& text);

}  // namespace bgw::store
