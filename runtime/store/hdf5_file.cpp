// The doorway to HDF5.
#include "runtime/store/hdf5_file.h"

#include <fmt/format.h>
#include <hdf5.h>

#include <algorithm>
#include <mutex>
#include <utility>
#include <vector>

#include "compiler/schema/value.h"
#include "runtime/foundation/errors.h"
#include "runtime/store/manifest.h"

namespace bgw::store {
namespace {

constexpr const char* kAbout = "about";

// The library keeps global state and Debian builds it without locks of its own.
std::mutex& library_lock() {
  static std::mutex lock;
  return lock;
}

[[noreturn]] void fail(const std::string& what) { throw StoreError("HDF5 cannot " + what); }

// An HDF5 identifier with the function that closes it.
class Handle {
 public:
  Handle(hid_t id, herr_t (*close)(hid_t), const std::string& what) : id_(id), close_(close) {
    if (id_ < 0) fail(what);
  }
  ~Handle() {
    if (id_ >= 0) close_(id_);
  }
  Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, -1)), close_(other.close_) {}
  Handle& operator=(Handle&&) = delete;
  operator hid_t() const { return id_; }

 private:
  hid_t id_;
  herr_t (*close_)(hid_t);
};

void check(herr_t code, const std::string& what) {
  if (code < 0) fail(what);
}

// HDF5 prints its error stack to stderr unless told otherwise; we say it in one message.
void silence() { H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr); }

Handle memory_access() {
  constexpr std::size_t kGrowth = 1 << 20;
  Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose, "make a property list");
  check(H5Pset_fapl_core(access, kGrowth, false), "keep a file in memory");
  return access;
}

Handle text_type(std::size_t size) {
  Handle type(H5Tcopy(H5T_C_S1), H5Tclose, "make a text type");
  check(H5Tset_size(type, size == 0 ? 1 : size), "make a text type");
  check(H5Tset_strpad(type, H5T_STR_NULLPAD), "make a text type");
  check(H5Tset_cset(type, H5T_CSET_UTF8), "make a text type");
  return type;
}

void write_unit(hid_t data_set, const std::string& unit) {
  if (unit.empty()) return;
  const Handle type = text_type(unit.size());
  const Handle space(H5Screate(H5S_SCALAR), H5Sclose, "make a space");
  const Handle attribute(H5Acreate2(data_set, "unit", type, space, H5P_DEFAULT, H5P_DEFAULT), H5Aclose, "write a unit");
  check(H5Awrite(attribute, type, unit.data()), "write a unit");
}

void write_array(hid_t file, const std::string& name, const artifacts::Array& array) {
  const std::size_t count = array.is_integer() ? array.integers.size() : array.doubles.size();
  if (array.size() != static_cast<std::int64_t>(count)) {
    throw ShapeError(fmt::format("array '{}': its shape asks for {} numbers, it holds {}", name, array.size(), count));
  }
  const std::vector<hsize_t> extents(array.shape.begin(), array.shape.end());
  const Handle space(extents.empty() ? H5Screate(H5S_SCALAR)
                                     : H5Screate_simple(static_cast<int>(extents.size()), extents.data(), nullptr),
                     H5Sclose, "make the space of '" + name + "'");
  const Handle links(H5Pcreate(H5P_LINK_CREATE), H5Pclose, "make a property list");
  check(H5Pset_create_intermediate_group(links, 1), "make groups");
  const Handle creation(H5Pcreate(H5P_DATASET_CREATE), H5Pclose, "make a property list");
  check(H5Pset_obj_track_times(creation, false), "leave out times");
  const Handle data_set(H5Dcreate2(file, name.c_str(), array.is_integer() ? H5T_STD_I64LE : H5T_IEEE_F64LE, space, links,
                                   creation, H5P_DEFAULT),
                        H5Dclose, "make the array '" + name + "'");
  const void* numbers = array.is_integer() ? static_cast<const void*>(array.integers.data()) : array.doubles.data();
  if (count > 0) {
    check(H5Dwrite(data_set, array.is_integer() ? H5T_NATIVE_INT64 : H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, numbers),
          "write the array '" + name + "'");
  }
  write_unit(data_set, array.unit);
}

void write_text(hid_t file, const char* name, const std::string& text) {
  const Handle type = text_type(text.size());
  const Handle space(H5Screate(H5S_SCALAR), H5Sclose, "make a space");
  const Handle creation(H5Pcreate(H5P_DATASET_CREATE), H5Pclose, "make a property list");
  check(H5Pset_obj_track_times(creation, false), "leave out times");
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

std::string read_unit(hid_t data_set) {
  if (H5Aexists(data_set, "unit") <= 0) return {};
  const Handle attribute(H5Aopen(data_set, "unit", H5P_DEFAULT), H5Aclose, "read a unit");
  const Handle type(H5Aget_type(attribute), H5Tclose, "read a unit");
  std::string unit(H5Tget_size(type), '\0');
  check(H5Aread(attribute, type, unit.data()), "read a unit");
  return unit;
}

std::vector<std::int64_t> read_shape(hid_t data_set) {
  const Handle space(H5Dget_space(data_set), H5Sclose, "read a shape");
  std::vector<hsize_t> extents(static_cast<std::size_t>(std::max(0, H5Sget_simple_extent_ndims(space))));
  if (!extents.empty()) check(H5Sget_simple_extent_dims(space, extents.data(), nullptr), "read a shape");
  return {extents.begin(), extents.end()};
}

artifacts::Array read_array(hid_t data_set, hid_t type) {
  artifacts::Array array;
  array.shape = read_shape(data_set);
  array.unit = read_unit(data_set);
  const auto count = static_cast<std::size_t>(array.size());
  if (count == 0) return array;
  if (H5Tget_class(type) == H5T_INTEGER) {
    array.integers.resize(count);
    check(H5Dread(data_set, H5T_NATIVE_INT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, array.integers.data()), "read an array");
  } else {
    array.doubles.resize(count);
    check(H5Dread(data_set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, array.doubles.data()), "read an array");
  }
  return array;
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
