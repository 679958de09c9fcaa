#include "runtime/cli/output_file.h"

#include <fmt/format.h>

#include <fstream>

#include "runtime/cli/failure.h"
#include "runtime/foundation/errors.h"
#include "runtime/store/durable_file.h"

namespace bgw::cli {
namespace fs = std::filesystem;

void refuse_sources(const fs::path& path, const plan::Plan& plan) {
  std::error_code none;  // of one that is not there yet
  bool is_source = fs::equivalent(path, plan.program, none);
  for (const plan::Plan::Import& import : plan.imports) is_source = is_source || fs::equivalent(path, import.path, none);
  if (is_source) throw CommandFailure(kWrongUse, fmt::format("{} is the program itself: name another file to write to", path.string()));
}

void write_output(const fs::path& path, const std::string& text, const plan::Plan& plan) {
  refuse_sources(path, plan);
  std::error_code error;
  const fs::file_status status = fs::symlink_status(path, error);
  if (!fs::exists(status) || fs::is_regular_file(status) || fs::is_directory(status))
    return store::replace_durably(fs::absolute(path), text);
  std::ofstream stream(path, std::ios::binary);
  if (!(stream << text << std::flush)) throw StoreError(fmt::format("cannot write {}", path.string()));
}

fs::path way_from(const fs::path& file, const fs::path& other) {
  const fs::path folder = fs::absolute(file).lexically_normal().parent_path();
  return fs::absolute(other).lexically_normal().lexically_relative(folder);
}

fs::path follow(const fs::path& file, const fs::path& way) { return (file.parent_path() / way).lexically_normal(); }

}  // namespace bgw::cli
