#include <algorithm>
#include <charconv>
#include <cmath>

#include <fmt/format.h>

#include "compiler/semantics/elaborator.h"
#include "compiler/semantics/quantities.h"
#include "compiler/units/unit_expression.h"
#include "compiler/source/read_source.h"

namespace bgw::semantics {
namespace {

using schema::Type;
using schema::TypeKind;

std::string without_underscores(std::string text) {
  std::erase(text, '_');
  return text;
}

std::string origin_of(const std::string& name, const Override& given) {
  return given.origin.empty() ? fmt::format("-p {}={}", name, given.text) : given.origin;
}

}  // namespace

Evaluated Elaborator::evaluate_param(const syntax::Param& param, Module& module) {
  const auto type = type_named(param.type);
  if (!type) return poison();
  const std::string full = module.source->prefix + param.name.text;
  const auto given = overrides_.find(full);
  Scope scope;
  scope.module = &module;
  if (given == overrides_.end()) {
    if (!param.value) {
      return error("E0204", param.name.range, fmt::format("param `{}` has no value", full), {fmt::format("give it a default, or `-p {}=…`", full)});
    }
    Evaluated value = typed(param.type, *param.value, param.name.text, scope);
    if (!value.is_poison() && !inside_domain(param, module, value, shown(param.value->range), param.value->range)) return poison();
    model_->params[full] = shown(param.value->range);
    return value;
  }
  const std::string old = param.value ? shown(param.value->range) : "none";
  const std::string origin = origin_of(full, given->second);
  Evaluated value = overridden(param, *type, given->second, origin);
  if (value.is_poison()) return value;
  if (!inside_domain(param, module, value, origin, param.name.range)) return poison();
  model_->overridden[full] = schema::Map{{"old", old}, {"new", given->second.text}};
  model_->params[full] = given->second.text;
  return value;
}

/// The text given outside the program as a value of the param's type.
Evaluated Elaborator::overridden(const syntax::Param& param, const Type& type, const Override& given, const std::string& origin) {
  const std::string& text = given.text;
  const SourceRange range = param.name.range;
  const auto complain = [&](const std::string& problem, std::vector<std::string> helps = {}) {
    if (helps.empty() && param.value) helps.push_back(fmt::format("write it as the program does: `{}`", shown(param.value->range)));
    std::vector<std::string> notes;
    if (helps.empty()) notes.push_back(fmt::format("param `{}` is {}", param.name.text, type.describe()));
    return error("E0311", range, fmt::format("{}: {}", origin, problem), helps, notes);
  };
  const std::string digits = without_underscores(text);
  if (source::first_invalid_utf8(text)) return complain("this is no UTF-8 text");
  switch (type.kind) {
    case TypeKind::integer:
    case TypeKind::seed: {
      std::int64_t number = 0;
      const auto [end, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
      if (problem != std::errc() || end != digits.data() + digits.size()) return complain(fmt::format("{} is needed", type.describe()));
      if (type.kind == TypeKind::seed && number < 0) return complain("a seed is at least 0");
      return {number, range};
    }
    case TypeKind::boolean:
      if (text == "true" || text == "false") return {text == "true", range};
      return complain("true or false is needed");
    case TypeKind::string: return {text, range};
    case TypeKind::word:
      if (std::find(type.words.begin(), type.words.end(), text) == type.words.end() && std::find(type.later.begin(), type.later.end(), text) == type.later.end()) return complain(fmt::format("{} is needed", type.describe()));
      return {Word{text}, range};
    case TypeKind::number:
    case TypeKind::quantity: {
      std::string problem;
      const auto quantity = quantity_from_text(digits, problem);
      if (!quantity) return complain(problem);
      if (text.find_first_of("0123456789") > text.find_first_not_of(" +-.")) return complain("the number is missing");
      if (!std::isfinite(quantity->value)) return complain("this is too large for a number");
      if (quantity->reduced && type.kind == TypeKind::number) return complain("a plain number is needed, got one in lj units");
      const units::Dimension wanted = type.kind == TypeKind::number ? units::Dimension{} : dimension_named(type.dimension).value_or(units::Dimension{});
      if (quantity->reduced && type.kind == TypeKind::quantity) return {*quantity, range};
      if (quantity->dimension == wanted) return {*quantity, range};
      if (is_plain(*quantity)) return complain(fmt::format("the unit is missing, did you mean {} {}", text, units::usual_unit(wanted)));
      std::vector<std::string> helps;
      if (type.dimension == "temperature" && units::dimension_name(quantity->dimension) == "energy") helps.push_back(units::energy_as_temperature(quantity->value, text));
      return complain(fmt::format("{} given where {} is expected", units::dimension_phrase(quantity->dimension), units::dimension_phrase(wanted)), helps);
    }
    default: return complain("a param of this type cannot be given from outside");
  }
}

/// `in 50 K .. 260 K`, `in [64, 216]`.
bool Elaborator::inside_domain(const syntax::Param& param, Module& module, const Evaluated& value, const std::string& written, SourceRange place) {
  if (!param.domain) return true;
  Scope scope;
  scope.module = &module;
  const auto* range = std::get_if<syntax::RangeExpression>(&param.domain->what);
  bool inside = false;
  if (range && !range->step) {
    // The ends alone: `1 .. 1_000_000` is no list of a million here.
    const Evaluated low = evaluate(*range->first, scope), high = evaluate(*range->last, scope);
    if (low.is_poison() || high.is_poison()) return false;
    const auto a = as_quantity(low), b = as_quantity(high), v = as_quantity(value);
    if (!a || !b || !v || a->dimension != v->dimension || b->dimension != v->dimension || a->reduced != v->reduced || b->reduced != v->reduced) {
      error("E0308", param.domain->range, fmt::format("the range of `{}` is of another kind than its value", param.name.text), {},
            {fmt::format("the value is {}, the range goes from {} to {}", describe(value), describe(low), describe(high))});
      return false;
    }
    const auto *i = low.as<std::int64_t>(), *j = high.as<std::int64_t>(), *n = value.as<std::int64_t>();
    inside = i && j && n ? *i <= *n && *n <= *j : a->value <= v->value && v->value <= b->value;  // seeds do not fit a double
  } else {
    const Evaluated domain = evaluate(*param.domain, scope);
    if (domain.is_poison()) return false;
    const auto* list = domain.as<ListValue>();
    if (!list) {
      error("E0303", param.domain->range, fmt::format("after `in` stands a range or a list, got {}", describe(domain)), {"write for instance `in 50 K .. 260 K`, or `in [64, 216]`"});
      return false;
    }
    inside = std::any_of(list->items().begin(), list->items().end(), [&](const Evaluated& item) { return equal(item, value); });
  }
  if (!inside) {
    error("E0307", place, fmt::format("{} is outside {} for param `{}`", written, shown(param.domain->range), param.name.text),
          {fmt::format("take a value within {}, or change what stands after `in`", shown(param.domain->range))});
  }
  return inside;
}

std::map<std::string, const syntax::Item*> Elaborator::all_params() {
  std::map<std::string, const syntax::Item*> params;
  for (const Module& module : modules_) {
    for (const auto& [name, declaration] : module.declarations) {
      if (std::holds_alternative<syntax::Param>(declaration.item->what)) params[module.source->prefix + name] = declaration.item;
    }
  }
  return params;
}

// `-p temp=250K` where the program says `param T : temperature`: the beginning of the type is what people remember.
std::optional<std::string> Elaborator::param_of_type(const std::string& written) {
  std::optional<std::string> found;
  if (written.size() < 3) return found;
  for (const auto& [name, item] : all_params()) {
    if (!std::get<syntax::Param>(item->what).type.name.text.starts_with(written)) continue;
    if (found) return std::nullopt;
    found = name;
  }
  return found;
}

void Elaborator::check_overrides() {
  const auto params = all_params();
  std::vector<std::string> names;
  for (const auto& [name, item] : params) names.push_back(name);
  for (const auto& [name, given] : overrides_) {
    if (params.count(name)) continue;
    std::vector<std::string> helps = did_you_mean(param_of_type(name).value_or(name), names, names.empty() ? "leave it out" : "");
    std::vector<std::string> notes;
    for (const std::string& param : names) {
      if (helps.empty() || helps[0].find("`" + param + "`") != std::string::npos) notes.push_back(shown(params.at(param)->range));
    }
    if (names.empty()) notes.emplace_back("this program has no params");
    if (const auto declared = main().declarations.find(name); declared != main().declarations.end()) {
      helps = {fmt::format("write `param {} : … = …` in place of `{}`", name, shown(declared->second.item->range))};
      notes.clear();
    }
    error("E0216", {0, 0}, fmt::format("{}: there is no param `{}`", origin_of(name, given), name), helps, notes);
  }
}

}  // namespace bgw::semantics
