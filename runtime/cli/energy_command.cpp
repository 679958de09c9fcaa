#include <fmt/format.h>

#include "compiler/source/read_source.h"
#include "compiler/units/unit_expression.h"
#include "runtime/cli/commands.h"
#include "runtime/cli/failure.h"
#include "runtime/cli/json_output.h"
#include "runtime/cli/task_program.h"
#include "runtime/crystal/structure.h"
#include "runtime/foundation/errors.h"
#include "runtime/store/durable_file.h"
#include "runtime/store/temporary_file.h"

namespace bgw::cli {
namespace {

using schema::List;
using schema::Map;
using schema::Value;

struct System {
  std::string name;
  Value value;
  std::string energy_unit;
};

System find_system(const lowering::Program& program, const std::string& name) {
  const lowering::Found found = lowering::find_instances(program, name);
  if (!found.problem.empty()) throw CommandFailure(kWrongProgram, found.problem);
  std::vector<std::string> systems;
  for (const std::string& value : found.values) {
    if (program.values.at(value).is_map() && program.values.at(value).has("potential")) systems.push_back(value);
  }
  if (systems.empty())
    throw CommandFailure(kWrongProgram,
                         fmt::format("`{}` is no system: `bgw energy` needs one, `bgw list {} ` names all blocks", name,
                                     program.plan.program));
  // Members of a family differ in their lattice, which the structure replaces; the potential has to be the same.
  const Value& first = program.values.at(systems.front());
  for (const std::string& other : systems) {
    if (program.values.at(other).at("potential") != first.at("potential")) {
      throw CommandFailure(
          kWrongProgram, fmt::format("the members of `{}` have different potentials: name one, for instance '{}'", name,
                                     systems.front()));
    }
  }
  System system{systems.front(), first, "eV"};
  if (const auto shown = program.presentations.find(systems.front()); shown != program.presentations.end()) {
    const std::string unit = shown->second.string_or("energy_unit", "");
    if (!unit.empty()) system.energy_unit = unit;
  }
  return system;
}

List rows_of(const std::vector<std::array<double, 3>>& vectors) {
  List rows;
  for (const std::array<double, 3>& v : vectors) rows.push_back(List{v[0], v[1], v[2]});
  return rows;
}

Value ask_task_program(const Value& question) {
  const store::TemporaryFile request;
  const store::TemporaryFile answer;
  request.write(schema::to_json(question));
  const std::filesystem::path program = find_task_program();
  const int status = run_task_program(program, {"energy", request.path().string()}, answer.descriptor());
  if (status == 127) throw StoreError(fmt::format("cannot start {}", program.string()));
  if (status == kWrongProgram) throw CommandFailure(kWrongProgram, "");  // it has told why
  if (status != 0)
    throw CommandFailure(kTaskFailed, fmt::format("the energy could not be computed: bgw-task ended with {}", status));
  return schema::parse_json(store::read_bytes(answer.path()));
}

// One reduced energy and length are epsilon and sigma.
struct Scale {
  double energy = 1;
  std::string energy_unit = "eV";
  double length = 1;
  std::string length_unit = "angstrom";
};

Scale scale_of(const System& system) {
  const Value& potential = system.value.at("potential");
  if (!potential.has("epsilon")) return {};  // springs have no scales
  if (system.energy_unit != "lj")
    return {units::parse_quantity(system.energy_unit).value, system.energy_unit, 1, "angstrom"};
  return {potential.at("epsilon").as_double(), "lj", potential.at("sigma").as_double(), "lj"};
}

crystal::Structure read_structure(const std::string& file) {
  std::string problem;
  const auto text = source::read_named_file(file, problem);
  if (!text) throw CommandFailure(kWrongUse, problem);
  return crystal::parse_structure(*text, file);
}

/// A system that names its species takes no others.
void expect_species(const System& system, const crystal::Structure& structure, const std::string& file) {
  const std::string wanted = system.value.string_or("species", "");
  for (const std::string& found : structure.kinds()) {
    if (wanted.empty() || found == wanted || found == crystal::kUnnamed) continue;
    throw InputError(fmt::format("{} has atoms of {}, system `{}` is made of {}", file, found, system.name, wanted));
  }
}

void scale_lengths(crystal::Structure& structure, double factor) {
  for (auto& vector : structure.cell) {
    for (double& x : vector) x *= factor;
  }
  for (auto& position : structure.positions) {
    for (double& x : position) x *= factor;
  }
}

Value question_for(const std::vector<crystal::Structure>& structures, const System& system,
                   const EnergyOptions& options) {
  List asked;
  for (const crystal::Structure& structure : structures) {
    asked.push_back(Map{{"cell", rows_of({structure.cell.begin(), structure.cell.end()})},
                        {"positions", rows_of(structure.positions)}});
  }
  return Map{{"system", system.value},
             {"structures", std::move(asked)},
             {"forces", options.forces},
             {"stress", options.stress}};
}

List scaled_rows(const Value& rows, double factor) {
  List result;
  for (const Value& row : rows.as_list()) {
    List scaled;
    for (const Value& component : row.as_list()) scaled.push_back(component.as_double() * factor);
    result.push_back(std::move(scaled));
  }
  return result;
}

/// The numbers of one structure, in the units of the potential.
Map numbers_of(const Value& answer, const crystal::Structure& structure, const Scale& scale,
               const EnergyOptions& options) {
  Map map{{"atoms", static_cast<std::int64_t>(structure.positions.size())},
          {"energy", answer.at("energy").as_double() / scale.energy}};
  if (options.forces) map["forces"] = scaled_rows(answer.at("forces"), scale.length / scale.energy);
  const double volume = scale.length * scale.length * scale.length;
  if (options.stress) map["stress"] = scaled_rows(answer.at("stress"), volume / scale.energy);
  return map;
}

void print_rows(const Value& rows) {
  for (const Value& row : rows.as_list()) {
    const List& f = row.as_list();
    fmt::print("{:22.14e} {:22.14e} {:22.14e}\n", f[0].as_double(), f[1].as_double(), f[2].as_double());
  }
}

void print_numbers(const Map& numbers, const Scale& scale) {
  fmt::print("energy {:.15g} {}\n", numbers.at("energy").as_double(), scale.energy_unit);
  if (const auto forces = numbers.find("forces"); forces != numbers.end()) {
    fmt::print("forces / {}/{}\n", scale.energy_unit, scale.length_unit);
    print_rows(forces->second);
  }
  if (const auto stress = numbers.find("stress"); stress != numbers.end()) {
    fmt::print("stress / {}/{}^3\n", scale.energy_unit, scale.length_unit);
    print_rows(stress->second);
  }
}

}  // namespace

int energy(const EnergyOptions& options) {
  const LoadedProgram loaded = load_program(options);
  const System system = find_system(loaded.program, options.system);
  const Scale scale = scale_of(system);
  std::vector<crystal::Structure> structures;
  for (const std::string& file : options.structures) {
    structures.push_back(read_structure(file));
    expect_species(system, structures.back(), file);
    scale_lengths(structures.back(), scale.length);
  }
  const Value answer = ask_task_program(question_for(structures, system, options));
  List results;
  for (std::size_t i = 0; i < structures.size(); ++i) {
    Map numbers = numbers_of(answer.at("structures").as_list().at(i), structures[i], scale, options);
    if (structures.size() > 1) numbers["file"] = options.structures[i];
    results.push_back(std::move(numbers));
  }
  if (options.json) {
    Map document = structures.size() > 1 ? Map{{"structures", std::move(results)}} : results.at(0).as_map();
    document.merge(
        Map{{"system", system.name}, {"energy_unit", scale.energy_unit}, {"length_unit", scale.length_unit}});
    put_document(document);
    return kDone;
  }
  for (const Value& numbers : results) {
    if (numbers.has("file")) fmt::print("{}\n", numbers.at("file").as_string());
    print_numbers(numbers.as_map(), scale);
  }
  return kDone;
}

}  // namespace bgw::cli
