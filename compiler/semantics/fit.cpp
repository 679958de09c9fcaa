#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "compiler/semantics/elaborator.h"
#include "compiler/semantics/quantities.h"
#include "compiler/syntax/parse.h"

namespace bgw::semantics {
namespace {

using Numbers = std::map<std::string, double>;
using Row = std::vector<double>;

/// The model as a number; nullopt for what is no arithmetic of names, or has no finite value.
std::optional<double> numeric(const syntax::Expression& expression, const Numbers& names) {
  if (const auto* literal = std::get_if<syntax::NumberLiteral>(&expression.what)) return literal->unit ? std::nullopt : std::optional(literal->value);
  if (const auto* part = std::get_if<syntax::Unary>(&expression.what)) {
    const auto operand = numeric(*part->operand, names);
    return operand && part->op == syntax::UnaryOperator::negate ? std::optional(-*operand) : std::nullopt;
  }
  if (const auto* reference = std::get_if<syntax::Reference>(&expression.what)) {
    if (reference->trailers.empty()) {
      const auto found = names.find(reference->name.text);
      return found == names.end() ? std::nullopt : std::optional(found->second);
    }
    const auto* call = reference->trailers.size() == 1 ? std::get_if<syntax::CallTrailer>(&reference->trailers[0].what) : nullptr;
    if (!call || call->arguments.size() != 1) return std::nullopt;
    const auto of = numeric(*call->arguments[0].value, names);
    if (!of) return std::nullopt;
    if (reference->name.text == "sqrt") return std::sqrt(*of);
    if (reference->name.text == "exp") return std::exp(*of);
    if (reference->name.text == "log") return std::log(*of);
    return std::nullopt;
  }
  const auto* part = std::get_if<syntax::Binary>(&expression.what);
  const auto a = part ? numeric(*part->left, names) : std::nullopt;
  const auto b = part ? numeric(*part->right, names) : std::nullopt;
  if (!a || !b) return std::nullopt;
  switch (part->op) {
    case syntax::BinaryOperator::add: return *a + *b;
    case syntax::BinaryOperator::subtract: return *a - *b;
    case syntax::BinaryOperator::multiply: return *a * *b;
    case syntax::BinaryOperator::divide: return *a / *b;
    case syntax::BinaryOperator::power: return std::pow(*a, *b);
    default: return std::nullopt;
  }
}

/// The names that stand alone in the model.
std::set<std::string> free_names(const syntax::Expression& model) {
  std::set<std::string> names;
  each_reference(model, [&](const syntax::Reference& reference, SourceRange) {
    if (reference.trailers.empty()) names.insert(reference.name.text);
  });
  return names;
}

/// One point of a fit: the result and the indices of the block it belongs to.
struct Point {
  RunTime result;
  Numbers indices;
};

/// What multiplies each parameter at a point, and what stands without one; nullopt when the model is not linear there.
std::optional<std::pair<Row, double>> linear_parts(const syntax::Expression& model, const std::vector<std::string>& parameters, Numbers names) {
  for (const std::string& parameter : parameters) names[parameter] = 0.0;
  const auto constant = numeric(model, names);
  if (!constant || !std::isfinite(*constant)) return std::nullopt;
  Row row;
  double expected = *constant;
  Numbers mixed = names;
  for (std::size_t k = 0; k < parameters.size(); ++k) {
    Numbers one = names;
    one[parameters[k]] = 1.0;
    const auto value = numeric(model, one);
    if (!value || !std::isfinite(*value)) return std::nullopt;
    row.push_back(*value - *constant);
    mixed[parameters[k]] = 0.7 + 0.9 * static_cast<double>(k);
    expected += row.back() * mixed[parameters[k]];
  }
  const auto value = numeric(model, mixed);
  if (!value || std::abs(*value - expected) > 1e-9 * (1.0 + std::abs(expected))) return std::nullopt;
  return std::pair{row, *constant};
}

/// The matrix that takes the results to the parameters of least squares, one row a parameter; empty when the points do
/// not determine them. Columns are scaled first, so that 1 and 1/n may differ by orders of magnitude.
std::vector<Row> least_squares(const std::vector<Row>& design, std::size_t parameters) {
  std::vector<long double> scale(parameters, 0.0L);
  for (const Row& row : design) {
    for (std::size_t k = 0; k < parameters; ++k) scale[k] += static_cast<long double>(row[k]) * row[k];
  }
  for (long double& s : scale) s = std::sqrt(s);
  if (std::any_of(scale.begin(), scale.end(), [](long double s) { return !(s > 0.0L); })) return {};
  const std::size_t width = parameters + design.size();
  std::vector<std::vector<long double>> system(parameters, std::vector<long double>(width, 0.0L));  // normal matrix | transposed design
  for (std::size_t j = 0; j < parameters; ++j) {
    for (std::size_t i = 0; i < design.size(); ++i) {
      system[j][parameters + i] = design[i][j] / scale[j];
      for (std::size_t k = 0; k < parameters; ++k) system[j][k] += design[i][j] / scale[j] * (design[i][k] / scale[k]);
    }
  }
  for (std::size_t j = 0; j < parameters; ++j) {
    std::size_t pivot = j;
    for (std::size_t k = j + 1; k < parameters; ++k) {
      if (std::abs(system[k][j]) > std::abs(system[pivot][j])) pivot = k;
    }
    if (std::abs(system[pivot][j]) < 1e-13L) return {};
    std::swap(system[j], system[pivot]);
    for (std::size_t k = 0; k < parameters; ++k) {
      if (k == j) continue;
      const long double factor = system[k][j] / system[j][j];
      for (std::size_t c = j; c < width; ++c) system[k][c] -= factor * system[j][c];
    }
  }
  std::vector<Row> solution(parameters, Row(design.size()));
  for (std::size_t j = 0; j < parameters; ++j) {
    for (std::size_t i = 0; i < design.size(); ++i) solution[j][i] = static_cast<double>(system[j][parameters + i] / system[j][j] / scale[j]);
  }
  return solution;
}

Value constant(double value) { return schema::Map{{"op", "const"}, {"value", value}}; }

/// The weighted sum of the results as a run-time expression: its error follows from theirs.
RunTime combination(const std::vector<Point>& points, const Row& weights, double offset) {
  schema::List terms;
  for (std::size_t i = 0; i < points.size(); ++i) {
    terms.push_back(schema::Map{{"op", "multiply"}, {"args", schema::List{points[i].result.expression, constant(weights[i])}}});
  }
  const Value mean = schema::Map{{"op", "call"}, {"name", "mean"}, {"args", schema::List{schema::Map{{"op", "list"}, {"items", std::move(terms)}}}}};
  Value sum = schema::Map{{"op", "multiply"}, {"args", schema::List{mean, constant(static_cast<double>(points.size()))}}};
  if (offset != 0.0) sum = schema::Map{{"op", "subtract"}, {"args", schema::List{sum, constant(offset)}}};
  return {sum, points[0].result.dimension, schema::ResultType::number, nullptr};
}

}  // namespace

/// `fit(F[*].per_particle, model = "a + b/n")`: least squares of results against the indices of their blocks. A linear
/// model makes each parameter a fixed combination of the results, so that their errors propagate as everywhere.
Evaluated Elaborator::fit(const syntax::CallTrailer& called, const Scope& scope, SourceRange range) {
  const auto usage = [&](SourceRange place, const std::string& problem, const std::string& help = "write for instance `fit(F[*].per_particle, model = \"a + b/n\")`") {
    return error("E0220", place, problem, {help});
  };
  const syntax::Expression *of = nullptr, *text = nullptr;
  for (const syntax::CallArgument& argument : called.arguments) {
    if (argument.name && argument.name->text == "model") text = argument.value.get();
    else if (!argument.name && !of) of = argument.value.get();
    else return usage(argument.range, argument.name ? fmt::format("`fit` has no argument `{}`", argument.name->text) : "`fit` takes one list of results");
  }
  if (!of || !text) return usage(range, "`fit` takes a list of results and a model");
  const Evaluated results = evaluate(*of, scope), model_text = evaluate(*text, scope);
  if (results.is_poison() || model_text.is_poison()) return poison();
  if (!model_text.as<std::string>()) return usage(text->range, fmt::format("the model of a fit is a string, got {}", describe(model_text)));
  if (!results.as<ListValue>()) return usage(of->range, fmt::format("`fit` takes a list of results, got {}", describe(results)));
  const source::SourceFile source("model", "let model = " + *model_text.as<std::string>());
  source::DiagnosticSink unread;
  const auto file = syntax::parse(source, unread);
  const auto* let = file && file->items.size() == 1 && !unread.has_errors() ? std::get_if<syntax::Let>(&file->items[0].what) : nullptr;
  if (!let) return usage(text->range, fmt::format("`{}` is no expression", *model_text.as<std::string>()));

  const std::set<std::string> names = free_names(*let->value);
  std::vector<Point> points;
  std::set<std::string> variables, indices;  // of the results: in the model, and all
  for (const Evaluated& item : results.as<ListValue>()->items()) {
    const auto* result = item.as<RunTime>();
    if (!result || result->type != schema::ResultType::number || !result->of) {
      return usage(of->range, fmt::format("`fit` needs results of the members of a family, got {}", describe(item)));
    }
    Point point{*result, {}};
    for (std::size_t i = 0; i < result->of->indices.size(); ++i) {
      const std::string& variable = (*result->of->axes)[i].variable;
      if (result->of->indices[i].value.is_number()) indices.insert(variable);
      if (!names.count(variable) || !result->of->indices[i].value.is_number()) continue;
      point.indices[variable] = result->of->indices[i].value.as_double();
      variables.insert(variable);
    }
    points.push_back(std::move(point));
  }
  std::vector<std::string> parameters;
  std::set_difference(names.begin(), names.end(), variables.begin(), variables.end(), std::back_inserter(parameters));
  if (variables.empty()) return usage(text->range, "the model names no index of the results: nothing is fitted against",
                                        indices.empty() ? "fit results of a block with an index set, as `F[n in size]`" : fmt::format("the results have the index {}: write for instance `\"a + b/{}\"`", fmt::join(indices, ", "), *indices.begin()));
  if (parameters.empty() || points.size() < parameters.size()) {
    return usage(text->range, fmt::format("{} results cannot determine {} parameters", points.size(), parameters.size()),
                 parameters.empty() ? "name at least one parameter in the model, as `\"a + b/n\"`" : "leave parameters out of the model, or fit more members");
  }
  std::vector<Row> design;
  Row offsets;
  for (const Point& point : points) {
    const auto parts = linear_parts(*let->value, parameters, point.indices);
    if (!parts) return usage(text->range, "the model of a fit is linear in its parameters and finite at each index",
                             fmt::format("write sums of {} times what the indices make, as `\"a + b/n\"`", fmt::join(parameters, ", ")));
    design.push_back(parts->first);
    offsets.push_back(parts->second);
  }
  const std::vector<Row> solution = least_squares(design, parameters.size());
  if (solution.empty()) return usage(text->range, fmt::format("these {} results do not determine {}", points.size(), fmt::join(parameters, ", ")));
  auto fitted = std::make_shared<std::map<std::string, RunTime>>();
  for (std::size_t k = 0; k < parameters.size(); ++k) {
    double offset = 0.0;
    for (std::size_t i = 0; i < points.size(); ++i) offset += solution[k][i] * offsets[i];
    (*fitted)[parameters[k]] = combination(points, solution[k], offset);
  }
  return {FitValue{std::move(fitted)}, range};
}

}  // namespace bgw::semantics
