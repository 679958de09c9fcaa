#include "runtime/cli/comparison.h"

#include <fmt/format.h>

#include <bit>
#include <cmath>

#include "runtime/report/program_units.h"

namespace bgw::cli {
namespace {

using schema::List;
using schema::Map;
using schema::Value;
using Verdict = ComparedNumber::Verdict;

// NaN is the same as NaN here: it is what was computed.
bool same_bits(const std::optional<double>& a, const std::optional<double>& b) {
  if (!a || !b) return a.has_value() == b.has_value();
  return std::bit_cast<std::uint64_t>(*a) == std::bit_cast<std::uint64_t>(*b) || (std::isnan(*a) && std::isnan(*b));
}

void judge(ComparedNumber& number, double allowed_sigmas) {
  if (number.value && number.again) number.difference = *number.again - *number.value;
  if (same_bits(number.value, number.again) && same_bits(number.sigma, number.again_sigma)) {
    number.verdict = Verdict::same;
    return;
  }
  if (!number.value || !number.again || !std::isfinite(*number.difference)) {
    number.verdict = Verdict::outside;  // one of them is no number
    return;
  }
  const double error = std::hypot(number.sigma.value_or(0), number.again_sigma.value_or(0));
  if (!(error > 0)) {
    number.verdict = *number.difference == 0 ? Verdict::within : Verdict::unjudged;
    return;
  }
  number.distance = std::abs(*number.difference) / error;
  number.verdict = *number.distance <= allowed_sigmas ? Verdict::within : Verdict::outside;
}

ComparedNumber compared(const artifacts::Result& one, const artifacts::Result* other, const plan::TaskSpec& spec,
                        double allowed_sigmas) {
  ComparedNumber number;
  const artifacts::Result shown = report::in_unit_of_program(one, spec);
  number.name = spec.name + "." + one.name;
  number.unit = shown.unit;
  number.value = shown.value;
  number.sigma = shown.sigma;
  if (other) {
    const artifacts::Result again = report::in_unit_of_program(*other, spec);
    number.again = again.value;
    number.again_sigma = again.sigma;
  }
  judge(number, allowed_sigmas);
  return number;
}

bool same_file(const store::Manifest& a, const store::Manifest& b) {
  const auto one = a.files.find("result.h5"), other = b.files.find("result.h5");
  return one != a.files.end() && other != b.files.end() && one->second.sha256 == other->second.sha256;
}

std::vector<ComparedNumber> compare_objects(const plan::TaskSpec& spec, const store::Manifest& cached, const store::Manifest& again,
                                            double allowed_sigmas) {
  std::vector<ComparedNumber> numbers;
  bool all_same = true;
  for (const artifacts::Result& result : cached.results) {
    numbers.push_back(compared(result, again.find_result(result.name), spec, allowed_sigmas));
    all_same = all_same && numbers.back().verdict == Verdict::same;
  }
  const bool same = same_file(cached, again);
  if (numbers.empty() || (all_same && !same)) {
    ComparedNumber arrays;
    arrays.name = spec.name + " (arrays)";
    arrays.verdict = same ? Verdict::same : Verdict::unjudged;
    numbers.push_back(arrays);
  }
  return numbers;
}

std::optional<double> number_in(const Value& cell, const char* member) {
  const Value* value = cell.is_map() ? cell.find(member) : nullptr;
  return value && value->is_number() ? std::optional(value->as_double()) : std::nullopt;
}

std::string row_name(const plan::TaskSpec& spec, const Value& row) {
  std::string indices;
  for (const auto& [name, value] : row.at("index").as_map())
    indices += (indices.empty() ? "" : ",") + (value.is_string() ? value.as_string() : schema::to_json(value));
  return indices.empty() ? spec.name : fmt::format("{}[{}]", spec.name, indices);
}

std::vector<ComparedNumber> compare_tables(const plan::TaskSpec& spec, const Value& cached, const Value& again, double allowed_sigmas) {
  std::vector<ComparedNumber> numbers;
  const List &rows = cached.at("rows").as_list(), &rows_again = again.at("rows").as_list();
  const List& columns = cached.at("columns").as_list();
  for (std::size_t row = 0; row < std::min(rows.size(), rows_again.size()); ++row) {
    const List &cells = rows[row].at("cells").as_list(), &cells_again = rows_again[row].at("cells").as_list();
    for (std::size_t i = 0; i < std::min({cells.size(), cells_again.size(), columns.size()}); ++i) {
      ComparedNumber number;
      number.name = row_name(spec, rows[row]) + "." + columns[i].at("name").as_string();
      number.value = number_in(cells[i], "value");
      number.again = number_in(cells_again[i], "value");
      number.sigma = number_in(cells[i], "sigma");
      number.again_sigma = number_in(cells_again[i], "sigma");
      number.unit = cells[i].is_map() ? cells[i].string_or("unit", "") : "";
      judge(number, allowed_sigmas);
      if (number.value || number.again) numbers.push_back(std::move(number));
    }
  }
  return numbers;
}

// A figure is its numbers, many of them; one verdict does for all.
ComparedNumber compare_whole(const plan::TaskSpec& spec, const Value& cached, const Value& again) {
  ComparedNumber whole;
  whole.name = spec.name;
  whole.verdict = schema::to_json(cached) == schema::to_json(again) ? Verdict::same : Verdict::unjudged;
  return whole;
}

void put(Map& map, const char* name, const std::optional<double>& number) {
  if (number && std::isfinite(*number)) map[name] = *number;
}

}  // namespace

std::string to_word(Verdict verdict) {
  switch (verdict) {
    case Verdict::same: return "same bits";
    case Verdict::within: return "within";
    case Verdict::outside: return "outside";
    case Verdict::missing: return "missing";
    case Verdict::unjudged: break;
  }
  return "differs";
}

std::vector<ComparedNumber> compare_results(const plan::TaskSpec& spec, store::Cache& cached, store::Cache& again, double allowed_sigmas) {
  if (!cached.has_result(spec)) return {};
  if (!again.has_result(spec)) {
    ComparedNumber missing;
    missing.name = spec.name;
    missing.verdict = Verdict::missing;
    return {missing};
  }
  if (spec.placement == plan::Placement::child)
    return compare_objects(spec, cached.objects().manifest(spec.key), again.objects().manifest(spec.key), allowed_sigmas);
  const Value one = *cached.row(spec.key), other = *again.row(spec.key);
  return spec.kind == "table" ? compare_tables(spec, one, other, allowed_sigmas)
                              : std::vector<ComparedNumber>{compare_whole(spec, one, other)};
}

Value to_value(const ComparedNumber& number) {
  Map map{{"name", number.name}, {"unit", number.unit}, {"verdict", to_word(number.verdict)}};
  put(map, "value", number.value);
  put(map, "sigma", number.sigma);
  put(map, "again", number.again);
  put(map, "again_sigma", number.again_sigma);
  put(map, "difference", number.difference);
  put(map, "sigmas", number.distance);
  return map;
}

}  // namespace bgw::cli
