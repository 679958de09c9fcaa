#include "runtime/tasks/inverse_passes.h"

#include <algorithm>

#include "runtime/estimators/marginal.h"
#include "runtime/tasks/ledger.h"
#include "runtime/tasks/pace.h"
#include "runtime/tensor/array.h"
#include "runtime/tensor/random_stream.h"

namespace bgw::tasks {
namespace {

std::int64_t count_of(const std::vector<Tensor>& done) {
  std::int64_t count = 0;
  for (const Tensor& part : done) count += part.size(0);
  return count;
}

void load(const artifacts::Artifact& checkpoint, const char* name, std::vector<Tensor>& done) {
  if (checkpoint.arrays.contains(name)) done.push_back(tensor::to_tensor(checkpoint.array(name)));
}

void save(artifacts::Artifact& checkpoint, const char* name, const std::vector<Tensor>& done) {
  if (!done.empty()) checkpoint.arrays[name] = tensor::to_array(at::cat(done));
}

}  // namespace

InversePasses::InversePasses(engine::TaskContext& context, const Model& model) : context_(context), model_(model) {
  const auto checkpoint = context.load_checkpoint();
  if (!checkpoint) return;
  load(*checkpoint, "marginal", samples_);
  load(*checkpoint, "log_weight", data_);
  before_ = calls_of(checkpoint->cost);
}

physics::CallCount InversePasses::calls() const { return before_ + model_.calls(); }

artifacts::Artifact InversePasses::state() const {
  artifacts::Artifact state;
  save(state, "marginal", samples_);
  save(state, "log_weight", data_);
  state.cost = cost_of(calls());
  return state;
}

Tensor InversePasses::run(const char* phase, std::vector<Tensor>& done, std::int64_t samples, const Columns& columns) {
  const Listening listening = stop_in_interludes(context_, [this] { return state(); });
  std::int64_t count = count_of(done);
  while (count < samples) {
    const std::int64_t end = std::min(count + model_.at_once(), samples);
    std::vector<Tensor> weights;
    columns(count, end, weights);
    done.push_back(estimators::marginal_log_weight(at::stack(weights, 1)));
    count = end;
    context_.report({phase, count, samples, {}});
    context_.step_done([this] { return state(); });
  }
  return at::cat(done);
}

Tensor InversePasses::of_samples(const Tensor& displacements, const Tensor& log_weight, std::int64_t fresh) {
  const tensor::RandomStream auxiliary(context_.spec().stream_key, "auxiliary.samples");
  return run("copies of the samples", samples_, log_weight.size(0), [&](std::int64_t begin, std::int64_t end, std::vector<Tensor>& columns) {
    columns.push_back(log_weight.slice(0, begin, end));
    for (std::int64_t copy = 1; copy <= fresh; ++copy) {
      if (copy > 1) interlude();
      columns.push_back(model_.log_weight_of(displacements.slice(0, begin, end),
                                             auxiliary.normal(copy, begin, end - begin, model_.auxiliary_dimension())));
    }
  });
}

Tensor InversePasses::of_data(const Tensor& displacements, std::int64_t copies) {
  const tensor::RandomStream auxiliary(context_.spec().stream_key, "auxiliary");
  return run("inverse of the data", data_, displacements.size(0), [&](std::int64_t begin, std::int64_t end, std::vector<Tensor>& columns) {
    for (std::int64_t copy = 0; copy < copies; ++copy) {
      if (copy > 0) interlude();
      columns.push_back(model_.log_weight_of(displacements.slice(0, begin, end),
                                             auxiliary.normal(copy, begin, end - begin, model_.auxiliary_dimension())));
    }
  });
}

}  // namespace bgw::tasks
