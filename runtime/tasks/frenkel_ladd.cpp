#include "runtime/tasks/frenkel_ladd.h"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <numbers>

#include "compiler/plan/sha256.h"
#include "runtime/engine/process.h"
#include "runtime/estimators/bootstrap.h"
#include "runtime/estimators/lfep.h"
#include "runtime/estimators/mbar.h"
#include "runtime/foundation/errors.h"
#include "runtime/physics/free_energy.h"
#include "runtime/physics/make_energy_model.h"
#include "runtime/physics/potential.h"

namespace bgw::tasks {
namespace {

using schema::Value;
namespace fs = std::filesystem;

/// A folder that is gone at the end of the scope.
class Scratch {
 public:
  Scratch() {
    std::string pattern = (fs::temp_directory_path() / "bgw-bench-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw StoreError("cannot make a folder like " + pattern);
    path_ = pattern;
  }
  ~Scratch() {
    std::error_code error;
    fs::remove_all(path_, error);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

void write_file(const fs::path& path, const std::string& text) {
  std::ofstream file(path);
  file << text;
  if (!file.flush()) throw StoreError("cannot write " + path.string());
}

bool is_reduced(const Value& deck) {
  return deck.at("system").at("potential").at("style").as_string() == "lennard_jones";
}

std::vector<double> lambdas_of(const Value& deck) {
  std::vector<double> lambdas;
  for (const Value& l : deck.at("lambdas").as_list()) lambdas.push_back(l.as_double());
  return lambdas;
}

/// Masses of tasks are in eV fs^2/angstrom^2, those of LAMMPS in g/mol; reduced systems without one have 1.
double mass_of(const Value& deck) {
  constexpr double kGramPerMol = 103.64269652680505;
  const Value& system = deck.at("system");
  return system.has("mass") ? system.at("mass").as_double() / kGramPerMol : 1.0;
}

std::string data_file(const crystal::Crystal& crystal, double mass) {
  if (!crystal.cell.is_orthorhombic()) throw InputError("the comparison with LAMMPS takes orthorhombic cells only");
  std::string text = fmt::format("crystal\n\n{} atoms\n1 atom types\n", crystal.sites.size());
  const char* const axes = "xyz";
  for (std::size_t k = 0; k < 3; ++k) {
    text += fmt::format("0 {:.17g} {}lo {}hi\n", crystal.cell.vectors[k][k], axes[k], axes[k]);
  }
  text += fmt::format("\nMasses\n\n1 {:.10g}\n\nAtoms\n\n", mass);
  std::size_t id = 0;
  for (const crystal::Vector3& r : crystal.sites) {
    text += fmt::format("{} 1 {:.17g} {:.17g} {:.17g}\n", ++id, r[0], r[1], r[2]);
  }
  return text;
}

/// "sw" with its file, or "lj/cut 2.7": lines of the deck; the file of parameters goes into the folder.
std::string potential_lines(const Value& potential, const fs::path& folder) {
  const auto number = [&](const char* name) { return potential.at(name).as_double(); };
  if (potential.at("style").as_string() == "lennard_jones") {
    return fmt::format(
        "pair_style hybrid/scaled v_lambda lj/cut {:.17g}\npair_coeff 1 1 lj/cut {:.17g} {:.17g}\npair_modify shift {}\n",
        number("cutoff"), number("epsilon"), number("sigma"), potential.bool_or("shift", false) ? "yes" : "no");
  }
  std::string line = "X X X";
  for (const char* name : {"epsilon", "sigma", "a", "lambda", "gamma", "cos0", "A", "B", "p", "q"}) {
    line += fmt::format(" {:.17g}", number(name));
  }
  write_file(folder / "potential.sw", line + " 0.0\n");
  return "pair_style hybrid/scaled v_lambda sw\npair_coeff * * sw potential.sw X\n";
}

std::string deck_text(const Value& deck, double kt, const fs::path& folder) {
  const double width = deck.at("width").as_double();
  const std::int64_t equilibrate = deck.at("equilibrate").as_int();
  const double temperature = is_reduced(deck) ? kt : deck.at("ensemble").at("temperature").as_double();
  return fmt::format(
      "units {units}\natom_style atomic\natom_modify map array\nboundary p p p\nread_data crystal.data\n"
      "variable lambda equal ${{L}}\nvariable spring equal {spring:.17g}*(1-${{L}})\n"
      "{potential}"
      "fix 1 all nve\nfix 2 all langevin {t:.17g} {t:.17g} {damping} ${{seed}} zero yes\n"
      "if \"${{L}} < 0.99999\" then \"fix 3 all spring/self ${{spring}}\"\n"
      "velocity all create {t:.17g} ${{seed}} mom yes dist gaussian\ntimestep {timestep}\n"
      "compute msd all msd com no average no\nvariable energy equal pe\nvariable msd equal c_msd[4]\n"
      "thermo {equilibrate}\nthermo_modify norm no\nrun {equilibrate}\n"
      "fix out all print {every} \"$(v_energy:%.17g) $(v_msd:%.17g)\" file ${{out}} screen no\nrun {produce}\n",
      fmt::arg("units", is_reduced(deck) ? "lj" : "metal"), fmt::arg("spring", kt / (width * width)),
      fmt::arg("potential", potential_lines(deck.at("system").at("potential"), folder)), fmt::arg("t", temperature),
      fmt::arg("damping", deck.at("damping").as_double()), fmt::arg("timestep", deck.at("timestep").as_double()),
      fmt::arg("equilibrate", equilibrate), fmt::arg("every", deck.at("every").as_int()),
      fmt::arg("produce", deck.at("produce").as_int()));
}

/// Processes side by side. Those that still run at the end of the scope, because another failed, are ended there.
struct Running {
  Running() = default;
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;
  ~Running() {
    for (const engine::ChildProcess& child : children) engine::signal_group(child, SIGKILL);
    for (const engine::ChildProcess& child : children) engine::collect(child);
  }
  std::vector<engine::ChildProcess> children;
};

/// Waits for the first of the running processes to end.
void wait_for_one(std::vector<engine::ChildProcess>& running, const fs::path& folder) {
  std::vector<pollfd> ends;
  for (const engine::ChildProcess& child : running) ends.push_back({child.descriptor.get(), POLLIN, 0});
  while (::poll(ends.data(), ends.size(), -1) < 0 && errno == EINTR) {
  }
  for (std::size_t i = ends.size(); i-- > 0;) {
    if (ends[i].revents == 0) continue;
    const engine::ProcessEnd end = engine::collect(running[i]);
    running.erase(running.begin() + static_cast<std::ptrdiff_t>(i));
    if (end.code == 0 && end.signal == 0) continue;
    std::ifstream log(folder / "log");
    std::string line, last;
    while (std::getline(log, line)) {
      if (line.find("ERROR") != std::string::npos) last = line;
    }
    throw NumericalError(fmt::format("LAMMPS ended with {}: {}", end.code != 0 ? end.code : 128 + end.signal, last));
  }
}

void run_all(const Value& deck, const fs::path& folder, std::int64_t seed, int cpus) {
  const std::vector<double> lambdas = lambdas_of(deck);
  Running all;
  std::vector<engine::ChildProcess>& running = all.children;
  const auto out = [&](std::size_t k) { return (folder / fmt::format("samples.{}", k)).string(); };
  for (std::size_t k = 0; k < lambdas.size(); ++k) {
    if (running.size() >= static_cast<std::size_t>(std::max(1, cpus))) wait_for_one(running, folder);
    const std::string number = std::to_string(1 + 1000 * seed + static_cast<std::int64_t>(k));
    running.push_back(engine::start_child({{deck.at("program").as_string(), "-in", (folder / "deck").string(), "-log", "none",
                                            "-var", "L", fmt::format("{:.17g}", lambdas[k]), "-var", "seed", number, "-var",
                                            "out", out(k)},
                                           {"OMP_NUM_THREADS=1"},
                                           folder / "log",
                                           -1}));
  }
  while (!running.empty()) wait_for_one(running, folder);
}

/// Reduced energies of what one process sampled, in the crystal and in the Einstein crystal.
struct Sampled {
  std::vector<double> crystal, einstein;
};

Sampled read_samples(const fs::path& path, double lambda, double beta, double einstein_factor) {
  std::ifstream file(path);
  std::string title;
  std::getline(file, title);
  Sampled samples;
  // Of the hybrid style LAMMPS tells the energy times l.
  for (double energy = 0, msd = 0; file >> energy >> msd;) {
    samples.crystal.push_back(beta * energy / lambda);
    samples.einstein.push_back(einstein_factor * msd);
  }
  if (samples.crystal.empty()) throw NumericalError("LAMMPS wrote no samples");
  return samples;
}

}  // namespace

FreeEnergyRun frenkel_ladd(const Value& deck, std::int64_t seed, int cpus) {
  const crystal::Crystal crystal = physics::make_crystal(deck.at("system"));
  const double beta = physics::inverse_temperature(deck.at("ensemble"));
  const double width = deck.at("width").as_double();
  const std::vector<double> lambdas = lambdas_of(deck);
  const auto n = static_cast<double>(crystal.sites.size());

  const Scratch scratch;
  const fs::path& folder = scratch.path();
  write_file(folder / "crystal.data", data_file(crystal, mass_of(deck)));
  write_file(folder / "deck", fmt::format("shell cd \"{}\"\n", folder.string()) + deck_text(deck, 1 / beta, folder));
  run_all(deck, folder, seed, cpus);

  std::vector<double> crystal_energy, einstein_energy;
  std::vector<std::int64_t> counts, chain;
  for (std::size_t k = 0; k < lambdas.size(); ++k) {
    const Sampled samples =
        read_samples(folder / fmt::format("samples.{}", k), lambdas[k], beta, n / (2 * width * width));
    crystal_energy.insert(crystal_energy.end(), samples.crystal.begin(), samples.crystal.end());
    einstein_energy.insert(einstein_energy.end(), samples.einstein.begin(), samples.einstein.end());
    counts.push_back(static_cast<std::int64_t>(samples.crystal.size()));
    chain.insert(chain.end(), samples.crystal.size(), static_cast<std::int64_t>(k));
  }
  const Tensor lambda = at::tensor(at::ArrayRef<double>(lambdas), at::kDouble).unsqueeze(1);
  const Tensor work = at::tensor(at::ArrayRef<double>(crystal_energy), at::kDouble) -
                      at::tensor(at::ArrayRef<double>(einstein_energy), at::kDouble);
  const Tensor chains = at::tensor(at::ArrayRef<std::int64_t>(chain), at::kLong);
  const plan::Key key = plan::sha256(fmt::format("frenkel_ladd {}", seed));
  const estimators::MbarResult mbar =
      estimators::mbar(lambda * work, at::tensor(at::ArrayRef<std::int64_t>(counts), at::kLong), chains, key);
  const estimators::Estimate rise = mbar.difference(0, static_cast<std::int64_t>(lambdas.size()) - 1);

  // The energy that MBAR sees leaves out the Einstein crystal's own, which all states share.
  const Tensor first = work.slice(0, 0, counts.front());
  const estimators::Estimate to_einstein =
      estimators::lfep(lambdas.front() * first, estimators::chain_blocks(chains.slice(0, 0, counts.front()), first),
                       tensor::RandomStream(key, "frenkel_ladd.first"));

  FreeEnergyRun run;
  const double log_zc_einstein = 1.5 * (n - 1) * std::log(2 * std::numbers::pi * width * width);
  const double log_zc = log_zc_einstein - (rise.value - to_einstein.value);
  run.per_particle = {physics::free_energy_per_particle(log_zc, static_cast<std::int64_t>(crystal.sites.size()),
                                                        crystal.cell.volume(), physics::length_scale(deck.at("system"))),
                      std::hypot(rise.sigma, to_einstein.sigma) / n};
  run.cost.gradient_calls = static_cast<std::int64_t>(lambdas.size()) *
                            (deck.at("equilibrate").as_int() + deck.at("produce").as_int());
  return run;
}

}  // namespace bgw::tasks
