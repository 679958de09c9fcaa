#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "runtime/crystal/cell.h"

namespace bgw::trajectory {

/// One configuration as files hold it. Lengths in angstrom, energies in eV, times in fs; of a potential in reduced
/// units in those.
struct Frame {
  std::int64_t step = 0;                     // its place among the samples, or the step of the file
  std::vector<crystal::Vector3> positions;   // [N], in the order of the sites
  crystal::Matrix3 cell{};                   // rows are the cell vectors
  std::vector<std::string> species;          // [N], or empty where it is not said
  std::optional<double> time;
  std::optional<double> energy;              // potential energy of the whole configuration
  std::optional<double> log_weight;
  std::optional<double> weight;              // normalised over the frames that are written
  std::optional<std::int64_t> chain;
};

/// What every frame of a file has.
struct Content {
  std::int64_t atoms = 0;
  bool time = false, energy = false, weights = false, chain = false;
};

/// What a file says of itself.
struct Heading {
  std::string species = "X";    // chemical symbol of every atom; X where the program does not say it
  bool reduced = false;         // no unit is written: those of the potential
};

/// A file of configurations being written.
class FrameWriter {
 public:
  virtual ~FrameWriter() = default;
  virtual void write(const Frame& frame) = 0;
  /// Writes what is still in memory. @throws StoreError when the disk is full
  virtual void finish() = 0;
};

}  // namespace bgw::trajectory
