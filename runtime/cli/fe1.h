#pragma once

#include <string>
#include <vector>

#include "compiler/schema/value.h"

namespace bgw::cli {

/// What a free energy of the benchmark BGW-FE-1 is compared with: beta F / N, or the difference of two.
struct Fe1Reference {
  double value = 0;
  double sigma = 0;  // one standard error
  std::string source;
};

/// A column of the benchmark. Its systems and routes stand in benchmarks/fe1.bgw, in blocks named ROUTE_BLOCK.
struct Fe1State {
  struct Term {
    double weight;
    std::string block;  // "A", "D[ice_ih, 64]"
  };
  std::string name;  // "A", "D64"
  std::string title;
  std::vector<Term> terms;  // the free energy is their sum
  Fe1Reference reference;
  schema::Map frenkel_ladd;  // the deck for LAMMPS (tasks/frenkel_ladd.h) without program, system, ensemble and steps; empty: none
};

/// A row of the benchmark.
struct Fe1Method {
  std::string name;
  std::string title;
};

inline constexpr const char* kFrenkelLadd = "frenkel_ladd";  // the row that LAMMPS runs

const std::vector<Fe1State>& fe1_states();
const std::vector<Fe1Method>& fe1_methods();

/// Those that were asked for, in the order of the benchmark; without names all. "D" stands for D64, D216 and D512.
/// @throws CommandFailure with exit code 2 for a name there is not, with those there are
std::vector<Fe1State> find_fe1_states(const std::vector<std::string>& names);
std::vector<Fe1Method> find_fe1_methods(const std::vector<std::string>& names);

/// The whole deck, for one of the states that have one.
/// @param quick  a tenth of the steps
schema::Map frenkel_ladd_deck(const Fe1State& state, const schema::Value& system, const schema::Value& ensemble,
                              const std::string& program, bool quick);

}  // namespace bgw::cli
