#include "runtime/inline_tasks/grid_numbers.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <string_view>
#include <utility>

#include "runtime/foundation/errors.h"

namespace bgw::inline_tasks {
namespace {

constexpr const char* kCovariance = "free_energy_covariance";

/// Results that differ from beta F / N by a constant of the state, or by the factor kT.
bool is_free_energy(std::string_view name) {
  constexpr std::array<std::string_view, 5> kNames{"per_particle", "energy_per_particle", "all_sublattices", "absolute", "calphy"};
  return std::find(kNames.begin(), kNames.end(), name) != kNames.end();
}

/// The row of a grid that has these coordinates, up to the rounding of two ways of writing one number.
std::optional<std::size_t> row_of(const artifacts::Artifact& artifact, const schema::Value& state) {
  constexpr double kRounding = 1e-9;
  const schema::List& names = artifact.attributes.at("coordinates").as_list();
  const std::vector<double>& table = artifact.array("grid/coordinates").doubles;
  for (std::size_t row = 0; row * names.size() < table.size(); ++row) {
    bool same = true;
    for (std::size_t i = 0; i < names.size(); ++i) {
      const double have = table[row * names.size() + i];
      const schema::Value* asked = state.find(names[i].as_string());
      same = same && (asked == nullptr || std::abs(asked->as_double() - have) <= kRounding * std::abs(have));
    }
    if (same) return row;
  }
  return std::nullopt;
}

}  // namespace

std::vector<std::vector<double>> covariance_factor(const std::vector<double>& covariance, std::size_t n) {
  constexpr double kRounding = 1e-15;  // of the largest variance, for each number
  if (covariance.size() != n * n) throw ShapeError(fmt::format("a covariance of {} numbers has {} entries", n, covariance.size()));
  std::vector<std::vector<double>> rows(n);
  std::vector<double> left(n), column(n);
  std::vector<bool> done(n, false);
  for (std::size_t i = 0; i < n; ++i) left[i] = covariance[i * n + i];
  const double least = n == 0 ? 0.0 : kRounding * static_cast<double>(n) * *std::max_element(left.begin(), left.end());
  for (std::size_t rank = 0; rank < n; ++rank) {
    const auto pivot = static_cast<std::size_t>(std::max_element(left.begin(), left.end()) - left.begin());
    if (!(left[pivot] > least)) break;
    const double root = std::sqrt(left[pivot]);
    for (std::size_t i = 0; i < n; ++i) {
      double rest = covariance[i * n + pivot];
      for (std::size_t k = 0; k < rank; ++k) rest -= rows[i][k] * rows[pivot][k];
      column[i] = done[i] ? 0.0 : rest / root;
    }
    column[pivot] = root;
    done[pivot] = true;
    for (std::size_t i = 0; i < n; ++i) {
      rows[i].push_back(column[i]);
      left[i] = done[i] ? 0.0 : std::max(0.0, left[i] - column[i] * column[i]);
    }
  }
  return rows;
}

GridNumbers::GridNumbers(std::shared_ptr<const artifacts::Artifact> artifact, std::string task) : artifact_(std::move(artifact)), task_(std::move(task)) {
  if (!artifact_->arrays.contains("grid/coordinates")) throw InputError(fmt::format("{} is of one state, `.at(…)` has nothing to choose from", task_));
  if (!artifact_->arrays.contains(kCovariance)) return;
  const artifacts::Array& covariance = artifact_->array(kCovariance);
  factor_ = covariance_factor(covariance.doubles, static_cast<std::size_t>(covariance.shape.at(0)));
}

/// How far the causes that all states have in common move a free energy, in its unit.
std::vector<double> GridNumbers::shares_of(const std::string& name, std::size_t row) const {
  if (factor_.empty() || !is_free_energy(name)) return {};
  const double sigma = artifact_->array("grid/" + name + "/sigma").doubles.at(row);
  const double reduced = artifact_->array("grid/per_particle/sigma").doubles.at(row);
  std::vector<double> shares = factor_.at(row);
  const bool known = sigma > 0.0 && reduced > 0.0 && std::any_of(shares.begin(), shares.end(), [](double share) { return share != 0.0; });
  if (!known) return {};
  for (double& share : shares) share *= sigma / reduced;
  return shares;
}

StateNumber GridNumbers::at(const std::string& name, const schema::Value& state) const {
  const std::string prefix = "grid/" + name + "/";
  if (!artifact_->arrays.contains(prefix + "value")) throw InputError(fmt::format("{} has no result `{}` at the states of its grid", task_, name));
  const std::optional<std::size_t> row = row_of(*artifact_, state);
  if (!row) throw InputError(fmt::format("{} has no state {}", task_, schema::to_json(state)));
  const artifacts::Array& values = artifact_->array(prefix + "value");
  StateNumber number{{name, values.doubles.at(*row), {}, values.unit, {}, ""}, *row, shares_of(name, *row)};
  if (std::isnan(number.result.value)) throw InputError(fmt::format("{} has no `{}` at {}: its draws are too few to tell", task_, name, schema::to_json(state)));
  const double sigma = artifact_->array(prefix + "sigma").doubles.at(*row);
  if (!std::isnan(sigma)) number.result.sigma = sigma;
  number.result.convention = artifact_->attributes.at("conventions").string_or(name, "");
  return number;
}

}  // namespace bgw::inline_tasks
