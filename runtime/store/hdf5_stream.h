#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "runtime/artifacts/artifact.h"

// HDF5 files a piece at a time, for those that need not fit into memory. A name is a path inside the file,
// "particles/all/position/value". Every failure of the library is a StoreError.
namespace bgw::store {

/// A file that is read in rows, the entries along the first axis of a data set.
class Hdf5Reader {
 public:
  /// @throws StoreError when it is no HDF5 file, cut short or unreadable
  explicit Hdf5Reader(const std::filesystem::path& file);
  ~Hdf5Reader();
  Hdf5Reader(Hdf5Reader&&) noexcept;

  /// True when a data set of numbers has that name.
  bool has(const std::string& name) const;
  /// True when a group or a data set has that name.
  bool has_object(const std::string& name) const;
  /// Names of what lies in a group, sorted.
  std::vector<std::string> members(const std::string& group) const;
  std::vector<std::int64_t> shape(const std::string& name) const;
  /// "" when the object has no such attribute, or one that is no text.
  std::string text_attribute(const std::string& object, const std::string& attribute) const;
  /// The words of an enumeration, in the order of their numbers; none for other data sets.
  std::vector<std::string> enumeration(const std::string& name) const;
  /// The whole data set.
  artifacts::Array read(const std::string& name) const;
  /// Rows first .. first + count, whatever type they are stored in.
  std::vector<double> rows(const std::string& name, std::int64_t first, std::int64_t count) const;

 private:
  struct File;
  std::unique_ptr<File> file_;
};

/// A file that grows in rows.
class Hdf5Writer {
 public:
  /// Makes the file, or empties it.
  explicit Hdf5Writer(const std::filesystem::path& file);
  ~Hdf5Writer();
  Hdf5Writer(Hdf5Writer&&) noexcept;

  void add_group(const std::string& name);
  void add_attribute(const std::string& object, const std::string& attribute, const std::string& text);
  void add_attribute(const std::string& object, const std::string& attribute, const std::vector<std::int64_t>& integers);
  void add_attribute(const std::string& object, const std::string& attribute, const std::vector<std::string>& texts);
  void add(const std::string& name, const artifacts::Array& array);
  /// A data set of integers that stand for names.
  void add_enumeration(const std::string& name, const std::map<std::string, std::int64_t>& names,
                       const std::vector<std::int64_t>& values);
  /// A second name for an object that is there.
  void add_link(const std::string& existing, const std::string& name);

  /// Makes a data set without rows. What a chunk holds is read and written at once.
  /// @param row  extents of a row; none: a row is one number
  void begin_rows(const std::string& name, const std::vector<std::int64_t>& row, bool integers, const std::string& unit);
  /// Appends as many rows as the numbers make.
  void append(const std::string& name, const std::vector<double>& numbers);
  void append(const std::string& name, const std::vector<std::int64_t>& numbers);

  /// Writes what is still in memory; the destructor would not tell of a full disk.
  void close();

 private:
  struct File;
  std::unique_ptr<File> file_;
};

}  // namespace bgw::store
