#include "compiler/units/unit_expression.h"

#include "compiler/units/unit_table.h"
#include "tests/support/catch.h"

using namespace bgw::units;

namespace {

struct Conversion {
  const char* text;
  double base_value;  // angstrom, eV, fs, K, rad, byte; worked out from CODATA 2018 in 40 decimal digits
};

const Conversion kConversions[] = {
    {"1 eV", 1.00000000000000000e+00},
    {"1 meV", 1.00000000000000002e-03},
    {"1 J", 6.24150907446076211e+18},
    {"1 cal", 2.61144739675438326e+19},
    {"1 Ha", 2.72113862459879989e+01},
    {"1 Ry", 1.36056931229939995e+01},
    {"1 kcal/mol", 4.33641042418009340e-02},
    {"1 kJ/mol", 1.03642696562621737e-02},
    {"6.189 kcal/mol", 2.68380441152505977e-01},
    {"50.003 kcal/mol", 2.16833530440277222e+00},
    {"1 angstrom", 1.00000000000000000e+00},
    {"1 nm", 1.00000000000000000e+01},
    {"1 pm", 1.00000000000000002e-02},
    {"1 bohr", 5.29177210902999962e-01},
    {"1 Pa", 6.24150907446076265e-12},
    {"1 kPa", 6.24150907446076262e-09},
    {"1 MPa", 6.24150907446076302e-06},
    {"1 GPa", 6.24150907446076233e-03},
    {"1 bar", 6.24150907446076238e-07},
    {"1 kbar", 6.24150907446076255e-04},
    {"1 atm", 6.32420906969736786e-07},
    {"1 fs", 1.00000000000000000e+00},
    {"1 ps", 1.00000000000000000e+03},
    {"4 ns", 4.00000000000000000e+06},
    {"1 us", 1.00000000000000000e+09},
    {"1 ms", 1.00000000000000000e+12},
    {"1 s", 1.00000000000000000e+15},
    {"5 min", 3.00000000000000000e+17},
    {"2 h", 7.20000000000000000e+18},
    {"1 day", 8.64000000000000000e+19},
    {"1 week", 6.04800000000000000e+20},
    {"1 kg", 6.24150907446076279e+28},
    {"1 g", 6.24150907446076236e+25},
    {"1 u", 1.03642696526805040e+02},
    {"18.015 g/mol", 1.86712317857563062e+03},
    {"28.085 g/mol", 2.91080513296123172e+03},
    {"200 K", 2.00000000000000000e+02},
    {"5 mK", 5.00000000000000010e-03},
    {"1 kB", 8.61733326214517744e-05},
    {"200 K*kB", 1.72346665242903534e-02},
    {"1 h_planck", 4.13566769692385883e+00},
    {"1 NA", 6.02214075999999987e+23},
    {"1 mol", 6.02214075999999987e+23},
    {"180 deg", 3.14159265358979312e+00},
    {"2 rad", 2.00000000000000000e+00},
    {"5 percent", 5.00000000000000028e-02},
    {"1 B", 1.00000000000000000e+00},
    {"24 GB", 2.40000000000000000e+10},
    {"3 KB", 3.00000000000000000e+03},
    {"2 MB", 2.00000000000000000e+06},
    {"1 TB", 1.00000000000000000e+12},
    {"1 KiB", 1.02400000000000000e+03},
    {"1 MiB", 1.04857600000000000e+06},
    {"1 GiB", 1.07374182400000000e+09},
    {"1 TiB", 1.09951162777600000e+12},
    {"5 kcal/mol/angstrom^2", 2.16820521209004663e-01},
    {"0.0336 /angstrom^3", 3.35999999999999979e-02},
    {"1 /ps", 1.00000000000000002e-03},
    {"1 g/mol/angstrom^3", 1.03642696562621737e+02},
    {"2 angstrom/ps", 2.00000000000000004e-03},
    {"1 eV/bohr", 1.88972612462577017e+00},
    {"1 eV/bohr^2", 3.57106482609313147e+00},
};

Dimension dimension_of(const char* text) { return parse_quantity(text).dimension; }

}  // namespace

TEST_CASE("units convert as CODATA 2018 says", "[units]") {
  for (const Conversion& conversion : kConversions) {
    INFO(conversion.text);
    CHECK(parse_quantity(conversion.text).value == Approx(conversion.base_value).epsilon(1e-12).margin(0));
  }
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
