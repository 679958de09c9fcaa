#include <algorithm>
#include <cmath>
#include <set>

#include <fmt/format.h>

#include "compiler/plan/sha256.h"
#include "compiler/semantics/elaborator.h"
#include "compiler/semantics/quantities.h"

namespace bgw::semantics {
namespace {

const std::set<std::string> kFolds{"min", "max", "sum", "mean", "len", "abs", "sqrt", "exp", "log", "error"};

/// The first 63 bits of a SHA-256, so that the number is a positive int.
std::int64_t first_bits(const plan::Key& hash) {
  std::uint64_t bits = 0;
  for (std::size_t i = 0; i < 8; ++i) bits = bits << 8 | hash.bytes[i];
  return static_cast<std::int64_t>(bits >> 1);
}

std::string usage_of(const std::string& name) {
  if (name == "crossing") return "crossing([18, 19, 20], [pt[l].pressure(temperature = 75 K) for l in strength], 0 GPa)";
  return name == "min" || name == "max" || name == "sum" || name == "mean" ? name + "([1, 2, 3])" : name + "(2)";
}

std::vector<std::string> builtin_names() {
  std::vector<std::string> names(kFolds.begin(), kFolds.end());
  for (const char* name : {"derive", "linspace", "logspace", "first", "last", "prev", "next", "at", "fit", "crossing"}) names.emplace_back(name);
  return names;
}

/// What is wrong with lists of which all is known but the values of results.
std::optional<std::string> problem_of_points(const Evaluated& x, const Evaluated& y) {
  const auto *xs = x.as<ListValue>(), *ys = y.as<ListValue>();
  if (xs && ys && xs->items().size() != ys->items().size()) return fmt::format("`crossing` has {} x for {} y", xs->items().size(), ys->items().size());
  if ((xs && xs->items().size() < 2) || (ys && ys->items().size() < 2)) return "`crossing` needs two points at least";
  if (!xs) return {};
  std::set<double> seen;
  for (const Evaluated& item : xs->items()) {
    const auto number = as_quantity(item);
    if (number && !seen.insert(number->value).second) return fmt::format("`crossing` has two points at {:g}", number->value);
  }
  return {};
}

}  // namespace

Evaluated Elaborator::call(Module& module, const syntax::Name& name, const syntax::CallTrailer& called, const Scope& scope, SourceRange range) {
  if (const schema::KindSchema* task = catalog_.find_function(name.text)) return task_from_call(*task, called, scope, range);
  if (name.text == "first" || name.text == "last" || name.text == "prev" || name.text == "next") {
    return neighbour_on_axis(name.text, called, scope, range);
  }
  if (name.text == "at") return at_state(called, scope, range);
  if (name.text == "fit") return fit(called, scope, range);
  const auto declared = module.declarations.find(name.text);
  const syntax::Function* function = nullptr;
  if (declared != module.declarations.end()) function = std::get_if<syntax::Function>(&declared->second.item->what);
  const std::vector<std::string> builtins = builtin_names();
  const bool builtin = std::find(builtins.begin(), builtins.end(), name.text) != builtins.end();
  if (!function && !builtin) {
    if (catalog_.find_constructor(name.text)) {
      return error("E0217", name.range, fmt::format("`{}(…)` has no meaning here", name.text), {"it stands alone, as the value of an attribute that takes it"},
                   {fmt::format("`{}`: {}", name.text, catalog_.find_constructor(name.text)->doc)});
    }
    std::vector<std::string> known = builtins;
    for (const auto& [other, declaration] : module.declarations) {
      if (std::holds_alternative<syntax::Function>(declaration.item->what)) known.push_back(other);
    }
    for (const std::string& constructor : catalog_.constructor_names()) known.push_back(constructor);
    ++errors_;
    if (!told_.insert(module.source->prefix + name.text + "()").second) return poison();  // one mistake, however often it is called
    return error("E0217", name.range, fmt::format("there is no function `{}`", name.text), did_you_mean(name.text, known, fmt::format("write it, as `fn {}(x: float) -> float = …`", name.text)));
  }
  std::vector<Evaluated> arguments;
  for (const syntax::CallArgument& argument : called.arguments) {
    if (argument.name) return error("E0217", argument.name->range, fmt::format("`{}` takes its arguments without names", name.text), {fmt::format("leave `{} =` out", argument.name->text)});
    arguments.push_back(evaluate(*argument.value, scope));
    if (arguments.back().is_poison()) return poison();
  }
  if (function) return user_function(declared->second, *function, arguments, range);
  if (name.text == "derive") return derive(arguments, range);
  if (name.text == "linspace" || name.text == "logspace") return spaced(name.text, arguments, range);
  if (name.text == "crossing") return crossing(arguments, range);
  return folded(name.text, std::move(arguments), range);
}

Evaluated Elaborator::user_function(Declaration& declaration, const syntax::Function& function, const std::vector<Evaluated>& arguments, SourceRange range) {
  declaration.used = true;
  if (arguments.size() != function.arguments.size()) {
    std::string names;
    for (const auto& argument : function.arguments) names += (names.empty() ? "" : ", ") + argument.name.text;
    return error("E0217", range, fmt::format("`{}` takes {} {}, got {}", function.name.text, function.arguments.size(), function.arguments.size() == 1 ? "argument" : "arguments", arguments.size()),
                 {fmt::format("write `{}({})`", function.name.text, names)});
  }
  if (declaration.state == Declaration::State::running) {
    return error("E0210", range, fmt::format("`{}` calls itself", function.name.text), {"a program always ends: functions are not recursive"});
  }
  Scope inner;
  inner.module = declaration.module;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const auto type = type_named(function.arguments[i].type);
    if (!type) return poison();
    Traits unseen;
    Traits* outer = std::exchange(traits_, &unseen);
    const bool good = convert(arguments[i], *type, {function.name.text, arguments[i].origin, nullptr, function.arguments[i].name.text}, false).has_value();
    traits_ = outer;
    if (!good) return poison();
    inner.locals.push_back({function.arguments[i].name.text, arguments[i]});
  }
  declaration.state = Declaration::State::running;
  Evaluated value = typed(function.result, *function.body, function.name.text, inner);
  declaration.state = Declaration::State::fresh;
  if (!value.is_poison()) value.origin = range;
  return value;
}

/// SHA-256 of the canonical JSON list of the arguments, its first 63 bits.
Evaluated Elaborator::derive(const std::vector<Evaluated>& arguments, SourceRange range) {
  if (arguments.empty() || !arguments[0].as<std::int64_t>()) {
    return error("E0217", range, "`derive` begins with a seed", {"write `derive(seed, …)` with whatever tells this use from others"});
  }
  schema::List list;
  for (const Evaluated& argument : arguments) {
    if (!affords(size_of(argument, most_work_), range)) return poison();
    if (holds_result(argument)) return error("E0303", argument.origin, fmt::format("`derive` takes values, got {}", describe(argument)), {"give it indices, params or words, as `derive(seed, n)`"});
    list.push_back(to_value(argument));
  }
  return {first_bits(plan::sha256(schema::to_json(list))), range};
}

Evaluated Elaborator::neighbour_on_axis(const std::string& name, const syntax::CallTrailer& called, const Scope& scope, SourceRange range) {
  const syntax::Reference* bare = called.arguments.size() == 1 ? std::get_if<syntax::Reference>(&called.arguments[0].value->what) : nullptr;
  const Local* local = bare && bare->trailers.empty() ? scope.find(bare->name.text) : nullptr;
  if (!local || local->axis.empty()) {
    return error("E0217", range, fmt::format("`{}` takes an index variable", name), {"it looks along the axis of a variable such as `n` in `[n in size]`"});
  }
  if (local->value.is_poison()) return poison();
  const AxisTable* axis = axis_table(*scope.module, std::string(local->axis));
  if (!axis) return poison();
  const auto* values = &axis->values;
  const std::size_t at = axis->positions.at(index_text(local->value));
  if (name == "first") return {at == 0, range};
  if (name == "last") return {at + 1 == values->size(), range};
  if (name == "prev") return at == 0 ? Evaluated{None{}, range} : (*values)[at - 1];
  return at + 1 == values->size() ? Evaluated{None{}, range} : (*values)[at + 1];
}

Evaluated Elaborator::spaced(const std::string& name, const std::vector<Evaluated>& arguments, SourceRange range) {
  const auto a = arguments.size() == 3 ? as_quantity(arguments[0]) : std::nullopt;
  const auto b = arguments.size() == 3 ? as_quantity(arguments[1]) : std::nullopt;
  const auto* count = arguments.size() == 3 ? arguments[2].as<std::int64_t>() : nullptr;
  if (!a || !b || !count || *count < 2 || *count > 10'000 || a->dimension != b->dimension || a->reduced != b->reduced) {
    return error("E0217", range, fmt::format("`{}` takes two numbers of one kind and a count from 2 to 10 000", name), {fmt::format("write for instance `{}(300 K, 900 K, 13)`", name)});
  }
  const bool logarithmic = name == "logspace";
  if (logarithmic && !(a->value > 0.0 && b->value > 0.0)) return error("E0307", range, "`logspace` needs positive ends", {"take ends above 0, or `linspace`"});
  std::vector<Evaluated> list;
  for (std::int64_t i = 0; i < *count; ++i) {
    const double t = static_cast<double>(i) / static_cast<double>(*count - 1);
    units::Quantity item = *a;
    item.value = logarithmic ? std::exp(std::log(a->value) * (1.0 - t) + std::log(b->value) * t) : a->value * (1.0 - t) + b->value * t;
    if (std::abs(item.value) < 1e-14 * std::max(std::abs(a->value), std::abs(b->value)) && !logarithmic) item.value = 0.0;  // what is left of rounding there
    list.push_back({item, range});
  }
  return {ListValue(std::move(list)), range};
}

Evaluated Elaborator::run_time_call(const std::string& name, const std::vector<Evaluated>& arguments, bool one_list, SourceRange range) {
  schema::List inputs;
  units::Dimension dimension;
  Scale scale;
  bool first = true;
  for (const Evaluated& argument : arguments) {
    const auto* run_time = argument.as<RunTime>();
    const auto quantity = as_quantity(argument);
    if ((run_time && run_time->type != schema::ResultType::number) || (!run_time && !quantity)) {
      return error("E0303", range, fmt::format("`{}` needs numbers, got {}", name, describe(argument)), {fmt::format("write for instance `{}`", usage_of(name))});
    }
    const units::Dimension here = run_time ? run_time->dimension : quantity->dimension;
    if (!first && here != dimension) return error("E0308", range, fmt::format("`{}` needs numbers of one kind", name), {"all of them must have one dimension"});
    dimension = here;
    if (run_time && scale.kind == Scale::Kind::unknown) scale = run_time->scale;
    first = false;
    inputs.push_back(run_time ? run_time->expression : constant_expression(to_value(argument), quantity->dimension));
  }
  if (name == "exp" || name == "log") {
    if (dimension != units::Dimension{}) return error("E0308", range, fmt::format("`{}` needs a plain number", name), {"divide by a unit first"});
  } else if (name == "sqrt") {
    const auto root = power(dimension, 0.5);
    if (!root) return error("E0308", range, "`sqrt` of this quantity has no dimension", {"divide by a unit first"});
    dimension = *root;
  } else if (name == "len") {
    dimension = {};
  }
  if (one_list) inputs = schema::List{schema::Map{{"op", "list"}, {"items", inputs}}};
  return {RunTime{schema::Map{{"op", "call"}, {"name", name}, {"args", inputs}}, dimension, schema::ResultType::number, nullptr, scale}, range};
}

Evaluated Elaborator::folded(const std::string& name, std::vector<Evaluated> arguments, SourceRange range) {
  const bool one_list = arguments.size() == 1 && arguments[0].as<ListValue>();
  if (one_list) arguments = std::vector<Evaluated>(arguments[0].as<ListValue>()->items());
  for (const Evaluated& argument : arguments) {
    if (argument.is_poison()) return poison();
  }
  if (!affords(arguments.size(), range)) return poison();
  if (name == "len" && arguments.size() == 1 && !one_list && arguments[0].as<RunTime>() && arguments[0].as<RunTime>()->type == schema::ResultType::numbers) {
    return {RunTime{schema::Map{{"op", "call"}, {"name", "len"}, {"args", schema::List{arguments[0].as<RunTime>()->expression}}}, {}, schema::ResultType::number}, range};
  }
  const bool of_list = name == "mean" || name == "min" || name == "max" || name == "sum";
  if (of_list && arguments.size() == 1 && !one_list && arguments[0].as<RunTime>() && arguments[0].as<RunTime>()->type == schema::ResultType::numbers) {
    const RunTime& list = *arguments[0].as<RunTime>();  // its length is known only when the program runs
    return {RunTime{schema::Map{{"op", "call"}, {"name", name}, {"args", schema::List{list.expression}}}, list.dimension, schema::ResultType::number, nullptr, list.scale}, range};
  }
  if (name == "len") return one_list ? Evaluated{static_cast<std::int64_t>(arguments.size()), range} : error("E0217", range, "`len` takes a list", {"write for instance `len([64, 216])`"});
  const bool single = name == "abs" || name == "sqrt" || name == "exp" || name == "log" || name == "error";
  if (arguments.empty() || (single && (one_list || arguments.size() != 1))) {
    return error("E0217", range, fmt::format("`{}` takes {}", name, single ? "one number" : "a list, or numbers"), {fmt::format("write for instance `{}`", usage_of(name))});
  }
  if (std::any_of(arguments.begin(), arguments.end(), [](const Evaluated& v) { return v.as<RunTime>() != nullptr; })) {
    if (name != "sum") return run_time_call(name, arguments, one_list, range);
    Evaluated mean = run_time_call("mean", arguments, true, range);
    if (mean.is_poison()) return mean;
    const auto& run_time = *mean.as<RunTime>();
    const Value count = schema::Map{{"op", "const"}, {"value", static_cast<double>(arguments.size())}};
    return {RunTime{schema::Map{{"op", "multiply"}, {"args", schema::List{run_time.expression, count}}}, run_time.dimension, run_time.type, nullptr, run_time.scale}, range};
  }
  std::vector<units::Quantity> numbers;
  bool ints = true;
  for (const Evaluated& argument : arguments) {
    const auto quantity = as_quantity(argument);
    if (!quantity) return error("E0303", range, fmt::format("`{}` needs numbers, got {}", name, describe(argument)), {fmt::format("write for instance `{}`", usage_of(name))});
    if (!numbers.empty() && (quantity->dimension != numbers[0].dimension || quantity->reduced != numbers[0].reduced)) {
      return error("E0308", range, fmt::format("`{}` needs numbers of one kind, got {} and {}", name, describe(arguments[0]), describe(argument)), {"all of them must have one dimension"});
    }
    ints = ints && argument.as<std::int64_t>();
    numbers.push_back(*quantity);
  }
  if (name == "min" || name == "max") {
    std::size_t best = 0;
    for (std::size_t i = 1; i < numbers.size(); ++i) {
      if (name == "min" ? numbers[i].value < numbers[best].value : numbers[i].value > numbers[best].value) best = i;
    }
    return arguments[best];
  }
  units::Quantity result = numbers[0];
  if (name == "sum" || name == "mean") {
    result.value = 0.0;
    for (const auto& number : numbers) result.value += number.value;
    if (name == "mean") result.value /= static_cast<double>(numbers.size());
  } else if (name == "abs") {
    result.value = std::abs(result.value);
  } else if (name == "error") {
    result.value = 0.0;  // what the program says itself is exact
  } else if (name == "sqrt") {
    const auto root = power(result.dimension, 0.5);
    if (!root) return error("E0308", range, fmt::format("`sqrt` of {} has no dimension", describe(arguments[0])), {"divide by a unit first"});
    result.value = std::sqrt(result.value);
    result.dimension = *root;
  } else {
    if (!is_plain(result)) return error("E0308", range, fmt::format("`{}` needs a plain number, got {}", name, describe(arguments[0])),
                                      {units::dimension_name(result.dimension) == "energy/temperature" ? "divide by kB" : "divide by a unit first"});
    result.value = name == "exp" ? std::exp(result.value) : std::log(result.value);
  }
  if (!std::isfinite(result.value)) return error("E0309", range, fmt::format("`{}` has no finite value here", name), {name == "exp" ? "take a smaller number" : "take a number above 0"});
  if (ints && (name == "sum" || name == "abs") && std::abs(result.value) < 9e15) return {static_cast<std::int64_t>(result.value), range};
  return {result, range};
}

/// `crossing(x, y, level)`: what of it is known now is checked now, the root is found when the program runs.
Evaluated Elaborator::crossing(const std::vector<Evaluated>& arguments, SourceRange range) {
  const std::vector<std::string> usage{fmt::format("write for instance `{}`", usage_of("crossing"))};
  if (arguments.size() != 3) return error("E0217", range, "`crossing` takes a list of x, a list of y, and the value of y that is looked for", usage);
  const Evaluated x = list_of_numbers(arguments[0], "crossing", range, usage), y = list_of_numbers(arguments[1], "crossing", range, usage);
  if (x.is_poison() || y.is_poison()) return poison();
  const auto* level_of = arguments[2].as<RunTime>();
  const auto level = as_quantity(arguments[2]);
  if ((level_of && level_of->type != schema::ResultType::number) || (!level_of && !level)) {
    return error("E0303", range, fmt::format("`crossing` looks for a number, got {}", describe(arguments[2])), usage);
  }
  if (const auto problem = problem_of_points(arguments[0], arguments[1])) return error("E0303", range, *problem, usage);
  const RunTime &of_x = *x.as<RunTime>(), &of_y = *y.as<RunTime>();
  const auto bound = level && level->reduced ? reduced_beside(*level, of_y) : std::nullopt;  // lj beside a result is of its kind
  const units::Dimension dimension = level_of ? level_of->dimension : bound ? of_y.dimension : level->dimension;
  if (dimension != of_y.dimension || (level && level->reduced && !bound)) {
    return error("E0308", range, fmt::format("the values of `crossing` and what is looked for are of two kinds: {}", describe(arguments[2])), usage);
  }
  const Value sought = level_of ? level_of->expression : constant_expression(bound ? *bound : to_value(arguments[2]), dimension);
  return {RunTime{schema::Map{{"op", "call"}, {"name", "crossing"}, {"args", schema::List{of_x.expression, of_y.expression, sought}}}, of_x.dimension, schema::ResultType::number, nullptr, of_x.scale}, range};
}

/// Numbers as one expression over results: a list, or a result that is one.
Evaluated Elaborator::list_of_numbers(const Evaluated& list, const std::string& function, SourceRange range, const std::vector<std::string>& usage) {
  if (const auto* numbers = list.as<RunTime>(); numbers && numbers->type == schema::ResultType::numbers) return list;
  const auto* items = list.as<ListValue>();
  if (!items || items->items().empty()) return error("E0303", range, fmt::format("`{}` takes lists of numbers, got {}", function, describe(list)), usage);
  Evaluated together = run_time_call(function, {items->items().begin(), items->items().end()}, true, range);
  if (together.is_poison()) return together;
  RunTime numbers = *together.as<RunTime>();
  numbers.expression = numbers.expression.at("args").as_list().front();
  numbers.type = schema::ResultType::numbers;
  return {std::move(numbers), range};
}

/// What a task written as a call stands for: its first result.
Evaluated Elaborator::result_of_call(const Instance& instance, SourceRange range) {
  const schema::Result& result = instance.kind->results.front();
  if (result.type == schema::ResultType::curve) return {RunTime{schema::Map{{"op", "curve"}, {"task", instance.number}}, {}, result.type}, range};
  return make_result({&instance, "", {}}, result, {}, range);
}

/// What the call is given, in the units of what it is of.
std::optional<schema::Map> Elaborator::arguments_of_call(const schema::KindSchema& kind, const syntax::CallTrailer& called, const Scope& scope,
                                                         SourceRange range, Traits& traits) {
  const schema::ConstructorSchema as_constructor{kind.noun, {kind.attributes.begin(), std::find_if(kind.attributes.begin(), kind.attributes.end(), [](const auto& a) { return a.name == "precision"; })}, kind.doc};
  Traits* outer = std::exchange(traits_, &traits);
  const std::string outer_place = std::exchange(place_, std::string());
  const auto made = construct(kind.noun, called.arguments, range, as_constructor, {kind.noun, range}, scope);
  traits_ = outer;
  place_ = outer_place;
  for (UnboundNumber& number : traits.unbound) number.path.erase(0, 1);  // ".cutoff": a place within nothing
  if (!made) return std::nullopt;
  schema::Map arguments = made->as_map();
  arguments.erase("call");
  arguments["precision"] = "float64";
  arguments["deterministic"] = true;
  return arguments;
}

/// `rdf(draws[64], weighted = true)`: a task of its own, found again when it is written twice.
Evaluated Elaborator::task_from_call(const schema::KindSchema& kind, const syntax::CallTrailer& called, const Scope& scope, SourceRange range) {
  if (!scope.run_time) {
    return error("E0305", range, fmt::format("`{}` is known only when the program runs", shown(range)), {"use it in a figure, a table or a check"});
  }
  Traits traits;
  auto arguments = arguments_of_call(kind, called, scope, range, traits);
  if (!arguments) return poison();
  const Value& of = arguments->at("of");
  const Instance* source = find_task(of);
  std::string inner = source->name;
  if (of.find("attribute")) inner += "." + of.at("attribute").as_string();
  Instance wanted;
  wanted.kind = &kind;
  wanted.block = wanted.name = fmt::format("{}({})", kind.noun, inner);
  wanted.range = range;
  wanted.traits = std::move(traits);
  bind_reduced(wanted, *arguments);
  const bool good = wanted.good && run_domain_check(wanted, *arguments, nullptr);
  if (!good || !wanted.good) return poison();
  for (int copy = 2;; ++copy) {
    const auto known = made_.find(wanted.name);
    if (known == made_.end()) break;
    if (known->second->arguments == Value(*arguments)) return result_of_call(*known->second, range);
    wanted.name = fmt::format("{} {}", wanted.block, copy);
  }
  Instance& instance = add_instance(kind, wanted.name, range);
  instance.name = wanted.name;
  instance.axes = source->axes;
  instance.indices = source->indices;
  instance.traits = std::move(wanted.traits);
  instance.arguments = std::move(*arguments);
  made_[instance.name] = &instance;
  return result_of_call(instance, range);
}

}  // namespace bgw::semantics
