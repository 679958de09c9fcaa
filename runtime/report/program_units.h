#pragma once

#include "compiler/plan/plan.h"
#include "runtime/artifacts/artifact.h"

// Numbers are kept in base units and shown in those of the program. A potential in reduced units stands for 1 eV and 1 angstrom, so
// that its numbers are shown as they are, with `lj` as their unit, but for temperatures, which are kept in K.
namespace bgw::report {

/// Whether a task computes with a potential that is written in reduced units.
bool is_reduced(const plan::TaskSpec& spec);

/// How words of a result that name K, GPa, eV or angstrom are read in reduced units.
std::string reduced_units_in_words();

/// Energies in the unit in which the program writes its potential; of a potential in reduced units all but units with K in a product and
/// numbers without a unit, such as a slope in GPa/K, in `lj`. Other results stay as they are.
artifacts::Result in_unit_of_program(artifacts::Result result, const plan::TaskSpec& spec);

/// A table as it is kept, with each number in `lj` where all that it comes from is in reduced units and its column asks for no unit.
schema::Value table_in_units_of_program(schema::Value table, const plan::TaskSpec& spec, const plan::Plan& plan);

/// A figure as it is kept, with the axes that its curves name in `lj` where all of them are in reduced units.
schema::Value figure_in_units_of_program(schema::Value figure, const plan::TaskSpec& spec, const plan::Plan& plan);

}  // namespace bgw::report
