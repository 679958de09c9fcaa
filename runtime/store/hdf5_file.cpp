#include "runtime/store/hdf5_file.h"

#include <fmt/format.h>

#include <mutex>
#include <vector>

#include "compiler/schema/value.h"
#include "runtime/foundation/errors.h"
#include "runtime/store/hdf5_handle.h"
#include "runtime/store/manifest.h"

namespace bgw::store {
namespace {

using namespace hdf5;

constexpr const char* kAbout = "about";

Handle memory_access() {
  constexpr std::size_t kGrowth = 1 << 20;
  Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose, "make a property list");
  check(H5Pset_fapl_core(access, kGrowth, false), "keep a file in memory");
  return access;
}

void write_text(hid_t file, const char* name, const std::string& text) {
  const Handle type = text_type(text.size());
  const Handle space(H5Screate(H5S_SCALAR), H5Sclose, "make a space");
  const Handle creation = plain_creation();
  const Handle data_set(H5Dcreate2(file, name, type, space, H5P_DEFAULT, creation, H5P_DEFAULT), H5Dclose, "write texts");
  check(H5Dwrite(data_set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, text.data()), "write texts");
}

std::string about_text(const artifacts::Artifact& artifact) {
  const artifacts::Cost& cost = artifact.cost;
  return schema::to_json(schema::Map{{"attributes", artifact.attributes},
                                     {"results", to_value(artifact.results)},
                                     {"energy_calls", cost.energy_calls},
                                     {"gradient_calls", cost.gradient_calls},
                                     {"hessian_calls", cost.hessian_calls}});
}

void read_about(artifacts::Artifact& artifact, const std::string& text) {
  const schema::Value about = schema::parse_json(text);
  artifact.attributes = about.at("attributes").as_map();
  artifact.results = results_from(about.at("results"));
  artifact.cost.energy_calls = about.at("energy_calls").as_int();
  artifact.cost.gradient_calls = about.at("gradient_calls").as_int();
  artifact.cost.hessian_calls = about.at("hessian_calls").as_int();
}

void read_data_set(hid_t file, const std::string& name, artifacts::Artifact& artifact) {
  const Handle data_set(H5Dopen2(file, name.c_str(), H5P_DEFAULT), H5Dclose, "open '" + name + "'");
  const Handle type(H5Dget_type(data_set), H5Tclose, "read a type");
  if (name != kAbout) {
    artifact.arrays.emplace(name, read_array(data_set, type));
    return;
  }
  std::string text(H5Tget_size(type), '\0');
  check(H5Dread(data_set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, text.data()), "read texts");
  read_about(artifact, text);
}

// Version 1.12 changed the shape of what a visitor is told.
#if H5_VERSION_GE(1, 12, 0)
using ObjectInfo = H5O_info2_t;
const auto visit_objects = &H5Ovisit3;
#else
using ObjectInfo = H5O_info_t;
const auto visit_objects = &H5Ovisit2;
#endif

// Called by the C library: collects the names of data sets.
herr_t collect_name(hid_t, const char* name, const ObjectInfo* info, void* names) {
  if (info->type == H5O_TYPE_DATASET) static_cast<std::vector<std::string>*>(names)->emplace_back(name);
  return 0;
}

std::string image_of(hid_t file) {
  check(H5Fflush(file, H5F_SCOPE_GLOBAL), "finish a file");
  const ssize_t size = H5Fget_file_image(file, nullptr, 0);
  if (size < 0) fail("give the bytes of a file");
  std::string bytes(static_cast<std::size_t>(size), '\0');
  if (H5Fget_file_image(file, bytes.data(), bytes.size()) < 0) fail("give the bytes of a file");
  return bytes;
}

}  // namespace

std::string encode_hdf5(const artifacts::Artifact& artifact) {
  const std::lock_guard guard(library_lock());
  silence();
  const Handle access = memory_access();
  const Handle file(H5Fcreate("artifact", H5F_ACC_TRUNC, H5P_DEFAULT, access), H5Fclose, "begin a file");
  for (const auto& [name, array] : artifact.arrays) {
    if (name.empty() || name == kAbout) throw StoreError(fmt::format("an array cannot be called '{}'", name));
    write_array(file, name, array);
  }
  write_text(file, kAbout, about_text(artifact));
  return image_of(file);
}

artifacts::Artifact decode_hdf5(std::string_view bytes) {
  const std::lock_guard guard(library_lock());
  silence();
  const Handle access = memory_access();
  // The library copies the image and does not write to it; its interface merely lacks the const.
  check(H5Pset_file_image(access, const_cast<char*>(bytes.data()), bytes.size()), "take the bytes of a file");
  const Handle file(H5Fopen("artifact", H5F_ACC_RDONLY, access), H5Fclose, "read this: not an HDF5 file, or cut short");
  std::vector<std::string> names;
  check(visit_objects(file, H5_INDEX_NAME, H5_ITER_INC, collect_name, &names, H5O_INFO_BASIC), "list a file");
  artifacts::Artifact artifact;
  for (const std::string& name : names) read_data_set(file, name, artifact);
  return artifact;
}

}  // namespace bgw::store
