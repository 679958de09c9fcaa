#include <fmt/format.h>

#include <cmath>

#include "runtime/catalog/kinds.h"
#include "runtime/catalog/states.h"
#include "runtime/catalog/values.h"

namespace bgw::catalog {
namespace {

using schema::CheckContext;
using schema::KindSchema;
using schema::Map;
using schema::ResultType;
using schema::Type;
using schema::TypeKind;
using schema::Value;

/// Springs know the sites they were tied to, and no box.
void expect_box(const Map& relax, CheckContext& context) {
  const std::string& style = relax.at("system").at("potential").at("style").as_string();
  if (style != "harmonic" && style != "einstein") return;
  context.complain({"E0428", "system", fmt::format("{} needs a potential that knows its box, {} has springs of one lattice", context.block, style), {},
                    {"take stillinger_weber or lennard_jones"}});
}

bool is_right_angled(const Value& lattice) {
  const Value* cell = given(lattice, "cell");
  if (cell == nullptr) return true;
  for (std::size_t i = 0; i < 3; ++i) {
    const schema::List& row = cell->as_list()[i].as_list();
    for (std::size_t k = 0; k < 3; ++k) {
      if (k != i && std::abs(row[k].as_double()) > 1e-9 * std::abs(row[i].as_double())) return false;
    }
  }
  return true;
}

/// Boxes that stretch along x, y and z belong to right angles, and x and y alike to equal edges.
void expect_fitting_box(const Map& relax, CheckContext& context) {
  const Value& lattice = relax.at("system").at("lattice");
  const std::string& box = relax.at("box").as_string();
  if (box == "isotropic" || box == "triclinic") return;
  if (!is_right_angled(lattice)) {
    context.complain({"E0428", "box", fmt::format("`box = {}` of {} stretches along x, y and z, the cell of the lattice has other angles", box, context.block), {},
                      {"write `box = triclinic`, or `box = isotropic`"}});
    return;
  }
  const Value* b_over_a = given(lattice, "b_over_a");
  if (box != "a_eq_b" || b_over_a == nullptr || is_interval(*b_over_a) || b_over_a->as_double() == 1.0) return;
  context.complain({"E0428", "box", fmt::format("`box = a_eq_b` of {} keeps x and y alike, the lattice has b/a = {:g}", context.block, b_over_a->as_double()), {},
                    {"write `box = orthorhombic`, or leave `b_over_a` out of the lattice"}});
}

/// What displaced tries need, and what is of no use without them.
void check_tries(Map& relax, CheckContext& context) {
  const bool tries = relax.at("tries").as_int() > 0;
  if (tries && given(relax, "seed") == nullptr) {
    context.complain({"E0428", "tries", fmt::format("the tries of {} are displaced at random and need a `seed`", context.block), {}, {"write for instance `seed = 1`"}});
  }
  if (tries && relax.at("sites").as_string() == "fixed") {
    context.complain({"E0428", "sites", fmt::format("the tries of {} displace sites that `sites = fixed` holds", context.block), {}, {"write `sites = free`, or leave `tries` out"}});
  }
  for (const char* name : {"seed", "temperature"}) {
    if (tries || given(relax, name) == nullptr) continue;
    context.complain({"E0428", name, fmt::format("{} makes no tries, `{}` has no use", context.block, name), {}, {"write for instance `tries = 16`, or leave it out"}});
  }
}

void check_relax(Map& relax, CheckContext& context) {
  expect_one_state(relax, context);
  expect_box(relax, context);
  expect_fitting_box(relax, context);
  check_tries(relax, context);
}

}  // namespace

void add_relax_kind(schema::Catalog& catalog) {
  KindSchema kind;
  kind.noun = "relax";
  kind.version = 2;  // sites that have their symmetry to some digits only begin where they have it exactly
  kind.makes = schema::Makes::task;
  kind.doc = "The crystal at rest under pressure: sites and box of the lowest enthalpy, at zero temperature and without zero-point motion";
  kind.attributes = {
      {"system", Type::reference({"system"}), "the crystal; its lattice is where the search begins", true, {}},
      {"pressure", Type::quantity("pressure"), "on the box", false, 0.0, {}, {}, "15 GPa"},
      {"box", Type::word({"isotropic", "a_eq_b", "orthorhombic", "triclinic"}), "how the box moves: all edges alike, x and y alike, each by itself, or every shape", false, "isotropic"},
      {"sites", Type::word({"free", "fixed"}), "whether atoms leave the sites of the lattice", false, "free"},
      {"periodic_in", Type::word({"box", "cell"}), "what displacements repeat in: the whole box, or each unit cell of the lattice", false, "box"},
      {"tries", Type::of(TypeKind::integer), "starts displaced at random, beside the lattice itself, which keeps its symmetry", false, 0, {}, {0.0, {}, 1e6}},
      {"displacement", Type::quantity("length"), "of the starts, standard deviation of each coordinate", false, 0.1, {}, kPositive, "0.1 angstrom"},
      {"temperature", Type::quantity("temperature"), "to which starts are heated before they cool; without it they go downhill at once", false, {}, {}, kPositive, "600 K"},
      {"steps", Type::of(TypeKind::integer), "of dynamics in which heated starts cool to rest", false, 2000, {}, {1.0, {}, 1e8}},
      {"seed", Type::of(TypeKind::seed), "root of the random numbers, where there are tries", false, {}},
  };
  kind.results = {{"enthalpy", ResultType::number, "energy", "U + P V per atom"},
                  {"energy", ResultType::number, "energy", "U per atom"},
                  {"volume", ResultType::number, "volume", "per atom"},
                  {"density", ResultType::number, "density", "atoms per volume"},
                  {"edge", ResultType::number, "length", "a of the lattice's unit cell"},
                  {"b_over_a", ResultType::number, "", "of the lattice's unit cell"},
                  {"c_over_a", ResultType::number, "", "of the lattice's unit cell"},
                  {"delta", ResultType::number, "", "of beta_tin, where its sites are those of a shift `delta`"},
                  {"pressure_xx", ResultType::number, "pressure", "of the crystal, along x"},
                  {"pressure_yy", ResultType::number, "pressure", "along y"},
                  {"pressure_zz", ResultType::number, "pressure", "along z"},
                  {"largest_force", ResultType::number, "force", "left on an atom"},
                  {"lattice_enthalpy", ResultType::number, "energy", "per atom, of the lattice with its symmetry kept"},
                  {"found", ResultType::number, "", "tries that ended at the lowest enthalpy"},
                  {"lost", ResultType::number, "", "tries whose crystal did not hold"},
                  {"spread", ResultType::number, "energy", "from the lowest to the highest enthalpy of the tries, per atom"},
                  {"imaginary_modes", ResultType::number, "", "of the box at rest; up to 600 atoms in a primitive cell"},
                  {"lowest_curvature", ResultType::number, "spring", "of a mode of the box at rest, likewise"}};
  kind.complete = check_relax;
  add_task_members(kind);
  catalog.add(kind);
}

}  // namespace bgw::catalog
