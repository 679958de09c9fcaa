#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "compiler/plan/plan.h"
#include "runtime/store/cache.h"
#include "runtime/store/history.h"

namespace bgw::engine {

/// How much a task has to do, in a measure that its time is proportional to: 60 x 16 x 64 "steps atoms" of training.
/// Amounts of different measures cannot be compared.
struct Amount {
  std::string measure;
  double value = 0;
};

/// Work that the arguments of a task tell; nullopt where they do not, for instance because it follows from an input.
std::optional<Amount> amount_of_work(const std::string& kind, const schema::Value& arguments);
/// The same for the size of its result on disk.
std::optional<Amount> amount_of_data(const std::string& kind, const schema::Value& arguments);

/// What a task will cost.
struct CostEstimate {
  double seconds = 0;       // from start to end
  double core_seconds = 0;  // on all its cpus together
  double bytes = 0;         // on disk
};

/// Estimates what tasks will cost from what finished ones of their kind in this cache took.
///
/// The median over the newest of them of seconds per amount of work, times the amount of this task: one attempt on a
/// busy machine or with a slow disk moves a median little. Where the arguments tell no amount it is the median of the
/// seconds themselves. The past of a kind is read once, when it is first asked for.
class CostModel {
 public:
  /// A cache without a database has no past: there are no estimates then.
  explicit CostModel(const store::Cache& cache);

  /// @param done  arguments of finished work that the task goes on from, if it does: that much of the time is saved
  std::optional<CostEstimate> estimate(const plan::TaskSpec& spec, const std::optional<schema::Value>& done = std::nullopt);
  /// How many finished tasks the estimates so far rest on.
  std::size_t earlier_tasks() const;

 private:
  // One number against the amounts it grows with.
  struct Fit {
    std::map<std::string, double> per_amount;  // by measure
    double typical = 0;
    double at(const std::optional<Amount>& amount) const;
  };
  struct Kind {
    std::size_t tasks = 0;
    Fit seconds, core_seconds, bytes;
  };
  const Kind& kind(const std::string& name);

  std::optional<store::History> history_;
  std::map<std::string, Kind> kinds_;
};

}  // namespace bgw::engine
