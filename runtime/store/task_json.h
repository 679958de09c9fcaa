#pragma once

#include <optional>
#include <string>

#include "compiler/plan/plan.h"

namespace bgw::store {

/// Text of task.json: everything a bgw-task process needs to run the task. The index of an input in its plan is
/// left out, since it means nothing outside that plan (it reads back as 0).
/// @param extends  finished work of fewer steps or samples from which the task may go on
std::string to_json(const plan::TaskSpec& spec, const std::optional<plan::Key>& extends = {});
/// Reads it back; throws std::runtime_error naming what is missing.
plan::TaskSpec parse_task(const std::string& text);
/// The finished work that such a text names to go on from; throws std::runtime_error when it is no such text.
std::optional<plan::Key> extended_work(const std::string& text);

}  // namespace bgw::store
