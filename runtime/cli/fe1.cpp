#include "runtime/cli/fe1.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "runtime/cli/failure.h"

namespace bgw::cli {
namespace {

constexpr const char* kTable1 = "Wirnsberger et al., Mach. Learn.: Sci. Technol. 3, 025009 (2022), Table 1, LBAR";

Fe1State difference(int molecules, const Fe1Reference& reference) {
  return {fmt::format("D{}", molecules),
          fmt::format("hexagonal less cubic ice, {} molecules", molecules),
          {{1, fmt::format("D[ice_ih, {}]", molecules)}, {-1, fmt::format("D[diamond_cubic, {}]", molecules)}},
          reference,
          {}};
}

std::vector<Fe1State> make_states() {
  // Times in ps, widths in angstrom; reduced for C. The widths are near the atoms' own displacements; the steps are a
  // fortieth of the shortest vibration or shorter.
  return {{"A",
           "mW water, cubic ice, N = 216, 200 K",
           {{1, "A"}},
           {-25.08238, 0.000005, kTable1},
           {{"timestep", 0.0025}, {"damping", 0.2}, {"width", 0.17}}},
          {"B",
           "Stillinger-Weber silicon, diamond, N = 216, a = 5.4443 angstrom, 1000 K",
           {{1, "B"}},
           {-43.5881, 0.0002, "mean of Markov chains and of molecular dynamics by BAR, a computation outside bgw"},
           {{"timestep", 0.001}, {"damping", 0.1}, {"width", 0.14}}},
          {"C",
           "Lennard-Jones, fcc, N = 256, density 1.28, T = 2, cut and shifted at 2.7",
           {{1, "C"}},
           {3.10797, 0.000005, kTable1},
           {{"timestep", 0.001}, {"damping", 0.1}, {"width", 0.05}}},
          difference(64, {-25.18672 + 25.16312, 0.000011, kTable1}),
          difference(216, {-25.08979 + 25.08238, 0.000007, kTable1}),
          difference(512, {-25.06479 + 25.06161, 0.000007, kTable1})};
}

template <class Named>
std::string names_of(const std::vector<Named>& all) {
  std::vector<std::string> names;
  for (const Named& one : all) names.push_back(one.name);
  return fmt::format("{}", fmt::join(names, ", "));
}

bool means(const std::string& given, const std::string& name) {
  return given == name || (given == "D" && name.starts_with("D"));
}

template <class Named>
std::vector<Named> find(const std::vector<Named>& all, const std::vector<std::string>& names, const char* what) {
  if (names.empty()) return all;
  for (const std::string& given : names) {
    const auto is_meant = [&](const Named& one) { return means(given, one.name); };
    if (std::none_of(all.begin(), all.end(), is_meant))
      throw CommandFailure(kWrongUse, fmt::format("there is no {} '{}' in this benchmark; it has {}", what, given, names_of(all)));
  }
  std::vector<Named> found;
  for (const Named& one : all) {
    if (std::any_of(names.begin(), names.end(), [&](const std::string& given) { return means(given, one.name); }))
      found.push_back(one);
  }
  return found;
}

}  // namespace

const std::vector<Fe1State>& fe1_states() {
  static const std::vector<Fe1State> states = make_states();
  return states;
}

const std::vector<Fe1Method>& fe1_methods() {
  static const std::vector<Fe1Method> methods{
      {"harmonic_fep", "draws of the phonons, exponential average"},
      {"scha_cumulant", "draws of the self-consistent phonons, second cumulant"},
      {"hmc_bar", "phonons, HMC of the crystal, BAR"},
      {"staged_mbar", "self-consistent phonons, HMC of a ladder of states, MBAR"},
      {"annealing", "self-consistent phonons, annealed importance sampling on a ladder of its own"},
      {kFrenkelLadd, "LAMMPS, Langevin dynamics from an Einstein crystal in ten states, MBAR"},
  };
  return methods;
}

std::vector<Fe1State> find_fe1_states(const std::vector<std::string>& names) { return find(fe1_states(), names, "state point"); }

std::vector<Fe1Method> find_fe1_methods(const std::vector<std::string>& names) { return find(fe1_methods(), names, "method"); }

schema::Map frenkel_ladd_deck(const Fe1State& state, const schema::Value& system, const schema::Value& ensemble,
                              const std::string& program, bool quick) {
  constexpr std::int64_t kEquilibrate = 4'000;
  constexpr std::int64_t kProduce = 40'000;
  const std::int64_t part = quick ? 10 : 1;
  schema::Map deck = state.frenkel_ladd;
  deck["program"] = program;
  deck["system"] = system;
  deck["ensemble"] = ensemble;
  deck["lambdas"] = schema::List{0.001, 0.03, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 1.0};
  deck["equilibrate"] = kEquilibrate / part;
  deck["produce"] = kProduce / part;
  deck["every"] = 10;
  return deck;
}

}  // namespace bgw::cli
