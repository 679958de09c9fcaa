#include "runtime/engine/policy.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "runtime/foundation/errors.h"

namespace bgw::engine {
namespace {

const schema::Value& nested(const schema::Value& policy, const char* name) {
  static const schema::Value kNothing(schema::Map{});
  const schema::Value* found = policy.find(name);
  return found != nullptr && found->is_map() ? *found : kNothing;
}

}  // namespace

Policy policy_of(const plan::TaskSpec& spec) {
  Policy policy;
  policy.cpus = static_cast<int>(spec.policy.int_or("cpus", 0));
  policy.gpus = static_cast<int>(spec.policy.int_or("gpus", 0));
  policy.walltime = spec.policy.number_or("walltime", 0);
  policy.memory = spec.policy.number_or("memory", 0);
  const schema::Value& checkpoint = nested(spec.policy, "checkpoint");
  policy.checkpoint_every = checkpoint.number_or("every_s", policy.checkpoint_every);
  policy.checkpoints_kept = static_cast<std::size_t>(std::max<std::int64_t>(1, checkpoint.int_or("keep", 2)));
  const schema::Value& retry = nested(spec.policy, "retry");
  policy.attempts = static_cast<int>(retry.int_or("attempts", 1));
  if (retry.has("on")) {
    for (const schema::Value& cause : retry.at("on").as_list()) policy.retry_on.insert(cause.as_string());
  }
  return policy;
}

void check_resources(const plan::TaskSpec& spec, const Machine& machine) {
  const Policy policy = policy_of(spec);
  const auto refuse = [&](const std::string& asked, const std::string& there) {
    throw InputError(fmt::format("task {} asks for {}, this run has {}: lower it in its resources, or run it on a larger machine",
                                 spec.name, asked, there));
  };
  if (policy.cpus > machine.cpus) refuse(fmt::format("{} cpus", policy.cpus), fmt::format("{}", machine.cpus));
  if (policy.gpus > 0) refuse(fmt::format("{} gpus", policy.gpus), "none");
  if (machine.memory > 0 && policy.memory > machine.memory) {
    refuse(fmt::format("{:.1f} GB of memory", policy.memory / 1e9), fmt::format("{:.1f} GB", machine.memory / 1e9));
  }
}

double physical_memory() {
  const long pages = ::sysconf(_SC_PHYS_PAGES);
  const long page_size = ::sysconf(_SC_PAGE_SIZE);
  return pages > 0 && page_size > 0 ? static_cast<double>(pages) * static_cast<double>(page_size) : 0;
}

}  // namespace bgw::engine
