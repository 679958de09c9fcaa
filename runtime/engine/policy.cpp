#include "runtime/engine/policy.h"

#include <fmt/format.h>

#include <algorithm>

#include "runtime/foundation/errors.h"

namespace bgw::engine {
namespace {

const schema::Value& nested(const schema::Value& policy, const char* name) {
  static const schema::Value kNothing(schema::Map{});
  const schema::Value* found = policy.find(name);
  return found != nullptr && found->is_map() ? *found : kNothing;
}

void read_retry(const schema::Value& retry, Policy& policy) {
  policy.attempts = static_cast<int>(std::max<std::int64_t>(1, retry.int_or("attempts", policy.attempts)));
  policy.backoff = std::max(0.0, retry.number_or("backoff_s", policy.backoff));
  if (!retry.has("on")) return;
  policy.retry_on.clear();
  for (const schema::Value& cause : retry.at("on").as_list()) policy.retry_on.insert(cause.as_string());
}

}  // namespace

Policy policy_of(const plan::TaskSpec& spec) {
  Policy policy;
  policy.cpus = static_cast<int>(spec.policy.int_or("cpus", 0));
  policy.gpus = static_cast<int>(spec.policy.int_or("gpus", 0));
  policy.walltime = spec.policy.number_or("walltime", 0);
  policy.memory = spec.policy.number_or("memory", 0);
  policy.exclusive = spec.policy.bool_or("exclusive", false);
  const schema::Value& checkpoint = nested(spec.policy, "checkpoint");
  policy.checkpoint_every = checkpoint.number_or("every_s", policy.checkpoint_every);
  policy.checkpoints_kept = static_cast<std::size_t>(std::max<std::int64_t>(1, checkpoint.int_or("keep", 2)));
  read_retry(nested(spec.policy, "retry"), policy);
  return policy;
}

Request request_of(const Policy& policy) { return {policy.cpus, policy.memory, policy.gpus, policy.exclusive}; }

void check_resources(const plan::TaskSpec& spec, const Machine& machine) {
  const Policy policy = policy_of(spec);
  const auto refuse = [&](const std::string& wanted, const std::string& there) {
    throw InputError(fmt::format("task {} needs {}, this machine has {}: lower it in its resources, or run it on a larger machine",
                                 spec.name, wanted, there));
  };
  if (policy.cpus > machine.cpus) refuse(fmt::format("{} cpus", policy.cpus), fmt::format("{} for this run", machine.cpus));
  if (static_cast<std::size_t>(std::max(0, policy.gpus)) > machine.gpus.size()) {
    refuse(fmt::format("{} {}", policy.gpus, policy.gpus == 1 ? "GPU" : "GPUs"), machine.gpus.empty() ? "none" : fmt::format("{}", machine.gpus.size()));
  }
  if (machine.memory > 0 && policy.memory > machine.memory) {
    refuse(fmt::format("{:.1f} GB of memory", policy.memory / 1e9), fmt::format("{:.1f} GB", machine.memory / 1e9));
  }
}

}  // namespace bgw::engine
