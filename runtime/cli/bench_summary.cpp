#include "runtime/cli/bench_summary.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

namespace bgw::cli {
namespace {

using Runs = std::vector<schema::Value>;

constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();

double mean_of(const Runs& runs, const std::function<double(const schema::Value&)>& number) {
  double sum = 0;
  for (const schema::Value& run : runs) sum += number(run);
  return sum / static_cast<double>(runs.size());
}

double median_of(const Runs& runs, const char* name) {
  std::vector<double> numbers;
  for (const schema::Value& run : runs) numbers.push_back(run.at(name).as_double());
  std::sort(numbers.begin(), numbers.end());
  return 0.5 * (numbers[(numbers.size() - 1) / 2] + numbers[numbers.size() / 2]);
}

}  // namespace

BenchSummary summarise(const schema::List& all, double reference) {
  BenchSummary summary;
  Runs runs;
  for (const schema::Value& run : all) {
    if (run.has("value")) {
      runs.push_back(run);
    } else if (summary.failed++ == 0) {
      summary.failure = run.string_or("failed", "its value is not finite");
    }
  }
  summary.runs = static_cast<std::int64_t>(runs.size());
  if (runs.empty()) return summary;
  const auto value = [](const schema::Value& run) { return run.at("value").as_double(); };
  const auto count = static_cast<double>(runs.size());
  summary.value = mean_of(runs, value);
  const double variance = mean_of(runs, [&](const schema::Value& run) { return std::pow(value(run) - summary.value, 2); });
  summary.value_sigma = runs.size() > 1 ? std::sqrt(variance / (count - 1)) : kUnknown;
  summary.rmse = std::hypot(std::sqrt(variance), summary.value - reference);
  summary.claimed = std::sqrt(mean_of(runs, [](const schema::Value& run) { return std::pow(run.number_or("sigma", kUnknown), 2); }));
  summary.claimed_over_actual = summary.claimed / summary.rmse;
  const auto mean_count = [&](const char* name) {
    return mean_of(runs, [&](const schema::Value& run) { return run.at(name).as_double(); });
  };
  summary.energy_calls = mean_count("energy_calls");
  summary.force_calls = mean_count("force_calls");
  summary.hessian_calls = mean_count("hessian_calls");
  summary.seconds = median_of(runs, "seconds");
  summary.cpu_seconds = median_of(runs, "cpu_seconds");
  return summary;
}

}  // namespace bgw::cli
