#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "compiler/semantics/elaborator.h"
#include "compiler/semantics/quantities.h"

namespace bgw::semantics {
namespace {

using syntax::BinaryOperator;

constexpr int kDeepest = 400;             // nested evaluations; the parser allows 256 brackets
constexpr std::int64_t kLongestList = 10'000;

const char* operation_name(BinaryOperator op) {
  static constexpr const char* kNames[] = {"power", "multiply", "divide", "add", "subtract", "less", "less_equal", "greater",
                                           "greater_equal", "equal", "not_equal", "and", "or"};
  return kNames[static_cast<int>(op)];
}

bool is_comparison(BinaryOperator op) { return op >= BinaryOperator::less && op <= BinaryOperator::not_equal; }
bool is_logical(BinaryOperator op) { return op == BinaryOperator::logical_and || op == BinaryOperator::logical_or; }

bool is_bare_name(const syntax::Expression& expression) {
  const auto* reference = std::get_if<syntax::Reference>(&expression.what);
  return reference != nullptr && reference->trailers.empty();
}

/// a op b in 64 bits, or nullopt when it does not fit.
std::optional<std::int64_t> exact(BinaryOperator op, std::int64_t a, std::int64_t b) {
  std::int64_t result = 0;
  bool overflow = true;
  if (op == BinaryOperator::add) overflow = __builtin_add_overflow(a, b, &result);
  if (op == BinaryOperator::subtract) overflow = __builtin_sub_overflow(a, b, &result);
  if (op == BinaryOperator::multiply) overflow = __builtin_mul_overflow(a, b, &result);
  if (op == BinaryOperator::power && b >= 0) {
    const bool repeats = a >= -1 && a <= 1;  // any power of these fits, and only the exponent's parity counts
    result = 1;
    overflow = false;
    for (std::int64_t i = 0, n = repeats ? b % 2 + (b > 0 ? 2 : 0) : b; i < n && !overflow; ++i) overflow = __builtin_mul_overflow(result, a, &result);
  }
  return overflow ? std::nullopt : std::optional(result);
}

template <class Number>
bool holds(BinaryOperator comparison, Number a, Number b) {
  switch (comparison) {
    case BinaryOperator::less: return a < b;
    case BinaryOperator::less_equal: return a <= b;
    case BinaryOperator::greater: return a > b;
    case BinaryOperator::greater_equal: return a >= b;
    default: return (a == b) == (comparison == BinaryOperator::equal);
  }
}

}  // namespace

/// False once a program has cost more than any sensible one: functions and lets that double each other end here.
bool Elaborator::affords(std::size_t work, SourceRange range) {
  const bool before = work_ <= most_work_;
  work_ += std::min(work, most_work_);
  if (work_ <= most_work_) return true;
  if (before) error("E0410", range, fmt::format("this program takes more steps to evaluate than the limit of {}", most_work_), {"take shorter lists, or fewer functions within functions"});
  return false;
}

Evaluated Elaborator::evaluate(const syntax::Expression& expression, const Scope& scope, const std::vector<std::string>* words) {
  if (!affords(1, expression.range)) return poison();
  if (depth_ > kDeepest) return error("E0309", expression.range, "this expression is nested too deeply", {"give its parts names with `let`"});
  // What is asked for holds for the value itself, not for the numbers and conditions that it is made of.
  const bool itself = std::holds_alternative<syntax::Reference>(expression.what) || std::holds_alternative<syntax::Conditional>(expression.what);
  const schema::Type* outer = std::exchange(asked_, itself ? asked_ : nullptr);
  ++depth_;
  Evaluated value = evaluate_any(expression, scope, words);
  --depth_;
  asked_ = outer;
  return value;
}

Evaluated Elaborator::evaluate_any(const syntax::Expression& expression, const Scope& scope, const std::vector<std::string>* words) {
  const SourceRange range = expression.range;
  const auto& what = expression.what;
  if (const auto* literal = std::get_if<syntax::NumberLiteral>(&what)) return number(*literal, range, scope);
  if (const auto* literal = std::get_if<syntax::StringLiteral>(&what)) return {literal->value, range};
  if (const auto* literal = std::get_if<syntax::BoolLiteral>(&what)) return {literal->value, range};
  if (std::holds_alternative<syntax::NoneLiteral>(what)) return {None{}, range};
  if (const auto* list = std::get_if<syntax::ListExpression>(&what)) {
    std::vector<Evaluated> items;
    for (const auto& item : list->items) items.push_back(evaluate(*item, scope, words));
    return {ListValue(std::move(items)), range};
  }
  if (const auto* map = std::get_if<syntax::MapExpression>(&what)) {
    std::map<std::string, Evaluated> entries;
    for (const auto& entry : map->entries) {
      if (!entries.emplace(entry.key.text, evaluate(*entry.value, scope)).second) {
        const auto first = std::find_if(map->entries.begin(), map->entries.end(), [&](const auto& other) { return other.key.text == entry.key.text; });
        return error("E0205", entry.key.range, fmt::format("`{}` stands twice in this map", entry.key.text), {"leave one of the two out"}, {}, {}, {{first->key.range, "first here"}});
      }
    }
    return {make_map(std::move(entries)), range};
  }
  if (const auto* part = std::get_if<syntax::Comprehension>(&what)) return comprehension(*part, scope, range);
  if (const auto* part = std::get_if<syntax::Unary>(&what)) return unary(*part, scope, range);
  if (const auto* part = std::get_if<syntax::Binary>(&what)) return binary(*part, scope, range);
  if (const auto* part = std::get_if<syntax::RangeExpression>(&what)) return range_of(*part, scope, range);
  if (const auto* part = std::get_if<syntax::Conditional>(&what)) return conditional(*part, scope, words);
  return reference(std::get<syntax::Reference>(what), scope, range, words);
}

Evaluated Elaborator::number(const syntax::NumberLiteral& literal, SourceRange range, const Scope& scope) {
  if (!std::isfinite(literal.value)) return error("E0309", range, fmt::format("{} is too large for a number", literal.digits), {"the largest is about 1.8e308"});
  if (!literal.unit) {
    if (literal.integer) return {*literal.integer, range};
    if (literal.digits.find_first_of(".eE") == std::string::npos) {
      return error("E0309", range, fmt::format("{} is too large for an int", literal.digits), {"where a number may have a fraction, write it with a point"}, {"the largest int is 9_223_372_036_854_775_807"});
    }
    return {plain(literal.value), range};
  }
  const auto unit = unit_named(literal.unit->text);
  if (!unit) {
    const std::string& name = literal.unit->text;
    std::string help = unit_meant(name);
    if (help.empty()) help = source::nearest(name, unit_names());
    if (scope.find(name) || scope.module->declarations.count(name)) help = fmt::format("write `{} * {}`", literal.digits, name);
    else if (!help.empty()) help = fmt::format("did you mean `{}`?", help);
    else help = fmt::format("the units are {}", fmt::join(unit_names(), ", "));
    return error("E0207", literal.unit->range, fmt::format("there is no unit `{}`", name), {help});
  }
  units::Quantity quantity = *unit;
  quantity.value *= literal.value;
  if (!std::isfinite(quantity.value)) return error("E0309", range, fmt::format("{} {} is too large for a number", literal.digits, literal.unit->text), {"take a smaller number"});
  return {quantity, range};
}

Evaluated Elaborator::unary(const syntax::Unary& part, const Scope& scope, SourceRange range) {
  const Evaluated operand = evaluate(*part.operand, scope);
  if (operand.is_poison()) return operand;
  const bool negate = part.op == syntax::UnaryOperator::negate;
  if (const auto* run_time = operand.as<RunTime>()) {
    if (run_time->type != schema::ResultType::number || is_truth(*run_time) == negate) {
      return error("E0303", part.operand->range, fmt::format("`{}` needs {}, got {}", negate ? "-" : "not", negate ? "a number" : "a condition", is_truth(*run_time) ? "a condition" : describe(operand)),
                   {negate ? "leave it out" : "write a comparison, as `not (F.ess > 0.01)`"});
    }
    return {RunTime{schema::Map{{"op", negate ? "negate" : "not"}, {"args", schema::List{run_time->expression}}}, run_time->dimension, schema::ResultType::number, nullptr, run_time->scale}, range};
  }
  if (!negate) {
    if (const bool* value = operand.as<bool>()) return {!*value, range};
    return error("E0303", part.operand->range, fmt::format("`not` needs true or false, got {}", describe(operand)), {"write a comparison, as `not (n == 64)`"});
  }
  if (const auto* value = operand.as<std::int64_t>()) {
    if (const auto result = exact(BinaryOperator::subtract, 0, *value)) return {*result, range};
    return error("E0309", range, "the result is too large for an int", {"write the number with a point"});
  }
  if (const auto* value = operand.as<units::Quantity>()) {
    units::Quantity quantity = *value;
    quantity.value = -quantity.value;
    return {quantity, range};
  }
  return error("E0303", part.operand->range, fmt::format("`-` needs a number, got {}", describe(operand)), {"leave it out"});
}

Evaluated Elaborator::binary(const syntax::Binary& part, const Scope& scope, SourceRange range) {
  if (is_logical(part.op)) {
    const Evaluated left = evaluate(*part.left, scope), right = evaluate(*part.right, scope);
    if (left.is_poison() || right.is_poison()) return poison();
    if (left.as<RunTime>() || right.as<RunTime>()) return run_time_operation(part, left, right, range);
    const bool *a = left.as<bool>(), *b = right.as<bool>();
    if (!a || !b) {
      return error("E0303", a ? part.right->range : part.left->range, fmt::format("`and` and `or` need true or false, got {}", describe(a ? right : left)), {"write comparisons, as `n > 64 and n < 512`"});
    }
    return {part.op == BinaryOperator::logical_and ? *a && *b : *a || *b, range};
  }
  Evaluated left = evaluate(*part.left, scope);
  // `p == beta_tin`: beside a word a bare name is a word, unless it is a name of the program.
  std::vector<std::string> words;
  if (is_comparison(part.op) && left.as<Word>() && is_bare_name(*part.right)) {
    words.push_back(std::get<syntax::Reference>(part.right->what).name.text);
  }
  Evaluated right = evaluate(*part.right, scope, words.empty() ? nullptr : &words);
  if (left.is_poison() || right.is_poison()) return poison();
  if (left.as<RunTime>() || right.as<RunTime>()) return run_time_operation(part, left, right, range);
  return is_comparison(part.op) ? compared(part, left, right, range) : arithmetic(part, left, right, range);
}

/// How two numbers that do not go together might.
std::vector<std::string> Elaborator::help_together(const syntax::Binary& part, const Evaluated& left, const Evaluated& right) const {
  const auto dimension_of = [](const Evaluated& value) -> std::optional<units::Dimension> {
    if (const auto quantity = as_quantity(value)) return quantity->reduced ? std::nullopt : std::optional(quantity->dimension);
    const auto* run_time = value.as<RunTime>();
    return run_time ? std::optional(run_time->dimension) : std::nullopt;
  };
  const auto a = dimension_of(left), b = dimension_of(right);
  if (!a || !b) return {"both sides must be of one kind"};
  const bool first = a->is_dimensionless();
  const std::string unit = units::usual_unit(first ? *b : *a), plain = shown((first ? part.left : part.right)->range);
  const bool literal = std::holds_alternative<syntax::NumberLiteral>((first ? part.left : part.right)->what);
  if ((first || b->is_dimensionless()) && literal) return {fmt::format("write `{} {}` in place of `{}`", plain, unit, plain)};
  const auto is = [](const units::Dimension& d, const char* name) { return units::dimension_name(d) == name; };
  if ((is(*a, "temperature") && is(*b, "energy")) || (is(*a, "energy") && is(*b, "temperature"))) {
    return {fmt::format("a temperature times kB is an energy: write `kB * {}`", shown((is(*a, "temperature") ? part.left : part.right)->range))};
  }
  return {"both sides must have one dimension"};
}

/// Reduced and physical numbers meet only where a potential gives the scales: in the arguments of a block.
Evaluated Elaborator::mixed_units(SourceRange range, const Evaluated& left, const Evaluated& right, const syntax::Binary& part) {
  return error("E0304", range, "reduced (lj) and physical units are mixed in one expression", {"write both in lj, or none"}, {}, {},
               {{part.left->range, describe(left)}, {part.right->range, describe(right)}});
}

Evaluated Elaborator::arithmetic(const syntax::Binary& part, const Evaluated& left, const Evaluated& right, SourceRange range) {
  const auto *i = left.as<std::int64_t>(), *j = right.as<std::int64_t>();
  if (i && j && part.op != BinaryOperator::divide && !(part.op == BinaryOperator::power && *j < 0)) {
    if (const auto result = exact(part.op, *i, *j)) return {*result, range};
    return error("E0309", range, "the result is too large for an int", {"write one of the numbers with a point"});
  }
  const auto a = as_quantity(left), b = as_quantity(right);
  if (!a || !b) {
    const bool first = !a;
    return error("E0303", first ? part.left->range : part.right->range, fmt::format("arithmetic needs numbers, got {}", describe(first ? left : right)),
                 {fmt::format("write a number in place of `{}`", shown((first ? part.left : part.right)->range))});
  }
  const bool power_of = part.op == BinaryOperator::power;
  if (!power_of && a->reduced != b->reduced && !is_plain(a->reduced ? *b : *a)) return mixed_units(range, left, right, part);
  units::Quantity result = *a;
  result.reduced = a->reduced || b->reduced;
  switch (part.op) {
    case BinaryOperator::multiply:
      result.value = a->value * b->value;
      result.dimension = product(a->dimension, b->dimension);
      break;
    case BinaryOperator::divide:
      if (b->value == 0.0) return error("E0309", part.right->range, "division by zero", {"divide by a number other than 0"});
      result.value = a->value / b->value;
      result.dimension = quotient(a->dimension, b->dimension);
      break;
    case BinaryOperator::power: {
      if (!is_plain(*b)) return error("E0308", part.right->range, fmt::format("an exponent is a plain number, got {}", describe(right)), {"write it without a unit"});
      const auto dimension = power(a->dimension, b->value);
      if (!dimension) return error("E0308", range, fmt::format("the power {} of {} has no dimension", b->value, describe(left)), {"take a whole exponent, or divide by a unit first"});
      result.value = std::pow(a->value, b->value);
      result.dimension = *dimension;
      break;
    }
    default:
      if (a->dimension != b->dimension || a->reduced != b->reduced) {
        const char* verb = part.op == BinaryOperator::add ? "added" : "subtracted";
        return error("E0308", range, fmt::format("{} and {} cannot be {}", describe(left), describe(right), verb), help_together(part, left, right), {}, {},
                     {{part.left->range, describe(left)}, {part.right->range, describe(right)}});
      }
      result.value = part.op == BinaryOperator::add ? a->value + b->value : a->value - b->value;
  }
  if (!std::isfinite(result.value)) return error("E0309", range, "the result is not a finite number", {"take smaller numbers"});
  return {result, range};
}

Evaluated Elaborator::compared(const syntax::Binary& part, const Evaluated& left, const Evaluated& right, SourceRange range) {
  const auto *i = left.as<std::int64_t>(), *j = right.as<std::int64_t>();
  if (i && j) return {holds(part.op, *i, *j), range};  // seeds do not fit a double
  const auto a = as_quantity(left), b = as_quantity(right);
  const bool equality = part.op == BinaryOperator::equal || part.op == BinaryOperator::not_equal;
  if (a && b) {
    if (a->reduced != b->reduced && !is_plain(a->reduced ? *b : *a)) return mixed_units(range, left, right, part);
    if (a->dimension != b->dimension || a->reduced != b->reduced) {
      return error("E0308", range, fmt::format("{} and {} cannot be compared", describe(left), describe(right)), help_together(part, left, right), {}, {},
                   {{part.left->range, describe(left)}, {part.right->range, describe(right)}});
    }
    return {holds(part.op, a->value, b->value), range};
  }
  const bool either_none = left.as<None>() || right.as<None>();
  const bool texts = (left.as<Word>() || left.as<std::string>()) && (right.as<Word>() || right.as<std::string>());
  if (!equality || (!either_none && !texts && left.what.index() != right.what.index())) {
    return error("E0308", range, fmt::format("{} and {} cannot be compared", describe(left), describe(right)), help_together(part, left, right), {}, {},
                 {{part.left->range, describe(left)}, {part.right->range, describe(right)}});
  }
  if (!affords(size_of(left, most_work_), range)) return poison();
  return {equal(left, right) == (part.op == BinaryOperator::equal), range};
}

Evaluated Elaborator::run_time_operation(const syntax::Binary& part, const Evaluated& left, const Evaluated& right, SourceRange range) {
  struct Side { Value expression; units::Dimension dimension; };
  const auto side_of = [&](const Evaluated& value) -> std::optional<Side> {
    if (const auto* run_time = value.as<RunTime>()) {
      if (run_time->type != schema::ResultType::number) return std::nullopt;
      if (is_truth(*run_time) != is_logical(part.op)) return std::nullopt;
      return Side{run_time->expression, run_time->dimension};
    }
    if (is_logical(part.op)) return value.as<bool>() ? std::optional(Side{constant_expression(to_value(value), {}), {}}) : std::nullopt;
    if (const auto quantity = as_quantity(value)) return Side{constant_expression(to_value(value), quantity->dimension), quantity->dimension};
    return std::nullopt;
  };
  auto a = side_of(left), b = side_of(right);
  if (!a || !b) {
    return error("E0303", a ? part.right->range : part.left->range, fmt::format("arithmetic needs numbers, got {}", describe(a ? right : left)),
                 {fmt::format("name one of the numbers of `{}`", shown((a ? part.right : part.left)->range))});
  }
  // A number in lj is of the kind of the result that it is compared with or added to; elsewhere its kind is not known.
  const bool alike = is_comparison(part.op) || part.op == BinaryOperator::add || part.op == BinaryOperator::subtract;
  Scale scale;
  for (const Evaluated* side : {&left, &right}) {
    const auto* result = side->as<RunTime>();
    if (result && scale.kind == Scale::Kind::unknown) scale = result->scale;
    const auto* number = side->as<units::Quantity>();
    if (!number || !number->reduced) continue;
    const auto* other = (side == &left ? right : left).as<RunTime>();
    const auto bound = alike && other ? reduced_beside(*number, *other) : std::nullopt;
    if (bound) *(side == &left ? a : b) = {constant_expression(*bound, other->dimension), other->dimension};
    else if (alike || !other || other->scale.kind != Scale::Kind::reduced) return mixed_units(range, left, right, part);
  }
  units::Dimension dimension;
  if (part.op == BinaryOperator::multiply) dimension = product(a->dimension, b->dimension);
  else if (part.op == BinaryOperator::divide) dimension = quotient(a->dimension, b->dimension);
  else if (part.op == BinaryOperator::power) {
    const auto exponent = as_quantity(right);
    if (b->dimension != units::Dimension{}) return error("E0308", part.right->range, fmt::format("an exponent is a plain number, got {}", describe(right)), {"divide it by a unit"});
    const auto powered = exponent ? power(a->dimension, exponent->value) : std::nullopt;
    if (!powered && a->dimension != units::Dimension{}) return error("E0308", range, "a power of a number with a unit needs a plain exponent", {"write the exponent as a whole number"});
    dimension = powered.value_or(units::Dimension{});
  } else if (!is_logical(part.op)) {
    if (a->dimension != b->dimension) {
      const char* verb = is_comparison(part.op) ? "compared" : part.op == BinaryOperator::add ? "added" : "subtracted";
      return error("E0308", range, fmt::format("{} and {} cannot be {}", describe(left), describe(right), verb), help_together(part, left, right), {}, {},
                   {{part.left->range, describe(left)}, {part.right->range, describe(right)}});
    }
    if (!is_comparison(part.op)) dimension = a->dimension;
  }
  return {RunTime{schema::Map{{"op", operation_name(part.op)}, {"args", schema::List{a->expression, b->expression}}}, dimension, schema::ResultType::number, nullptr, scale}, range};
}

Evaluated Elaborator::range_of(const syntax::RangeExpression& part, const Scope& scope, SourceRange place) {
  const Evaluated first = evaluate(*part.first, scope), last = evaluate(*part.last, scope);
  if (first.is_poison() || last.is_poison()) return poison();
  const auto *i = first.as<std::int64_t>(), *j = last.as<std::int64_t>();
  const auto a = as_quantity(first), b = as_quantity(last);
  if (!a || !b) return error("E0303", place, fmt::format("a range goes from number to number, got {}", describe(a ? last : first)), {"write for instance `1 .. 3`, or `300 K .. 900 K`"});
  if (a->dimension != b->dimension || a->reduced != b->reduced) {
    return error("E0308", place, fmt::format("a range needs ends of one kind, got {} and {}", describe(first), describe(last)), {"write both ends with a unit, as `300 K .. 900 K`"});
  }
  if (a->value > b->value) return error("E0307", place, "this range is empty: its first end is above its last", {fmt::format("write `{} .. {}`", shown(part.last->range), shown(part.first->range))});
  if (!part.step && !(i && j)) return {Interval{*a, *b}, place};
  Evaluated step{std::int64_t{1}, place};
  if (part.step) step = evaluate(*part.step, scope);
  if (step.is_poison()) return poison();
  const auto width = as_quantity(step);
  if (!width || width->dimension != a->dimension || !(width->value > 0.0)) {
    return error("E0308", part.step->range, fmt::format("the step of this range must be positive and {}", describe(first)), {"write for instance `300 K .. 900 K step 50 K`"});
  }
  if ((b->value - a->value) / width->value >= static_cast<double>(kLongestList)) {
    return error("E0410", place, fmt::format("this range has more than {} values", source::grouped(kLongestList)), {"take a larger `step`, or ends that are nearer"});
  }
  std::vector<Evaluated> list;
  if (i && j && step.as<std::int64_t>()) {
    bool overflow = false;  // of the one after the last
    for (std::int64_t n = *i; !overflow && n <= *j; overflow = __builtin_add_overflow(n, *step.as<std::int64_t>(), &n)) list.push_back({n, place});
  } else {
    const auto count = static_cast<std::int64_t>(std::floor((b->value - a->value) / width->value * (1.0 + 1e-12) + 1e-9));
    for (std::int64_t n = 0; n <= count; ++n) {
      units::Quantity item = *a;
      item.value += static_cast<double>(n) * width->value;
      list.push_back({item, place});
    }
  }
  if (!affords(list.size(), place)) return poison();
  ListValue value(std::move(list));
  value.whole_range = !part.step;
  return {std::move(value), place};
}

Evaluated Elaborator::comprehension(const syntax::Comprehension& part, const Scope& scope, SourceRange range) {
  const Evaluated domain = evaluate(*part.domain, scope);
  if (domain.is_poison()) return domain;
  const auto* list = domain.as<ListValue>();
  if (!list) return error("E0303", part.domain->range, fmt::format("`for` needs a list or an axis, got {}", describe(domain)), {"write for instance `[2 * n for n in size]`"});
  std::vector<Evaluated> result;
  for (const Evaluated& item : list->items()) {
    Scope inner = Scope::inside(scope);
    inner.locals.push_back({part.variable.text, item});
    if (part.condition) {
      const auto keep = truth(*part.condition, inner);
      if (!keep) return poison();
      if (!*keep) continue;
    }
    result.push_back(evaluate(*part.item, inner));
    if (result.back().is_poison()) return poison();
  }
  return {ListValue(std::move(result)), range};
}

Evaluated Elaborator::conditional(const syntax::Conditional& part, const Scope& scope, const std::vector<std::string>* words) {
  const auto chosen = truth(*part.condition, scope);
  if (!chosen) return poison();
  return evaluate(*chosen ? *part.then : *part.otherwise, scope, words);
}

std::optional<bool> Elaborator::truth(const syntax::Expression& expression, const Scope& scope) {
  const schema::Type* outer = std::exchange(asked_, nullptr);
  const Evaluated value = evaluate(expression, scope);
  asked_ = outer;
  if (value.is_poison()) return std::nullopt;
  if (const bool* known = value.as<bool>()) return *known;
  if (value.as<RunTime>()) {
    error("E0305", expression.range, "this condition is known only when the program runs, but decides what is run",
          {"use params, lets and axes here; results belong in figure, table, expect and require"});
  } else {
    error("E0303", expression.range, fmt::format("a condition is true or false, got {}", describe(value)), {fmt::format("compare it, as `{} {}`", shown(expression.range), as_quantity(value) ? "> 0" : "== …")});
  }
  return std::nullopt;
}

}  // namespace bgw::semantics
