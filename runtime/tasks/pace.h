#pragma once

#include <cstdint>
#include <functional>

#include "runtime/engine/task.h"
#include "runtime/foundation/interlude.h"

namespace bgw::tasks {

/// How many configurations a step evaluates, so that a request to stop is met within about a second on one core,
/// whatever the batch. No number depends on it.
std::int64_t configurations_at_once(std::int64_t particles);

/// For the parts of a task that are one long computation: while it lives, a request to stop is met in its interludes.
/// @param state  of the task before that computation; it is saved, and the computation is made anew by the next attempt
Listening stop_in_interludes(engine::TaskContext& context, std::function<artifacts::Artifact()> state);

/// The same where there is no state yet: the task begins anew.
Listening stop_in_interludes(engine::TaskContext& context);

}  // namespace bgw::tasks
