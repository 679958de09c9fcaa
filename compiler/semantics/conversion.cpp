#include <algorithm>
#include <charconv>
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

bool is_number(std::string text) {
  std::erase(text, '_');
  double number = 0.0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  return problem == std::errc() && end == text.data() + text.size();
}

/// What was written, with a unit: `200 K`, `(2 * a) /angstrom^3`, `(a + b) * 1 K`.
std::string with_unit(const std::string& written, const std::string& unit) {
  if (is_number(written)) return fmt::format("{} {}", written, unit);
  return unit.starts_with('/') ? fmt::format("({}) {}", written, unit) : fmt::format("({}) * 1 {}", written, unit);
}

/// "write for instance `steps = 60`", from the example of the attribute or its default.
std::vector<std::string> for_instance(const schema::Attribute* attribute) {
  if (!attribute) return {};
  std::string example = attribute->example;
  const Value& otherwise = attribute->otherwise;
  if (example.empty() && (otherwise.is_number() || otherwise.is_bool())) example = schema::to_json(otherwise);
  return example.empty() ? std::vector<std::string>{} : std::vector<std::string>{fmt::format("write for instance `{} = {}`", attribute->name, example)};
}

/// "used here", where a value stands that comes from elsewhere.
std::vector<source::Label> used_at(const Site& site, SourceRange origin) {
  const bool within = origin.begin >= site.range.begin && origin.end <= site.range.end;
  return within ? std::vector<source::Label>{} : std::vector<source::Label>{{site.range, "used here"}};
}

/// The part of a value that a diagnostic about it should underline: where it comes from, or where it stands.
SourceRange origin_of(const Evaluated& value, const Site& site) { return value.origin.end > value.origin.begin ? value.origin : site.range; }

}  // namespace

/// An expression as the argument of an attribute of that type; errors are told at its place.
std::optional<Value> Elaborator::resolve(const syntax::Expression& expression, const Type& type, const Site& site, const Scope& scope) {
  std::vector<std::string> constructors, later;
  collect_constructors(type, constructors, later);
  constructors.insert(constructors.end(), later.begin(), later.end());
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
      const auto& declarations = scope.module->declarations;
      const auto* constructor = contains(constructors, name) ? catalog_.find_constructor(name) : nullptr;
      if (constructor && (call || (!scope.find(name) && !declarations.count(name) && !scope.module->families.count(name)))) {
        if (constructor->later || contains(later, name)) note_later(fmt::format("`{} = {}`", site.path(), name));
        const auto& arguments = call ? std::get<syntax::CallTrailer>(reference->trailers[0].what).arguments : std::vector<syntax::CallArgument>{};
        auto made = construct(name, arguments, expression.range, *constructor, site, scope);
        last_origin_ = {};  // its arguments have theirs
        return made;
      }
      const bool builtin = name == "at" || name == "prev" || name == "next" || name == "min" || name == "max";
      if (call && !declarations.count(name) && !builtin) {
        error("E0217", reference->name.range, fmt::format("there is no `{}(…)` for `{}`", name, site.path()), did_you_mean(name, constructors),
              {fmt::format("`{}` takes {}", site.path(), type.describe())});
        return std::nullopt;
      }
      if (!call && type.kind == TypeKind::constructor && !declarations.count(name) && !scope.find(name)) {
        error("E0306", reference->name.range, fmt::format("`{}` takes {}, got `{}`", site.path(), type.describe(), name), did_you_mean(name, constructors, fmt::format("write for instance `{}`", constructors.front())));
        return std::nullopt;
      }
    }
  }
  std::vector<std::string> words;
  collect_words(type, words);
  // A bare name that is nothing of the program is meant as a word: say which words there are.
  if (const auto* reference = std::get_if<syntax::Reference>(&expression.what);
      reference && reference->trailers.empty() && type.kind == TypeKind::word && !contains(words, reference->name.text) &&
      !scope.find(reference->name.text) && !scope.module->declarations.count(reference->name.text)) {
    error("E0306", expression.range, fmt::format("`{}` is {}, got `{}`", site.path(), type.describe(), reference->name.text), did_you_mean(reference->name.text, words, fmt::format("write for instance `{}`", words.front())));
    return std::nullopt;
  }
  const Type* outer_type = std::exchange(asked_, &type);
  const Evaluated value = evaluate(expression, scope, words.empty() ? nullptr : &words);
  asked_ = outer_type;
  if (value.is_poison()) return std::nullopt;
  last_origin_ = value.origin;
  return convert(value, type, site, false);
}

/// A value as the argument; `quiet` only tries.
std::optional<Value> Elaborator::convert(const Evaluated& value, const Type& type, const Site& site, bool quiet) {
  if (value.is_poison()) return std::nullopt;
  if (value.as<None>() && (!site.attribute || !site.attribute->required)) return Value();
  if (value.as<RunTime>() && type.kind != TypeKind::expression && type.kind != TypeKind::samples && type.kind != TypeKind::any_of) {
    if (!quiet && value.as<RunTime>()->type != schema::ResultType::samples) {
      error("E0305", origin_of(value, site), fmt::format("`{}` is decided before anything runs, this is known only when the program runs", site.path()),
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
    case TypeKind::word: return convert_word(value, type, site, quiet);
    case TypeKind::list: return convert_list(value, type, site, quiet);
    case TypeKind::reference:
    case TypeKind::samples: return convert_reference(value, type, site, quiet);
    case TypeKind::expression: return convert_expression(value, site, quiet);
    case TypeKind::interval: return convert_interval(value, type, site, quiet);
    case TypeKind::constructor: break;
    case TypeKind::any_of: return convert_any(value, type, site, quiet);
  }
  if (!quiet) mismatch(value, type, site);
  return std::nullopt;
}

std::optional<Value> Elaborator::convert_word(const Evaluated& value, const Type& type, const Site& site, bool quiet) {
  const auto* word = value.as<Word>();
  const std::string* text = word ? &word->text : value.as<std::string>();
  if (!text) {
    if (!quiet) mismatch(value, type, site);
    return std::nullopt;
  }
  const bool later = contains(type.later, *text);
  if (later || contains(type.words, *text)) {
    if (later && !quiet) note_later(fmt::format("`{} = {}`", site.path(), *text));
    const auto alias = type.aliases.find(*text);
    return Value(alias == type.aliases.end() ? *text : alias->second);
  }
  if (!quiet) {
    std::vector<std::string> words = type.words;
    words.insert(words.end(), type.later.begin(), type.later.end());
    error("E0306", origin_of(value, site), fmt::format("`{}` is {}, got `{}`", site.path(), type.describe(), *text),
          did_you_mean(*text, words, fmt::format("write for instance `{}`", words.front())));
  }
  return std::nullopt;
}

std::optional<Value> Elaborator::convert_list(const Evaluated& value, const Type& type, const Site& site, bool quiet) {
  const auto* list = value.as<ListValue>();
  if (!list) {
    if (!quiet) mismatch(value, type, site);
    return std::nullopt;
  }
  if (!affords(list->items().size(), site.range)) return std::nullopt;
  schema::List items;
  std::string failed;  // one mistake in all items is told once
  const std::size_t outer = place_.size();
  for (const Evaluated& item : list->items()) {
    place_ += fmt::format(".{}", items.size());
    const auto converted = convert(item, type.items[0], site, quiet || (!failed.empty() && describe(item) == failed));
    place_.resize(outer);
    if (!converted && failed.empty()) failed = describe(item);
    items.push_back(converted.value_or(Value()));
  }
  return failed.empty() ? std::optional<Value>(std::move(items)) : std::nullopt;
}

/// {"interval": [low, high]}; `18 .. 25` of ints is one here, though a list elsewhere.
std::optional<Value> Elaborator::convert_interval(const Evaluated& value, const Type& type, const Site& site, bool quiet) {
  const auto* ends = value.as<Interval>();
  const auto* list = value.as<ListValue>();
  Evaluated low, high;
  if (ends) {
    low = {ends->low, value.origin};
    high = {ends->high, value.origin};
  } else if (list && list->whole_range && !list->items().empty()) {
    low = list->items().front();
    high = list->items().back();
  } else {
    if (!quiet) mismatch(value, type, site);
    return std::nullopt;
  }
  const std::size_t outer = place_.size();
  place_ += ".interval.0";
  const auto from = convert(low, type.items[0], site, quiet);
  place_.back() = '1';
  const auto to = convert(high, type.items[0], site, quiet);
  place_.resize(outer);
  if (!from || !to) return std::nullopt;
  return Value(schema::Map{{"interval", schema::List{*from, *to}}});
}

/// The first alternative that fits; what goes with a conversion is noted once the choice is made.
std::optional<Value> Elaborator::convert_any(const Evaluated& value, const Type& type, const Site& site, bool quiet) {
  for (const Type& alternative : type.items) {
    Traits tried;
    Traits* outer = std::exchange(traits_, &tried);
    const bool fits = convert(value, alternative, site, true).has_value();
    traits_ = outer;
    if (fits) return convert(value, alternative, site, quiet);
  }
  if (quiet) return std::nullopt;
  // One alternative of the value's own sort gives the better message.
  for (const Type& alternative : type.items) {
    const bool numbers = alternative.kind == TypeKind::number || alternative.kind == TypeKind::quantity || alternative.kind == TypeKind::integer;
    if (numbers && as_quantity(value)) return convert(value, alternative, site, quiet);
    if (alternative.kind == TypeKind::word && value.as<Word>()) return convert(value, alternative, site, quiet);
    if (alternative.kind == TypeKind::interval && value.as<Interval>()) return convert(value, alternative, site, quiet);
    if (alternative.kind == TypeKind::list && value.as<ListValue>()) return convert(value, alternative, site, quiet);
  }
  mismatch(value, type, site);
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
      if (!quiet) error("E0307", origin, fmt::format("`{}` is a seed, at least 0, got {}", site.path(), *number), {"take a number from 0 up"});
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
      if (traits_) {
        if (!traits_->reduced) traits_->reduced_at = origin;
        traits_->reduced = true;
        if (!quiet) traits_->unbound.push_back({place_, wanted});
      }
      result = Value(from_reduced(quantity->value, wanted));
    } else if (any || quantity->dimension == wanted) {
      if (traits_ && !wanted.is_dimensionless() && !of_the_machine) {
        if (!traits_->physical) traits_->physical_at = origin;
        traits_->physical = true;
      }
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
  std::vector<std::string> helps = for_instance(site.attribute);
  if (helps.empty()) helps.emplace_back("take a value in that range");
  error("E0307", origin, fmt::format("`{}` is {}, got {}", site.path(), site.attribute->bounds.describe(), shown(origin)), helps, {}, {}, used_at(site, origin));
  return false;
}

/// A number without a unit, or with one of another dimension.
void Elaborator::wrong_unit(const Evaluated& value, const units::Quantity& quantity, const Type& type, const Site& site) {
  const SourceRange origin = origin_of(value, site);
  const std::string written = shown(origin);
  const units::Dimension wanted = dimension_named(type.dimension).value_or(units::Dimension{});
  const std::string unit = units::usual_unit(wanted);
  // A let or axis is mended where it stands, however often it is used.
  if (!used_at(site, origin).empty() && !told_.insert(fmt::format("unit of {}", origin.begin)).second) {
    ++errors_;
    return;
  }
  if (is_plain(quantity)) {
    error("E0302", origin, fmt::format("`{}` is {}, got a number without a unit", site.path(), units::dimension_phrase(wanted)),
          {fmt::format("did you mean `{}`?", with_unit(written, unit))}, {}, {}, used_at(site, origin));
    return;
  }
  std::vector<std::string> helps = for_instance(site.attribute);
  if (type.dimension == "temperature" && units::dimension_name(quantity.dimension) == "energy") {
    const std::string said = units::energy_as_temperature(quantity.value, written);
    const auto times = said.rfind("× ");
    const std::string kelvin = times == std::string::npos ? std::string() : said.substr(times + std::string_view("× ").size());
    // What stands in a let or param is written there, not where it is used.
    const bool here = site.attribute && used_at(site, origin).empty() && origin.begin == site.range.begin;
    helps = {kelvin.empty() ? said : fmt::format("{}; write `{}{}`", said, here ? site.attribute->name + " = " : "", kelvin)};
  }
  if (helps.empty()) helps.push_back(fmt::format("write it in {}", unit.starts_with('/') ? "1" + unit : unit));
  const std::string given = quantity.reduced ? "a number in lj units" : units::dimension_name(quantity.dimension);
  const bool of_the_machine = type.dimension == "duration" || type.dimension == "memory";
  error("E0301", origin, fmt::format("{} given where {} is expected", given, units::dimension_phrase(wanted)), helps,
        {fmt::format("`{}` is {} ({}{})", site.path(), units::dimension_phrase(wanted), unit, unit.empty() || of_the_machine ? "" : ", or lj in a reduced system")},
        given, used_at(site, origin));
}

void Elaborator::mismatch(const Evaluated& value, const Type& type, const Site& site) {
  const SourceRange origin = origin_of(value, site);
  const std::string written = shown(origin);
  const auto quantity = as_quantity(value);
  if (type.kind == TypeKind::quantity && quantity) return wrong_unit(value, *quantity, type, site);
  if (type.kind == TypeKind::number && quantity && !is_plain(*quantity)) {
    error("E0301", origin, fmt::format("{} given where a plain number is expected", quantity->reduced ? "a number in lj units" : units::dimension_name(quantity->dimension)),
          {"leave the unit out"}, {fmt::format("`{}` has no unit", site.path())}, {}, used_at(site, origin));
    return;
  }
  // Of an index it is one mistake, not one for each value of its axis.
  if (!used_at(site, origin).empty() && !told_.insert(fmt::format("type at {}", site.range.begin)).second) {
    ++errors_;
    return;
  }
  std::vector<std::string> helps = for_instance(site.attribute);
  if (value.as<Interval>()) {
    helps = {"an interval stands where a flow is conditional: temperature, density, c_over_a, b_over_a, pressure or lambda"};
  } else if (type.kind == TypeKind::list && convert(value, type.items[0], site, true)) {
    helps = {fmt::format("write `[{}]`", written)};
  } else if (type.kind == TypeKind::integer && quantity && is_plain(*quantity) && quantity->value == std::floor(quantity->value) && std::abs(quantity->value) < 1e15) {
    helps = {fmt::format("write `{:.0f}`", quantity->value)};
  }
  if (helps.empty()) helps.push_back(fmt::format("write {} here", type.describe()));
  error("E0303", origin, fmt::format("`{}` is {}, got {}", site.path(), type.describe(), describe(value)), helps, {}, {}, used_at(site, origin));
}

/// An instance or its samples: value blocks are copied in place, tasks are named.
std::optional<Value> Elaborator::convert_reference(const Evaluated& value, const Type& type, const Site& site, bool quiet) {
  if (const auto* run_time = value.as<RunTime>(); run_time && type.kind == TypeKind::samples && run_time->type == schema::ResultType::samples) {
    const Instance* owner = run_time->of;
    if (owner && contains(type.nouns, owner->kind->noun)) {
      note_use(*owner);
      // The samples are what a sample task is: `draws` and `draws.samples` are the same work.
      if (owner->kind->noun == "sample") return Value(schema::Map{{"task", owner->number}});
      return run_time->expression;
    }
  }
  const auto* instance = value.as<InstanceValue>();
  if (instance && !instance->part.empty()) instance = nullptr;
  if (instance && contains(type.nouns, instance->instance->kind->noun)) {
    note_use(*instance->instance);
    if (instance->instance->kind->makes == schema::Makes::value || instance->instance->kind->makes == schema::Makes::policy) {
      return instance->instance->arguments;
    }
    if (type.kind == TypeKind::samples && on_a_grid(*instance->instance)) {
      if (!quiet) kept_of_no_state(*instance, "samples", origin_of(value, site));
      return std::nullopt;
    }
    schema::Map task{{"task", instance->instance->number}};
    if (type.kind == TypeKind::samples && instance->instance->kind->noun != "sample") task["attribute"] = "samples";
    return Value(std::move(task));
  }
  if (!quiet) {
    std::vector<std::string> helps;
    if (instance && type.kind == TypeKind::samples) helps.push_back(fmt::format("a {} has no samples, these have: {}", instance->instance->kind->noun, fmt::join(type.nouns, ", ")));
    for (const Family& family : families_) {
      if (!helps.empty() || family.module != &main() || !contains(type.nouns, family.block->kind.text)) continue;
      helps.push_back(fmt::format("write for instance `{}`", family.variables.empty() ? family.name : fmt::format("{}[{}]", family.name, fmt::join(family.variables, ", "))));
    }
    if (helps.empty()) helps.push_back(fmt::format("write a block `{} NAME {{ … }}` and its name here", type.nouns.front()));
    error("E0303", origin_of(value, site), fmt::format("`{}` is {}, got {}", site.path(), type.describe(), describe(value)), helps);
  }
  return std::nullopt;
}

/// A number, a result, or a list of them, as run-time expression.
std::optional<Value> Elaborator::convert_expression(const Evaluated& value, const Site& site, bool quiet) {
  if (const auto* run_time = value.as<RunTime>(); run_time && run_time->type != schema::ResultType::samples) {
    return affords(size_of(value, most_work_), site.range) ? std::optional(run_time->expression) : std::nullopt;
  }
  if (const auto quantity = as_quantity(value)) return constant_expression(to_value(value), quantity->dimension);
  if (value.as<bool>()) return constant_expression(to_value(value), {});
  if (const auto* text = value.as<std::string>()) return Value(schema::Map{{"op", "string"}, {"value", *text}});
  if (const auto* word = value.as<Word>()) return Value(schema::Map{{"op", "string"}, {"value", word->text}});
  if (const auto* list = value.as<ListValue>()) {
    schema::List items;
    if (!affords(list->items().size(), site.range)) return std::nullopt;
    for (const Evaluated& item : list->items()) {
      const auto converted = convert_expression(item, site, quiet);
      if (!converted) return std::nullopt;
      items.push_back(*converted);
    }
    return Value(schema::Map{{"op", "list"}, {"items", std::move(items)}});
  }
  if (value.is_poison() || quiet) return std::nullopt;
  std::vector<std::string> helps;
  if (const auto* fitted = value.as<FitValue>()) {
    helps.push_back(fmt::format("name one of its parameters, as `.{}`", fitted->parameters->begin()->first));
  }
  if (const auto* instance = value.as<InstanceValue>(); instance && !instance->instance->kind->results.empty()) {
    helps.push_back(fmt::format("name one of its results, as `{}.{}`", shown(origin_of(value, site)), instance->instance->kind->results[0].name));
  }
  if (helps.empty() && !value.as<RunTime>()) helps.push_back("write a number, or a result such as `F.per_particle`");
  if (value.as<RunTime>()) helps.push_back("samples are configurations: `rdf(…)` makes a curve of them");
  error("E0303", origin_of(value, site), fmt::format("`{}` is a number or a result, got {}", site.path(), describe(value)), helps);
  return std::nullopt;
}

/// `one_cycle(2e-2)` as {"call": "one_cycle", "peak": 0.02}; a bare name takes all defaults.
std::optional<Value> Elaborator::construct(const std::string& name, const std::vector<syntax::CallArgument>& arguments, SourceRange range,
                                           const schema::ConstructorSchema& constructor, const Site&, const Scope& scope) {
  schema::Map map{{"call", name}};
  if (constructor.version > 1) map["version"] = std::int64_t{constructor.version};
  std::vector<std::string> names;
  for (const auto& a : constructor.arguments) names.push_back(a.name);
  std::size_t position = 0;
  bool good = true;
  std::set<std::string> meant;  // by an argument that is misspelt: it is not missing, too
  for (const syntax::CallArgument& argument : arguments) {
    const schema::Attribute* attribute = nullptr;
    if (argument.name) {
      const auto found = std::find(names.begin(), names.end(), argument.name->text);
      if (found != names.end()) attribute = &constructor.arguments[static_cast<std::size_t>(found - names.begin())];
      if (!attribute) {
        meant.insert(meant_by(argument.name->text, names));
        error("E0202", argument.name->range, fmt::format("`{}` has no argument `{}`", name, argument.name->text), did_you_mean(argument.name->text, names),
              {names.empty() ? fmt::format("`{}` has no arguments", name) : fmt::format("it takes {}", fmt::join(names, ", "))});
      }
    } else if (position < constructor.arguments.size()) {
      attribute = &constructor.arguments[position++];
    } else {
      error("E0217", argument.range, fmt::format("`{}` takes {} {}, this is one more", name, names.size(), names.size() == 1 ? "argument" : "arguments"),
            {names.empty() ? fmt::format("write `{}`", name) : "leave it out"},
            names.empty() ? std::vector<std::string>{} : std::vector<std::string>{fmt::format("it takes {}", fmt::join(names, ", "))});
    }
    if (attribute && map.count(attribute->name)) {
      error("E0205", argument.range, fmt::format("`{}` is given twice", attribute->name), {"leave one of the two out"});
      attribute = nullptr;
    }
    if (!attribute) {
      good = false;
      continue;
    }
    const std::size_t outer = place_.size();
    place_ += "." + attribute->name;
    const auto value = resolve(*argument.value, attribute->type, {name, argument.value->range, attribute}, scope);
    place_.resize(outer);
    good = good && value;
    map[attribute->name] = value.value_or(Value());
    if (value && value->is_none()) map[attribute->name] = attribute->otherwise;
  }
  for (const auto& attribute : constructor.arguments) {
    if (map.count(attribute.name)) continue;
    if (attribute.required) {
      if (!meant.count(attribute.name)) {
        error("E0204", range, fmt::format("`{}` lacks its argument `{}`", name, attribute.name),
              {fmt::format("write `{} = {}`", attribute.name, attribute.example.empty() ? "…" : attribute.example)},
              {fmt::format("`{}` is {}: {}", attribute.name, attribute.type.describe(), attribute.doc)});
      }
      good = false;
    }
    if (!attribute.later) map[attribute.name] = attribute.otherwise;
  }
  return good ? std::optional<Value>(std::move(map)) : std::nullopt;
}

/// What a block takes over from the blocks it names: the units its numbers are shown in, what cannot run yet, numbers
/// that wait for their scale.
void Elaborator::note_use(const Instance& used) {
  if (!traits_) return;
  const Traits& from = used.traits;
  Traits& to = *traits_;
  if (to.energy_unit.empty()) to.energy_unit = from.energy_unit;
  if (to.length_unit.empty()) to.length_unit = from.length_unit;
  if (to.scale.kind == Scale::Kind::unknown) to.scale.kind = from.scale.kind, to.scale.epsilon = from.scale.epsilon, to.scale.sigma = from.scale.sigma;
  if (!to.scale.mass) to.scale.mass = from.scale.mass;
  const bool value = used.kind->makes == schema::Makes::value || used.kind->makes == schema::Makes::policy;
  if (!value) return;  // a task brings its result, not its numbers
  if (from.reduced && !to.reduced) to.reduced_at = from.reduced_at;
  if (from.physical && !to.physical) to.physical_at = from.physical_at;
  to.reduced = to.reduced || from.reduced;
  to.physical = to.physical || from.physical;
  for (const UnboundNumber& number : from.unbound) to.unbound.push_back({place_.empty() ? number.path : place_ + "." + number.path, number.dimension});
  for (const std::string& what : from.later) note_later(what);
}

void Elaborator::note_later(std::string what) {
  if (traits_ && std::find(traits_->later.begin(), traits_->later.end(), what) == traits_->later.end()) traits_->later.push_back(std::move(what));
}

}  // namespace bgw::semantics
