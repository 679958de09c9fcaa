#include "tests/support/catch.h"

#include <cmath>
#include <functional>
#include <iterator>
#include <limits>
#include <map>
#include <utility>

#include "runtime/foundation/errors.h"
#include "runtime/artifacts/called_result.h"
#include "runtime/inline_tasks/expression.h"
#include "runtime/inline_tasks/figure.h"
#include "runtime/inline_tasks/table.h"
#include "runtime/inline_tasks/verdict.h"

namespace {

using namespace bgw;
using namespace bgw::inline_tasks;
using schema::List;
using schema::Map;
using schema::Value;

// Answers from maps; the identity of a role is the role without its trailing digits after '@'.
class FakeResults : public Results {
 public:
  std::map<std::string, artifacts::Result> single;  // "role.name"
  std::map<std::string, Field> fields;
  std::map<std::string, Curve> curves;

  artifacts::Result number(const std::string& role, const std::string& name) const override {
    const auto found = single.find(identity(role) + "." + name);
    if (found == single.end()) throw InputError(role + " has no result " + name);
    return found->second;
  }
  std::vector<artifacts::Result> numbers(const std::string& role, const std::string& name) const override {
    std::vector<artifacts::Result> all;
    for (auto found = single.find(role + "." + name + ".0"); found != single.end(); found = single.find(role + "." + name + "." + std::to_string(all.size()))) all.push_back(found->second);
    return all;
  }
  Field field(const std::string& role, const std::string& name) const override { return fields.at(role + "." + name); }
  std::string called(const std::string&, const std::string& name, const Map& arguments) const override { return artifacts::called_result(name, arguments); }
  StateNumber number_at(const std::string& role, const std::string& name, const Value& state) const override {
    const std::string key = name + schema::to_json(state);
    const auto row = static_cast<std::size_t>(std::distance(single.begin(), single.find(identity(role) + "." + key)));
    return {number(role, key), row, {}};
  }
  Curve curve(const std::string& role, const std::string& name) const override { return curves.at(name.empty() ? role : role + "." + name); }
  std::string identity(const std::string& role) const override { return role.substr(0, role.find('@')); }
};

Value constant(double x) { return Map{{"op", "const"}, {"value", x}}; }
Value text(const char* s) { return Map{{"op", "string"}, {"value", s}}; }
Value attribute(const char* role, const char* name) { return Map{{"op", "attribute"}, {"task", role}, {"name", name}}; }
Value op(const char* name, List args) { return Map{{"op", name}, {"args", std::move(args)}}; }
Value call(const char* name, List args) { return Map{{"op", "call"}, {"name", name}, {"args", std::move(args)}}; }
Value list(List items) { return Map{{"op", "list"}, {"items", std::move(items)}}; }

FakeResults three_results() {
  FakeResults results;
  results.single["a.x"] = {"x", 4.0, 0.3, "kT", 100, "beta F / N"};
  results.single["b.x"] = {"x", 2.0, 0.4, "kT", 100, ""};
  results.single["c.e"] = {"e", 1.5, 0.1, "eV", std::nullopt, ""};
  results.single["d.x"] = {"x", 3.0, std::nullopt, "", std::nullopt, ""};
  return results;
}

Estimate number(const Value& expression) { return evaluate(expression, three_results()).estimate(); }
bool truth(const Value& expression) { return evaluate(expression, three_results()).truth(); }

plan::CheckSpec expect(Value value, Value reference, const char* criterion, double allowed) {
  plan::CheckSpec check;
  check.name = "published";
  check.kind = "expect";
  check.arguments = Map{
      {"value", std::move(value)}, {"reference", std::move(reference)}, {criterion, allowed}, {"source", "a paper"}};
  return check;
}

}  // namespace

TEST_CASE("a number with a unit goes together with results that have it", "[inline_tasks]") {
  const Value energy = Map{{"op", "const"}, {"value", 1.0}, {"unit", "eV"}};
  CHECK(truth(op("greater", {attribute("c", "e"), energy})));
  CHECK(number(op("subtract", {attribute("c", "e"), energy})).value() == 0.5);
  CHECK(number(op("divide", {attribute("c", "e"), energy})).unit().empty());
  CHECK_THROWS_AS(number(op("add", {attribute("c", "e"), constant(1.0)})), InputError);
}

TEST_CASE("a result minus itself is zero and exact, under whatever role it is read", "[inline_tasks]") {
  const Estimate difference = number(op("subtract", {attribute("a", "x"), attribute("a@2", "x")}));
  CHECK(difference.value() == 0);
  CHECK(*difference.sigma() == 0);
}

TEST_CASE("errors of independent results add in squares, of the same result in line", "[inline_tasks]") {
  CHECK(*number(op("add", {attribute("a", "x"), attribute("b", "x")})).sigma() == Approx(0.5));
  CHECK(*number(op("subtract", {attribute("a", "x"), attribute("b", "x")})).sigma() == Approx(0.5));
  CHECK(*number(op("add", {attribute("a", "x"), attribute("a", "x")})).sigma() == Approx(0.6));
}

TEST_CASE("the error of a number is a number without error", "[inline_tasks]") {
  const Estimate error = number(call("error", {attribute("a", "x")}));
  CHECK(error.value() == Approx(0.3));
  CHECK(error.sigma().value_or(0.0) == 0.0);
  CHECK(number(call("error", {constant(3)})).value() == 0.0);
  CHECK(number(call("error", {op("multiply", {attribute("a", "x"), constant(2)})})).value() == Approx(0.6));
}

TEST_CASE("every function propagates the error by its derivative", "[inline_tasks]") {
  const double h = 1e-6;
  const auto checks = [&](const std::function<double(double)>& f, const Value& expression) {
    const double derivative = (f(4.0 + h) - f(4.0 - h)) / (2 * h);
    CHECK(number(expression).value() == Approx(f(4.0)));
    CHECK(*number(expression).sigma() == Approx(std::abs(derivative) * 0.3).epsilon(1e-6));
  };
  const Value a = attribute("a", "x");
  checks([](double x) { return std::sqrt(x); }, call("sqrt", {a}));
  checks([](double x) { return std::exp(x); }, call("exp", {a}));
  checks([](double x) { return std::log(x); }, call("log", {a}));
  checks([](double x) { return -x; }, op("negate", {a}));
  checks([](double x) { return std::abs(x); }, call("abs", {a}));
  checks([](double x) { return x * x * x; }, op("power", {a, constant(3)}));
  checks([](double x) { return x * x; }, op("multiply", {a, a}));
  checks([](double x) { return 7 / x; }, op("divide", {constant(7), a}));
  checks([](double x) { return (x + 1) / x; }, op("divide", {op("add", {a, constant(1)}), a}));
}

TEST_CASE("a quotient of independent results has the relative errors added in squares", "[inline_tasks]") {
  const Estimate ratio = number(op("divide", {attribute("a", "x"), attribute("b", "x")}));
  CHECK(ratio.value() == Approx(2));
  CHECK(*ratio.sigma() == Approx(2 * std::hypot(0.3 / 4, 0.4 / 2)));
  CHECK(ratio.unit().empty());
}

TEST_CASE("the mean of independent results is sharper, the mean of one result with itself is not", "[inline_tasks]") {
  CHECK(*number(call("mean", {list({attribute("a", "x"), attribute("b", "x")})})).sigma() == Approx(0.25));
  CHECK(*number(call("mean", {attribute("a", "x"), attribute("a", "x")})).sigma() == Approx(0.3));
  CHECK_THROWS_AS(number(call("mean", {list({})})), InputError);
}

TEST_CASE("min and max hand on the number with its own error", "[inline_tasks]") {
  CHECK(*number(call("max", {attribute("a", "x"), attribute("b", "x")})).sigma() == Approx(0.3));
  CHECK(*number(call("min", {attribute("a", "x"), attribute("b", "x")})).sigma() == Approx(0.4));
}

TEST_CASE("a number without an error bar has none, not zero", "[inline_tasks]") {
  CHECK_FALSE(number(attribute("d", "x")).sigma());
  CHECK_FALSE(number(op("add", {attribute("d", "x"), constant(1)})).sigma());
  CHECK_FALSE(number(constant(1)).sigma());
}

TEST_CASE("kT and pure numbers mix; energies and pure numbers do not add", "[inline_tasks]") {
  CHECK(number(op("subtract", {attribute("a", "x"), constant(1)})).unit() == "kT");
  CHECK_THROWS_AS(number(op("add", {attribute("c", "e"), constant(1)})), InputError);
  CHECK_THROWS_AS(truth(op("less", {attribute("c", "e"), attribute("a", "x")})), InputError);
  CHECK(number(op("multiply", {attribute("c", "e"), constant(2)})).unit() == "eV");
  CHECK(number(op("divide", {attribute("c", "e"), attribute("c", "e")})).unit().empty());
  const auto in = [](double value, const char* unit) { return Value(Map{{"op", "const"}, {"value", value}, {"unit", unit}}); };
  const Value volume = in(2.0, "angstrom^3"), pressure = in(3.0, "eV/angstrom^3");
  CHECK(number(op("divide", {attribute("c", "e"), volume})).unit() == "eV/angstrom^3");
  CHECK(number(op("add", {op("divide", {attribute("c", "e"), volume}), pressure})).unit() == "eV/angstrom^3");
  CHECK(number(op("add", {op("multiply", {pressure, volume}), attribute("c", "e")})).unit() == "eV");
  CHECK(number(op("multiply", {in(1.0, "/angstrom^3"), volume})).unit().empty());
  CHECK(number(op("power", {in(1.0, "angstrom"), constant(3)})).unit() == "angstrom^3");
  CHECK_THROWS_AS(number(call("exp", {attribute("c", "e")})), InputError);
}

TEST_CASE("numbers without a meaning are errors", "[inline_tasks]") {
  CHECK_THROWS_AS(number(op("divide", {constant(1), constant(0)})), NumericalError);
  CHECK_THROWS_AS(number(call("sqrt", {constant(-1)})), NumericalError);
  CHECK_THROWS_AS(number(call("log", {constant(0)})), NumericalError);
  CHECK_THROWS_AS(number(op("power", {constant(0), constant(-1)})), NumericalError);
  CHECK_THROWS_AS(number(attribute("a", "nothing")), InputError);
}

TEST_CASE("conditions compare values and stop at what decides", "[inline_tasks]") {
  CHECK(truth(op("greater", {attribute("a", "x"), attribute("b", "x")})));
  CHECK_FALSE(truth(op("less_equal", {attribute("a", "x"), constant(3.9)})));
  CHECK(truth(op("equal", {text("draft"), text("draft")})));
  CHECK(truth(op("not_equal", {text("draft"), text("paper")})));
  const Value broken = op("less", {op("divide", {constant(1), constant(0)}), constant(1)});
  CHECK_FALSE(truth(op("and", {op("less", {constant(2), constant(1)}), broken})));
  CHECK(truth(op("or", {op("less", {constant(1), constant(2)}), broken})));
  CHECK(truth(op("not", {op("less", {constant(2), constant(1)})})));
  CHECK(truth(op("equal", {call("len", {list({constant(1), constant(2)})}), constant(2)})));
}

TEST_CASE("expect in sigmas takes the error of the difference", "[inline_tasks]") {
  const FakeResults results = three_results();
  const Verdict far = judge(expect(attribute("a", "x"), attribute("b", "x"), "sigmas", 3), results);
  CHECK_FALSE(far.holds);
  CHECK(far.difference->value() == Approx(2));
  CHECK(*far.difference->sigma() == Approx(0.5));
  CHECK(*far.distance == Approx(4));
  CHECK(judge(expect(attribute("a", "x"), attribute("b", "x"), "sigmas", 4.01), results).holds);
}

TEST_CASE("expect in sigmas between exact numbers holds only when they are equal", "[inline_tasks]") {
  const FakeResults results = three_results();
  const Verdict unequal = judge(expect(attribute("d", "x"), constant(2.999999), "sigmas", 3), results);
  CHECK_FALSE(unequal.holds);
  CHECK(unequal.message.find("error bar") != std::string::npos);
  CHECK(judge(expect(attribute("d", "x"), constant(3), "sigmas", 3), results).holds);
}

TEST_CASE("expect by tolerance and by fraction looks at values alone", "[inline_tasks]") {
  const FakeResults results = three_results();
  CHECK(judge(expect(attribute("a", "x"), constant(4.04), "tolerance", 0.05), results).holds);
  CHECK_FALSE(judge(expect(attribute("a", "x"), constant(4.06), "tolerance", 0.05), results).holds);
  CHECK(judge(expect(attribute("a", "x"), constant(-4.1), "relative", 0.01), results).holds == false);
  CHECK(judge(expect(op("negate", {attribute("a", "x")}), constant(-4.03), "relative", 0.01), results).holds);
}

TEST_CASE("no check holds for a difference that is not a number", "[inline_tasks]") {
  FakeResults results = three_results();
  results.single["a.x"].value = std::numeric_limits<double>::quiet_NaN();
  for (const char* criterion : {"sigmas", "tolerance", "relative"}) {
    CHECK_FALSE(judge(expect(attribute("a", "x"), constant(1), criterion, 1e9), results).holds);
  }
}

TEST_CASE("a require that does not hold says what its author wrote", "[inline_tasks]") {
  plan::CheckSpec check;
  check.kind = "require";
  check.arguments = Map{{"condition", op("greater", {attribute("a", "x"), constant(5)})}, {"message", "too small"}};
  const Verdict verdict = judge(check, three_results());
  CHECK_FALSE(verdict.holds);
  CHECK(verdict.message == "too small");
}

TEST_CASE("a curve through results takes a value where its polynomial does, with the errors of its points", "[inline_tasks]") {
  FakeResults results;
  const auto cubic = [](double x) { return 2 + 3 * x - 0.5 * x * x + 0.1 * x * x * x; };
  List x, y, reversed_x, reversed_y;
  for (int i = 0; i < 5; ++i) {
    const std::string role = "p" + std::to_string(i);
    results.single[role + ".y"] = {"y", cubic(i), 0.01 * (i + 1), "eV", {}, ""};
    x.push_back(constant(i));
    y.push_back(attribute(role.c_str(), "y"));
  }
  reversed_x.assign(x.rbegin(), x.rend());
  reversed_y.assign(y.rbegin(), y.rend());
  const auto at = [&](double level) { return Value(Map{{"op", "const"}, {"value", level}, {"unit", "eV"}}); };
  const Estimate root = evaluate(call("crossing", {list(x), list(y), at(cubic(1.3))}), results).estimate();
  CHECK(root.value() == Approx(1.3).epsilon(1e-12));
  CHECK(root.unit().empty());
  // By the four points around it, moved one after the other.
  double variance = 0;
  for (int k = 0; k < 4; ++k) {
    const std::string name = "p" + std::to_string(k) + ".y";
    const double middle = results.single[name].value, step = 1e-5;
    const auto moved = [&](double to) {
      results.single[name].value = to;
      return evaluate(call("crossing", {list(x), list(y), at(cubic(1.3))}), results).estimate().value();
    };
    variance += std::pow((moved(middle + step) - moved(middle - step)) / (2 * step) * 0.01 * (k + 1), 2);
    results.single[name].value = middle;
  }
  CHECK(*root.sigma() == Approx(std::sqrt(variance)).epsilon(1e-6));
  CHECK(evaluate(call("crossing", {list(reversed_x), list(reversed_y), at(cubic(1.3))}), results).estimate().value() == root.value());
  CHECK(evaluate(call("crossing", {list({x[0], x[1]}), list({y[0], y[1]}), at(3.3)}), results).estimate().value() == Approx(0.5).epsilon(1e-12));

  CHECK_THROWS_WITH(evaluate(call("crossing", {list(x), list(y), at(100)}), results), Catch::Contains("do not cross 100"));
  CHECK_THROWS_WITH(evaluate(call("crossing", {list(x), list({y[0], y[3], y[1], y[4], y[2]}), at(5.5)}), results), Catch::Contains("3 times"));
  CHECK_THROWS_WITH(evaluate(call("crossing", {list({x[0], x[0]}), list({y[0], y[1]}), at(3)}), results), Catch::Contains("two points at 0"));
  CHECK_THROWS_WITH(evaluate(call("crossing", {list({x[0]}), list({y[0], y[1]}), at(3)}), results), Catch::Contains("1 abscissae for 2 values"));
  CHECK_THROWS_AS(evaluate(call("crossing", {list(x), list(y), constant(3)}), results), InputError);  // eV and a pure number
}

TEST_CASE("a verdict is JSON that reads back", "[inline_tasks]") {
  const Value value = to_value(judge(expect(attribute("a", "x"), attribute("b", "x"), "sigmas", 3), three_results()));
  CHECK(schema::parse_json(schema::to_json(value)) == value);
  CHECK(value.at("difference").at("sigma").as_double() == Approx(0.5));
}

TEST_CASE("a table keeps the order of rows and columns", "[inline_tasks]") {
  const Value arguments =
      Map{{"indices", List{"n"}},
          {"columns", List{Map{{"name", "x"}, {"unit", nullptr}, {"digits", "auto"}},
                           Map{{"name", "y"}, {"unit", nullptr}, {"digits", 2}}}},
          {"rows", List{Map{{"index", Map{{"n", 216}}}, {"cells", List{attribute("a", "x"), constant(1)}}},
                        Map{{"index", Map{{"n", 64}}}, {"cells", List{attribute("b", "x"), constant(2)}}}}}};
  const Value table = make_table(arguments, three_results());
  CHECK(table.at("rows").as_list()[0].at("index").at("n") == Value(216));
  CHECK(table.at("rows").as_list()[1].at("cells").as_list()[0].at("value").as_double() == 2.0);
  CHECK(table.at("rows").as_list()[1].at("cells").as_list()[0].at("sigma").as_double() == 0.4);
}

TEST_CASE("a table names the cell that cannot be computed", "[inline_tasks]") {
  const Value arguments =
      Map{{"indices", List{"n"}},
          {"columns", List{Map{{"name", "ratio"}}}},
          {"rows", List{Map{{"index", Map{{"n", 64}}}, {"cells", List{op("divide", {constant(1), constant(0)})}}}}}};
  CHECK_THROWS_WITH(make_table(arguments, three_results()), Catch::Contains("ratio") && Catch::Contains("64"));
}

TEST_CASE("a curve brings its own abscissa", "[inline_tasks]") {
  FakeResults results = three_results();
  results.curves["g"] = {{1, 2, 3}, {0, 5, 1}, "angstrom", ""};
  const Value arguments =
      Map{{"title", "RDF"},
          {"series",
           List{Map{
               {"name", "flow"}, {"label", nullptr}, {"style", nullptr}, {"y", Map{{"op", "curve"}, {"task", "g"}}}}}}};
  const Value series = make_figure(arguments, results).at("series").as_list()[0];
  CHECK(series.at("x") == Value(List{1.0, 2.0, 3.0}));
  CHECK(series.at("y") == Value(List{0.0, 5.0, 1.0}));
  CHECK(series.at("label").as_string() == "flow");
  CHECK(series.at("style").as_string() == "line");
}

TEST_CASE("a task of several curves is drawn by their names", "[inline_tasks]") {
  FakeResults results = three_results();
  results.curves["f.work_forward"] = {{1, 2}, {0.5, 0.5}, "kT", "", "work", "density"};
  results.curves["f.work_reverse"] = {{1, 2}, {0.1, 0.9}, "kT", "", "work", "density"};
  const auto series = [](const char* name) {
    return Value(Map{{"name", name}, {"y", Map{{"op", "curve"}, {"task", "f"}, {"name", name}}}});
  };
  const Value figure = make_figure(Map{{"xlabel", nullptr}, {"ylabel", nullptr}, {"series", List{series("work_forward"), series("work_reverse")}}}, results);
  CHECK(figure.at("series").as_list()[0].at("y") == Value(List{0.5, 0.5}));
  CHECK(figure.at("series").as_list()[1].at("y") == Value(List{0.1, 0.9}));
  CHECK(figure.at("xlabel").as_string() == "work (kT)");
}

TEST_CASE("numbers of a family become one series with error bars, two indices two series", "[inline_tasks]") {
  const auto point = [](const char* name, double x, const char* role) {
    return Value(Map{{"name", name},
                     {"label", "BAR"},
                     {"style", nullptr},
                     {"x", constant(x)},
                     {"y", attribute(role, "x")},
                     {"yerr", "auto"}});
  };
  const Value arguments = Map{{"series", List{point("F[ic,64]", 64, "a"), point("F[ic,216]", 216, "b"),
                                              point("F[ih,64]", 64, "b"), point("F[ih,216]", 216, "d")}}};
  const List series = make_figure(arguments, three_results()).at("series").as_list();
  REQUIRE(series.size() == 2);
  CHECK(series[0].at("label").as_string() == "BAR, ic");
  CHECK(series[0].at("x") == Value(List{64.0, 216.0}));
  CHECK(series[0].at("yerr") == Value(List{0.3, 0.4}));
  CHECK(series[1].at("label").as_string() == "BAR, ih");
  CHECK(series[1].at("yerr") == Value(List{0.4, nullptr}));
}

TEST_CASE("numbers of a family become one series where x falls, too", "[inline_tasks]") {
  const auto point = [](const char* name, double x, const char* role) {
    return Value(Map{{"name", name}, {"label", name}, {"x", constant(x)}, {"y", attribute(role, "x")}});
  };
  const Value arguments = Map{{"series", List{point("F[ic,64]", 1.0 / 64, "a"), point("F[ic,216]", 1.0 / 216, "b"), point("F[ih,64]", 1.0 / 64, "b"), point("F[ih,216]", 1.0 / 216, "d")}}};
  const List series = make_figure(arguments, three_results()).at("series").as_list();
  REQUIRE(series.size() == 2);
  CHECK(series[0].at("label").as_string() == "F, ic");
  CHECK(series[1].at("x") == Value(List{1.0 / 64, 1.0 / 216}));
}

TEST_CASE("a curve has the errors that its task knows, and a band where it is asked for", "[inline_tasks]") {
  FakeResults results = three_results();
  results.curves["g"] = {{1, 2, 3}, {0, 5, 1}, "angstrom", "", "r", "g(r)", {0.1, 0.2, std::nan("")}};
  Map source{{"name", "flow"}, {"y", Map{{"op", "curve"}, {"task", "g"}}}, {"yerr", "auto"}, {"band", true}};
  const auto drawn = [&] { return make_figure(Map{{"series", List{source}}}, results).at("series").as_list()[0]; };
  CHECK(drawn().at("yerr") == Value(List{0.1, 0.2, nullptr}));
  CHECK(drawn().at("band").as_bool());
  source["yerr"] = list({constant(3), constant(4), constant(5)});
  source["band"] = false;
  CHECK(drawn().at("yerr") == Value(List{3.0, 4.0, 5.0}));
  CHECK_FALSE(drawn().has("band"));
}

TEST_CASE("errors of abscissae are drawn, exact ones have none", "[inline_tasks]") {
  const auto drawn = [](Value x) {
    const Map source{{"name", "line"}, {"x", std::move(x)}, {"y", list({constant(300), constant(600)})}};
    return make_figure(Map{{"series", List{source}}}, three_results()).at("series").as_list()[0];
  };
  CHECK(drawn(list({attribute("a", "x"), attribute("b", "x")})).at("xerr") == Value(List{0.3, 0.4}));
  CHECK_FALSE(drawn(list({constant(1), constant(2)})).has("xerr"));
  CHECK_FALSE(drawn(list({attribute("a", "x"), attribute("b", "x")})).has("yerr"));
}

TEST_CASE("a plane is words on a grid, and nothing else can fill a figure", "[inline_tasks]") {
  FakeResults results = three_results();
  results.fields["pt.stable"] = {{1, 2}, {100, 200, 300}, "GPa", "K", "P", "T", {"diamond", "beta_tin"}, {0, 1, 0, 1, 0, -1}};
  const auto filled = [&](Value fill) { return make_figure(Map{{"xlabel", nullptr}, {"ylabel", nullptr}, {"series", List{Map{{"name", "domain"}, {"fill", std::move(fill)}}}}}, results); };
  const Value figure = filled(Map{{"op", "field"}, {"task", "pt"}, {"name", "stable"}});
  const Value series = figure.at("series").as_list()[0];
  CHECK(series.at("style").as_string() == "fill");
  CHECK(series.at("x") == Value(List{1.0, 2.0}));
  CHECK(series.at("y") == Value(List{100.0, 200.0, 300.0}));
  CHECK(series.at("words") == Value(List{"diamond", "beta_tin"}));
  CHECK(series.at("places").as_list().size() == 6);
  CHECK(figure.at("xlabel").as_string() == "P (GPa)");
  CHECK(figure.at("ylabel").as_string() == "T (K)");
  CHECK_THROWS_WITH(filled(attribute("a", "x")), Catch::Contains("series `domain`: `fill` needs what has a value at each place of a plane"));
}

TEST_CASE("a figure of numbers that are not finite is JSON with gaps", "[inline_tasks]") {
  FakeResults results;
  results.single["a.x"] = {"x", std::nan(""), std::nan(""), "kT", 100, ""};
  results.curves["r"] = {{1, 2}, {0.5, INFINITY}, "angstrom", ""};
  const Value arguments =
      Map{{"series", List{Map{{"name", "F"}, {"x", constant(64)}, {"y", attribute("a", "x")}},
                          Map{{"name", "g"}, {"y", Map{{"op", "curve"}, {"task", "r"}}}}}}};
  const List series = schema::parse_json(schema::to_json(make_figure(arguments, results))).at("series").as_list();
  CHECK(series.at(0).at("y").as_list().at(0).is_none());
  CHECK(series.at(0).at("yerr").as_list().at(0).is_none());
  CHECK(series.at(1).at("y") == Value(List{0.5, nullptr}));
}

TEST_CASE("a series whose x and y differ in length is told by its name", "[inline_tasks]") {
  const Value arguments =
      Map{{"series", List{Map{{"name", "odd"}, {"x", list({constant(1), constant(2)})}, {"y", list({constant(1)})}}}}};
  CHECK_THROWS_WITH(make_figure(arguments, three_results()), Catch::Contains("odd"));
}
