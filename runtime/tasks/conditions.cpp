#include "runtime/tasks/conditions.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "runtime/foundation/errors.h"

namespace bgw::tasks {
namespace {

using schema::Map;
using schema::Value;

struct Variable {
  const char *name, *holder, *unit;
  bool logarithmic;
};
constexpr Variable kVariables[] = {{"temperature", "ensemble", " K", false}, {"density", "lattice", " /angstrom^3", true},
                                   {"c_over_a", "lattice", "", true},        {"b_over_a", "lattice", "", true},
                                   {"delta", "lattice", "", false},          {"lambda", "potential", "", false}};

const Value* member(const Value& system, const Value& ensemble, const std::string& holder, const std::string& name) {
  const Value* part = holder == "ensemble" ? &ensemble : system.find(holder);
  return part == nullptr || !part->is_map() ? nullptr : part->find(name);
}

Value with(const Value& map, const std::string& name, Value value) {
  Map changed = map.as_map();
  changed[name] = std::move(value);
  return changed;
}

double on_scale(const Conditions::Axis& axis, double value) { return axis.logarithmic ? std::log(value) : value; }

const char* unit_of(const std::string& name) {
  for (const Variable& variable : kVariables) {
    if (name == variable.name) return variable.unit;
  }
  return "";
}

}  // namespace

Conditions::Conditions(Value system, Value ensemble) : system_(std::move(system)), ensemble_(std::move(ensemble)) {
  for (const Variable& variable : kVariables) {
    const Value* value = member(system_, ensemble_, variable.holder, variable.name);
    const Value* ends = value == nullptr ? nullptr : value->find("interval");
    if (ends == nullptr) continue;
    const double low = ends->as_list().at(0).as_double(), high = ends->as_list().at(1).as_double();
    axes_.push_back({variable.name, variable.holder, std::min(low, high), std::max(low, high), variable.logarithmic});
  }
}

std::vector<double> Conditions::coordinates(const StateValues& values) const {
  std::vector<double> x(values.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double low = on_scale(axes_.at(i), axes_[i].low), high = on_scale(axes_[i], axes_[i].high);
    x[i] = high > low ? (2.0 * on_scale(axes_[i], values[i]) - low - high) / (high - low) : 0.0;
  }
  return x;
}

StateValues Conditions::values(const std::vector<double>& coordinates) const {
  StateValues values(coordinates.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double low = on_scale(axes_.at(i), axes_[i].low), high = on_scale(axes_[i], axes_[i].high);
    const double at = 0.5 * (low + high) + 0.5 * (high - low) * coordinates[i];
    values[i] = axes_[i].logarithmic ? std::exp(at) : at;
  }
  return values;
}

Value Conditions::system(const StateValues& values) const { return moved(system_, values); }

Value Conditions::moved(Value system, const StateValues& values) const {
  for (std::size_t i = 0; i < axes_.size(); ++i) {
    const std::string& holder = axes_[i].holder;
    if (holder != "ensemble") system = with(system, holder, with(system.at(holder), axes_[i].name, values.at(i)));
  }
  return system;
}

Value Conditions::ensemble(const StateValues& values) const {
  Value ensemble = ensemble_;
  for (std::size_t i = 0; i < axes_.size(); ++i) {
    if (axes_[i].holder == "ensemble") ensemble = with(ensemble, axes_[i].name, values.at(i));
  }
  return ensemble;
}

StateValues Conditions::values_in(const Value& system, const Value& ensemble) const {
  StateValues values;
  for (const Axis& axis : axes_) {
    const Value* value = member(system, ensemble, axis.holder, axis.name);
    if (value == nullptr || !value->is_number()) {
      throw InputError(fmt::format("the state has no `{0}` in its {1}, which the training leaves open; write one value of `{0}` there, or train at one", axis.name, axis.holder));
    }
    values.push_back(value->as_double());
  }
  return values;
}

void Conditions::expect_inside(const StateValues& values, const std::string& whose) const {
  constexpr double kRounding = 1e-9;
  for (std::size_t i = 0; i < axes_.size(); ++i) {
    const Axis& axis = axes_[i];
    const double slack = kRounding * std::max(std::abs(axis.low), std::abs(axis.high));
    if (values.at(i) >= axis.low - slack && values[i] <= axis.high + slack) continue;
    const char* unit = unit_of(axis.name);
    throw InputError(fmt::format("{} = {:.6g}{} lies outside the range of {}, {:.6g}{} .. {:.6g}{}; stay within it, or train on a wider one",
                                 axis.name, values[i], unit, whose, axis.low, unit, axis.high, unit));
  }
}

std::string Conditions::in_words(const StateValues& values) const {
  std::string words;
  for (std::size_t i = 0; i < axes_.size(); ++i) {
    words += fmt::format("{}{} = {:.6g}{}", i == 0 ? "" : ", ", axes_[i].name, values.at(i), unit_of(axes_[i].name));
  }
  return words;
}

}  // namespace bgw::tasks
