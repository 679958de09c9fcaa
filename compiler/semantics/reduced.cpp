#include <cmath>

#include <fmt/format.h>

#include "compiler/semantics/elaborator.h"
#include "compiler/semantics/quantities.h"
#include "compiler/units/unit_table.h"

namespace bgw::semantics {
namespace {

/// The number at a path of members and positions, times the factor.
Value scaled(const Value& value, std::string_view path, double factor) {
  const std::size_t dot = path.find('.');
  const std::string first(path.substr(0, dot));
  const std::string_view rest = dot == std::string_view::npos ? std::string_view() : path.substr(dot + 1);
  const auto inner = [&](const Value& part) { return rest.empty() ? (part.is_number() ? Value(part.as_double() * factor) : part) : scaled(part, rest, factor); };
  if (value.is_list()) {
    schema::List list = value.as_list();
    const std::size_t at = std::stoul(first);
    if (at < list.size()) list[at] = inner(list[at]);
    return list;
  }
  if (!value.is_map()) return value;
  schema::Map map = value.as_map();
  if (const auto found = map.find(first); found != map.end()) found->second = inner(found->second);
  return map;
}

}  // namespace

double scale_factor(const Scale& scale, const units::Dimension& dimension) {
  const double time = scale.sigma * std::sqrt(scale.mass.value_or(1.0) / scale.epsilon);
  return std::pow(scale.epsilon, dimension.energy + dimension.temperature) * std::pow(scale.sigma, dimension.length) * std::pow(time, dimension.time);
}

/// What `lj` means in blocks that use this one.
void Elaborator::note_scale(Instance& instance, const schema::Map& arguments) {
  Scale& scale = instance.traits.scale;
  if (instance.kind->noun == "system" && arguments.count("mass") && arguments.at("mass").is_number()) scale.mass = arguments.at("mass").as_double();
  if (instance.kind->noun != "potential") return;
  const auto style = arguments.find("style");
  const auto epsilon = arguments.find("epsilon"), sigma = arguments.find("sigma");
  if (style == arguments.end() || !style->second.is_string()) return;
  if (epsilon == arguments.end() || sigma == arguments.end() || !epsilon->second.is_number() || !sigma->second.is_number()) {
    scale.kind = instance.traits.physical ? Scale::Kind::foreign : Scale::Kind::reduced;
    return;
  }
  const auto in_lj = [&](const char* name) {
    for (const UnboundNumber& number : instance.traits.unbound) {
      if (number.path == name) return true;
    }
    return false;
  };
  const bool both_physical = instance.traits.energy_unit != "lj" && instance.traits.length_unit != "lj" && !in_lj("epsilon") && !in_lj("sigma");
  const bool both_reduced = !both_physical && (instance.traits.energy_unit == "lj" || in_lj("epsilon")) && (instance.traits.length_unit == "lj" || in_lj("sigma"));
  if (both_physical) {
    scale.kind = style->second.as_string() == "lennard_jones" ? Scale::Kind::physical : Scale::Kind::foreign;
    scale.epsilon = epsilon->second.as_double();
    scale.sigma = sigma->second.as_double();
  } else if (both_reduced) {
    scale.kind = Scale::Kind::reduced;
  } else {
    error("E0304", instance.range, fmt::format("{} `{}` gives one of epsilon and sigma in physical units, the other in lj", instance.kind->noun, instance.block),
          {"give both in physical units, or neither"});
    instance.good = false;
  }
}

/// Numbers in lj take the scales of the potential, where it is known; until then they wait.
void Elaborator::bind_reduced(Instance& instance, schema::Map& arguments) {
  Traits& traits = instance.traits;
  const Scale& scale = traits.scale;
  if (scale.kind == Scale::Kind::unknown || !instance.good) return;
  const std::string who = fmt::format("{} `{}`", instance.kind->noun, instance.block);
  std::vector<source::Label> written;
  if (traits.reduced_at.end > 0) written.push_back({traits.reduced_at, "in lj"});
  if (traits.physical_at.end > 0) written.push_back({traits.physical_at, "in physical units"});
  if (scale.kind == Scale::Kind::reduced && traits.physical) {
    error("E0304", instance.range, fmt::format("{} mixes reduced (lj) and physical units", who), {"write all quantities of a system in lj, or none"},
          {"in reduced units epsilon, sigma and the mass are 1"}, {}, written);
    instance.good = false;
    return;
  }
  if (traits.unbound.empty()) return;
  if (scale.kind == Scale::Kind::foreign) {
    error("E0304", instance.range, fmt::format("{} mixes reduced (lj) and physical units", who), {"write all quantities of a system in lj, or none"},
          {"lj stands for the epsilon and sigma of a Lennard-Jones potential; this potential is none"}, {}, written);
    instance.good = false;
    return;
  }
  if (scale.kind == Scale::Kind::physical) {
    Value bound = arguments;
    for (const UnboundNumber& number : traits.unbound) {
      if (number.dimension.time != 0 && !scale.mass) {
        error("E0407", instance.range, fmt::format("a time in lj needs the mass of an atom, {} has none", who), {"write `mass = …` in the system, for argon `mass = 39.948 g/mol`"}, {}, {}, written);
        instance.good = false;
        return;
      }
      bound = scaled(bound, number.path, scale_factor(scale, number.dimension));
    }
    arguments = bound.as_map();
  }
  traits.unbound.clear();
}

/// The same for what is said of the results of a block, `F.at(temperature = 0.5 lj)`.
bool Elaborator::bind_to_scale(const Instance& of, const Traits& given, Value& arguments, SourceRange range) {
  const Scale& scale = of.traits.scale;
  const bool mixed = (scale.kind == Scale::Kind::reduced && given.physical) || (scale.kind == Scale::Kind::foreign && given.reduced);
  if (mixed) {
    error("E0304", range, fmt::format("reduced (lj) and physical units are mixed: {} `{}` is computed in {}", of.kind->noun, of.name, given.physical ? "lj" : "physical units"),
          {fmt::format("write the state in {}", given.physical ? "lj" : "physical units")});
    return false;
  }
  if (scale.kind != Scale::Kind::physical) return true;
  for (const UnboundNumber& number : given.unbound) {
    if (number.dimension.time != 0 && !scale.mass) {
      error("E0407", range, fmt::format("a time in lj needs the mass of an atom, {} `{}` has none", of.kind->noun, of.name), {"write `mass = …` in the system"});
      return false;
    }
    arguments = scaled(arguments, number.path, scale_factor(scale, number.dimension));
  }
  return true;
}

/// A number in lj beside a result takes the result's dimension and the scales of its potential; nullopt when it has none.
std::optional<Value> Elaborator::reduced_beside(const units::Quantity& number, const RunTime& result) {
  const double value = from_reduced(number.value, result.dimension);
  if (result.scale.kind == Scale::Kind::reduced) return Value(value);
  if (result.scale.kind != Scale::Kind::physical || (result.dimension.time != 0 && !result.scale.mass)) return std::nullopt;
  return Value(value * scale_factor(result.scale, result.dimension));
}

}  // namespace bgw::semantics
