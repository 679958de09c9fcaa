#pragma once

#include <filesystem>
#include <fstream>

#include "runtime/trajectory/frame.h"

namespace bgw::trajectory {

/// Writes extended XYZ with the keys of ASE: Lattice, Properties=species:S:1:pos:R:3, energy, pbc; beside them step, time,
/// chain, weight and log_weight. Every number has the digits that give the same double again.
class ExtxyzWriter : public FrameWriter {
 public:
  ExtxyzWriter(const std::filesystem::path& file, const Heading& heading);
  void write(const Frame& frame) override;
  void finish() override;

 private:
  std::filesystem::path name_;
  std::ofstream stream_;
  std::string species_;
};

}  // namespace bgw::trajectory
