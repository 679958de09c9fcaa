#include "runtime/tasks/make_flow.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "runtime/flows/mode_split_generator.h"
#include "runtime/foundation/errors.h"
#include "runtime/tensor/array.h"

namespace bgw::tasks {
namespace {

flows::ModeSplitSpec mode_split_spec(const schema::Value& train_arguments) {
  const schema::Value& flow = train_arguments.at("flow");
  flows::ModeSplitSpec spec;
  spec.splits = flow.at("splits").as_int();
  spec.look_ahead = flow.at("look_ahead").as_int();
  spec.seed = static_cast<std::uint64_t>(train_arguments.at("seed").as_int());
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

std::unique_ptr<flows::Generator> make_flow(const schema::Value& train_arguments, const Ground&,
                                            const physics::WhitenedTarget& target) {
  const std::string& type = train_arguments.at("flow").at("type").as_string();
  if (type == "mode_split") return std::make_unique<flows::ModeSplitGenerator>(target, mode_split_spec(train_arguments));
  throw InputError("no flow of type '" + type + "'; this version has mode_split");
}

Tensor parameters_of(const artifacts::Artifact& training, const flows::Generator& flow) {
  const std::vector<std::string> wrong = differences(training, flow.layout());
  if (!wrong.empty()) {
    constexpr std::size_t kShown = 5;
    const auto end = wrong.begin() + static_cast<std::ptrdiff_t>(std::min(kShown, wrong.size()));
    throw InputError(fmt::format("these are the parameters of another flow, {} differences: {}{}; train again, or give both the "
                                 "same `flow`",
                                 wrong.size(), fmt::join(wrong.begin(), end, ", "), wrong.size() > kShown ? ", …" : ""));
  }
  Tensor flat = flow.start({});
  for (std::size_t i = 0; i < flow.layout().entries().size(); ++i) {
    flow.layout().view(flat, i).copy_(tensor::to_tensor(training.array(name_of(flow.layout().entries()[i]))));
  }
  return flat;
}

void add_parameters(artifacts::Artifact& artifact, const flows::Generator& flow, const Tensor& parameters) {
  for (std::size_t i = 0; i < flow.layout().entries().size(); ++i) {
    artifact.arrays[name_of(flow.layout().entries()[i])] = tensor::to_array(flow.layout().view(parameters, i));
  }
}

}  // namespace bgw::tasks
