#include "runtime/report/program_units.h"

#include "compiler/units/unit_expression.h"

namespace bgw::report {

artifacts::Result in_unit_of_program(artifacts::Result result, const plan::TaskSpec& spec) {
  const std::string unit = spec.presentation.is_map() ? spec.presentation.string_or("energy_unit", "") : "";
  if (result.unit != "eV" || unit.empty() || unit == "eV") return result;
  const double one = unit == "lj" ? 1.0 : units::parse_quantity(unit).value;
  result.value /= one;
  if (result.sigma) *result.sigma /= one;
  result.unit = unit;
  return result;
}

}  // namespace bgw::report
