#include "runtime/tasks/measured_surface.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "runtime/foundation/errors.h"
#include "runtime/tensor/array.h"

namespace bgw::tasks {
namespace {

constexpr std::size_t kColumns = 4;  // T, v, c/a, b/a

schema::Map form_of(const schema::Value& arguments) {
  schema::Map form;
  for (const char* name : {"box", "over", "temperature_degree", "volume_degree", "shape_degree"}) form[name] = arguments.at(name);
  return form;
}

phases::BoxFreedom freedom_of(const schema::Map& form) {
  const std::string& box = form.at("box").as_string();
  return box == "isotropic" ? phases::BoxFreedom::isotropic : box == "a_eq_b" ? phases::BoxFreedom::a_eq_b : phases::BoxFreedom::orthorhombic;
}

phases::SurfaceDegrees degrees_of(const schema::Map& form) {
  const auto degree = [&](const char* name) { return static_cast<int>(form.at(name).as_int()); };
  phases::SurfaceDegrees degrees{degree("temperature_degree"), degree("volume_degree"), degree("shape_degree"), 0};
  degrees.total = std::max({degrees.temperature, degrees.volume, degrees.shape}) + 1;
  return degrees;
}

Tensor table_of(const std::vector<phases::BoxState>& states) {
  Tensor table = at::empty({static_cast<std::int64_t>(states.size()), static_cast<std::int64_t>(kColumns)}, at::kDouble);
  double* row = table.data_ptr<double>();
  for (const phases::BoxState& state : states) {
    for (const double number : {state.temperature, state.volume, state.c_over_a, state.b_over_a}) *row++ = number;
  }
  return table;
}

phases::Measurements measured_in(const artifacts::Artifact& artifact) {
  phases::Measurements result;
  result.states = states_in(artifact.array("surface/states"));
  result.numbers = {artifact.array("surface/numbers").doubles, tensor::to_tensor(artifact.array("surface/covariance"))};
  return result;
}

bool one_temperature(double a, double b) { return std::abs(a - b) <= 1e-9 * std::abs(b); }

/// The numbers of the states at one temperature, with their covariance.
phases::Measurements isotherm(const phases::Measurements& measured, double temperature) {
  phases::Measurements result;
  std::vector<std::int64_t> places;
  for (std::size_t i = 0; i < measured.states.size(); ++i) {
    if (!one_temperature(measured.states[i].temperature, temperature)) continue;
    result.states.push_back(measured.states[i]);
    result.states.back().temperature = temperature;
    for (std::size_t k = 0; k < phases::Measurements::kNumbers; ++k) {
      places.push_back(static_cast<std::int64_t>(phases::Measurements::kNumbers * i + k));
      result.numbers.mean.push_back(measured.numbers.mean[static_cast<std::size_t>(places.back())]);
    }
  }
  const Tensor kept = at::tensor(places, at::kLong);
  result.numbers.covariance = measured.numbers.covariance.index_select(0, kept).index_select(1, kept);
  return result;
}

std::vector<double> temperatures_of(const phases::Measurements& measured) {
  std::vector<double> result;
  for (const phases::BoxState& state : measured.states) {
    if (std::none_of(result.begin(), result.end(), [&](double known) { return one_temperature(state.temperature, known); })) result.push_back(state.temperature);
  }
  std::sort(result.begin(), result.end());
  return result;
}

std::vector<phases::Surface> surfaces_of(const phases::Measurements& measured, const schema::Map& form) {
  if (form.at("over").as_string() == "temperature") return {phases::Surface(measured, freedom_of(form), degrees_of(form))};
  std::vector<phases::Surface> result;
  for (const double temperature : temperatures_of(measured)) {
    try {
      result.emplace_back(isotherm(measured, temperature), freedom_of(form), degrees_of(form));
    } catch (const InputError& error) {
      throw InputError(fmt::format("at {:g} K: {}", temperature, error.what()));
    }
  }
  return result;
}

}  // namespace

std::vector<phases::BoxState> states_in(const artifacts::Array& table) {
  const std::vector<double>& numbers = table.doubles;
  std::vector<phases::BoxState> states;
  for (std::size_t i = 0; i + kColumns <= numbers.size(); i += kColumns) states.push_back({numbers[i], numbers[i + 1], numbers[i + 2], numbers[i + 3]});
  return states;
}

MeasuredSurface::MeasuredSurface(phases::Measurements measured, const schema::Value& arguments, Crystal crystal)
    : measured_(std::move(measured)),
      form_(form_of(arguments)),
      crystal_(std::move(crystal)),
      surfaces_(surfaces_of(measured_, form_)) {}

MeasuredSurface::MeasuredSurface(const artifacts::Artifact& artifact)
    : MeasuredSurface(measured_in(artifact), artifact.attributes.at("form"),
                      {artifact.attributes.at("lattice").as_string(), artifact.attributes.at("cell").as_string(), artifact.attributes.at("atoms").as_int(), artifact.attributes.at("sublattices").as_double()}) {}

const phases::Surface& MeasuredSurface::at(double temperature) const {
  std::vector<std::string> known;
  for (const phases::Surface& surface : surfaces_) {
    const double low = surface.lowest_temperature(), high = surface.highest_temperature();
    if (temperature >= low * (1 - 1e-9) && temperature <= high * (1 + 1e-9)) return surface;
    known.push_back(low < high ? fmt::format("{:g} to {:g} K", low, high) : fmt::format("{:g} K", low));
  }
  throw InputError(fmt::format("the surface of {} has no states at {:g} K, but at {}: stay with those, or add states", crystal_.lattice, temperature, fmt::join(known, ", ")));
}

artifacts::Artifact MeasuredSurface::artifact() const {
  artifacts::Artifact result;
  const auto count = static_cast<std::int64_t>(measured_.states.size());
  const auto& numbers = measured_.numbers;
  result.arrays["surface/states"] = tensor::to_array(table_of(measured_.states));
  result.arrays["surface/numbers"] = tensor::to_array(at::tensor(at::ArrayRef<double>(numbers.mean), at::kDouble));
  result.arrays["surface/covariance"] = tensor::to_array(numbers.covariance);
  result.attributes["form"] = form_;
  result.attributes["lattice"] = crystal_.lattice;
  result.attributes["cell"] = crystal_.cell;
  result.attributes["atoms"] = crystal_.atoms;
  result.attributes["sublattices"] = crystal_.sublattices;
  double chi_square = 0, widening = 1;
  int freedom = 0;
  for (const phases::Surface& surface : surfaces_) {
    chi_square += surface.chi_square();
    freedom += surface.freedom();
    widening = std::max(widening, surface.widening());
  }
  result.results.push_back({"chi_square", chi_square, {}, "", count, "of the fit; " + crystal_.cell});
  result.results.push_back({"freedom", static_cast<double>(freedom), {}, "", count, "numbers less coefficients"});
  result.results.push_back({"widening", widening, {}, "", count, "factor on the errors, 1 where the fit meets the data within them; of isotherms the largest"});
  return result;
}

}  // namespace bgw::tasks
