#include "runtime/tasks/pace.h"

#include <algorithm>

#include "runtime/foundation/errors.h"

namespace bgw::tasks {

std::int64_t configurations_at_once(std::int64_t particles) {
  constexpr std::int64_t kAtoms = 16'384;  // about a third of a second of a flow with sixteen splits
  return std::max<std::int64_t>(1, kAtoms / particles);
}

Listening stop_in_interludes(engine::TaskContext& context, std::function<artifacts::Artifact()> state) {
  return Listening([&context, state = std::move(state)] {
    if (context.stop_requested()) context.step_done(state);
  });
}

Listening stop_in_interludes(engine::TaskContext& context) {
  return Listening([&context] {
    if (context.stop_requested()) throw Stopped();
  });
}

}  // namespace bgw::tasks
