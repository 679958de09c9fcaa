#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "compiler/plan/plan.h"
#include "runtime/store/cache.h"

namespace bgw::engine {

/// The file of an object that holds what its result lacks for a longer task to go on from: the state of the optimizer.
inline constexpr const char* kStateFile = "state.h5";

/// Finished work of fewer steps or samples from which a task goes on, to end with the very numbers that it would have
/// got from its own start.
///
/// Random numbers are the same for both, since their root is the key without lengths (plan::TaskSpec::stream_key). What
/// remains is that no step of the shorter task may have known how many steps there are. So these are extended:
///
///     sample      a larger `count`: sample i depends on i and nothing else
///     train       more `steps` in the last stage when its learning rate is a number or a decay; a schedule stretches with the stage
///
/// and these are not: a reference discards steps/4 moves first, in which it also finds its step angle; an estimate
/// and a radial distribution read all of their samples at once; a base has no length.
struct Extension {
  plan::Key key;          // of the finished object
  std::string length;     // what grows, in the words of the program: "count", "stage main.steps"
  std::int64_t from = 0;
  std::int64_t to = 0;
  std::int64_t step = 0;  // at which the task goes on, as Progress counts them

  std::string text() const;  // "count 1000 -> 2000: extends finished work"
};

/// True when a longer task could go on from the end of this one.
bool can_be_extended(const plan::TaskSpec& spec);

/// What `wanted` has more of than `finished`, when it can go on from there. Pure: looks at kind, version, inputs and
/// arguments.
std::optional<Extension> extension_of(const plan::TaskSpec& finished, const plan::TaskSpec& wanted);

/// The longest finished work of a cache from which a task can go on. What cannot be read is passed over.
std::optional<Extension> find_extension(const plan::TaskSpec& wanted, store::Cache& cache);

}  // namespace bgw::engine
