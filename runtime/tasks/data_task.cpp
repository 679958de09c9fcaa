#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "compiler/plan/sha256.h"
#include "runtime/foundation/errors.h"
#include "runtime/physics/make_energy_model.h"
#include "runtime/tasks/ledger.h"
#include "runtime/tasks/pace.h"
#include "runtime/tasks/tasks.h"
#include "runtime/tensor/array.h"
#include "runtime/trajectory/frame_reader.h"
#include "runtime/trajectory/site_assignment.h"

namespace bgw::tasks {
namespace {

using crystal::Matrix3;
using crystal::Vector3;
using trajectory::Frame;

/// The file, where the compiler found it; its content must be what the key says.
std::string checked_file(const engine::TaskContext& context) {
  const std::string file = context.spec().presentation.at("files").at("file").as_string();
  std::string hash;
  try {
    hash = plan::sha256_of_file(file).hex();
  } catch (const std::runtime_error& failure) {
    throw InputError(failure.what());
  }
  if (hash != context.arguments().at("sha256").as_string()) {
    throw InputError(fmt::format("{} has changed since the program was read: run it again", file));
  }
  return file;
}

/// In angstrom, or in what stands for it in a system without units.
double length_of(const std::string& unit, const schema::Value& potential, const std::string& file) {
  constexpr double kBohr = 0.529177210903;
  if (unit.empty() || unit == "angstrom" || unit == "Angstrom" || unit == "A") return 1.0;
  if (unit == "nm") return 10.0;
  if (unit == "bohr") return kBohr;
  if (unit == "lj") return potential.at("sigma").as_double();
  throw InputError(fmt::format("{} writes its lengths in '{}': say what that is, with `unit = \"nm\"` for instance", file, unit));
}

/// F of a cell: its rows are h F^T.
Matrix3 deformation_to(const Matrix3& cell, const crystal::Cell& reference) {
  Matrix3 f{};
  // The k-th column of h^-1 cell is F applied to the k-th axis.
  for (std::size_t k = 0; k < 3; ++k) {
    Vector3 axis{};
    axis[k] = 1.0;
    const Vector3 s = reference.fractional(axis);
    for (std::size_t d = 0; d < 3; ++d) f[d][k] = s[0] * cell[0][d] + s[1] * cell[1][d] + s[2] * cell[2][d];
  }
  return f;
}

class Importer {
 public:
  Importer(const schema::Value& system, const schema::Value* ensemble, std::string file)
      : crystal_(physics::make_crystal(system)), assignment_(crystal_.sites, crystal_.cell), file_(std::move(file)),
        species_(system.string_or("species", "")), moves_(ensemble != nullptr && ensemble->is_map() && ensemble->at("kind").as_string() == "npt") {}

  void add(const Frame& frame) {
    place_ = fmt::format("{}, configuration {}", file_, ++count_);
    check_species(frame);
    std::vector<Vector3> positions = frame.positions;
    if (moves_) positions = undeformed(frame);
    else check_cell(frame.cell);
    for (const Vector3& u : assignment_.displacements(positions, place_)) displacements_.insert(displacements_.end(), u.begin(), u.end());
    add_number(time_, frame.time, "time");
    add_number(log_weight_, frame.log_weight, "weight", -INFINITY);
    if (count_ > 1 && frame.chain.has_value() == chain_.empty()) refuse_some("chain");
    if (frame.chain) chain_.push_back(*frame.chain);
  }

  std::int64_t count() const { return count_; }

  artifacts::Artifact artifact() const {
    if (count_ == 0) throw InputError(fmt::format("{} holds no configuration", file_));
    const auto atoms = static_cast<std::int64_t>(crystal_.sites.size());
    artifacts::Artifact artifact;
    artifact.arrays["displacements"] = {{count_, atoms, 3}, displacements_, {}, "angstrom"};
    artifact.arrays["sites"] = {{atoms, 3}, flat(crystal_.sites), {}, "angstrom"};
    artifact.arrays["cell"] = {{3, 3}, flat({crystal_.cell.vectors.begin(), crystal_.cell.vectors.end()}), {}, "angstrom"};
    if (moves_) artifact.arrays["deformation"] = {{count_, 3, 3}, deformation_, {}, ""};
    if (!time_.empty()) artifact.arrays["time"] = {{count_}, time_, {}, "fs"};
    if (!log_weight_.empty()) artifact.arrays["log_weight"] = {{count_}, log_weight_, {}, "kT"};
    // A trajectory without weights is one chain: its configurations follow from each other.
    if (!chain_.empty() || log_weight_.empty()) {
      artifact.arrays["chain"] = {{count_}, {}, chain_.empty() ? std::vector<std::int64_t>(static_cast<std::size_t>(count_), 0) : chain_, ""};
    }
    artifact.results.push_back({"count", static_cast<double>(count_), {}, "", {}, "configurations"});
    return artifact;
  }

 private:
  static std::vector<double> flat(const std::vector<Vector3>& vectors) {
    std::vector<double> numbers;
    for (const Vector3& v : vectors) numbers.insert(numbers.end(), v.begin(), v.end());
    return numbers;
  }

  void check_species(const Frame& frame) const {
    if (frame.species.empty()) return;
    const std::string& first = frame.species.front();
    for (const std::string& other : frame.species) {
      if (other != first) throw InputError(fmt::format("{} holds atoms of several species, '{}' and '{}': the potential knows one", place_, first, other));
    }
    const bool says = first != "X" && !first.starts_with("type ");
    if (says && !species_.empty() && first != species_) {
      throw InputError(fmt::format("{} holds atoms of the species '{}', the system has '{}'", place_, first, species_));
    }
  }

  void check_cell(const Matrix3& cell) const {
    // Programs write seven digits or fewer.
    constexpr double kTolerance = 1e-4;
    const Matrix3& own = crystal_.cell.vectors;
    for (std::size_t k = 0; k < 3; ++k) {
      const double edge = std::sqrt(own[k][0] * own[k][0] + own[k][1] * own[k][1] + own[k][2] * own[k][2]);
      for (std::size_t d = 0; d < 3; ++d) {
        if (std::abs(cell[k][d] - own[k][d]) <= kTolerance * edge) continue;
        throw InputError(fmt::format("{} has another cell than the system: vector {} is ({:.6g}, {:.6g}, {:.6g}), that of the system ({:.6g}, {:.6g}, {:.6g}); "
                                     "a cell that moves needs an ensemble of kind npt",
                                     place_, "abc"[k], cell[k][0], cell[k][1], cell[k][2], own[k][0], own[k][1], own[k][2]));
      }
    }
  }

  /// Positions in the cell of the lattice; notes the deformation.
  std::vector<Vector3> undeformed(const Frame& frame) {
    const crystal::Cell cell{frame.cell};
    if (!(cell.volume() > 0)) throw InputError(fmt::format("{}: the cell has no volume", place_));
    const Matrix3 f = deformation_to(frame.cell, crystal_.cell);
    for (const Vector3& row : f) deformation_.insert(deformation_.end(), row.begin(), row.end());
    std::vector<Vector3> positions;
    for (const Vector3& x : frame.positions) positions.push_back(crystal_.cell.cartesian(cell.fractional(x)));
    return positions;
  }

  [[noreturn]] void refuse_some(const char* what) const {
    throw InputError(fmt::format("{}: some configurations have a {}, others none", place_, what));
  }

  /// All configurations have such a number, or none.
  /// @param taken  a number that is not finite and stands all the same: minus infinity says that a configuration weighs nothing
  void add_number(std::vector<double>& numbers, const std::optional<double>& number, const char* what, double taken = 0.0) {
    if (count_ > 1 && number.has_value() == numbers.empty()) refuse_some(what);
    if (!number) return;
    if (!std::isfinite(*number) && *number != taken) throw InputError(fmt::format("{}: its {} is not finite", place_, what));
    numbers.push_back(*number);
  }

  crystal::Crystal crystal_;
  trajectory::SiteAssignment assignment_;
  std::string file_, species_, place_;
  bool moves_ = false;
  std::int64_t count_ = 0;
  std::vector<double> displacements_, deformation_, time_, log_weight_;
  std::vector<std::int64_t> chain_;
};

void scale(Frame& frame, double length) {
  for (Vector3& edge : frame.cell) {
    for (double& x : edge) x *= length;
  }
  for (Vector3& position : frame.positions) {
    for (double& x : position) x *= length;
  }
}

/// Energies are those of the system's potential, whatever the file says: they cost one call each.
void add_energies(engine::TaskContext& context, artifacts::Artifact& artifact) {
  constexpr double kMostAtoms = 1e8;  // minutes
  const Tensor u = tensor::to_tensor(artifact.array("displacements"));
  if (static_cast<double>(u.size(0) * u.size(1)) > kMostAtoms) return;
  const auto model = physics::make_energy_model(context.arguments().at("system"));
  const Tensor deformation = artifact.arrays.contains("deformation") ? tensor::to_tensor(artifact.array("deformation")) : Tensor();
  const std::int64_t at_once = configurations_at_once(u.size(1));
  std::vector<Tensor> parts;
  for (std::int64_t first = 0; first < u.size(0); first += at_once) {
    const std::int64_t end = std::min(first + at_once, u.size(0));
    const Tensor some = u.slice(0, first, end);
    parts.push_back(deformation.defined() ? model->energy(some, deformation.slice(0, first, end)) : model->energy(some));
    context.report({"energies", end, u.size(0), {}});
    if (context.stop_requested()) throw Stopped();
  }
  artifact.arrays["energy"] = tensor::to_array(at::cat(parts), "eV");
  artifact.cost = cost_of(model->calls());
}

/// All configurations of the file, as samples without energies.
artifacts::Artifact read_samples(engine::TaskContext& context, const std::string& file) {
  const schema::Value& arguments = context.arguments();
  const auto reader = trajectory::open_frames(file, arguments.at("format").as_string());
  const std::string unit = arguments.string_or("unit", reader->length_unit());
  const double length = length_of(unit, arguments.at("system").at("potential"), file);
  Importer importer(arguments.at("system"), arguments.find("ensemble"), file);
  while (auto frame = reader->next()) {
    scale(*frame, length);
    importer.add(*frame);
    if (importer.count() % 100 == 0) context.report({"reading", importer.count(), 0, {}});
    if (context.stop_requested()) throw Stopped();
  }
  return importer.artifact();
}

}  // namespace

artifacts::Artifact data(engine::TaskContext& context) {
  const std::string file = checked_file(context);
  artifacts::Artifact artifact;
  try {
    artifact = read_samples(context, file);
  } catch (const StoreError& failure) {
    throw InputError(failure.what());  // it is the user's file that cannot be read, not the cache
  }
  add_energies(context, artifact);
  return artifact;
}

}  // namespace bgw::tasks
