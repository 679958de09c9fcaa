// The doorway to HDF5.
#include "runtime/store/hdf5_handle.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "runtime/foundation/errors.h"

namespace bgw::store::hdf5 {

std::mutex& library_lock() {
  static std::mutex lock;
  return lock;
}

void silence() { H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr); }

void fail(const std::string& what) { throw StoreError("HDF5 cannot " + what); }

void check(herr_t code, const std::string& what) {
  if (code < 0) fail(what);
}

Handle::Handle(hid_t id, herr_t (*close)(hid_t), const std::string& what) : id_(id), close_(close) {
  if (id_ < 0) fail(what);
}

Handle::~Handle() {
  if (id_ >= 0) close_(id_);
}

Handle::Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, -1)), close_(other.close_) {}

Handle text_type(std::size_t size) {
  Handle type(H5Tcopy(H5T_C_S1), H5Tclose, "make a text type");
  check(H5Tset_size(type, size == 0 ? 1 : size), "make a text type");
  check(H5Tset_strpad(type, H5T_STR_NULLPAD), "make a text type");
  check(H5Tset_cset(type, H5T_CSET_UTF8), "make a text type");
  return type;
}

Handle plain_creation() {
  Handle creation(H5Pcreate(H5P_DATASET_CREATE), H5Pclose, "make a property list");
  check(H5Pset_obj_track_times(creation, false), "leave out times");
  return creation;
}

Handle deep_links() {
  Handle links(H5Pcreate(H5P_LINK_CREATE), H5Pclose, "make a property list");
  check(H5Pset_create_intermediate_group(links, 1), "make groups");
  return links;
}

void write_text_attribute(hid_t object, const std::string& name, const std::string& text) {
  const std::string what = "write the attribute '" + name + "'";
  const Handle type = text_type(text.size());
  const Handle space(H5Screate(H5S_SCALAR), H5Sclose, what);
  const Handle attribute(H5Acreate2(object, name.c_str(), type, space, H5P_DEFAULT, H5P_DEFAULT), H5Aclose, what);
  check(H5Awrite(attribute, type, text.data()), what);
}

namespace {

// Texts of other programs are often of variable length; the library allocates them.
std::string read_variable_text(hid_t attribute, hid_t type) {
  const Handle space(H5Aget_space(attribute), H5Sclose, "read an attribute");
  if (H5Sget_simple_extent_npoints(space) != 1) return {};
  char* text = nullptr;
  check(H5Aread(attribute, type, static_cast<void*>(&text)), "read an attribute");
  const std::string copy = text == nullptr ? "" : text;
  H5Dvlen_reclaim(type, space, H5P_DEFAULT, static_cast<void*>(&text));
  return copy;
}

}  // namespace

std::string read_text_attribute(hid_t object, const std::string& name) {
  if (H5Aexists(object, name.c_str()) <= 0) return {};
  const std::string what = "read the attribute '" + name + "'";
  const Handle attribute(H5Aopen(object, name.c_str(), H5P_DEFAULT), H5Aclose, what);
  const Handle type(H5Aget_type(attribute), H5Tclose, what);
  if (H5Tget_class(type) != H5T_STRING) return {};
  if (H5Tis_variable_str(type) > 0) return read_variable_text(attribute, type);
  const Handle space(H5Aget_space(attribute), H5Sclose, what);
  if (H5Sget_simple_extent_npoints(space) != 1) return {};
  std::string text(H5Tget_size(type), '\0');
  check(H5Aread(attribute, type, text.data()), what);
  text.resize(std::min(text.find('\0'), text.size()));
  return text;
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
  array.unit = read_text_attribute(data_set, "unit");
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

void write_array(hid_t file, const std::string& name, const artifacts::Array& array) {
  const std::size_t count = array.is_integer() ? array.integers.size() : array.doubles.size();
  if (array.size() != static_cast<std::int64_t>(count)) {
    throw ShapeError(fmt::format("array '{}': its shape asks for {} numbers, it holds {}", name, array.size(), count));
  }
  const std::vector<hsize_t> extents(array.shape.begin(), array.shape.end());
  const Handle space(extents.empty() ? H5Screate(H5S_SCALAR)
                                     : H5Screate_simple(static_cast<int>(extents.size()), extents.data(), nullptr),
                     H5Sclose, "make the space of '" + name + "'");
  const Handle data_set(H5Dcreate2(file, name.c_str(), array.is_integer() ? H5T_STD_I64LE : H5T_IEEE_F64LE, space,
                                   deep_links(), plain_creation(), H5P_DEFAULT),
                        H5Dclose, "make the array '" + name + "'");
  const void* numbers = array.is_integer() ? static_cast<const void*>(array.integers.data()) : array.doubles.data();
  if (count > 0) {
    check(H5Dwrite(data_set, array.is_integer() ? H5T_NATIVE_INT64 : H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, numbers),
          "write the array '" + name + "'");
  }
  if (!array.unit.empty()) write_text_attribute(data_set, "unit", array.unit);
}

}  // namespace bgw::store::hdf5
