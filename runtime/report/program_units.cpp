#include "runtime/report/program_units.h"

#include "compiler/units/unit_expression.h"

namespace bgw::report {

artifacts::Result in_unit_of_program(artifacts::Result result, const plan::TaskSpec& spec) {
  const std::string unit = spec.presentation.is_map() ? spec.presentation.string_or("energy_unit", "") : "";
  const bool of_energy_or_length = result.unit.find("eV") != std::string::npos || result.unit.find("angstrom") != std::string::npos;
  if (unit == "lj" && of_energy_or_length) {  // numbers of reduced programs are those of the potential throughout
    result.unit = unit;
    return result;
  }
  if (result.unit != "eV" || unit.empty() || unit == "eV") return result;
  const double one = unit == "lj" ? 1.0 : units::parse_quantity(unit).value;
  result.value /= one;
  if (result.sigma) *result.sigma /= one;
  result.unit = unit;
  return result;
}

}  // namespace bgw::report
