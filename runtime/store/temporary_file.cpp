#include "runtime/store/temporary_file.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <sstream>

namespace bgw::store {

TemporaryFile::TemporaryFile() {
  // The six last letters are mkostemp's to replace.
  std::string name = (std::filesystem::temp_directory_path() / ("bgw-" + std::string(6, 'X'))).string();
  descriptor_ = Descriptor(::mkostemp(name.data(), O_CLOEXEC));
  if (!descriptor_.is_open()) throw_system_error(errno, "make", name);
  path_ = name;
}

TemporaryFile::~TemporaryFile() { ::unlink(path_.c_str()); }

void TemporaryFile::write(const std::string& text) const {
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t count = ::write(descriptor(), text.data() + done, text.size() - done);
    if (count < 0 && errno != EINTR) throw_system_error(errno, "write", path_);
    if (count > 0) done += static_cast<std::size_t>(count);
  }
}

std::string TemporaryFile::read() const {
  std::ostringstream text;
  text << std::ifstream(path_, std::ios::binary).rdbuf();
  return std::move(text).str();
}

}  // namespace bgw::store
