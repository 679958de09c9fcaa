#pragma once

#include <memory>
#include <string>
#include <vector>

#include "compiler/schema/value.h"
#include "runtime/artifacts/artifact.h"
#include "runtime/inline_tasks/results.h"

namespace bgw::inline_tasks {

/// L with L L^T = C for a covariance C, which may be semidefinite: Cholesky's factor, the largest variance that is left first, up to
/// rounding of the largest.
/// @param covariance  [n, n], row by row
/// @return            n rows of L, as long as C has rank
/// @throws ShapeError unless C is [n, n]
std::vector<std::vector<double>> covariance_factor(const std::vector<double>& covariance, std::size_t n);

/// What a task knows at the states of its grid, as `.at(…)` reads it. Free energies of states that share what was measured, whose
/// covariance the task has (array free_energy_covariance [K, K], of beta F / N), get their errors from a factor of it; all other numbers
/// stand by themselves.
class GridNumbers {
 public:
  /// @param task  its name, for messages
  /// @throws InputError for a task that is of one state
  GridNumbers(std::shared_ptr<const artifacts::Artifact> artifact, std::string task);

  /// @param state  coordinates by their names
  /// @throws InputError where there is no such number or no such state
  StateNumber at(const std::string& name, const schema::Value& state) const;

 private:
  std::vector<double> shares_of(const std::string& name, std::size_t row) const;

  std::shared_ptr<const artifacts::Artifact> artifact_;
  std::string task_;
  std::vector<std::vector<double>> factor_;  // [K, rank], kT; empty where states are independent
};

}  // namespace bgw::inline_tasks
