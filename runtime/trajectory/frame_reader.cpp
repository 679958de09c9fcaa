#include "runtime/trajectory/frame_reader.h"

#include "runtime/foundation/errors.h"

namespace bgw::trajectory {

std::unique_ptr<FrameReader> open_frames(const std::filesystem::path& file, const std::string& format) {
  if (format == "hdf5") return open_hdf5_frames(file);
  if (format == "extxyz") return open_extxyz_frames(file);
  if (format == "lammpsdump") return open_lammps_frames(file);
  throw InputError("no configurations are read from the format '" + format + "'");
}

}  // namespace bgw::trajectory
