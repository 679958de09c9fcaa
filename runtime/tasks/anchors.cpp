#include "runtime/tasks/anchors.h"

#include <fmt/format.h>

#include <algorithm>

#include "runtime/foundation/errors.h"
#include "runtime/tasks/free_energy_results.h"

namespace bgw::tasks {
namespace {

constexpr double kDisagreement = 4.0;  // standard errors, from which on it is said loudly

/// [5 K, 5 K] from beta F / N and means to F / N, U / N (eV) and the pressures, state after state, but for N kT / V.
Tensor state_matrix(const std::vector<double>& betas) {
  const std::int64_t states = std::ssize(betas);
  Tensor matrix = at::zeros({5 * states, 5 * states}, at::kDouble);
  auto m = matrix.accessor<double, 2>();
  for (std::int64_t k = 0; k < states; ++k) {
    m[5 * k][k] = 1.0 / betas[static_cast<std::size_t>(k)];
    m[5 * k + 1][states + 4 * k] = 1.0;
    for (std::int64_t i = 0; i < 3; ++i) m[5 * k + 2 + i][states + 4 * k + 1 + i] = -1.0;
  }
  return matrix;
}

}  // namespace

std::vector<NamedAnchor> anchors_of(engine::TaskContext& context, const std::string& whole, const std::function<std::int64_t(const plan::TaskSpec&)>& state_of) {
  std::vector<NamedAnchor> anchors;
  const std::size_t count = context.arguments().at("path").at("anchors").as_list().size();
  for (std::size_t i = 0; i < count; ++i) {
    const std::string role = fmt::format("path.anchors.{}", i);
    const plan::TaskSpec spec = context.input_spec(role);
    const artifacts::Result* found = context.input(role)->find_result("per_particle");
    if (found == nullptr || found->convention != kConvention) {
      throw InputError(fmt::format("the free energy of anchor `{}` is in another convention than that of the {}, \"{}\"; make it anew with this version", spec.name, whole, kConvention));
    }
    if (!found->sigma || !(*found->sigma > 0.0)) {
      throw InputError(fmt::format("the free energy of anchor `{}` has no error, so that it cannot be weighed; give it more chains or steps", spec.name));
    }
    anchors.push_back({spec.name, {state_of(spec), {found->value, *found->sigma}}});
  }
  return anchors;
}

std::vector<estimators::Anchor> plain(const std::vector<NamedAnchor>& anchors) {
  std::vector<estimators::Anchor> result;
  for (const NamedAnchor& anchor : anchors) result.push_back(anchor.anchor);
  return result;
}

void add_consistency(artifacts::Artifact& artifact, const std::string& whole, const estimators::Anchored& tie, const std::vector<NamedAnchor>& anchors,
                     const std::function<std::string(std::int64_t)>& shown) {
  if (tie.disagreements.empty()) return;
  const auto worst = *std::max_element(tie.disagreements.begin(), tie.disagreements.end(), [](const auto& a, const auto& b) { return a.sigmas < b.sigmas; });
  std::string words = fmt::format("standard errors between the anchors at {} and {}, against what the {} has between them", shown(anchors[worst.first].anchor.index),
                                  shown(anchors[worst.second].anchor.index), whole);
  if (worst.sigmas > kDisagreement) words += "; THEY DISAGREE: one of the three has not sampled the whole crystal, give them all more steps";
  artifact.results.push_back({"consistency", worst.sigmas, {}, "", {}, std::move(words)});
}

StateNumbers state_numbers(const estimators::Anchored& tie, const std::vector<double>& betas, const std::vector<double>& motions) {
  const Tensor matrix = state_matrix(betas);
  Tensor values = at::mv(matrix, tie.values);
  for (std::int64_t k = 0; k < std::ssize(betas); ++k) values.slice(0, 5 * k + 2, 5 * k + 5).add_(motions[static_cast<std::size_t>(k)]);
  return {std::move(values), at::mm(matrix, at::mm(tie.covariance, matrix.t()))};
}

}  // namespace bgw::tasks
