#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "runtime/trajectory/frame.h"

namespace bgw::trajectory {

/// A file of configurations being read, one after the other.
class FrameReader {
 public:
  virtual ~FrameReader() = default;
  /// The next configuration with all its atoms, lengths in the unit of the file; nullopt at the end.
  /// @throws InputError naming the place in the file
  virtual std::optional<Frame> next() = 0;
  /// "angstrom", "nm", …; "" where the file does not say it.
  virtual std::string length_unit() const { return ""; }
};

/// @param format  "hdf5" (H5MD, or data sets `positions` [n,N,3] and `cell` [3,3] or [n,3,3]), "extxyz" or "lammpsdump"
/// @throws StoreError for a file that cannot be read, InputError for one that is not of this format
std::unique_ptr<FrameReader> open_frames(const std::filesystem::path& file, const std::string& format);

std::unique_ptr<FrameReader> open_hdf5_frames(const std::filesystem::path& file);
std::unique_ptr<FrameReader> open_extxyz_frames(const std::filesystem::path& file);
std::unique_ptr<FrameReader> open_lammps_frames(const std::filesystem::path& file);

}  // namespace bgw::trajectory
