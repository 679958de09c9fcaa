#include "runtime/inline_tasks/figure.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <map>
#include <optional>

#include "runtime/foundation/errors.h"
#include "runtime/inline_tasks/expression.h"

namespace bgw::inline_tasks {
namespace {

using schema::List;
using schema::Map;
using schema::Value;

// One line or set of points on its way to the figure.
struct Series {
  std::string family;               // "lbar"
  std::vector<std::string> shared;  // index texts all its points have in common, "" where they differ
  std::string label, style;
  std::vector<double> x, y;
  std::vector<std::optional<double>> error, x_error;  // of y, of x
  bool band = false;
  std::optional<Field> plane;  // what covers the figure, in place of x and y
  bool scalar = false;  // gathered from single numbers
  std::string x_title, y_title;  // of a curve
};

std::vector<std::string> index_texts(const std::string& name) {
  std::vector<std::string> texts;
  const std::size_t open = name.find('[');
  if (open == std::string::npos) return texts;
  std::string text;
  for (const char c : name.substr(open + 1)) {
    if (c == ',' || c == ']') {
      texts.push_back(text);
      text.clear();
    } else if (c != ' ') {
      text += c;
    }
  }
  return texts;
}

std::vector<double> values(const Evaluated& evaluated) {
  if (std::holds_alternative<Estimate>(evaluated.what)) return {evaluated.estimate().value()};
  std::vector<double> numbers;
  for (const Evaluated& item : evaluated.list()) numbers.push_back(item.estimate().value());
  return numbers;
}

std::vector<std::optional<double>> errors_of(const Evaluated& y) {
  if (std::holds_alternative<Estimate>(y.what)) return {y.estimate().sigma()};
  std::vector<std::optional<double>> errors;
  for (const Evaluated& item : y.list()) errors.push_back(item.estimate().sigma());
  return errors;
}

std::vector<std::optional<double>> given_errors(const Evaluated& yerr) {
  std::vector<std::optional<double>> errors;
  for (const double value : values(yerr)) errors.emplace_back(value);
  return errors;
}

// "auto" and what was left out mean the error of y.
bool is_automatic(const Value* yerr) {
  if (yerr == nullptr || yerr->is_none()) return true;
  if (yerr->is_map() && yerr->string_or("op", "") == "string") return yerr->string_or("value", "") == "auto";
  return yerr->is_string() && yerr->as_string() == "auto";
}

void fill_points(Series& series, const Value& source, const Evaluated& y, const Results& results) {
  series.y = values(y);
  series.scalar = std::holds_alternative<Estimate>(y.what);
  if (source.has("x")) {
    const Evaluated x = evaluate(source.at("x"), results);
    series.x = values(x);
    series.x_error = errors_of(x);
  } else {
    for (std::size_t i = 0; i < series.y.size(); ++i) series.x.push_back(static_cast<double>(i + 1));
    series.x_error.resize(series.y.size());
  }
  const Value* yerr = source.find("yerr");
  series.error = is_automatic(yerr) ? errors_of(y) : given_errors(evaluate(*yerr, results));
}

std::string axis_title(const std::string& name, const std::string& unit) { return unit.empty() ? name : fmt::format("{} ({})", name, unit); }

void fill_curve(Series& series, const Value& source, const Curve& curve, const Results& results) {
  if (source.has("x")) throw InputError("its y is a curve, which brings its own x: leave `x` out");
  series.x = curve.x;
  series.y = curve.y;
  series.x_title = axis_title(curve.x_name, curve.x_unit);
  series.y_title = curve.y_name;
  series.x_error.resize(curve.y.size());
  const Value* yerr = source.find("yerr");
  if (!is_automatic(yerr)) {
    series.error = given_errors(evaluate(*yerr, results));
  } else if (curve.sigma.empty()) {
    series.error.resize(curve.y.size());
  } else {
    series.error.assign(curve.sigma.begin(), curve.sigma.end());
  }
}

void fill_plane(Series& series, const Value& source, const Results& results) {
  const Evaluated fill = evaluate(source.at("fill"), results);
  const auto* plane = std::get_if<Field>(&fill.what);
  if (plane == nullptr) throw InputError("`fill` needs what has a value at each place of a plane, such as the `stable_phase` of a phase diagram");
  series.plane = *plane;
  series.x_title = axis_title(plane->x_name, plane->x_unit);
  series.y_title = axis_title(plane->y_name, plane->y_unit);
}

Series read_series(const Value& source, const Results& results) {
  Series series;
  const std::string& name = source.at("name").as_string();
  series.family = name.substr(0, name.find('['));
  series.shared = index_texts(name);
  series.label = source.string_or("label", name);
  if (series.label == name) series.label = series.family;  // members that nobody named go together
  series.style = source.string_or("style", "");
  series.band = source.bool_or("band", false);
  try {
    if (source.has("fill")) {
      fill_plane(series, source, results);
      return series;
    }
    const Evaluated y = evaluate(source.at("y"), results);
    if (const auto* curve = std::get_if<Curve>(&y.what))
      fill_curve(series, source, *curve, results);
    else
      fill_points(series, source, y, results);
    if (series.x.size() != series.y.size() || series.error.size() != series.y.size()) {
      throw InputError(fmt::format("x, y and yerr have different lengths: {}, {}, {}", series.x.size(), series.y.size(),
                                   series.error.size()));
    }
  } catch (const InputError& error) {
    throw InputError(fmt::format("series `{}`: {}", name, error.what()));
  }
  return series;
}

// x goes on in the direction in which it went so far, as n does and as 1 / n does.
bool continues(const Series& before, const Series& next) {
  if (!before.scalar || !next.scalar || before.family != next.family || before.label != next.label) return false;
  const double step = next.x[0] - before.x.back();
  return before.x.size() == 1 ? step != 0.0 : step * (before.x.back() - before.x.front()) > 0.0;
}

void join(Series& series, const Series& next) {
  series.x.push_back(next.x[0]);
  series.y.push_back(next.y[0]);
  series.error.push_back(next.error[0]);
  series.x_error.push_back(next.x_error[0]);
  for (std::size_t i = 0; i < series.shared.size() && i < next.shared.size(); ++i) {
    if (series.shared[i] != next.shared[i]) series.shared[i].clear();
  }
}

// Several series with one label are told apart by their indices.
void distinguish(std::vector<Series>& all) {
  std::map<std::string, int> count;
  for (const Series& series : all) ++count[series.label];
  for (Series& series : all) {
    if (count[series.label] < 2) continue;
    std::vector<std::string> parts;
    for (const std::string& text : series.shared) {
      if (!text.empty()) parts.push_back(text);
    }
    if (!parts.empty()) series.label += fmt::format(", {}", fmt::join(parts, ", "));
  }
}

List numbers_or_none(const std::vector<double>& numbers) {
  List list;
  for (const double number : numbers) list.push_back(artifacts::number_or_none(number));
  return list;
}

/// Empty where none is known.
List errors_or_none(const std::vector<std::optional<double>>& errors) {
  List list;
  bool any = false;
  for (const std::optional<double>& error : errors) {
    list.push_back(error ? artifacts::number_or_none(*error) : Value());
    any = any || error.has_value();
  }
  return any ? list : List{};
}

Value plane_to_value(const Series& series) {
  const Field& plane = *series.plane;
  return Map{{"name", series.family}, {"label", series.label}, {"style", "fill"}, {"x", numbers_or_none(plane.x)}, {"y", numbers_or_none(plane.y)},
             {"words", List(plane.words.begin(), plane.words.end())}, {"places", List(plane.places.begin(), plane.places.end())}};
}

Value to_value(const Series& series) {
  if (series.plane) return plane_to_value(series);
  const std::string style = !series.style.empty() ? series.style : series.scalar ? "points" : "line";
  Map map{{"name", series.family}, {"label", series.label}, {"style", style}, {"x", numbers_or_none(series.x)}, {"y", numbers_or_none(series.y)}};
  for (const auto& [name, errors] : {std::pair{"yerr", &series.error}, std::pair{"xerr", &series.x_error}}) {
    if (List list = errors_or_none(*errors); !list.empty()) map[name] = std::move(list);
  }
  if (series.band) map["band"] = true;
  return map;
}

// Curves say what their axes are; a program's own words win.
void label_axes_of_curves(Map& figure, const std::vector<Series>& all) {
  if (all.empty() || all.front().x_title.empty()) return;
  if (figure["xlabel"].is_none()) figure["xlabel"] = all.front().x_title;
  if (figure["ylabel"].is_none()) figure["ylabel"] = all.front().y_title;
}

}  // namespace

Value make_figure(const Value& arguments, const Results& results) {
  std::vector<Series> all;
  for (const Value& source : arguments.at("series").as_list()) {
    Series next = read_series(source, results);
    if (!all.empty() && continues(all.back(), next))
      join(all.back(), next);
    else
      all.push_back(std::move(next));
  }
  distinguish(all);
  Map figure = arguments.as_map();
  label_axes_of_curves(figure, all);
  List series;
  for (const Series& one : all) series.push_back(to_value(one));
  figure["series"] = std::move(series);
  return figure;
}

}  // namespace bgw::inline_tasks
