#include "compiler/units/unit_expression.h"

#include <algorithm>

#include "compiler/units/unit_table.h"
#include "tests/support/catch.h"

using namespace bgw::units;

namespace {

struct Conversion {
  const char* text;
  double base_value;  // angstrom, eV, fs, K, rad, byte; worked out from the definitions of the SI and CODATA 2018 in 60 decimal digits
};

const Conversion kConversions[] = {
    {"1 K", 1.00000000000000000000e+0},
    {"1 mK", 1.00000000000000000000e-3},
    {"1 eV", 1.00000000000000000000e+0},
    {"1 meV", 1.00000000000000000000e-3},
    {"1 Ha", 2.72113862459880000000e+1},
    {"1 Ry", 1.36056931229940000000e+1},
    {"1 kcal", 2.61144739675438307509e+22},
    {"1 kJ", 6.24150907446076260778e+21},
    {"1 cal", 2.61144739675438307509e+19},
    {"1 J", 6.24150907446076260778e+18},
    {"1 mol", 6.02214076000000000000e+23},
    {"1 angstrom", 1.00000000000000000000e+0},
    {"1 nm", 1.00000000000000000000e+1},
    {"1 pm", 1.00000000000000000000e-2},
    {"1 cm", 1.00000000000000000000e+8},
    {"1 bohr", 5.29177210903000000000e-1},
    {"1 Pa", 6.24150907446076260778e-12},
    {"1 kPa", 6.24150907446076260778e-9},
    {"1 MPa", 6.24150907446076260778e-6},
    {"1 GPa", 6.24150907446076260778e-3},
    {"1 bar", 6.24150907446076260778e-7},
    {"1 kbar", 6.24150907446076260778e-4},
    {"1 atm", 6.32420906969736771233e-7},
    {"1 fs", 1.00000000000000000000e+0},
    {"1 ps", 1.00000000000000000000e+3},
    {"1 ns", 1.00000000000000000000e+6},
    {"1 us", 1.00000000000000000000e+9},
    {"1 ms", 1.00000000000000000000e+12},
    {"1 s", 1.00000000000000000000e+15},
    {"1 min", 6.00000000000000000000e+16},
    {"1 h", 3.60000000000000000000e+18},
    {"1 day", 8.64000000000000000000e+19},
    {"1 week", 6.04800000000000000000e+20},
    {"1 g", 6.24150907446076260778e+25},
    {"1 kg", 6.24150907446076260778e+28},
    {"1 u", 1.03642696526805046390e+2},
    {"1 B", 1.00000000000000000000e+0},
    {"1 KB", 1.00000000000000000000e+3},
    {"1 MB", 1.00000000000000000000e+6},
    {"1 GB", 1.00000000000000000000e+9},
    {"1 TB", 1.00000000000000000000e+12},
    {"1 KiB", 1.02400000000000000000e+3},
    {"1 MiB", 1.04857600000000000000e+6},
    {"1 GiB", 1.07374182400000000000e+9},
    {"1 TiB", 1.09951162777600000000e+12},
    {"1 deg", 1.74532925199432957692e-2},
    {"1 rad", 1.00000000000000000000e+0},
    {"1 percent", 1.00000000000000000000e-2},
    {"1 kB", 8.61733326214517743366e-5},
    {"1 NA", 6.02214076000000000000e+23},
    {"1 h_planck", 4.13566769692385864616e+0},
    {"1 kcal/mol", 4.33641042418009351727e-2},
    {"1 kJ/mol", 1.03642696562621737984e-2},
    {"6.189 kcal/mol", 2.68380441152505987784e-1},
    {"50.003 kcal/mol", 2.16833530440277216144e+0},
    {"18.015 g/mol", 1.86712317857563060979e+3},
    {"28.085 g/mol", 2.91080513296123151129e+3},
    {"0.917 g/cm^3", 5.72346382128051931133e+1},
    {"1 g/mol/angstrom^3", 1.03642696562621737984e+2},
    {"2.33 g/mol/nm^3", 2.41487482990908649504e-1},
    {"0.0336 /angstrom^3", 3.36000000000000000000e-2},
    {"33.6 /nm^3", 3.36000000000000000000e-2},
    {"0.15 /bohr^3", 1.01225017419005596300e+0},
    {"5 kcal/mol/angstrom^2", 2.16820521209004675863e-1},
    {"2 kJ/mol/nm^2", 2.07285393125243475969e-4},
    {"1 kcal/mol/angstrom", 4.33641042418009351727e-2},
    {"1 eV/angstrom", 1.00000000000000000000e+0},
    {"1 eV/bohr", 1.88972612462577008837e+0},
    {"1 eV/bohr^2", 3.57106482609313154360e+0},
    {"1 Ha/bohr", 5.14220674763258853662e+1},
    {"1 Ha/bohr^3", 1.83631536449694973464e+2},
    {"160 GPa", 9.98641451913722017244e-1},
    {"1 eV/angstrom^3", 1.00000000000000000000e+0},
    {"1 GPa*angstrom^3", 6.24150907446076260778e-3},
    {"1 bar*nm^3", 6.24150907446076260778e-4},
    {"1 /ps", 1.00000000000000000000e-3},
    {"0.5 /fs", 5.00000000000000000000e-1},
    {"2 angstrom/ps", 2.00000000000000000000e-3},
    {"1 nm/ns", 1.00000000000000000000e-5},
    {"1 cm/s", 1.00000000000000000000e-7},
    {"1 angstrom/fs", 1.00000000000000000000e+0},
    {"200 K*kB", 1.72346665242903548673e-2},
    {"1 kB*K/eV", 8.61733326214517743366e-5},
    {"1 h_planck/ps", 4.13566769692385864616e-3},
    {"3 J/mol/K", 3.10928089687865213953e-5},
    {"1 u*angstrom^2/fs^2", 1.03642696526805046390e+2},
    {"1 kg/mol", 1.03642696562621737984e+5},
    {"180 deg", 3.14159265358979323846e+0},
    {"5 percent", 5.00000000000000000000e-2},
    {"4 ns", 4.00000000000000000000e+6},
    {"24 GB", 2.40000000000000000000e+10},
    {"7 deg/ps", 1.22173047639603070385e-4},
};

Dimension dimension_of(const char* text) { return parse_quantity(text).dimension; }

}  // namespace

TEST_CASE("units convert as CODATA 2018 says", "[units]") {
  for (const Conversion& conversion : kConversions) {
    INFO(conversion.text);
    CHECK(parse_quantity(conversion.text).value == Approx(conversion.base_value).epsilon(1e-12).margin(0));
  }
}

TEST_CASE("every unit is among the conversions", "[units]") {
  for (const std::string& name : unit_names()) {
    INFO(name);
    CHECK((name == "lj" || std::any_of(std::begin(kConversions), std::end(kConversions), [&](const Conversion& conversion) {
             return conversion.text == "1 " + name;
           })));
  }
}

TEST_CASE("a value in base units is said in base units", "[units]") {
  for (const std::string& name : unit_names()) {
    const Quantity unit = *find_unit(name);
    INFO(name);
    if (unit.dimension.is_dimensionless()) {
      CHECK(base_unit(unit.dimension).empty());
    } else {
      CHECK(parse_quantity(base_unit(unit.dimension)).value == 1);
      CHECK(dimension_of(base_unit(unit.dimension).c_str()) == unit.dimension);
    }
  }
  CHECK(base_unit(*find_dimension("pressure")) == "eV/angstrom^3");
  CHECK(usual_unit_of("duration") == "s");
  CHECK(usual_unit_of("colour").empty());
}

TEST_CASE("a value said in a unit reads back to itself", "[units]") {
  for (const char* unit : {"kcal/mol", "g/mol", "/angstrom^3", "GPa", "ps", "bohr", "kcal/mol/angstrom^2", "K", "GiB"}) {
    INFO(unit);
    for (const double value : {1.0, 0.26838, -3.75e-4, 6.02e7}) {
      CHECK(parse_quantity(format_in_unit(value, unit)).value == Approx(value).epsilon(1e-14).margin(0));
    }
  }
  CHECK(format_in_unit(parse_quantity("6.189 kcal/mol").value, "kcal/mol") == "6.189 kcal/mol");
}

TEST_CASE("every named dimension is found again by its name and by its usual unit", "[units]") {
  for (const std::string& name : dimension_names()) {
    INFO(name);
    const auto dimension = find_dimension(name);
    REQUIRE(dimension);
    CHECK(find_dimension(dimension_name(*dimension)) == dimension);
    const std::string unit = usual_unit(*dimension);
    if (!unit.empty()) CHECK(dimension_of(unit.c_str()) == *dimension);
  }
  CHECK_FALSE(find_dimension("colour"));
}

TEST_CASE("a mole is a count, so energies per mole are energies", "[units]") {
  CHECK(dimension_of("kcal/mol") == *find_dimension("energy"));
  CHECK(dimension_of("g/mol") == *find_dimension("mass"));
  CHECK(dimension_of("kB*K") == *find_dimension("energy"));
  CHECK(dimension_of("u*angstrom^2/fs^2") == *find_dimension("energy"));
  CHECK(dimension_of("GPa") == *find_dimension("pressure"));
  CHECK(dimension_of("GPa*angstrom^3") == *find_dimension("energy"));
}

TEST_CASE("temperature and energy are two dimensions, and the energy tells its temperature", "[units]") {
  CHECK_FALSE(dimension_of("K") == dimension_of("eV"));
  CHECK(energy_as_temperature(parse_quantity("0.4 kcal/mol").value, "0.4 kcal/mol") == "0.4 kcal/mol is kB × 201.3 K");
  CHECK_THROWS_AS(parse_quantity("1 K") + parse_quantity("1 eV"), std::invalid_argument);
}

TEST_CASE("dimensions are said in words", "[units]") {
  CHECK(dimension_phrase(*find_dimension("temperature")) == "a temperature");
  CHECK(dimension_phrase(*find_dimension("energy")) == "an energy");
  CHECK(dimension_phrase({}) == "a pure number");
  CHECK(dimension_name({.length = -4, .energy = 1}) == "energy/length^4");
  CHECK(usual_unit(*find_dimension("density")) == "/angstrom^3");
  CHECK(usual_unit(*find_dimension("temperature")) == "K");
}

TEST_CASE("reduced units stay marked through arithmetic", "[units]") {
  const Quantity two = parse_quantity("2.0 lj");
  CHECK(two.reduced);
  CHECK((two * parse_quantity("3")).reduced);
  CHECK_FALSE(parse_quantity("3 K").reduced);
}

TEST_CASE("a text that is no quantity is told which part is not understood", "[units]") {
  const auto complaint = [](const char* text) -> std::string {
    try {
      parse_quantity(text);
    } catch (const std::invalid_argument& error) {
      return error.what();
    }
    return "";
  };
  CHECK(complaint("5 kcl/mol") == "no unit `kcl`; did you mean `kcal`?");
  for (const char* text : {"", "/", "5 K K", "5 K^", "5 K^x", "--3 K", "1e999 K", "5 K)", "\xff"}) {
    INFO(text);
    CHECK_FALSE(complaint(text).empty());
  }
}
