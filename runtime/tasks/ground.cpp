#include "runtime/tasks/ground.h"

#include "runtime/flows/generate.h"
#include "runtime/foundation/errors.h"
#include "runtime/physics/free_energy.h"
#include "runtime/physics/make_energy_model.h"
#include "runtime/physics/potential.h"
#include "runtime/tensor/array.h"

namespace bgw::tasks {
namespace {

std::vector<crystal::Vector3> sites_of(const Tensor& sites) {
  const Tensor dense = sites.contiguous();
  const double* x = dense.data_ptr<double>();
  std::vector<crystal::Vector3> result(static_cast<std::size_t>(sites.size(0)));
  for (crystal::Vector3& site : result) {
    site = {x[0], x[1], x[2]};
    x += 3;
  }
  return result;
}

}  // namespace

double Ground::free_energy(double log_ratio) const {
  return physics::free_energy_per_particle(physics::log_partition(base) + log_ratio, particles(), base.cell.volume(),
                                           physics::length_scale(system));
}

Ground make_ground(const plan::TaskSpec& base_spec, const artifacts::Artifact& base) {
  Ground ground;
  ground.system = base_spec.arguments.at("system");
  ground.ensemble = base_spec.arguments.at("ensemble");
  ground.base = physics::gaussian_base_from(base);
  ground.model = physics::make_energy_model(ground.system, sites_of(ground.base.sites), ground.base.cell);
  ground.target = std::make_unique<physics::WhitenedTarget>(*ground.model, ground.base.modes, ground.base.beta,
                                                            ground.base.static_energy);
  return ground;
}

const plan::Key& input_key(const plan::TaskSpec& spec, const std::string& role) {
  for (const plan::TaskInput& input : spec.inputs) {
    if (input.role == role) return input.key;
  }
  throw std::logic_error("task " + spec.name + " has no input '" + role + "'");
}

std::unique_ptr<flows::ModeSplitFlow> make_flow(const schema::Value& train_arguments, const Ground& ground) {
  const schema::Value& flow = train_arguments.at("flow");
  if (flow.at("type").as_string() != "mode_split") {
    throw InputError("no flow of type '" + flow.at("type").as_string() + "'; this version has mode_split");
  }
  flows::ModeSplitSpec spec;
  spec.splits = flow.at("splits").as_int();
  spec.look_ahead = flow.at("look_ahead").as_int();
  spec.seed = static_cast<std::uint64_t>(train_arguments.at("seed").as_int());
  return std::make_unique<flows::ModeSplitFlow>(*ground.target, spec);
}

std::unique_ptr<TrainedFlow> load_flow(engine::TaskContext& context, const plan::TaskSpec& sample_spec) {
  const schema::Value& model = sample_spec.arguments.at("model");
  const bool transferred = model.has("call");
  const plan::Key& train_key = input_key(sample_spec, transferred ? "model.model" : "model");
  const plan::TaskSpec train_spec = context.object_spec(train_key);
  const plan::Key& base_key = transferred ? input_key(sample_spec, "model.base") : input_key(train_spec, "base");

  auto trained = std::make_unique<TrainedFlow>();
  trained->ground = make_ground(context.object_spec(base_key), *context.object(base_key));
  trained->flow = make_flow(train_spec.arguments, trained->ground);
  const auto training = context.object(train_key);
  trained->parameters = at::empty({static_cast<std::int64_t>(flows::kModeSplitParameters.size())}, at::kDouble);
  double* parameter = trained->parameters.data_ptr<double>();
  for (const char* name : flows::kModeSplitParameters) {
    *parameter++ = training->array(std::string("parameters/") + name).doubles.at(0);
  }
  return trained;
}

void add_crystal(artifacts::Artifact& artifact, const Tensor& sites, const crystal::Cell& cell) {
  artifact.arrays["sites"] = tensor::to_array(sites, "angstrom");
  artifacts::Array rows{{3, 3}, {}, {}, "angstrom"};
  for (const crystal::Vector3& row : cell.vectors) rows.doubles.insert(rows.doubles.end(), row.begin(), row.end());
  artifact.arrays["cell"] = std::move(rows);
}

void add_crystal(artifacts::Artifact& artifact, const Ground& ground) {
  add_crystal(artifact, ground.base.sites, ground.base.cell);
}

}  // namespace bgw::tasks
