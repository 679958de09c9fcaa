#include "runtime/estimators/lfep.h"
#include "runtime/estimators/rdf.h"
#include "runtime/foundation/errors.h"
#include "runtime/tasks/pace.h"
#include "runtime/tasks/tasks.h"
#include "runtime/tensor/array.h"

namespace bgw::tasks {

artifacts::Artifact radial_distribution(engine::TaskContext& context) {
  const auto samples = context.input("of");
  const bool weighted = context.arguments().bool_or("weighted", false);
  if (weighted && !samples->arrays.contains("log_weight")) {
    throw InputError("these samples carry no weights: write rdf(...) without `weighted = true`");
  }
  Tensor weights;
  if (weighted) weights = estimators::normalised_weights(tensor::to_tensor(samples->array("log_weight")));
  const Listening listening = stop_in_interludes(context);
  const auto curve = estimators::radial_distribution(
      tensor::to_tensor(samples->array("displacements")), tensor::to_tensor(samples->array("sites")),
      tensor::to_tensor(samples->array("cell")), weights, context.arguments().at("bins").as_int());
  artifacts::Artifact artifact;
  artifact.arrays["r"] = tensor::to_array(curve.r, "angstrom");
  artifact.arrays["g"] = tensor::to_array(curve.g);
  artifact.results.push_back(
      {"configurations", static_cast<double>(samples->array("displacements").shape.at(0)), {}, "", {}, ""});
  return artifact;
}

}  // namespace bgw::tasks
