#include "runtime/tasks/make_flow.h"

#include <cmath>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "runtime/flows/augmented_flow.h"
#include "runtime/flows/global_flow.h"
#include "runtime/flows/mode_split_generator.h"
#include "runtime/foundation/errors.h"
#include "runtime/physics/make_energy_model.h"
#include "runtime/physics/potential.h"
#include "runtime/tensor/array.h"

namespace bgw::tasks {
namespace {

at::ScalarType precision_of(const schema::Value& train_arguments) {
  return train_arguments.string_or("precision", "float64") == "float32" ? at::kFloat : at::kDouble;
}

flows::ModeSplitSpec mode_split_spec(const schema::Value& train_arguments) {
  const schema::Value& flow = train_arguments.at("flow");
  flows::ModeSplitSpec spec;
  spec.splits = flow.at("splits").as_int();
  spec.look_ahead = flow.at("look_ahead").as_int();
  spec.seed = static_cast<std::uint64_t>(train_arguments.at("seed").as_int());
  spec.precision = precision_of(train_arguments);
  if (flow.string_or("gains", "constant") == "polynomial") spec.gains = flows::GainForm::polynomial;
  return spec;
}

/// The value of that name, or nullptr when it is absent or none.
const schema::Value* given(const schema::Value& map, const char* name) {
  const schema::Value* value = map.find(name);
  return value == nullptr || value->is_none() ? nullptr : value;
}

/// The crystal whose forces move the modes where they are not the crystal's own, else null: softer, or of near neighbours.
std::unique_ptr<const physics::EnergyModel> guide_of(const schema::Value& flow, const Ground& ground) {
  const schema::Value* soften = given(flow, "soften");
  const schema::Value* reach = given(flow, "reach");
  if (soften == nullptr && reach == nullptr) return nullptr;
  const double sigma = physics::length_scale(ground.system);
  physics::PotentialForm form;
  if (soften != nullptr) form.linearize_below = soften->as_double() * sigma;
  if (reach != nullptr) form.neighbours_within = reach->as_double() * sigma;
  return physics::make_energy_model(ground.system, ground.site_vectors(), ground.base.cell, form);
}

/// Where the splines of an augmented flow act: what the program says, or what was published for the lattice that the
/// flow was trained on. Never that of the crystal it is applied to.
double range_of(const schema::Value& train_arguments) {
  if (const schema::Value* range = given(train_arguments.at("flow"), "range")) return range->as_double();
  const schema::Value& lattice = train_arguments.at("system").at("lattice");
  const crystal::LatticeKind* kind = crystal::find_lattice(lattice.at("kind").as_string());
  const schema::Value* density = given(lattice, "density");
  if (kind != nullptr && density != nullptr) return flows::published_range(*kind, density->as_double());
  throw InputError("the augmented flow needs a `range` for its splines: there is no published one for this lattice");
}

/// Left out, it is that of the base, as published: of independent oscillators, which are as wide in all sizes of a crystal.
double aux_width_of(const schema::Value& flow, const Ground& ground) {
  if (const schema::Value* width = given(flow, "aux_width")) return width->as_double();
  const double softest = ground.base.stiffness.min().item<double>();
  if (ground.base.stiffness.max().item<double>() <= softest * (1 + 1e-9)) return 1 / std::sqrt(softest);
  throw InputError("the augmented flow needs an `aux_width`: its base is wider along some modes than along others");
}

flows::AugmentedSpec augmented_spec(const schema::Value& train_arguments, const Ground& ground) {
  const schema::Value& flow = train_arguments.at("flow");
  const schema::Value& network = flow.at("conditioner");
  flows::AugmentedSpec spec;
  spec.layers = flow.at("layers").as_int();
  spec.aux_width = aux_width_of(flow, ground);
  spec.range = range_of(train_arguments);
  spec.precision = precision_of(train_arguments);
  spec.network.embedding = flow.at("embedding").as_int();
  spec.network.bins = flow.at("bins").as_int();
  spec.network.layers = network.at("layers").as_int();
  spec.network.frequencies = network.at("frequencies").as_int();
  const schema::Value* neighbours = given(flow, "neighbours");
  if (neighbours == nullptr) neighbours = given(network, "neighbours");
  const schema::Value* moment = given(flow, "recompute_neighbours");
  spec.neighbourhood = neighbours == nullptr                      ? flows::Neighbourhood::complete
                       : moment != nullptr && moment->as_bool() ? flows::Neighbourhood::at_the_moment
                                                                 : flows::Neighbourhood::of_the_sites;
  if (neighbours != nullptr) spec.neighbours = neighbours->as_int();
  return spec;
}

flows::GlobalFlowSpec global_spec(const schema::Value& train_arguments) {
  const schema::Value& flow = train_arguments.at("flow");
  const schema::Value& network = flow.at("conditioner");
  flows::GlobalFlowSpec spec;
  spec.layers = flow.at("layers").as_int();
  spec.network.width = flow.at("embedding").as_int();
  spec.network.bins = flow.at("bins").as_int();
  spec.network.blocks = network.at("layers").as_int();
  spec.network.heads = network.at("heads").as_int();
  spec.network.frequencies = network.at("frequencies").as_int();
  return spec;
}

std::string name_of(const flows::ParameterEntry& entry) { return "parameters/" + entry.name; }

/// What the training lacks, has of another size, or has besides, one phrase each.
std::vector<std::string> differences(const artifacts::Artifact& training, const flows::ParameterLayout& layout) {
  std::vector<std::string> found;
  std::map<std::string, const flows::ParameterEntry*> wanted;
  for (const flows::ParameterEntry& entry : layout.entries()) {
    wanted[name_of(entry)] = &entry;
    const auto array = training.arrays.find(name_of(entry));
    if (array == training.arrays.end()) {
      found.push_back("no " + entry.name);
    } else if (array->second.shape != entry.sizes) {
      found.push_back(fmt::format("{} of sizes [{}] in place of [{}]", entry.name, fmt::join(array->second.shape, ", "),
                                  fmt::join(entry.sizes, ", ")));
    }
  }
  for (const auto& [name, array] : training.arrays) {
    if (name.starts_with("parameters/") && !wanted.contains(name)) found.push_back("a stray " + name.substr(11));
  }
  return found;
}

}  // namespace

std::shared_ptr<const flows::LocalForce> learned_force_of(const schema::Value& train_arguments, const Ground& ground) {
  const schema::Value* force = given(train_arguments.at("flow"), "force");
  if (force == nullptr) return nullptr;
  flows::LocalForceSpec spec;
  spec.neighbours = force->at("neighbours").as_int();
  spec.hidden = force->at("hidden").as_int();
  if (const schema::Value* length = given(*force, "length")) spec.length = length->as_double();
  spec.precision = precision_of(train_arguments);
  return std::make_shared<const flows::LocalForce>(physics::make_crystal(ground.system), spec);
}

std::unique_ptr<flows::Generator> make_flow(const schema::Value& train_arguments, const Ground& ground,
                                            const physics::WhitenedTarget& target, const Common& common) {
  const std::string& type = train_arguments.at("flow").at("type").as_string();
  if (type == "mode_split") {
    return std::make_unique<flows::ModeSplitGenerator>(target, mode_split_spec(train_arguments),
                                                       guide_of(train_arguments.at("flow"), ground),
                                                       common.learned != nullptr ? common.learned : learned_force_of(train_arguments, ground));
  }
  if (type == "augmented_coupling") {
    return flows::make_augmented_flow(augmented_spec(train_arguments, ground), target,
                                      physics::make_crystal(ground.system), ground.base.sites, common.nearest.get());
  }
  if (type == "global_attention") {
    flows::GlobalFlowSpec spec = global_spec(train_arguments);
    spec.batch = common.batch;
    return flows::make_global_flow(spec, target, ground.base.sites, ground.base.cell,
                                   precision_of(train_arguments));
  }
  throw InputError("no flow of type '" + type + "'; this version has mode_split, augmented_coupling and global_attention");
}

void check_for_training(const schema::Value& train_arguments, const Ground& ground) {
  if (train_arguments.at("flow").at("type").as_string() != "augmented_coupling") return;
  flows::check_for_training(augmented_spec(train_arguments, ground), physics::make_crystal(ground.system), ground.base.sites);
}

Tensor parameters_of(const artifacts::Artifact& training, const flows::ParameterLayout& layout, const Tensor& like) {
  const std::vector<std::string> wrong = differences(training, layout);
  if (!wrong.empty()) {
    constexpr std::size_t kShown = 5;
    const auto end = wrong.begin() + static_cast<std::ptrdiff_t>(std::min(kShown, wrong.size()));
    throw InputError(fmt::format("these are the parameters of another flow, {} differences: {}{}; train again, or give both the "
                                 "same `flow`",
                                 wrong.size(), fmt::join(wrong.begin(), end, ", "), wrong.size() > kShown ? ", …" : ""));
  }
  Tensor flat = at::empty_like(like);
  for (std::size_t i = 0; i < layout.entries().size(); ++i) {
    layout.view(flat, i).copy_(tensor::to_tensor(training.array(name_of(layout.entries()[i]))));
  }
  return flat;
}

Tensor parameters_of(const artifacts::Artifact& training, const flows::Generator& flow) {
  return parameters_of(training, flow.layout(), flow.start({}));
}

void add_parameters(artifacts::Artifact& artifact, const flows::ParameterLayout& layout, const Tensor& parameters) {
  for (std::size_t i = 0; i < layout.entries().size(); ++i) {
    artifact.arrays[name_of(layout.entries()[i])] = tensor::to_array(layout.view(parameters, i));
  }
}

}  // namespace bgw::tasks
