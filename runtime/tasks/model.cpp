#include "runtime/tasks/model.h"

namespace bgw::tasks {
namespace {

Tensor parameters_of(const artifacts::Artifact& training) {
  Tensor parameters = at::empty({static_cast<std::int64_t>(flows::kModeSplitParameters.size())}, at::kDouble);
  double* parameter = parameters.data_ptr<double>();
  for (const char* name : flows::kModeSplitParameters) {
    *parameter++ = training.array(std::string("parameters/") + name).doubles.at(0);
  }
  return parameters;
}

Ground ground_at(engine::TaskContext& context, const plan::Key& base) {
  return make_ground(context.object_spec(base), *context.object(base));
}

}  // namespace

void Model::set_flow(std::unique_ptr<flows::ModeSplitFlow> flow, const Tensor& parameters) {
  flow_ = std::move(flow);
  parameters_ = parameters;
}

flows::Draws Model::generate(const Tensor& z) const {
  if (flow_) return flows::generate(*flow_, z, parameters_);
  const Tensor displacements = ground_.target->displacements(z);
  const Tensor energy = ground_.model->energy(displacements);
  return {displacements, energy, -ground_.target->work_from_energy(energy, z)};
}

Tensor Model::log_weight_of(const Tensor& displacements) const {
  if (flow_) return flows::log_weight_of(*flow_, displacements, parameters_);
  return -ground_.target->work_from_energy(ground_.model->energy(displacements), ground_.target->whiten(displacements));
}

std::unique_ptr<Model> load_model(engine::TaskContext& context, const plan::TaskSpec& sample_spec) {
  const bool transferred = sample_spec.arguments.at("model").has("call");
  const plan::Key& model_key = input_key(sample_spec, transferred ? "model.model" : "model");
  const plan::TaskSpec model_spec = context.object_spec(model_key);
  if (model_spec.kind == "base") return std::make_unique<Model>(ground_at(context, model_key));

  const plan::Key& base_key = transferred ? input_key(sample_spec, "model.base") : input_key(model_spec, "base");
  auto model = std::make_unique<Model>(ground_at(context, base_key));
  model->set_flow(make_flow(model_spec.arguments, model->ground()), parameters_of(*context.object(model_key)));
  return model;
}

}  // namespace bgw::tasks
