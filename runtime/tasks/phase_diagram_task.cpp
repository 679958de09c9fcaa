#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "compiler/units/unit_expression.h"
#include "compiler/units/unit_table.h"
#include "runtime/artifacts/called_result.h"
#include "runtime/foundation/errors.h"
#include "runtime/phases/coexistence.h"
#include "runtime/tasks/measured_surface.h"
#include "runtime/tasks/tasks.h"
#include "runtime/tensor/array.h"

namespace bgw::tasks {
namespace {

const double kGigapascal = units::parse_quantity("GPa").value;  // eV/angstrom^3
constexpr const char* kPressureUnit = "eV/angstrom^3";
constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

struct Phase {
  std::string name;
  MeasuredSurface measured;
  const phases::Surface& surface(double temperature) const { return measured.at(temperature); }
  phases::GibbsResult at(double temperature, double pressure) const {
    return phases::gibbs_state(surface(temperature), surface(temperature).coefficients().mean, temperature, pressure);
  }
};

struct Point {
  std::size_t a, b;  // phases, a stable below
  phases::CoexistencePoint point;
  double fluctuations;   // what the pressure moves by when volumes fluctuate, eV/angstrom^3
  double sublattices;    // and when all site types of the primitive cells count
  std::vector<std::string> lower, unknown;  // other phases that lie lower there, and that are not known there
  int number;            // of the crossing, rising with the pressure; 0 when it is the only one of its phases
};

/// What is found at one temperature, and what is not.
struct Found {
  std::vector<Point> points;
  std::vector<std::string> lost;
  bool temperatures = false;  // of a line under a pressure of the plane
};

/// The numbers of a diagram over its temperatures and pressures.
struct Plane {
  std::vector<double> temperatures, pressures;
};

/// A phase is named by its lattice; where several have one, by its cell; where that is one too, by its number besides.
void name(std::vector<Phase>& all) {
  for (Phase& phase : all) {
    const auto alike = [&](const Phase& other) { return other.measured.crystal().lattice == phase.measured.crystal().lattice; };
    const bool alone = std::count_if(all.begin(), all.end(), alike) == 1;
    phase.name = alone ? phase.measured.crystal().lattice : phase.measured.crystal().cell;
  }
  for (std::size_t i = 0; i < all.size(); ++i) {
    const std::string cell = all[i].name;
    int number = 1;
    for (std::size_t k = i + 1; k < all.size(); ++k) {
      if (all[k].name == cell) all[k].name = fmt::format("{} no. {}", cell, ++number);
    }
    if (number > 1) all[i].name = cell + " no. 1";
  }
}

std::vector<Phase> phases_of(engine::TaskContext& context) {
  std::vector<Phase> result;
  for (std::size_t i = 0; i < context.arguments().at("phases").as_list().size(); ++i) {
    result.push_back({"", MeasuredSurface(*context.input(fmt::format("phases.{}", i)))});
  }
  name(result);
  return result;
}

std::vector<double> numbers_in(const schema::Value& list) {
  std::vector<double> result;
  for (const schema::Value& number : list.as_list()) result.push_back(number.as_double());
  return result;
}

void add_list(artifacts::Artifact& artifact, const std::string& name, const std::vector<double>& values, const std::vector<double>& sigmas, const char* unit) {
  artifact.arrays["lists/" + name + "/value"] = tensor::to_array(at::tensor(at::ArrayRef<double>(values), at::kDouble), unit);
  if (!sigmas.empty()) artifact.arrays["lists/" + name + "/sigma"] = tensor::to_array(at::tensor(at::ArrayRef<double>(sigmas), at::kDouble), unit);
}

/// Gibbs energy and density of a phase at a state, with errors; not numbers where the phase has none.
std::vector<std::pair<double, double>> isotherm_point(const Phase& phase, double temperature, double pressure) {
  if (phase.at(temperature, pressure).search != phases::GibbsSearch::found) return {{kNone, kNone}, {kNone, kNone}};
  const phases::Surface& surface = phase.surface(temperature);
  const auto numbers = [&](const std::vector<double>& coefficients) -> std::vector<double> {
    const phases::GibbsResult found = phases::gibbs_state(surface, coefficients, temperature, pressure);
    if (found.search != phases::GibbsSearch::found) return {kNone, kNone};  // at its very end: an error that is not known
    return {found.state.gibbs, 1.0 / found.state.box.volume};
  };
  try {
    const phases::JointNormal known = phases::propagate(numbers, surface.coefficients());
    return {{known.mean[0], known.sigma(0)}, {known.mean[1], known.sigma(1)}};
  } catch (const NumericalError&) {
    const std::vector<double> mean = numbers(surface.coefficients().mean);
    return {{mean[0], kNone}, {mean[1], kNone}};
  }
}

void add_isotherms(artifacts::Artifact& artifact, const Phase& phase, const Plane& plane) {
  for (const double t : plane.temperatures) {
    const double beta = 1.0 / (units::kBoltzmann * t);
    std::vector<double> gibbs, gibbs_sigma, reduced, reduced_sigma, density, density_sigma;
    for (const double p : plane.pressures) {
      const auto numbers = isotherm_point(phase, t, p);
      gibbs.push_back(numbers[0].first);
      gibbs_sigma.push_back(numbers[0].second);
      reduced.push_back(beta * numbers[0].first);
      reduced_sigma.push_back(beta * numbers[0].second);
      density.push_back(numbers[1].first);
      density_sigma.push_back(numbers[1].second);
    }
    const schema::Map where{{"phase", phase.name}, {"temperature", t}};
    add_list(artifact, artifacts::called_result("gibbs", where), gibbs, gibbs_sigma, "eV");
    add_list(artifact, artifacts::called_result("beta_gibbs", where), reduced, reduced_sigma, "");
    add_list(artifact, artifacts::called_result("density", where), density, density_sigma, "/angstrom^3");
  }
}

/// What a phase is at a state, in words.
std::string words_of(const Phase& phase, double temperature, double pressure) {
  const phases::GibbsResult found = phase.at(temperature, pressure);
  const std::string place = fmt::format("{} at {:g} K and {:.4g} GPa", phase.name, temperature, pressure / kGigapascal);
  if (found.search == phases::GibbsSearch::found) return fmt::format("{} has G = {:.6f} eV", place, found.state.gibbs);
  if (found.search == phases::GibbsSearch::unstable) return place + " gives way";
  if (found.search == phases::GibbsSearch::unsettled) return place + " does not settle";
  return fmt::format("{} lies outside of its states' {}", place, found.variable == 0 ? "densities" : "shapes");
}

/// How many states of the plane no phase is known at, for each phase and temperature where there are any, and why at the first.
void add_unknown(artifacts::Artifact& artifact, const std::vector<Phase>& all, const Plane& plane) {
  std::vector<std::string> words;
  std::size_t unknown = 0;
  for (const Phase& phase : all) {
    for (const double t : plane.temperatures) {
      std::vector<double> where;
      for (const double p : plane.pressures) {
        if (phase.at(t, p).search != phases::GibbsSearch::found) where.push_back(p);
      }
      unknown += where.size();
      if (where.size() == plane.pressures.size()) words.push_back(words_of(phase, t, where.front()));
    }
  }
  const auto states = static_cast<std::int64_t>(all.size() * plane.temperatures.size() * plane.pressures.size());
  artifact.results.push_back({"unknown", static_cast<double>(unknown), {}, "", states,
                              words.empty() ? "states of a phase outside of its measured ones" : fmt::format("states of a phase outside of its measured ones, on some isotherms all: {}", fmt::join(words, "; "))});
}

/// Which phase lies lowest over the plane; -1 where none is known.
void add_stable_phase(artifacts::Artifact& artifact, const std::vector<Phase>& all, const Plane& plane) {
  Tensor places = at::full({static_cast<std::int64_t>(plane.temperatures.size()), static_cast<std::int64_t>(plane.pressures.size())}, -1, at::kLong);
  std::int64_t* place = places.data_ptr<std::int64_t>();
  for (const double t : plane.temperatures) {
    for (const double p : plane.pressures) {
      double lowest = std::numeric_limits<double>::infinity();
      for (std::size_t i = 0; i < all.size(); ++i) {
        const phases::GibbsResult found = all[i].at(t, p);
        if (found.search != phases::GibbsSearch::found || found.state.gibbs >= lowest) continue;
        lowest = found.state.gibbs;
        *place = static_cast<std::int64_t>(i);
      }
      ++place;
    }
  }
  const std::string field = "fields/stable_phase/";
  artifact.arrays[field + "places"] = tensor::to_array(places);
  artifact.arrays[field + "x"] = tensor::to_array(at::tensor(at::ArrayRef<double>(plane.pressures), at::kDouble), kPressureUnit);
  artifact.arrays[field + "y"] = tensor::to_array(at::tensor(at::ArrayRef<double>(plane.temperatures), at::kDouble), "K");
  schema::List words;
  for (const Phase& phase : all) words.push_back(phase.name);
  artifact.attributes["fields"] = schema::Map{{"stable_phase", schema::Map{{"x", "P"}, {"y", "T"}, {"words", words}}}};
}

void look_at_others(const std::vector<Phase>& all, Point& point) {
  const phases::Crossing& at = point.point.crossing;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (i == point.a || i == point.b) continue;
    const phases::GibbsResult other = all[i].at(at.a.temperature, at.pressure);
    if (other.search != phases::GibbsSearch::found) point.unknown.push_back(all[i].name);
    else if (other.state.gibbs < at.a.gibbs) point.lower.push_back(all[i].name);
  }
}

/// By how much the pressure moves when both crystals may change their volumes by themselves.
double moved_by_fluctuations(const Phase& a, const Phase& b, const phases::Crossing& at) {
  const double more = phases::volume_fluctuations(at.b, b.measured.crystal().atoms) - phases::volume_fluctuations(at.a, a.measured.crystal().atoms);
  return -more / (at.b.box.volume - at.a.box.volume);
}

/// The same when all site types of the primitive cells count, ln(n_p) of the whole crystal.
double moved_by_sublattices(const Phase& a, const Phase& b, const phases::Crossing& at) {
  const auto of = [&](const Phase& phase) { return -units::kBoltzmann * at.a.temperature * phase.measured.crystal().sublattices / static_cast<double>(phase.measured.crystal().atoms); };
  return -(of(b) - of(a)) / (at.b.box.volume - at.a.box.volume);
}

/// The phase of larger volume is that below the crossing. One whose errors reach beyond what was measured is lost.
void add_points(const std::vector<Phase>& all, std::size_t i, std::size_t k, double temperature, const Plane& plane, Found& found) {
  const phases::Surface &one = all[i].surface(temperature), &other = all[k].surface(temperature);
  const auto crossings = phases::crossings(one, one.coefficients().mean, other, other.coefficients().mean, temperature, plane.pressures.front(), plane.pressures.back());
  int number = 0;
  for (const phases::Crossing& crossing : crossings) {
    const bool as_is = crossing.a.box.volume >= crossing.b.box.volume;
    phases::Crossing ordered = crossing;
    if (!as_is) std::swap(ordered.a, ordered.b);
    const phases::Surface &below = as_is ? one : other, &above = as_is ? other : one;
    Point point{as_is ? i : k, as_is ? k : i, {}, 0, 0, {}, {}, crossings.size() > 1 ? ++number : 0};
    try {
      point.point = phases::with_errors(ordered, below, above, phases::independent({below.coefficients(), above.coefficients()}));
    } catch (const NumericalError&) {
      found.lost.push_back(fmt::format("{} and {} cross at {:g} K and {:.4g} GPa, within the errors of where one of them ends: add states beyond", all[point.a].name,
                                       all[point.b].name, temperature, crossing.pressure / kGigapascal));
      continue;
    }
    point.fluctuations = moved_by_fluctuations(all[point.a], all[point.b], ordered);
    point.sublattices = moved_by_sublattices(all[point.a], all[point.b], ordered);
    look_at_others(all, point);
    found.points.push_back(std::move(point));
  }
}

/// At which temperatures two phases meet under each pressure of the plane, where both have surfaces over temperatures.
void add_temperatures(artifacts::Artifact& artifact, const std::vector<Phase>& all, std::size_t i, std::size_t k, const Plane& plane, Found& found) {
  const phases::Surface &one = all[i].surface(plane.temperatures.front()), &other = all[k].surface(plane.temperatures.front());
  for (const double pressure : plane.pressures) {
    const auto crossings = phases::crossings_under(one, one.coefficients().mean, other, other.coefficients().mean, pressure);
    for (std::size_t n = 0; n < crossings.size(); ++n) {
      const phases::Crossing& at = crossings[n];
      const bool as_is = at.a.box.volume >= at.b.box.volume;
      schema::Map where{{"pressure", pressure}, {"from", all[as_is ? i : k].name}, {"to", all[as_is ? k : i].name}};
      if (crossings.size() > 1) where["crossing"] = static_cast<std::int64_t>(n + 1);
      try {
        const double sigma = phases::temperature_error(at, one, other, phases::independent({one.coefficients(), other.coefficients()}));
        artifact.results.push_back({artifacts::called_result("temperature", where), at.a.temperature, sigma, "K", {},
                                    fmt::format("{} and {}", all[as_is ? i : k].measured.crystal().cell, all[as_is ? k : i].measured.crystal().cell)});
        found.temperatures = true;
      } catch (const NumericalError&) {
        found.lost.push_back(fmt::format("{} and {} cross under {:.4g} GPa at {:.4g} K, within the errors of where one of them ends: add states beyond",
                                         all[i].name, all[k].name, pressure / kGigapascal, at.a.temperature));
      }
    }
  }
}

std::string why_none(const std::vector<Phase>& all, double temperature, const Plane& plane) {
  std::vector<std::string> said;
  for (const double p : {plane.pressures.front(), plane.pressures.back()}) {
    for (const Phase& phase : all) said.push_back(words_of(phase, temperature, p));
  }
  return fmt::format("{}", fmt::join(said, "; "));
}

schema::Value state_value(const Phase& phase, const phases::GibbsState& state, double volume_sigma) {
  const double density = 1 / state.box.volume;
  return schema::Map{{"phase", phase.name},        {"density", density},
                     {"density_sigma", density * volume_sigma / state.box.volume},
                     {"c_over_a", state.box.c_over_a}, {"b_over_a", state.box.b_over_a},
                     {"enthalpy", state.enthalpy}, {"entropy", state.entropy},
                     {"bulk_modulus", state.bulk_modulus / kGigapascal}};
}

schema::List list_of(const std::vector<std::string>& words) { return {words.begin(), words.end()}; }

/// Pressures in GPa, densities in /angstrom^3, energies in eV an atom, slopes in GPa/K.
schema::Value point_value(const std::vector<Phase>& all, const Point& found) {
  const phases::CoexistencePoint& point = found.point;
  const phases::Crossing& at = point.crossing;
  return schema::Map{{"temperature", at.a.temperature},
                     {"pressure", at.pressure / kGigapascal},
                     {"sigma", point.pressure_sigma / kGigapascal},
                     {"slope", at.slope / kGigapascal},
                     {"slope_sigma", point.slope_sigma / kGigapascal},
                     {"from", state_value(all[found.a], at.a, point.volume_sigma_a)},
                     {"to", state_value(all[found.b], at.b, point.volume_sigma_b)},
                     {"densities", schema::List{1 / at.a.box.volume, 1 / at.b.box.volume}},
                     {"volume_fluctuations", found.fluctuations / kGigapascal},
                     {"sublattices", found.sublattices / kGigapascal},
                     {"stable", found.lower.empty()},
                     {"lower", list_of(found.lower)},
                     {"unknown", list_of(found.unknown)}};
}

constexpr const char* kCounting = "classical, Lambda = sigma, one site type; N kT pressures; cells of the phases as listed";

void add_point_results(artifacts::Artifact& artifact, const std::vector<Phase>& all, const Point& found) {
  const phases::CoexistencePoint& point = found.point;
  const phases::Crossing& at = point.crossing;
  schema::Map where{{"temperature", at.a.temperature}, {"from", all[found.a].name}, {"to", all[found.b].name}};
  if (found.number > 0) where["crossing"] = found.number;
  const auto add = [&](const char* name, double value, double sigma, const char* unit, const std::string& words) {
    artifact.results.push_back({artifacts::called_result(name, where), value, sigma, unit, {}, words});
  };
  std::string cells = fmt::format("{} and {}", all[found.a].measured.crystal().cell, all[found.b].measured.crystal().cell);
  if (!found.lower.empty()) cells += fmt::format("; METASTABLE, lower there: {}", fmt::join(found.lower, ", "));
  if (!found.unknown.empty()) cells += fmt::format("; not known there: {}", fmt::join(found.unknown, ", "));
  add("pressure", at.pressure, point.pressure_sigma, kPressureUnit, cells);
  add("slope", at.slope / kGigapascal, point.slope_sigma / kGigapascal, "", "dp/dT of Clapeyron, GPa/K");
  const double from = 1 / at.a.box.volume, to = 1 / at.b.box.volume;
  add("density_from", from, from * from * point.volume_sigma_a, "/angstrom^3", all[found.a].measured.crystal().cell);
  add("density_to", to, to * to * point.volume_sigma_b, "/angstrom^3", all[found.b].measured.crystal().cell);
}

/// The temperatures at which no two phases cross, each with what stands in the way.
void add_without_crossing(artifacts::Artifact& artifact, const std::vector<Phase>& all, const Plane& plane, const Found& found) {
  schema::List without;
  std::vector<std::string> words;
  for (const double t : plane.temperatures) {
    if (std::any_of(found.points.begin(), found.points.end(), [&](const Point& point) { return point.point.crossing.a.temperature == t; })) continue;
    without.push_back(schema::Map{{"temperature", t}, {"because", why_none(all, t, plane)}});
    words.push_back(fmt::format("{:g} K: {}", t, why_none(all, t, plane)));
  }
  words.insert(words.end(), found.lost.begin(), found.lost.end());
  artifact.results.push_back({"without_crossing", static_cast<double>(without.size()), {}, "", static_cast<std::int64_t>(plane.temperatures.size()),
                              words.empty() ? "temperatures" : fmt::format("temperatures. {}", fmt::join(words, ". "))});
  artifact.attributes["without_crossing"] = without;
}

void add_coexistence(artifacts::Artifact& artifact, const std::vector<Phase>& all, const std::vector<Point>& points) {
  std::vector<double> temperatures, pressures, sigmas, numbers;
  schema::List listed;
  for (const Point& found : points) {
    temperatures.push_back(found.point.crossing.a.temperature);
    pressures.push_back(found.point.crossing.pressure);
    sigmas.push_back(found.point.pressure_sigma);
    numbers.push_back(static_cast<double>(listed.size() + 1));
    listed.push_back(point_value(all, found));
    add_point_results(artifact, all, found);
  }
  add_list(artifact, "coexistence.temperature", temperatures, {}, "K");
  add_list(artifact, "coexistence.pressure", pressures, sigmas, kPressureUnit);
  add_list(artifact, "coexistence.points", numbers, {}, "");
  artifact.attributes["points"] = listed;
}

/// Where three phases meet, begun from the point that lies nearest to the third.
void add_triple_points(artifacts::Artifact& artifact, const std::vector<Phase>& all, const std::vector<Point>& points) {
  schema::List listed;
  for (const Point& start : points) {
    for (std::size_t c = 0; c < all.size(); ++c) {
      if (c == start.a || c == start.b) continue;
      const double temperature = start.point.crossing.a.temperature;
      const std::vector<const phases::Surface*> three{&all[start.a].surface(temperature), &all[start.b].surface(temperature), &all[c].surface(temperature)};
      std::optional<phases::TriplePoint> meeting;
      try {
        meeting = phases::triple_point(three, phases::independent({three[0]->coefficients(), three[1]->coefficients(), three[2]->coefficients()}),
                                       temperature, start.point.crossing.pressure);
      } catch (const NumericalError&) {
        continue;  // its errors reach beyond what was measured
      }
      if (!meeting) continue;
      const auto known = [&](const schema::Value& other) { return std::abs(other.at("temperature").as_double() - meeting->temperature) < 1e-6 * meeting->temperature; };
      if (std::any_of(listed.begin(), listed.end(), known)) continue;
      listed.push_back(schema::Map{{"temperature", meeting->temperature}, {"temperature_sigma", meeting->temperature_sigma},
                                   {"pressure", meeting->pressure / kGigapascal}, {"pressure_sigma", meeting->pressure_sigma / kGigapascal},
                                   {"phases", schema::List{all[start.a].name, all[start.b].name, all[c].name}}});
    }
  }
  artifact.attributes["triple_points"] = listed;
}

}  // namespace

artifacts::Artifact phase_diagram(engine::TaskContext& context) {
  const std::vector<Phase> all = phases_of(context);
  const Plane plane{numbers_in(context.arguments().at("temperature")), numbers_in(context.arguments().at("pressure"))};
  artifacts::Artifact artifact;
  schema::List cells;
  for (const Phase& phase : all) {
    add_isotherms(artifact, phase, plane);
    cells.push_back(schema::Map{{"phase", phase.name}, {"cell", phase.measured.crystal().cell}});
  }
  artifact.attributes["cells"] = cells;
  artifact.attributes["convention"] = kCounting;
  add_unknown(artifact, all, plane);
  add_stable_phase(artifact, all, plane);
  if (!context.arguments().at("coexistence").as_bool()) return artifact;

  Found found;
  for (const double t : plane.temperatures) {
    for (std::size_t a = 0; a < all.size(); ++a) {
      for (std::size_t b = a + 1; b < all.size(); ++b) add_points(all, a, b, t, plane, found);
    }
  }
  for (std::size_t a = 0; a < all.size(); ++a) {
    for (std::size_t b = a + 1; b < all.size(); ++b) add_temperatures(artifact, all, a, b, plane, found);
  }
  const bool nothing = found.points.empty() && !found.temperatures;
  if (nothing && !found.lost.empty()) throw InputError(found.lost.front());
  if (nothing) {
    throw InputError(fmt::format("no two phases cross between {:.4g} and {:.4g} GPa: {}; widen `pressure`, or the densities of the states",
                                 plane.pressures.front() / kGigapascal, plane.pressures.back() / kGigapascal, why_none(all, plane.temperatures.front(), plane)));
  }
  add_coexistence(artifact, all, found.points);
  add_without_crossing(artifact, all, plane, found);
  if (all.size() > 2) add_triple_points(artifact, all, found.points);
  return artifact;
}

}  // namespace bgw::tasks
