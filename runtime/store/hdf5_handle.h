#pragma once

#include <hdf5.h>

#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "runtime/artifacts/artifact.h"

// What the readers and writers of HDF5 in this room share. Outside of it nobody sees the library.
namespace bgw::store::hdf5 {

/// The library keeps global state and Debian builds it without locks of its own: held by every public function.
std::mutex& library_lock();

/// HDF5 prints its error stack to stderr unless told otherwise; we say it in one message.
void silence();

/// @throws StoreError "HDF5 cannot …"
[[noreturn]] void fail(const std::string& what);
void check(herr_t code, const std::string& what);

/// An HDF5 identifier with the function that closes it.
class Handle {
 public:
  Handle(hid_t id, herr_t (*close)(hid_t), const std::string& what);
  ~Handle();
  Handle(Handle&& other) noexcept;
  Handle& operator=(Handle&&) = delete;
  operator hid_t() const { return id_; }

 private:
  hid_t id_;
  herr_t (*close_)(hid_t);
};

/// UTF-8 of a fixed number of bytes.
Handle text_type(std::size_t size);
/// Data sets carry no times: equal contents give equal bytes.
Handle plain_creation();
/// Links that make the groups on their way.
Handle deep_links();
/// A text as an attribute of an object.
void write_text_attribute(hid_t object, const std::string& name, const std::string& text);
/// "" when there is none, or it is no text.
std::string read_text_attribute(hid_t object, const std::string& name);
std::vector<std::int64_t> read_shape(hid_t data_set);
/// All numbers of a data set, with the text of its attribute "unit".
artifacts::Array read_array(hid_t data_set, hid_t type);
/// Makes the data set `name` with all numbers of an array and its unit.
void write_array(hid_t file, const std::string& name, const artifacts::Array& array);

}  // namespace bgw::store::hdf5
