#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "compiler/semantics/elaborator.h"
#include "compiler/semantics/quantities.h"
#include "compiler/units/unit_expression.h"

namespace bgw::semantics {
namespace {

using schema::Type;
using schema::TypeKind;

/// All words that may stand at a place of this type, those of alternatives and items included.
void collect_words(const Type& type, std::vector<std::string>& words) {
  for (const auto* some : {&type.words, &type.later}) words.insert(words.end(), some->begin(), some->end());
  for (const Type& item : type.items) collect_words(item, words);
}

void collect_constructors(const Type& type, std::vector<std::string>& names, std::vector<std::string>& later) {
  if (type.kind == TypeKind::constructor) {
    names.insert(names.end(), type.nouns.begin(), type.nouns.end());
    later.insert(later.end(), type.later.begin(), type.later.end());
  }
  if (type.kind != TypeKind::any_of) return;
  for (const Type& item : type.items) collect_constructors(item, names, later);
}

bool contains(const std::vector<std::string>& list, const std::string& word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

/// The part of a value that a diagnostic about it should underline: where it comes from, or where it stands.
SourceRange origin_of(const Evaluated& value, const Site& site) { return value.origin.end > value.origin.begin ? value.origin : site.range; }

}  // namespace

/// An expression as the argument of an attribute of that type; errors are told at its place.
std::optional<Value> Elaborator::resolve(const syntax::Expression& expression, const Type& type, const Site& site, const Scope& scope) {
  std::vector<std::string> constructors, later;
  collect_constructors(type, constructors, later);
  if (!constructors.empty()) {
    if (const auto* choice = std::get_if<syntax::Conditional>(&expression.what)) {
      const auto chosen = truth(*choice->condition, scope);
      if (!chosen) return std::nullopt;
      return resolve(*chosen ? *choice->then : *choice->otherwise, type, site, scope);
    }
    const auto* reference = std::get_if<syntax::Reference>(&expression.what);
    const bool call = reference && reference->trailers.size() == 1 && std::holds_alternative<syntax::CallTrailer>(reference->trailers[0].what);
    if (reference && (call || reference->trailers.empty())) {
      const std::string& name = reference->name.text;
      if (contains(constructors, name)) return construct(expression, *catalog_.find_constructor(name), site, scope);
      if (contains(later, name)) {
        error("E0203", reference->name.range, fmt::format("`{}` is not available in this version", name), {fmt::format("`{}` takes {}", site.path, type.describe())});
        return std::nullopt;
      }
      if (call && !declarations_.count(name)) {
        error("E0217", reference->name.range, fmt::format("there is no `{}(…)` for `{}`", name, site.path), did_you_mean(name, constructors),
              {fmt::format("`{}` takes {}", site.path, type.describe())});
        return std::nullopt;
      }
      if (!call && type.kind == TypeKind::constructor && !declarations_.count(name) && !scope.find(name)) {
        error("E0306", reference->name.range, fmt::format("`{}` takes {}, got `{}`", site.path, type.describe(), name), did_you_mean(name, constructors));
        return std::nullopt;
      }
    }
  }
  std::vector<std::string> words;
  collect_words(type, words);
  // A bare name that is nothing of the program is meant as a word: say which words there are.
  if (const auto* reference = std::get_if<syntax::Reference>(&expression.what);
      reference && reference->trailers.empty() && type.kind == TypeKind::word && !contains(words, reference->name.text) &&
      !scope.find(reference->name.text) && !declarations_.count(reference->name.text)) {
    error("E0306", expression.range, fmt::format("`{}` is {}, got `{}`", site.path, type.describe(), reference->name.text), did_you_mean(reference->name.text, type.words));
    return std::nullopt;
  }
  const Evaluated value = evaluate(expression, scope, words.empty() ? nullptr : &words);
  if (value.is_poison()) return std::nullopt;
  origins_[site.path] = origin_of(value, site);
  return convert(value, type, site, false);
}

/// A value as the argument; `quiet` only tries.
std::optional<Value> Elaborator::convert(const Evaluated& value, const Type& type, const Site& site, bool quiet) {
  if (value.is_poison()) return std::nullopt;
  if (value.as<None>() && (!site.attribute || !site.attribute->required)) return Value();
  if (value.as<RunTime>() && type.kind != TypeKind::expression && type.kind != TypeKind::samples && type.kind != TypeKind::any_of) {
    if (!quiet && value.as<RunTime>()->type != schema::ResultType::samples) {
      error("E0305", origin_of(value, site), fmt::format("`{}` is decided before anything runs, this is known only when the program runs", site.path),
            {"use params, lets and axes here; results belong in figure, table, expect and require"});
      return std::nullopt;
    }
    if (!quiet) mismatch(value, type, site);
    return std::nullopt;
  }
  switch (type.kind) {
    case TypeKind::integer:
    case TypeKind::seed:
    case TypeKind::number:
    case TypeKind::quantity: return convert_number(value, type, site, quiet);
    case TypeKind::boolean:
      if (const bool* flag = value.as<bool>()) return Value(*flag);
      break;
    case TypeKind::string:
      if (const auto* text = value.as<std::string>()) return Value(*text);
      break;
    case TypeKind::word: {
      const auto* word = value.as<Word>();
      const auto* string = value.as<std::string>();
      const std::string* text = word ? &word->text : string;
      if (!text) break;
      if (contains(type.words, *text)) {
        const auto alias = type.aliases.find(*text);
        return Value(alias == type.aliases.end() ? *text : alias->second);
      }
      if (quiet) return std::nullopt;
      if (contains(type.later, *text)) {
        error("E0203", origin_of(value, site), fmt::format("`{}` is not available in this version", *text), {fmt::format("`{}` is {}", site.path, type.describe())});
      } else {
        error("E0306", origin_of(value, site), fmt::format("`{}` is {}, got `{}`", site.path, type.describe(), *text), did_you_mean(*text, type.words));
      }
      return std::nullopt;
    }
    case TypeKind::list: {
      const auto* list = value.as<ListValue>();
      if (!list) break;
      schema::List items;
      bool good = true;
      for (const Evaluated& item : list->items) {
        const auto converted = convert(item, type.items[0], site, quiet);
        good = good && converted;
        if (converted) items.push_back(*converted);
      }
      return good ? std::optional<Value>(std::move(items)) : std::nullopt;
    }
    case TypeKind::reference:
    case TypeKind::samples: return convert_reference(value, type, site, quiet);
    case TypeKind::expression: return convert_expression(value, site);
    case TypeKind::interval: {
      const auto* ends = value.as<Interval>();
      if (!ends) break;
      const auto low = convert({ends->low, value.origin}, type.items[0], site, quiet);
      const auto high = convert({ends->high, value.origin}, type.items[0], site, quiet);
      if (!low || !high) return std::nullopt;
      return Value(schema::Map{{"interval", schema::List{*low, *high}}});
    }
    case TypeKind::constructor: break;
    case TypeKind::any_of:
      for (const Type& alternative : type.items) {
        auto converted = convert(value, alternative, site, true);
        if (!converted) continue;
        if (!quiet && converted->is_number() && !within_bounds(*converted, site, origin_of(value, site))) return std::nullopt;
        return converted;
      }
      // One alternative of the value's own sort gives the better message.
      for (const Type& alternative : type.items) {
        if (alternative.kind == TypeKind::number && as_quantity(value)) return convert(value, alternative, site, quiet);
        if (alternative.kind == TypeKind::word && value.as<Word>()) return convert(value, alternative, site, quiet);
      }
      break;
  }
  if (!quiet) mismatch(value, type, site);
  return std::nullopt;
}

std::optional<Value> Elaborator::convert_number(const Evaluated& value, const Type& type, const Site& site, bool quiet) {
  const SourceRange origin = origin_of(value, site);
  const auto fail = [&]() -> std::optional<Value> {
    if (!quiet) mismatch(value, type, site);
    return std::nullopt;
  };
  std::optional<Value> result;
  if (type.kind == TypeKind::integer || type.kind == TypeKind::seed) {
    const auto* number = value.as<std::int64_t>();
    if (!number) return fail();
    if (type.kind == TypeKind::seed && *number < 0) {
      if (!quiet) error("E0307", origin, fmt::format("`{}` is a seed, at least 0, got {}", site.path, *number));
      return std::nullopt;
    }
    result = Value(*number);
  } else {
    const auto quantity = as_quantity(value);
    if (!quantity) return fail();
    const bool any = type.dimension == "any";
    const bool of_the_machine = type.dimension == "duration" || type.dimension == "memory";
    const units::Dimension wanted = type.kind == TypeKind::number || any ? units::Dimension{} : dimension_named(type.dimension).value_or(units::Dimension{});
    if (quantity->reduced && quantity->dimension.is_dimensionless()) {
      if (type.kind == TypeKind::number || of_the_machine) return fail();
      if (current_) current_->reduced = true;
      result = Value(from_reduced(quantity->value, wanted));
    } else if (any || quantity->dimension == wanted) {
      if (current_ && !wanted.is_dimensionless() && !of_the_machine) current_->physical = true;
      result = Value(quantity->value + 0.0);  // -0.0 is 0.0: one number, one key
    } else {
      return fail();
    }
  }
  if (!quiet && !within_bounds(*result, site, origin)) return std::nullopt;
  return result;
}

bool Elaborator::within_bounds(const Value& value, const Site& site, SourceRange origin) {
  if (!site.attribute || site.attribute->bounds.holds(value.as_double())) return true;
  error("E0307", origin, fmt::format("`{}` is {}, got {}", site.path, site.attribute->bounds.describe(), shown(origin)), {}, {},
        {}, origin.begin == site.range.begin ? std::vector<source::Label>{} : std::vector<source::Label>{{site.range, "used here"}});
  return false;
}

void Elaborator::mismatch(const Evaluated& value, const Type& type, const Site& site) {
  const SourceRange origin = origin_of(value, site);
  const std::string written = shown(origin);
  const std::vector<source::Label> used = origin.begin == site.range.begin ? std::vector<source::Label>{} : std::vector<source::Label>{{site.range, "used here"}};
  const auto quantity = as_quantity(value);
  if (type.kind == TypeKind::quantity && quantity) {
    const units::Dimension wanted = dimension_named(type.dimension).value_or(units::Dimension{});
    const std::string unit = units::usual_unit(wanted);
    if (is_plain(*quantity)) {
      const std::string example = fmt::format("{} {}", written, unit);
      error("E0302", origin, fmt::format("`{}` is {}, got a number without a unit", site.path, units::dimension_phrase(wanted)), {fmt::format("did you mean `{}`?", example)}, {}, {}, used);
      return;
    }
    std::vector<std::string> helps;
    if (type.dimension == "temperature" && units::dimension_name(quantity->dimension) == "energy") {
      const std::string said = units::energy_as_temperature(quantity->value, written);
      const auto times = said.rfind("× ");
      helps.push_back(times == std::string::npos ? said : fmt::format("{}; write `{} = {}`", said, site.attribute ? site.attribute->name : "temperature", said.substr(times + 3)));
    } else if (site.attribute && !site.attribute->example.empty()) {
      helps.push_back(fmt::format("write for instance `{} = {}`", site.attribute->name, site.attribute->example));
    }
    const std::string given = quantity->reduced ? "a number in lj units" : units::dimension_name(quantity->dimension);
    const bool of_the_machine = type.dimension == "duration" || type.dimension == "memory";
    error("E0301", origin, fmt::format("{} given where {} is expected", given, units::dimension_phrase(wanted)), helps,
          {fmt::format("`{}` is {} ({}{})", site.path, units::dimension_phrase(wanted), unit, unit.empty() || of_the_machine ? "" : ", or lj in a reduced system")},
          given, used);
    return;
  }
  if (type.kind == TypeKind::number && quantity && !is_plain(*quantity)) {
    error("E0301", origin, fmt::format("{} given where a plain number is expected", quantity->reduced ? "a number in lj units" : units::dimension_name(quantity->dimension)), {},
          {fmt::format("`{}` has no unit", site.path)}, {}, used);
    return;
  }
  std::vector<std::string> helps;
  if (value.as<Interval>()) helps.push_back("intervals condition a flow on a variable: not available in this version");
  else if (site.attribute && !site.attribute->example.empty()) helps.push_back(fmt::format("write for instance `{} = {}`", site.attribute->name, site.attribute->example));
  error("E0303", origin, fmt::format("`{}` is {}, got {}", site.path, type.describe(), describe(value)), helps, {}, {}, used);
}

/// An instance or its samples: value blocks are copied in place, tasks are named.
std::optional<Value> Elaborator::convert_reference(const Evaluated& value, const Type& type, const Site& site, bool quiet) {
  if (const auto* run_time = value.as<RunTime>(); run_time && type.kind == TypeKind::samples && run_time->type == schema::ResultType::samples) {
    const auto owner = by_full_name_.find(run_time->expression.at("task").as_string());
    if (owner != by_full_name_.end() && contains(type.nouns, owner->second->kind->noun)) {
      note_use(*owner->second);
      // The samples are what a sample task is: `draws` and `draws.samples` are the same work.
      if (owner->second->kind->noun == "sample") return Value(schema::Map{{"task", owner->second->full_name}});
      return run_time->expression;
    }
  }
  const auto* instance = value.as<InstanceValue>();
  if (instance && contains(type.nouns, instance->instance->kind->noun)) {
    note_use(*instance->instance);
    if (instance->instance->kind->makes == schema::Makes::value || instance->instance->kind->makes == schema::Makes::policy) {
      return Value(instance->instance->arguments);
    }
    schema::Map task{{"task", instance->instance->full_name}};
    if (type.kind == TypeKind::samples && instance->instance->kind->noun != "sample") task["attribute"] = "samples";
    return Value(std::move(task));
  }
  if (!quiet) {
    std::vector<std::string> helps;
    if (instance && type.kind == TypeKind::samples) helps.push_back(fmt::format("a {} has no samples", instance->instance->kind->noun));
    error("E0303", origin_of(value, site), fmt::format("`{}` is {}, got {}", site.path, type.describe(), describe(value)), helps);
  }
  return std::nullopt;
}

/// A number, a result, or a list of them, as run-time expression.
std::optional<Value> Elaborator::convert_expression(const Evaluated& value, const Site& site) {
  if (const auto* run_time = value.as<RunTime>(); run_time && run_time->type != schema::ResultType::samples) return run_time->expression;
  if (as_quantity(value) || value.as<bool>()) return Value(schema::Map{{"op", "const"}, {"value", to_value(value)}});
  if (const auto* text = value.as<std::string>()) return Value(schema::Map{{"op", "string"}, {"value", *text}});
  if (const auto* word = value.as<Word>()) return Value(schema::Map{{"op", "string"}, {"value", word->text}});
  if (const auto* list = value.as<ListValue>()) {
    schema::List items;
    for (const Evaluated& item : list->items) {
      const auto converted = convert_expression(item, site);
      if (!converted) return std::nullopt;
      items.push_back(*converted);
    }
    return Value(schema::Map{{"op", "list"}, {"items", std::move(items)}});
  }
  if (value.is_poison()) return std::nullopt;
  std::vector<std::string> helps;
  if (const auto* instance = value.as<InstanceValue>(); instance && !instance->instance->kind->results.empty()) {
    helps.push_back(fmt::format("name one of its results, as `{}.{}`", shown(origin_of(value, site)), instance->instance->kind->results[0].name));
  }
  if (value.as<RunTime>()) helps.push_back("samples are configurations: `rdf(…)` makes a curve of them");
  error("E0303", origin_of(value, site), fmt::format("`{}` is a number or a result, got {}", site.path, describe(value)), helps);
  return std::nullopt;
}

/// `one_cycle(2e-2)` as {"call": "one_cycle", "peak": 0.02}; a bare name takes all defaults.
std::optional<Value> Elaborator::construct(const syntax::Expression& expression, const schema::ConstructorSchema& constructor, const Site& site, const Scope& scope) {
  const auto& reference = std::get<syntax::Reference>(expression.what);
  std::vector<syntax::CallArgument> arguments;
  if (!reference.trailers.empty()) arguments = std::get<syntax::CallTrailer>(reference.trailers[0].what).arguments;
  schema::Map map{{"call", constructor.name}};
  std::vector<std::string> names;
  for (const auto& a : constructor.arguments) names.push_back(a.name);
  std::size_t position = 0;
  bool good = true;
  for (const syntax::CallArgument& argument : arguments) {
    const schema::Attribute* attribute = nullptr;
    if (argument.name) {
      const auto found = std::find(names.begin(), names.end(), argument.name->text);
      if (found != names.end()) attribute = &constructor.arguments[static_cast<std::size_t>(found - names.begin())];
      if (!attribute) {
        error("E0202", argument.name->range, fmt::format("`{}` has no argument `{}`", constructor.name, argument.name->text), did_you_mean(argument.name->text, names),
              {names.empty() ? "it has none" : fmt::format("it takes {}", fmt::join(names, ", "))});
      }
    } else if (position < constructor.arguments.size()) {
      attribute = &constructor.arguments[position++];
    } else {
      error("E0217", argument.range, fmt::format("`{}` takes {} arguments", constructor.name, constructor.arguments.size()));
    }
    if (attribute && map.count(attribute->name)) {
      error("E0205", argument.range, fmt::format("`{}` is given twice", attribute->name), {"leave one of the two out"});
      attribute = nullptr;
    }
    if (!attribute) {
      good = false;
      continue;
    }
    const auto value = resolve(*argument.value, attribute->type, {fmt::format("{}.{}", constructor.name, attribute->name), argument.value->range, attribute}, scope);
    good = good && value;
    map[attribute->name] = value.value_or(Value());
  }
  for (const auto& attribute : constructor.arguments) {
    if (map.count(attribute.name)) continue;
    if (attribute.required) {
      error("E0204", expression.range, fmt::format("`{}` lacks its argument `{}`", constructor.name, attribute.name),
            {fmt::format("write `{} = {}`", attribute.name, attribute.example.empty() ? "…" : attribute.example)}, {attribute.doc});
      good = false;
    }
    map[attribute.name] = attribute.otherwise;
  }
  origins_[site.path] = expression.range;
  return good ? std::optional<Value>(std::move(map)) : std::nullopt;
}

/// What a block takes over from the blocks it names: the units its numbers are shown in.
void Elaborator::note_use(const Instance& used) {
  if (!current_) return;
  if (current_->energy_unit.empty()) current_->energy_unit = used.energy_unit;
  if (current_->length_unit.empty()) current_->length_unit = used.length_unit;
  current_->reduced = current_->reduced || used.reduced;
  current_->physical = current_->physical || used.physical;
}

}  // namespace bgw::semantics
