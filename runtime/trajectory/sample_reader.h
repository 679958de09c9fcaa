#pragma once

#include <filesystem>

#include "runtime/store/hdf5_stream.h"
#include "runtime/trajectory/frame.h"

namespace bgw::trajectory {

/// The configurations of a finished task (docs/tasks.md: displacements, sites, cell, deformation …), a few at a time.
///
/// Positions are unwrapped: every atom stands at its own site plus its displacement, whatever side of the cell that is.
class SampleReader {
 public:
  /// @param result  result.h5 of the task
  /// @throws StoreError when it cannot be read, InputError when it holds no configurations
  explicit SampleReader(const std::filesystem::path& result);

  std::int64_t frames() const { return frames_; }
  const Content& content() const { return content_; }
  /// All log weights; empty without any.
  std::vector<double> log_weights() const;
  /// Frames are cheapest in their order.
  Frame frame(std::int64_t index);

 private:
  /// Rows of a data set around the last one asked for.
  struct Window {
    std::string name;
    std::int64_t row = 0;  // numbers a row
    std::vector<double> numbers = {};
    std::int64_t first = 0, count = 0;
  };
  const double* row_of(Window& window, std::int64_t index);
  std::optional<double> number_of(Window& window, std::int64_t index);

  store::Hdf5Reader file_;
  std::int64_t frames_ = 0;
  Content content_;
  std::vector<crystal::Vector3> sites_;
  crystal::Matrix3 cell_{};
  Window displacements_, deformation_, energy_, log_weight_, chain_, time_;
};

}  // namespace bgw::trajectory
