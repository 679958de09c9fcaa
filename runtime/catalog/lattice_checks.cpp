#include "runtime/catalog/lattice_checks.h"

#include <algorithm>
#include <cmath>
#include <map>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "compiler/source/diagnostic.h"
#include "compiler/source/read_source.h"
#include "runtime/catalog/values.h"
#include "runtime/crystal/lattice_value.h"
#include "runtime/foundation/errors.h"

namespace bgw::catalog {
namespace {

using schema::CheckContext;
using schema::List;
using schema::Map;
using schema::Value;

constexpr double kMostAtoms = 1e7;
constexpr double kNearlyNearest = 1.1;  // of the nearest distance; the second shell of bcc is at 1.155
constexpr const char* kShapes[] = {"b_over_a", "c_over_a", "delta"};

bool of_file(const Value& lattice) { return lattice.at("kind").as_string() == "file"; }

std::optional<double> number_at(const Value& lattice, const char* name, bool high) {
  const Value* value = given(lattice, name);
  if (value == nullptr) return std::nullopt;
  const Range range = range_of(*value);
  return high ? range.high : range.low;
}

/// The lattice with its shape at the ends of its intervals: bit k of `ends` chooses the end of the k-th of kShapes.
crystal::LatticeKind kind_at(const Value& lattice, unsigned ends) {
  return crystal::kind_of(lattice, {number_at(lattice, "b_over_a", ends & 1U), number_at(lattice, "c_over_a", ends & 2U),
                                    number_at(lattice, "delta", ends & 4U).value_or(0.0)});
}

/// The choices of ends that differ: 0 alone where no number is an interval.
std::vector<unsigned> corners(const Value& lattice) {
  unsigned open = 0;
  for (unsigned k = 0; k < 3; ++k) {
    const Value* value = given(lattice, kShapes[k]);
    if (value != nullptr && is_interval(*value)) open |= 1U << k;
  }
  std::vector<unsigned> found;
  for (unsigned ends = 0; ends < 8; ++ends) {
    if ((ends & ~open) == 0) found.push_back(ends);
  }
  return found;
}

/// The lattice in the middle of its intervals, which decides how many cells go along each edge.
crystal::LatticeKind middle_kind(const Value& lattice) {
  const auto middle = [&](const char* name) {
    const Value* value = given(lattice, name);
    return value == nullptr ? std::nullopt : std::optional<double>(range_of(*value).middle());
  };
  return crystal::kind_of(lattice, {middle("b_over_a"), middle("c_over_a"), middle("delta").value_or(0.0)});
}

std::string cell_in_words(const std::string& kind) {
  static const std::map<std::string, std::string> words{{"diamond_cubic", "a cubic diamond cell"}, {"ice_ih", "an ice Ih cell"},
                                                        {"fcc", "an fcc cell"}, {"bcc", "a bcc cell"}, {"hcp", "an hcp cell"},
                                                        {"fcc_orthorhombic", "an orthorhombic fcc cell"}, {"beta_tin", "a beta-tin cell"}};
  return words.at(kind);
}

std::string nearest_counts(const std::vector<std::int64_t>& allowed, std::int64_t atoms) {
  std::int64_t below = 0, above = 0;
  for (const std::int64_t n : allowed) {
    if (n < atoms) below = n;
    if (n > atoms && above == 0) above = n;
  }
  return below == 0 ? fmt::format("nearest is {}", above) : fmt::format("nearest are {} and {}", below, above);
}

/// Attributes that this kind of lattice does not have or cannot do without.
bool check_shape(const Map& lattice, CheckContext& context) {
  const std::string& name = lattice.at("kind").as_string();
  const crystal::LatticeKind& kind = *crystal::find_lattice(name);
  bool good = true;
  const auto refuse = [&](const char* attribute, const std::string& why) {
    if (given(lattice, attribute) == nullptr) return;
    context.complain({"E0417", attribute, fmt::format("{} of kind {} has no `{}`: {}", context.block, name, attribute, why), {}, {"leave it out"}});
    good = false;
  };
  if (!crystal::takes_edge_ratios(kind)) {
    for (const char* attribute : {"b_over_a", "c_over_a"}) refuse(attribute, "its cell is a cube");
  }
  if (!crystal::takes_delta(kind)) refuse("delta", "symmetry holds its sites");
  refuse("path", "its sites are known");
  if (crystal::takes_delta(kind) && given(lattice, "c_over_a") == nullptr) {
    context.complain({"E0204", "", fmt::format("{} lacks `c_over_a`", context.block), {"symmetry does not fix the height of a beta-tin cell"}, {"write for instance `c_over_a = 0.58`"}});
    good = false;
  }
  return good;
}

bool expect_three(const List& repeats, CheckContext& context) {
  if (repeats.size() == 3) return true;
  context.complain({"E0403", "repeats", "`repeats` is three positive ints, the cells along x, y and z", {}, {"write for instance `repeats = [2, 2, 2]`"}});
  return false;
}

/// What kind file has no use for.
void refuse_shape(const Map& lattice, CheckContext& context) {
  for (const char* attribute : kShapes) {
    if (given(lattice, attribute) == nullptr) continue;
    context.complain({"E0417", attribute, fmt::format("{} of kind file has no `{}`: the file holds its cell and sites", context.block, attribute), {}, {"leave it out"}});
  }
  if (given(lattice, "atoms") != nullptr) {
    context.complain({"E0417", "atoms", fmt::format("{} of kind file has no `atoms`: the file and `repeats` say how many", context.block), {}, {"leave it out"}});
  }
}

/// The crystal of a file, its numbers as they stand in the arguments. Members of a family mostly name one file.
const Map& structure_in(const std::string& bytes, const std::string& path) {
  thread_local std::string last_bytes, last_path;
  thread_local std::optional<Map> last;
  if (!last || last_bytes != bytes || last_path != path) {
    last.reset();
    last = crystal::lattice_of_structure(crystal::parse_structure(bytes, path), path);
    last_bytes = bytes;
    last_path = path;
  }
  return *last;
}

/// Puts cell and sites in place of the path: where a file lies changes no number.
bool read_structure(Map& lattice, CheckContext& context) {
  const std::string path = lattice.at("path").as_string();
  std::string problem;
  const auto bytes = context.read_file(path, "path", problem);
  const auto refuse = [&](const std::string& why, std::vector<std::string> helps) {
    context.complain({"E0430", "path", why, {}, std::move(helps)});
    return false;
  };
  if (!bytes) return refuse(problem, {"the path is seen from the file in which it stands"});
  try {
    for (const auto& [name, value] : structure_in(*bytes, path)) {
      if (name != "density" || given(lattice, "density") == nullptr) lattice[name] = value;
    }
  } catch (const InputError& error) {
    return refuse(source::valid_utf8(error.what()), {"`kind = file` takes the cell of a crystal as extended XYZ or POSCAR"});
  }
  lattice.erase("path");
  return true;
}

/// Fills `atoms` from `repeats`, or compares the two.
void complete_from_repeats(Map& lattice, std::int64_t basis, CheckContext& context) {
  const List& repeats = lattice.at("repeats").as_list();
  if (!expect_three(repeats, context)) return;
  const std::int64_t atoms = repeats[0].as_int() * repeats[1].as_int() * repeats[2].as_int() * basis;
  if (static_cast<double>(atoms) > kMostAtoms) {
    context.complain({"E0403", "repeats", fmt::format("these repeats hold {} atoms, limit {}", source::grouped(static_cast<std::size_t>(atoms)), source::grouped(static_cast<std::size_t>(kMostAtoms))), {},
                      {"take fewer cells"}});
    return;
  }
  if (lattice.at("atoms").is_none()) lattice["atoms"] = atoms;
  if (lattice.at("atoms").as_int() == atoms) return;
  context.complain({"E0403", "repeats", fmt::format("these repeats hold {} atoms, `atoms` says {}", atoms, lattice.at("atoms").as_int()),
                    {fmt::format("a {} cell has {} atoms", lattice.at("kind").as_string(), basis)}, {"leave one of the two out"}});
}

void complete_file_lattice(Map& lattice, CheckContext& context) {
  if (lattice.count("sites") != 0) return;  // of `at(…)`: read already
  refuse_shape(lattice, context);
  if (given(lattice, "path") == nullptr) {
    context.complain({"E0204", "", fmt::format("{} of kind file lacks `path`", context.block), {}, {"write for instance `path = \"cell.extxyz\"`"}});
    return;
  }
  if (given(lattice, "repeats") == nullptr) lattice["repeats"] = List{1, 1, 1};
  if (!read_structure(lattice, context)) return;
  lattice["atoms"] = nullptr;
  complete_from_repeats(lattice, static_cast<std::int64_t>(lattice.at("sites").as_list().size()), context);
}

/// Complains of atoms that no other reaches.
bool reaches_all(const Value& system, const crystal::LatticeKind& kind, double cutoff, CheckContext& context) {
  const double density = range_of(system.at("lattice").at("density")).low;
  const auto complain = [&](const std::string& what, const char* whose, double nearest) {
    context.complain({"E0418", "lattice", what,
                      {fmt::format("{} {} away at density {}, the cutoff is {}", whose, shown(context, nearest, "length"), shown(context, density, "density"),
                                   shown(context, cutoff, "length"))},
                      {"take a higher density, or a potential that reaches further"}});
    return false;
  };
  const double nearest = crystal::nearest_shell(kind, density).distance;
  if (nearest > cutoff) return complain(fmt::format("the cutoff of {} ends before the nearest neighbours", context.block), "they are", nearest);
  if (!of_file(system.at("lattice"))) return true;  // in the others all atoms are alike
  const auto lonely = crystal::lonely_site(kind, density, cutoff);
  if (!lonely) return true;
  return complain(fmt::format("no energy reaches atom {} of the lattice of {}: this is no crystal", lonely->site + 1, context.block), "its nearest neighbour is", lonely->nearest);
}

/// Complains of a first shell that no energy reaches, and of shells that cross a cutoff where the energy jumps.
void check_shells(const Value& system, double cutoff, CheckContext& context) {
  const Value& lattice = system.at("lattice");
  const Value& potential = system.at("potential");
  const Range density = range_of(lattice.at("density"));
  for (const unsigned ends : corners(lattice)) {
    const crystal::LatticeKind kind = kind_at(lattice, ends);
    if (!reaches_all(system, kind, cutoff, context)) return;
    const bool jumps = potential.at("style").as_string() == "lennard_jones" && given(potential, "switch_from") == nullptr;
    if (!jumps || density.low == density.high) continue;
    const std::vector<crystal::Shell> wide = crystal::neighbour_shells(kind, density.low, cutoff);
    const std::vector<crystal::Shell> narrow = crystal::neighbour_shells(kind, density.high, cutoff);
    if (narrow.size() == wide.size()) continue;
    context.complain({"W0521", "lattice", fmt::format("neighbours of {} enter the cutoff as the density rises", context.block),
                      {fmt::format("{} shells are within it at {}, {} at {}: the force of each jumps there", wide.size(),
                                   shown(context, density.low, "density"), narrow.size(), shown(context, density.high, "density"))},
                      {"write `switch_from = …` in the potential, or a narrower range of density"}, true});
    return;
  }
}

/// The pair term at a distance, in the units of epsilon.
std::optional<double> pair_energy(const Value& potential, double r) {
  const std::string& style = potential.at("style").as_string();
  if (style == "lennard_jones") {
    const double s6 = std::pow(potential.at("sigma").as_double() / r, 6);
    return 4.0 * potential.at("epsilon").as_double() * (s6 * s6 - s6);
  }
  if (style != "stillinger_weber") return std::nullopt;
  const double sigma = potential.at("sigma").as_double(), cutoff = potential.at("a").as_double() * sigma;
  if (r >= cutoff) return 0.0;
  const double repulsion = potential.at("B").as_double() * std::pow(sigma / r, potential.at("p").as_double());
  const double attraction = std::pow(sigma / r, potential.at("q").as_double());
  return potential.at("A").as_double() * potential.at("epsilon").as_double() * (repulsion - attraction) * std::exp(sigma / (r - cutoff));
}

/// Second derivative of the pair term.
std::optional<double> pair_stiffness(const Value& potential, double r) {
  if (potential.at("style").as_string() == "harmonic") return potential.at("spring").as_double();
  const double step = 1e-3 * r;
  const auto below = pair_energy(potential, r - step), at = pair_energy(potential, r), above = pair_energy(potential, r + step);
  if (!at) return std::nullopt;
  return (*below - 2.0 * *at + *above) / (step * step);
}

// At half of sigma the Lennard-Jones energy is 16 thousand epsilon, that of Stillinger and Weber 28.
constexpr double kOverlap = 0.5;  // of sigma

void refuse_overlap(const Value& system, CheckContext& context) {
  const Value* sigma = given(system.at("potential"), "sigma");
  if (sigma == nullptr) return;
  const Value& lattice = system.at("lattice");
  const double nearest = nearest_distance(lattice);
  if (nearest >= kOverlap * sigma->as_double()) return;
  context.complain({"E0433", "lattice", fmt::format("the atoms of {} overlap", context.block),
                    {fmt::format("the nearest are {} apart at density {}, sigma is {}", shown(context, nearest, "length"),
                                 shown(context, range_of(lattice.at("density")).high, "density"), shown(context, sigma->as_double(), "length"))},
                    {"take a lower density, or see whether its unit is right"}});
}

/// The atoms of a file are those of the system, where both are named.
void expect_species(const Map& system, CheckContext& context) {
  const Value* wanted = given(system, "species");
  const Value* found = given(system.at("lattice"), "species");
  if (wanted == nullptr || found == nullptr || *wanted == *found) return;
  context.complain({"E0431", "species", fmt::format("the lattice of {} is made of {}, its `species` is {}", context.block, found->as_string(), wanted->as_string()),
                    {"the file of the lattice names its atoms"},
                    {fmt::format("write `species = \"{}\"`, or name another file in the lattice", found->as_string())}});
}

}  // namespace

void check_potential(Map& potential, CheckContext& context) {
  for (const char* power : {"p", "q"}) {
    const Value* value = given(potential, power);
    if (value == nullptr || value->as_double() == std::floor(value->as_double())) continue;
    context.complain({"E0307", power, fmt::format("the power `{}` of {} is a whole number, got {}", power, context.block, value->as_double()), {},
                      {fmt::format("write `{} = {:.0f}`", power, value->as_double())}});
  }
  const Value* from = given(potential, "switch_from");
  if (from == nullptr) return;
  if (from->as_double() >= potential.at("cutoff").as_double()) {
    context.complain({"E0307", "switch_from", fmt::format("`switch_from` of {} lies below its cutoff {}, got {}", context.block,
                                                          shown(context, potential.at("cutoff").as_double(), "length"), shown(context, from->as_double(), "length")),
                      {}, {fmt::format("write for instance `switch_from = {}`", shown(context, 0.9 * potential.at("cutoff").as_double(), "length"))}});
  }
  for (const char* other : {"shift", "tail"}) {
    if (!potential.at(other).as_bool()) continue;
    context.complain({"E0417", other, fmt::format("{} is switched to zero, `{}` would move it again", context.block, other), {}, {fmt::format("leave `{}` or `switch_from` out", other)}});
  }
}

void complete_lattice(Map& lattice, CheckContext& context) {
  leave_out(lattice, {"b_over_a", "c_over_a", "delta", "path"});
  if (of_file(lattice)) return complete_file_lattice(lattice, context);
  if (given(lattice, "density") == nullptr) {
    context.complain({"E0204", "", fmt::format("{} lacks `density`", context.block), {"only a file brings its own"}, {"write for instance `density = 0.0336 /angstrom^3`"}});
    return;
  }
  if (!check_shape(lattice, context)) return;
  const crystal::LatticeKind kind = middle_kind(lattice);
  const auto basis = static_cast<std::int64_t>(kind.basis.size());
  if (!lattice.at("repeats").is_none()) return complete_from_repeats(lattice, basis, context);
  if (lattice.at("atoms").is_none()) {
    context.complain({"E0204", "", fmt::format("{} lacks `atoms`", context.block), {}, {"write for instance `atoms = 64`, or `repeats = [2, 2, 2]`"}});
    return;
  }
  const std::int64_t atoms = lattice.at("atoms").as_int();
  if (!expect_filled(lattice, atoms, "atoms", context)) return;
  const auto repeats = crystal::repeats_for(kind, atoms).value();
  lattice["repeats"] = List{repeats[0], repeats[1], repeats[2]};
}

bool expect_filled(const Value& lattice, std::int64_t atoms, const std::string& attribute, CheckContext& context) {
  if (of_file(lattice)) return true;
  const crystal::LatticeKind kind = middle_kind(lattice);
  if (crystal::repeats_for(kind, atoms)) return true;
  const auto allowed = crystal::allowed_atoms(kind, atoms);
  context.complain({"E0401", attribute, fmt::format("{} atoms do not fill {}", atoms, cell_in_words(kind.name)), {},
                    {fmt::format("{} in a box near a cube takes {}, …; {}", kind.name, fmt::join(allowed, ", "), nearest_counts(allowed, atoms))}});
  return false;
}

void expect_wide_box(const Value& system, std::int64_t atoms, const std::string& attribute, CheckContext& context) {
  const Value& lattice = system.at("lattice");
  const auto cutoff = cutoff_of(system.at("potential"));
  const bool own = lattice.at("atoms").as_int() == atoms;
  if (!cutoff || (of_file(lattice) && !own) || system.at("minimum_image").as_string() != "strict") return;
  std::array<int, 3> repeats{};
  for (std::size_t k = 0; own && k < 3; ++k) repeats[k] = static_cast<int>(lattice.at("repeats").as_list()[k].as_int());
  if (!own) repeats = crystal::repeats_for(middle_kind(lattice), atoms).value();
  const Range density = range_of(lattice.at("density"));
  double shortest = INFINITY;
  std::array<int, 3> enough = repeats;
  for (const unsigned ends : corners(lattice)) {
    const crystal::Vector3 widths = crystal::box_of(kind_at(lattice, ends), repeats, density.high).heights();
    shortest = std::min(shortest, *std::min_element(widths.begin(), widths.end()));
    for (std::size_t k = 0; k < 3; ++k) enough[k] = std::max(enough[k], static_cast<int>(std::ceil(2.0 * *cutoff * repeats[k] / widths[k] * (1.0 - 1e-12))));
  }
  if (shortest >= 2.0 * *cutoff * (1.0 - 1e-12)) return;
  const std::string where = density.low == density.high ? "" : fmt::format(" at density {}", shown(context, density.high, "density"));
  context.complain({"E0402", attribute, fmt::format("the box of {} is smaller than twice the cutoff", context.block),
                    {fmt::format("with {} atoms {} is {}{}, twice the cutoff {}", atoms, of_file(lattice) ? "the smallest distance of two faces" : "the shortest edge",
                                 shown(context, shortest, "length"), where, shown(context, 2.0 * *cutoff, "length"))},
                    {fmt::format("take at least {} atoms, {}, or write `minimum_image = compatible` to use the nearest image all the same",
                                 source::grouped(static_cast<std::size_t>(enough[0]) * static_cast<std::size_t>(enough[1]) * static_cast<std::size_t>(enough[2]) * middle_kind(lattice).basis.size()),
                                 of_file(lattice) ? fmt::format("`repeats = [{}]`", fmt::join(enough, ", ")) : fmt::format("{} cells", fmt::join(enough, " x ")))}});
}

/// In reduced units the mass is 1, and a system that says so is one that says nothing: Planck's constant has no value there,
/// so there is no de Broglie length to take from it.
void leave_out_reduced_mass(Map& system, CheckContext& context) {
  const Value* mass = given(system, "mass");
  if (mass == nullptr || !context.shown(1.0, "length").ends_with("lj")) return;
  if (std::abs(mass->as_double() - 1.0) > 1e-12) {
    context.complain({"E0307", "mass", fmt::format("the mass of {} is 1 in reduced units, got {:.6g} lj", context.block, mass->as_double()), {}, {"leave it out"}});
  }
  system["mass"] = Value();
}

void check_system(Map& system, CheckContext& context) {
  leave_out_reduced_mass(system, context);
  leave_out(system, {"species"});
  expect_species(system, context);
  const Value& lattice = system.at("lattice");
  expect_wide_box(system, lattice.at("atoms").as_int(), "lattice", context);
  if (const auto cutoff = cutoff_of(system.at("potential"))) check_shells(system, *cutoff, context);
  refuse_overlap(system, context);
}

std::optional<double> cutoff_of(const Value& potential) {
  const std::string& style = potential.at("style").as_string();
  if (style == "einstein") return std::nullopt;  // each atom knows its own site alone
  if (style == "stillinger_weber") return potential.at("a").as_double() * potential.at("sigma").as_double();
  return potential.at("cutoff").as_double();
}

double nearest_distance(const Value& lattice) {
  double nearest = INFINITY;
  for (const unsigned ends : corners(lattice)) {
    nearest = std::min(nearest, crystal::nearest_shell(kind_at(lattice, ends), range_of(lattice.at("density")).high).distance);
  }
  return nearest;
}

std::vector<int> closed_shells(const Value& lattice, std::int64_t atoms) {
  if (of_file(lattice)) return {};
  constexpr double kFurthest = 12.0;  // nearest distances, as far as shells are known
  const crystal::LatticeKind kind = middle_kind(lattice);
  const double density = range_of(lattice.at("density")).middle();
  std::vector<int> counts;
  for (const crystal::Shell& shell : crystal::neighbour_shells(kind, density, kFurthest * crystal::nearest_shell(kind, density).distance)) {
    counts.push_back(shell.count + (counts.empty() ? 0 : counts.back()));
    if (counts.back() > atoms) break;
  }
  return counts;
}

std::optional<double> stiffest_mode(const Value& system, double mass) {
  const Value& lattice = system.at("lattice");
  const Value& potential = system.at("potential");
  if (potential.at("style").as_string() == "einstein") return std::sqrt(potential.at("spring").as_double() / mass);
  const crystal::LatticeKind kind = middle_kind(lattice);
  const double density = range_of(lattice.at("density")).high;
  const double nearest = crystal::nearest_shell(kind, density).distance;
  int neighbours = 0;  // the distances of a crystal from a file are rarely equal
  for (const crystal::Shell& shell : crystal::neighbour_shells(kind, density, kNearlyNearest * nearest)) neighbours += shell.count;
  const auto spring = pair_stiffness(potential, nearest);
  if (!spring || !(*spring > 0.0)) return std::nullopt;
  return std::sqrt(2.0 * neighbours * *spring / (3.0 * mass));
}

}  // namespace bgw::catalog
