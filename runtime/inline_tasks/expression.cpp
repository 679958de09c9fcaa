#include "runtime/inline_tasks/expression.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <stdexcept>

#include "runtime/foundation/errors.h"
#include "runtime/inline_tasks/crossing.h"

namespace bgw::inline_tasks {
namespace {

using schema::List;
using schema::Map;
using schema::Value;

std::string description(const Evaluated& evaluated) {
  static const char* const kNames[] = {"none", "a number", "a truth value", "a text", "a list", "a curve", "a plane"};
  return kNames[evaluated.what.index()];
}

EvaluatedList evaluate_all(const List& expressions, const Results& results) {
  EvaluatedList items;
  for (const Value& expression : expressions) items.push_back(evaluate(expression, results));
  return items;
}

Evaluated constant(const Value& value) {
  if (value.is_none()) return {};
  if (value.is_bool()) return {value.as_bool()};
  if (value.is_string()) return {value.as_string()};
  if (value.is_number()) return {Estimate::exact(value.as_double())};
  EvaluatedList items;
  for (const Value& item : value.as_list()) items.push_back(constant(item));
  return {std::move(items)};
}

/// The name of a result as the task has it; one that is called has its arguments in it.
std::string name_of(const Value& expression, const Results& results) {
  const std::string& name = expression.at("name").as_string();
  if (!expression.has("arguments")) return name;
  return results.called(expression.at("task").as_string(), name, expression.at("arguments").as_map());
}

Evaluated numbers_of(const Value& expression, const Results& results) {
  const std::string& role = expression.at("task").as_string();
  const std::string name = name_of(expression, results);
  EvaluatedList items;
  for (const artifacts::Result& number : results.numbers(role, name)) {
    items.push_back({Estimate::measured(number, fmt::format("{}.{}.{}", results.identity(role), name, items.size()))});
  }
  return {std::move(items)};
}

/// Free energies of one grid have common causes of their errors, under whatever name they are read.
Estimate at_state(const StateNumber& number, const std::string& task, const std::string& name) {
  if (!number.shares.empty()) return Estimate::measured(number.result, task + ".free_energies", number.shares);
  return Estimate::measured(number.result, fmt::format("{}.{}.at.{}", task, name, number.row));
}

Evaluated attribute(const Value& expression, const Results& results) {
  const std::string& role = expression.at("task").as_string();
  const std::string name = name_of(expression, results);
  if (expression.has("at")) return {at_state(results.number_at(role, name, expression.at("at")), results.identity(role), name)};
  return {Estimate::measured(results.number(role, name), results.identity(role) + "." + name)};
}

void need_arguments(const std::string& op, const EvaluatedList& args, std::size_t count) {
  if (args.size() != count)
    throw std::logic_error(fmt::format("`{}` takes {} arguments, it has {}", op, count, args.size()));
}

bool are_equal(const Evaluated& a, const Evaluated& b) {
  if (a.what.index() != b.what.index()) return false;
  if (const auto* text = std::get_if<std::string>(&a.what)) return *text == std::get<std::string>(b.what);
  if (const auto* truth = std::get_if<bool>(&a.what)) return *truth == std::get<bool>(b.what);
  if (a.is_none()) return true;
  common_unit(a.estimate(), b.estimate());
  return a.estimate().value() == b.estimate().value();
}

using Compare = bool (*)(double, double);
using Combine = Estimate (*)(const Estimate&, const Estimate&);

const std::map<std::string, Compare> kComparisons = {
    {"less", [](double a, double b) { return a < b; }},
    {"less_equal", [](double a, double b) { return a <= b; }},
    {"greater", [](double a, double b) { return a > b; }},
    {"greater_equal", [](double a, double b) { return a >= b; }},
};
const std::map<std::string, Combine> kArithmetic = {
    {"add", [](const Estimate& a, const Estimate& b) { return a + b; }},
    {"subtract", [](const Estimate& a, const Estimate& b) { return a - b; }},
    {"multiply", [](const Estimate& a, const Estimate& b) { return a * b; }},
    {"divide", [](const Estimate& a, const Estimate& b) { return a / b; }},
    {"power", power},
};
const std::map<std::string, Estimate (*)(const Estimate&)> kFunctions = {
    {"sqrt", square_root}, {"exp", exponential}, {"log", logarithm}, {"abs", absolute}, {"error", standard_error}};

// mean(a, b, c) and mean([a, b, c]) are the same.
EvaluatedList spread(const EvaluatedList& args) {
  if (args.size() == 1 && std::holds_alternative<EvaluatedList>(args[0].what)) return args[0].list();
  return args;
}

std::vector<Estimate> estimates(const EvaluatedList& items) {
  std::vector<Estimate> numbers;
  for (const Evaluated& item : items) numbers.push_back(item.estimate());
  return numbers;
}

// The extreme item itself: it keeps its own error.
Estimate extreme(const std::vector<Estimate>& items, bool largest) {
  if (items.empty())
    throw InputError(fmt::format("the {} of no numbers: the list is empty", largest ? "largest" : "smallest"));
  const auto less = [](const Estimate& a, const Estimate& b) {
    common_unit(a, b);
    return a.value() < b.value();
  };
  return largest ? *std::max_element(items.begin(), items.end(), less)
                 : *std::min_element(items.begin(), items.end(), less);
}

Evaluated length(const EvaluatedList& args) {
  need_arguments("len", args, 1);
  if (const auto* curve = std::get_if<Curve>(&args[0].what))
    return {Estimate::exact(static_cast<double>(curve->x.size()))};
  return {Estimate::exact(static_cast<double>(args[0].list().size()))};
}

Evaluated call(const std::string& name, const EvaluatedList& args) {
  if (const auto function = kFunctions.find(name); function != kFunctions.end()) {
    need_arguments(name, args, 1);
    return {function->second(args[0].estimate())};
  }
  if (name == "len") return length(args);
  if (name == "crossing") {
    need_arguments(name, args, 3);
    return {crossing(estimates(args[0].list()), estimates(args[1].list()), args[2].estimate())};
  }
  const std::vector<Estimate> items = estimates(spread(args));
  if (name == "mean") return {mean(items)};
  if (name == "sum") return {sum(items)};
  if (name == "min" || name == "max") return {extreme(items, name == "max")};
  throw std::logic_error(fmt::format("there is no function `{}` over results", name));
}

// Reads the second argument only when the first does not decide.
Evaluated logical(const std::string& op, const List& args, const Results& results) {
  const bool decisive = op == "or";
  for (const Value& argument : args) {
    if (evaluate(argument, results).truth() == decisive) return {decisive};
  }
  return {!decisive};
}

Evaluated operation(const std::string& op, const EvaluatedList& args) {
  if (op == "negate" || op == "not") {
    need_arguments(op, args, 1);
    return op == "not" ? Evaluated{!args[0].truth()} : Evaluated{-args[0].estimate()};
  }
  need_arguments(op, args, 2);
  if (op == "equal" || op == "not_equal") return {are_equal(args[0], args[1]) == (op == "equal")};
  const Estimate& a = args[0].estimate();
  const Estimate& b = args[1].estimate();
  if (const auto arithmetic = kArithmetic.find(op); arithmetic != kArithmetic.end()) return {arithmetic->second(a, b)};
  if (const auto comparison = kComparisons.find(op); comparison != kComparisons.end()) {
    common_unit(a, b);
    return {comparison->second(a.value(), b.value())};
  }
  throw std::logic_error(fmt::format("there is no operation `{}` over results", op));
}

List numbers(const std::vector<double>& values) {
  List list;
  for (const double value : values) list.push_back(artifacts::number_or_none(value));
  return list;
}

}  // namespace

const Estimate& Evaluated::estimate() const {
  if (const auto* found = std::get_if<Estimate>(&what)) return *found;
  throw InputError("a number is needed where " + description(*this) + " stands");
}

bool Evaluated::truth() const {
  if (const auto* found = std::get_if<bool>(&what)) return *found;
  throw InputError("a condition is needed where " + description(*this) + " stands");
}

const EvaluatedList& Evaluated::list() const {
  if (const auto* found = std::get_if<EvaluatedList>(&what)) return *found;
  throw InputError("a list is needed where " + description(*this) + " stands");
}

Evaluated evaluate(const Value& expression, const Results& results) {
  if (expression.is_none()) return {};
  const std::string& op = expression.at("op").as_string();
  if (op == "const" && expression.has("unit")) return {Estimate::exact(expression.at("value").as_double(), expression.at("unit").as_string())};
  if (op == "const" || op == "string") return constant(expression.at("value"));
  if (op == "attribute") return attribute(expression, results);
  if (op == "numbers") return numbers_of(expression, results);
  if (op == "curve") return {results.curve(expression.at("task").as_string(), expression.string_or("name", ""))};
  if (op == "field") return {results.field(expression.at("task").as_string(), name_of(expression, results))};
  if (op == "list") return {evaluate_all(expression.at("items").as_list(), results)};
  const List& args = expression.at("args").as_list();
  if (op == "and" || op == "or") return logical(op, args, results);
  if (op == "call") return call(expression.at("name").as_string(), evaluate_all(args, results));
  return operation(op, evaluate_all(args, results));
}

Value to_value(const Evaluated& evaluated) {
  if (const auto* estimate = std::get_if<Estimate>(&evaluated.what)) return to_value(*estimate);
  if (const auto* truth = std::get_if<bool>(&evaluated.what)) return *truth;
  if (const auto* text = std::get_if<std::string>(&evaluated.what)) return *text;
  if (const auto* curve = std::get_if<Curve>(&evaluated.what))
    return Map{{"x", numbers(curve->x)}, {"y", numbers(curve->y)}};
  if (const auto* field = std::get_if<Field>(&evaluated.what))
    return Map{{"x", numbers(field->x)}, {"y", numbers(field->y)}, {"words", List(field->words.begin(), field->words.end())}, {"places", List(field->places.begin(), field->places.end())}};
  if (evaluated.is_none()) return {};
  List items;
  for (const Evaluated& item : evaluated.list()) items.push_back(to_value(item));
  return items;
}

}  // namespace bgw::inline_tasks
