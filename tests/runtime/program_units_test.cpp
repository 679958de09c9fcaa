// Numbers of programs in reduced units are shown in them, those of others as they are.
#include "runtime/report/program_units.h"

#include "compiler/units/unit_table.h"
#include "tests/support/catch.h"

namespace {

using namespace bgw;
using schema::List;
using schema::Map;
using schema::Value;

plan::TaskSpec in_unit(const char* energy_unit) {
  plan::TaskSpec spec;
  spec.presentation = Map{{"energy_unit", energy_unit}};
  return spec;
}

/// Two tasks, the first in reduced units, and one that reads both.
plan::Plan mixed(Value arguments) {
  plan::Plan plan;
  plan.tasks = {in_unit("lj"), in_unit("kcal/mol"), in_unit("lj")};
  plan.tasks[2].arguments = std::move(arguments);
  plan.tasks[2].inputs = {{"ours", plan::Key{}, 0}, {"theirs", plan::Key{}, 1}};
  return plan;
}

Value of(const char* role) { return Map{{"op", "attribute"}, {"task", role}, {"name", "density"}}; }
Value difference(const char* a, const char* b) { return Map{{"op", "subtract"}, {"args", List{of(a), of(b)}}}; }
Value cell(double value, const char* unit) { return Map{{"value", value}, {"sigma", 0.5}, {"unit", unit}}; }

void check_cell(const Value& shown, double value, double sigma, const std::string& unit) {
  CHECK(shown.at("value").as_double() == Approx(value));
  CHECK(shown.at("sigma").as_double() == Approx(sigma));
  CHECK(shown.string_or("unit", "") == unit);
}

}  // namespace

TEST_CASE("results of a potential in reduced units are in lj, temperatures too", "[units]") {
  const plan::TaskSpec reduced = in_unit("lj"), physical = in_unit("kcal/mol");
  for (const char* unit : {"eV", "eV/angstrom^3", "/angstrom^3", "angstrom"}) {
    INFO(unit);
    const artifacts::Result shown = report::in_unit_of_program({"x", 2.0, 0.5, unit, {}, ""}, reduced);
    CHECK(shown.value == 2.0);
    CHECK(shown.unit == "lj");
  }
  const artifacts::Result warm = report::in_unit_of_program({"temperature", 600.0, 3.0, "K", {}, ""}, reduced);
  CHECK(warm.value == Approx(600.0 * units::kBoltzmann));
  CHECK(*warm.sigma == Approx(3.0 * units::kBoltzmann));
  CHECK(warm.unit == "lj");
  for (const char* unit : {"", "kT", "s"}) CHECK(report::in_unit_of_program({"x", 2.0, {}, unit, {}, ""}, reduced).unit == unit);

  CHECK(report::in_unit_of_program({"x", 0.043364104241800934, {}, "eV", {}, ""}, physical).value == Approx(1.0));
  for (const char* unit : {"K", "eV/angstrom^3", "angstrom"}) CHECK(report::in_unit_of_program({"x", 2.0, {}, unit, {}, ""}, physical).unit == unit);
}

TEST_CASE("a cell of a table is in lj where all that it comes from is, and where its column asks for no unit", "[units]") {
  const List rows{Map{{"cells", List{of("ours"), of("ours"), difference("ours", "theirs"), of("theirs"), Map{{"op", "const"}, {"value", 1.0}}}}}};
  const plan::Plan plan = mixed(Map{{"rows", rows}});
  const List columns{Map{{"name", "a"}}, Map{{"name", "b"}, {"unit", "GPa"}}, Map{{"name", "c"}}, Map{{"name", "d"}}, Map{{"name", "e"}}};
  const List kept{cell(300.0, "K"), cell(3.0, "GPa"), cell(1.0, "/angstrom^3"), cell(2.0, "eV"), cell(1.0, "eV")};
  const Value table = Map{{"columns", columns}, {"rows", List{Map{{"index", Map{}}, {"cells", kept}}}}};
  const Value shown = report::table_in_units_of_program(table, plan.tasks[2], plan);
  const List& cells = shown.at("rows").as_list()[0].at("cells").as_list();
  check_cell(cells[0], 300.0 * units::kBoltzmann, 0.5 * units::kBoltzmann, "lj");
  check_cell(cells[1], 3.0, 0.5, "GPa");
  check_cell(cells[2], 1.0, 0.5, "/angstrom^3");
  check_cell(cells[3], 2.0, 0.5, "eV");
  check_cell(cells[4], 1.0, 0.5, "eV");
  CHECK(shown.at("rows").as_list()[0].has("index"));
}

TEST_CASE("axes that a curve names are in lj where all curves of a figure are, and a program's own words stay", "[units]") {
  const Value ours = Map{{"y", Map{{"op", "curve"}, {"task", "ours"}}}}, theirs = Map{{"y", Map{{"op", "curve"}, {"task", "theirs"}}}};
  const auto shown = [&](List series, const Value& xlabel) {
    const plan::Plan plan = mixed(Map{{"series", series}, {"xlabel", xlabel}});
    const Value drawn = Map{{"x", List{100.0, nullptr}}, {"y", List{1.0, 2.0}}, {"xerr", List{1.0, 1.0}}};
    const Value figure = Map{{"xlabel", xlabel.is_none() ? Value("T (K)") : xlabel}, {"ylabel", "P (eV/angstrom^3)"}, {"series", List(series.size(), drawn)}};
    return report::figure_in_units_of_program(figure, plan.tasks[2], plan);
  };
  const Value alone = shown({ours}, {});
  CHECK(alone.at("xlabel").as_string() == "T (lj)");
  CHECK(alone.at("ylabel").as_string() == "P (lj)");
  const Value& series = alone.at("series").as_list()[0];
  CHECK(series.at("x").as_list()[0].as_double() == Approx(100.0 * units::kBoltzmann));
  CHECK(series.at("x").as_list()[1].is_none());
  CHECK(series.at("xerr").as_list()[0].as_double() == Approx(units::kBoltzmann));
  CHECK(series.at("y").as_list()[1].as_double() == 2.0);

  const Value both = shown({ours, theirs}, {});
  CHECK(both.at("xlabel").as_string() == "T (K)");
  CHECK(both.at("series").as_list()[0].at("x").as_list()[0].as_double() == 100.0);
  const Value worded = shown({ours}, "temperature (K)");
  CHECK(worded.at("xlabel").as_string() == "temperature (K)");
  CHECK(worded.at("series").as_list()[0].at("x").as_list()[0].as_double() == 100.0);
}
