#include "runtime/store/hdf5_stream.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <numeric>
#include <optional>

#include "runtime/foundation/errors.h"
#include "runtime/store/hdf5_handle.h"

namespace bgw::store {
namespace {

using namespace hdf5;

// Larger chunks save calls, smaller ones the memory of whoever reads a single row.
constexpr std::int64_t kChunkBytes = 1 << 20;

std::int64_t product(const std::vector<std::int64_t>& extents) {
  return std::accumulate(extents.begin(), extents.end(), std::int64_t{1}, std::multiplies<>());
}

// H5Lexists wants every group on the way to be there.
bool leads_somewhere(hid_t file, const std::string& name) {
  if (name == "/") return true;
  for (std::size_t end = name.find('/', 1);; end = name.find('/', end + 1)) {
    const std::string part = name.substr(0, end);
    if (H5Lexists(file, part.c_str(), H5P_DEFAULT) <= 0 || H5Oexists_by_name(file, part.c_str(), H5P_DEFAULT) <= 0) return false;
    if (end == std::string::npos) return true;
  }
}

bool is_numbers(hid_t file, const std::string& name) {
  if (!leads_somewhere(file, name)) return false;
  const Handle object(H5Oopen(file, name.c_str(), H5P_DEFAULT), H5Oclose, "open '" + name + "'");
  if (H5Iget_type(object) != H5I_DATASET) return false;
  const Handle type(H5Dget_type(object), H5Tclose, "read a type");
  const H5T_class_t kind = H5Tget_class(type);
  return kind == H5T_INTEGER || kind == H5T_FLOAT;
}

Handle open_data_set(hid_t file, const std::string& name) {
  return {H5Dopen2(file, name.c_str(), H5P_DEFAULT), H5Dclose, "open '" + name + "'"};
}

// Version 1.12 changed the shape of what a visitor is told.
#if H5_VERSION_GE(1, 12, 0)
using LinkInfo = H5L_info2_t;
const auto visit_links = &H5Literate2;
#else
using LinkInfo = H5L_info_t;
const auto visit_links = &H5Literate;
#endif

// Called by the C library: collects names.
herr_t collect_link(hid_t, const char* name, const LinkInfo*, void* names) {
  static_cast<std::vector<std::string>*>(names)->emplace_back(name);
  return 0;
}

std::vector<hsize_t> with_rows(std::int64_t rows, std::vector<hsize_t> extents) {
  extents.front() = static_cast<hsize_t>(rows);
  return extents;
}

std::vector<hsize_t> extents_of(hid_t data_set) {
  const std::vector<std::int64_t> shape = read_shape(data_set);
  return {shape.begin(), shape.end()};
}

void append_numbers(hid_t file, const std::string& name, hid_t type, const void* numbers, std::size_t count) {
  const std::string what = "write '" + name + "'";
  const Handle data_set = open_data_set(file, name);
  const std::vector<hsize_t> before = extents_of(data_set);
  const hsize_t row = std::accumulate(before.begin() + 1, before.end(), hsize_t{1}, std::multiplies<>());
  if (row == 0 || count % row != 0) throw ShapeError(fmt::format("'{}' takes rows of {} numbers, got {}", name, row, count));
  const auto rows = static_cast<std::int64_t>(count / row);
  if (rows == 0) return;
  const std::vector<hsize_t> after = with_rows(static_cast<std::int64_t>(before[0]) + rows, before);
  check(H5Dset_extent(data_set, after.data()), what);
  std::vector<hsize_t> start(before.size(), 0);
  start[0] = before[0];
  const std::vector<hsize_t> block = with_rows(rows, before);
  const Handle target(H5Dget_space(data_set), H5Sclose, what);
  check(H5Sselect_hyperslab(target, H5S_SELECT_SET, start.data(), nullptr, block.data(), nullptr), what);
  const Handle source(H5Screate_simple(static_cast<int>(block.size()), block.data(), nullptr), H5Sclose, what);
  check(H5Dwrite(data_set, type, source, target, H5P_DEFAULT, numbers), what);
}

/// Texts of variable length: h5py gives those of a fixed one as bytes, which its users compare with texts in vain.
void write_words(hid_t object, const std::string& name, const std::vector<std::string>& words, bool scalar) {
  const std::string what = "write the attribute '" + name + "'";
  const Handle type(H5Tcopy(H5T_C_S1), H5Tclose, what);
  check(H5Tset_size(type, H5T_VARIABLE), what);
  check(H5Tset_cset(type, H5T_CSET_UTF8), what);
  const hsize_t count = words.size();
  const Handle space(scalar ? H5Screate(H5S_SCALAR) : H5Screate_simple(1, &count, nullptr), H5Sclose, what);
  const Handle attribute(H5Acreate2(object, name.c_str(), type, space, H5P_DEFAULT, H5P_DEFAULT), H5Aclose, what);
  std::vector<const char*> texts;
  for (const std::string& word : words) texts.push_back(word.c_str());
  check(H5Awrite(attribute, type, texts.data()), what);
}

}  // namespace

struct Hdf5Reader::File {
  Handle handle;
};

Hdf5Reader::Hdf5Reader(const std::filesystem::path& file) {
  const std::lock_guard guard(library_lock());
  silence();
  file_ = std::make_unique<File>(File{
      Handle(H5Fopen(file.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT), H5Fclose, "read " + file.string() + ": no HDF5 file, or cut short")});
}

Hdf5Reader::~Hdf5Reader() {
  const std::lock_guard guard(library_lock());
  file_.reset();
}

Hdf5Reader::Hdf5Reader(Hdf5Reader&&) noexcept = default;

bool Hdf5Reader::has(const std::string& name) const {
  const std::lock_guard guard(library_lock());
  return is_numbers(file_->handle, name);
}

bool Hdf5Reader::has_object(const std::string& name) const {
  const std::lock_guard guard(library_lock());
  return leads_somewhere(file_->handle, name);
}

std::vector<std::string> Hdf5Reader::members(const std::string& group) const {
  const std::lock_guard guard(library_lock());
  std::vector<std::string> names;
  if (!leads_somewhere(file_->handle, group)) return names;
  const Handle opened(H5Oopen(file_->handle, group.c_str(), H5P_DEFAULT), H5Oclose, "open '" + group + "'");
  if (H5Iget_type(opened) != H5I_GROUP) return names;
  check(visit_links(opened, H5_INDEX_NAME, H5_ITER_INC, nullptr, collect_link, &names), "list '" + group + "'");
  return names;
}

std::vector<std::int64_t> Hdf5Reader::shape(const std::string& name) const {
  const std::lock_guard guard(library_lock());
  return read_shape(open_data_set(file_->handle, name));
}

std::string Hdf5Reader::text_attribute(const std::string& object, const std::string& attribute) const {
  const std::lock_guard guard(library_lock());
  const Handle opened(H5Oopen(file_->handle, object.c_str(), H5P_DEFAULT), H5Oclose, "open '" + object + "'");
  return read_text_attribute(opened, attribute);
}

std::vector<std::string> Hdf5Reader::enumeration(const std::string& name) const {
  const std::lock_guard guard(library_lock());
  std::vector<std::string> words;
  if (!leads_somewhere(file_->handle, name)) return words;
  const Handle object(H5Oopen(file_->handle, name.c_str(), H5P_DEFAULT), H5Oclose, "open '" + name + "'");
  if (H5Iget_type(object) != H5I_DATASET) return words;
  const Handle type(H5Dget_type(object), H5Tclose, "read a type");
  if (H5Tget_class(type) != H5T_ENUM) return words;
  for (unsigned member = 0; member < static_cast<unsigned>(std::max(0, H5Tget_nmembers(type))); ++member) {
    char* word = H5Tget_member_name(type, member);
    if (word == nullptr) fail("read '" + name + "'");
    words.emplace_back(word);
    H5free_memory(word);
  }
  return words;
}

artifacts::Array Hdf5Reader::read(const std::string& name) const {
  const std::lock_guard guard(library_lock());
  const Handle data_set = open_data_set(file_->handle, name);
  const Handle type(H5Dget_type(data_set), H5Tclose, "read a type");
  return read_array(data_set, type);
}

std::vector<double> Hdf5Reader::rows(const std::string& name, std::int64_t first, std::int64_t count) const {
  const std::lock_guard guard(library_lock());
  const std::string what = "read '" + name + "'";
  const Handle data_set = open_data_set(file_->handle, name);
  const std::vector<hsize_t> extents = extents_of(data_set);
  if (extents.empty() || first < 0 || count < 0 || static_cast<hsize_t>(first + count) > extents[0]) {
    throw ShapeError(fmt::format("'{}' has no rows {} to {}", name, first, first + count));
  }
  std::vector<hsize_t> start(extents.size(), 0);
  start[0] = static_cast<hsize_t>(first);
  const std::vector<hsize_t> block = with_rows(count, extents);
  std::vector<double> numbers(std::accumulate(block.begin(), block.end(), std::size_t{1}, std::multiplies<>()));
  if (numbers.empty()) return numbers;
  const Handle source(H5Dget_space(data_set), H5Sclose, what);
  check(H5Sselect_hyperslab(source, H5S_SELECT_SET, start.data(), nullptr, block.data(), nullptr), what);
  const Handle target(H5Screate_simple(static_cast<int>(block.size()), block.data(), nullptr), H5Sclose, what);
  check(H5Dread(data_set, H5T_NATIVE_DOUBLE, target, source, H5P_DEFAULT, numbers.data()), what);
  return numbers;
}

struct Hdf5Writer::File {
  std::optional<Handle> handle;
  std::string name;
};

Hdf5Writer::Hdf5Writer(const std::filesystem::path& file) {
  const std::lock_guard guard(library_lock());
  silence();
  file_ = std::make_unique<File>();
  file_->name = file.string();
  file_->handle.emplace(H5Fcreate(file.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT), H5Fclose, "write " + file.string());
}

Hdf5Writer::~Hdf5Writer() {
  const std::lock_guard guard(library_lock());
  file_.reset();
}

Hdf5Writer::Hdf5Writer(Hdf5Writer&&) noexcept = default;

void Hdf5Writer::add_group(const std::string& name) {
  const std::lock_guard guard(library_lock());
  const Handle group(H5Gcreate2(*file_->handle, name.c_str(), deep_links(), H5P_DEFAULT, H5P_DEFAULT), H5Gclose, "make the group '" + name + "'");
}

void Hdf5Writer::add_attribute(const std::string& object, const std::string& attribute, const std::string& text) {
  const std::lock_guard guard(library_lock());
  const Handle opened(H5Oopen(*file_->handle, object.c_str(), H5P_DEFAULT), H5Oclose, "open '" + object + "'");
  write_words(opened, attribute, {text}, true);
}

void Hdf5Writer::add_attribute(const std::string& object, const std::string& attribute, const std::vector<std::int64_t>& integers) {
  const std::lock_guard guard(library_lock());
  const std::string what = "write the attribute '" + attribute + "'";
  const Handle opened(H5Oopen(*file_->handle, object.c_str(), H5P_DEFAULT), H5Oclose, "open '" + object + "'");
  const hsize_t count = integers.size();
  const Handle space(count == 1 ? H5Screate(H5S_SCALAR) : H5Screate_simple(1, &count, nullptr), H5Sclose, what);
  const Handle made(H5Acreate2(opened, attribute.c_str(), H5T_STD_I64LE, space, H5P_DEFAULT, H5P_DEFAULT), H5Aclose, what);
  check(H5Awrite(made, H5T_NATIVE_INT64, integers.data()), what);
}

void Hdf5Writer::add_attribute(const std::string& object, const std::string& attribute, const std::vector<std::string>& texts) {
  const std::lock_guard guard(library_lock());
  const Handle opened(H5Oopen(*file_->handle, object.c_str(), H5P_DEFAULT), H5Oclose, "open '" + object + "'");
  write_words(opened, attribute, texts, false);
}

void Hdf5Writer::add(const std::string& name, const artifacts::Array& array) {
  const std::lock_guard guard(library_lock());
  write_array(*file_->handle, name, array);
}

void Hdf5Writer::add_enumeration(const std::string& name, const std::map<std::string, std::int64_t>& names,
                                 const std::vector<std::int64_t>& values) {
  const std::lock_guard guard(library_lock());
  const std::string what = "write '" + name + "'";
  const Handle type(H5Tenum_create(H5T_NATIVE_INT64), H5Tclose, what);
  for (const auto& [word, value] : names) check(H5Tenum_insert(type, word.c_str(), &value), what);
  const hsize_t count = values.size();
  const Handle space(H5Screate_simple(1, &count, nullptr), H5Sclose, what);
  const Handle data_set(H5Dcreate2(*file_->handle, name.c_str(), type, space, deep_links(), plain_creation(), H5P_DEFAULT), H5Dclose, what);
  check(H5Dwrite(data_set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()), what);
}

void Hdf5Writer::add_link(const std::string& existing, const std::string& name) {
  const std::lock_guard guard(library_lock());
  check(H5Lcreate_hard(*file_->handle, existing.c_str(), *file_->handle, name.c_str(), deep_links(), H5P_DEFAULT), "link '" + name + "'");
}

void Hdf5Writer::begin_rows(const std::string& name, const std::vector<std::int64_t>& row, bool integers, const std::string& unit) {
  const std::lock_guard guard(library_lock());
  const std::string what = "make the array '" + name + "'";
  std::vector<hsize_t> extents{0}, most{H5S_UNLIMITED}, chunk{static_cast<hsize_t>(std::max<std::int64_t>(1, kChunkBytes / (8 * product(row))))};
  for (const std::int64_t extent : row) {
    for (std::vector<hsize_t>* each : {&extents, &most, &chunk}) each->push_back(static_cast<hsize_t>(extent));
  }
  chunk[0] = std::min<hsize_t>(chunk[0], 4096);
  const Handle space(H5Screate_simple(static_cast<int>(extents.size()), extents.data(), most.data()), H5Sclose, what);
  const Handle creation = plain_creation();
  check(H5Pset_chunk(creation, static_cast<int>(chunk.size()), chunk.data()), what);
  const Handle data_set(H5Dcreate2(*file_->handle, name.c_str(), integers ? H5T_STD_I64LE : H5T_IEEE_F64LE, space, deep_links(), creation, H5P_DEFAULT),
                        H5Dclose, what);
  if (!unit.empty()) write_words(data_set, "unit", {unit}, true);
}

void Hdf5Writer::append(const std::string& name, const std::vector<double>& numbers) {
  const std::lock_guard guard(library_lock());
  append_numbers(*file_->handle, name, H5T_NATIVE_DOUBLE, numbers.data(), numbers.size());
}

void Hdf5Writer::append(const std::string& name, const std::vector<std::int64_t>& numbers) {
  const std::lock_guard guard(library_lock());
  append_numbers(*file_->handle, name, H5T_NATIVE_INT64, numbers.data(), numbers.size());
}

void Hdf5Writer::close() {
  const std::lock_guard guard(library_lock());
  if (!file_->handle) return;
  check(H5Fflush(*file_->handle, H5F_SCOPE_GLOBAL), "write " + file_->name + ": is the disk full?");
  file_->handle.reset();
}

}  // namespace bgw::store
