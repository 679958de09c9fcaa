#include <cmath>
#include <limits>

#include "runtime/report/number_format.h"
#include "runtime/report/text_table.h"
#include "tests/support/catch.h"

using namespace bgw::report;

TEST_CASE("a number ends where its error begins", "[report]") {
  CHECK(format_with_error(-25.163128, 0.000063) == "-25.16313(6)");
  CHECK(format_with_error(-25.163128, 0.000143) == "-25.16313(14)");
  CHECK(format_with_error(-25.163128, 0.000063, ErrorStyle::plus_minus) == "-25.16313 ± 0.00006");
  CHECK(format_with_error(0.12, 0.3) == "0.1(3)");
  CHECK(format_with_error(12.34, 1.24) == "12.3(1.2)");
  CHECK(format_with_error(1234.5, 56) == "1234(56)");
  CHECK(format_with_error(0.00001, 0.00006) == "0.00001(6)");
}

TEST_CASE("rounding an error may carry into the next digit", "[report]") {
  CHECK(format_with_error(1.0, 0.0096) == "1.0000(96)");
  CHECK(format_with_error(1.0, 0.0999) == "1.00(10)");
  CHECK(format_with_error(5.0, 0.00299) == "5.000(3)");
  CHECK(format_with_error(5.0, 0.99) == "5.00(99)");
}

TEST_CASE("no error, an error of zero and a broken error look different", "[report]") {
  CHECK(format_with_error(-25.0, std::nullopt) == "-25");
  CHECK(format_with_error(0.5, 0.0) == "0.5(0)");
  CHECK(format_with_error(0.5, std::nan("")) == "0.5(?)");
  CHECK(format_with_error(std::nan(""), 0.1) == "nan(?)");
  CHECK(format_without_error(0.8852795) == "0.8853");
  CHECK(format_without_error(-25.163112) == "-25.16311");
  CHECK(format_number(-std::numeric_limits<double>::infinity()) == "-inf");
}

TEST_CASE("very small and very large numbers get one exponent for number and error", "[report]") {
  CHECK(format_with_error(1.6021766e-19, 4e-22) == "1.602(4)e-19");
  CHECK(format_with_error(3.5e9, 2e6) == "3.500(2)e+09");
  CHECK(format_with_error(3.5e9, 2e6, ErrorStyle::plus_minus) == "(3.500 ± 0.002)e+09");
}

TEST_CASE("a fixed count of digits leaves the error visible", "[report]") {
  CHECK(format_fixed(-25.163128, 0.00006, 3) == "-25.163 ± 6e-05");
  CHECK(format_fixed(-25.163128, std::nullopt, 2) == "-25.16");
}

TEST_CASE("counts and durations are written for people", "[report]") {
  CHECK(format_count(0) == "0");
  CHECK(format_count(999) == "999");
  CHECK(format_count(1000) == "1 000");
  CHECK(format_count(12500000) == "12 500 000");
  CHECK(format_duration(0.84) == "0.8 s");
  CHECK(format_duration(59.7) == "1 min 00 s");
  CHECK(format_duration(185) == "3 min 05 s");
  CHECK(format_duration(7800) == "2 h 10 min");
  CHECK(format_duration(273600) == "3 d 4 h");
}

TEST_CASE("columns stand under each other, counted in characters", "[report]") {
  const TextTable table{{{"task", false}, {"value", true}}, {{"F[64]", "-25.1"}, {"β", "7"}, {"empty"}}};
  CHECK(render(table) == "task   value\n-----  -----\nF[64]  -25.1\nβ          7\nempty\n");
  CHECK(width_of("\033[31mβ = 1\033[0m") == 5);
}
