#pragma once

#include <filesystem>

#include "runtime/store/hdf5_stream.h"
#include "runtime/trajectory/frame.h"

namespace bgw::trajectory {

/// Writes H5MD 1.1 (de Buyl, Colberg and Hoefling, Comput. Phys. Commun. 185, 1546 (2014)):
///
///     h5md                     version, author, creator
///     particles/all/box        dimension, boundary; edges [n, 3, 3], whose rows are the cell vectors
///     particles/all/position   step [n], time [n], value [n, N, 3]
///     particles/all/species    [N], an enumeration with the chemical symbol
///     observables/potential_energy, log_weight, weight, chain: step, time, value [n]
///
/// All steps and times are links to those of the positions. MDAnalysis wants edges for every frame and a time; samples
/// that have none stand at time 0.
class H5mdWriter : public FrameWriter {
 public:
  H5mdWriter(const std::filesystem::path& file, const Heading& heading, const Content& content);
  void write(const Frame& frame) override;
  void finish() override;

 private:
  void begin(const Heading& heading);
  void begin_element(const std::string& group, const std::vector<std::int64_t>& row, bool integers, const std::string& unit);
  void flush();

  store::Hdf5Writer file_;
  Content content_;
  std::int64_t held_ = 0;  // frames in memory
  std::vector<std::int64_t> step_, chain_;
  std::vector<double> time_, position_, edges_, energy_, log_weight_, weight_;
};

}  // namespace bgw::trajectory
