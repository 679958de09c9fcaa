#pragma once

#include <string>
#include <string_view>

#include "runtime/artifacts/artifact.h"

namespace bgw::store {

/// The bytes of an HDF5 file that holds an artifact: one data set an array, its unit as the attribute "unit"; results,
/// attributes and counts of work as JSON in the data set "about".
///
/// Equal artifacts give equal bytes: objects carry no times and seconds stay out. The file is made in memory, so that
/// writing it, with its errors, is one plain write; the price is memory for a second copy of the arrays.
/// @throws StoreError when HDF5 refuses, for instance over a name it cannot take
std::string encode_hdf5(const artifacts::Artifact& artifact);

/// Reads such bytes; throws StoreError when they are something else.
artifacts::Artifact decode_hdf5(std::string_view bytes);

}  // namespace bgw::store
