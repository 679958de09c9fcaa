#pragma once
// The commands as a user calls them: the built program in a folder of its own, a fake in the place of bgw-task.
#include <sys/wait.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "compiler/schema/value.h"
#include "tests/support/catch.h"
#include "tests/support/scratch_directory.h"

namespace bgw::test {

struct Answer {
  int exit_code = -1;
  std::string out, err;
};

inline std::string text_of(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

/// A folder with the quickstart in it, in which commands are called.
class Desk {
 public:
  Desk() {
    std::filesystem::copy_file(std::filesystem::path(BGW_SOURCE_DIR) / "workflows" / "quickstart.bgw", folder_ / "ice.bgw");
  }

  Answer bgw(const std::string& arguments, const std::string& environment = "") const {
    const int status = std::system((command(arguments, environment) + " >out.txt 2>err.txt </dev/null").c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, text_of(folder_ / "out.txt"), text_of(folder_ / "err.txt")};
  }
  /// Starts a command and goes on; its output is in NAME.out and NAME.err, its exit code in NAME.rc when it has ended.
  void start(const std::string& name, const std::string& arguments, const std::string& environment = "") const {
    const std::string line = "{ " + command(arguments, environment) + " >" + name + ".out 2>" + name + ".err </dev/null; echo $? >" + name +
                             ".tmp; mv " + name + ".tmp " + name + ".rc; } >/dev/null 2>&1 &";
    REQUIRE(std::system(line.c_str()) == 0);
  }
  const std::filesystem::path& folder() const { return folder_; }

 private:
  std::string command(const std::string& arguments, const std::string& environment) const {
    return "cd '" + folder_.string() + "' && env BGW_TASK='" BGW_FAKE_PHYSICS "' " + environment + " '" BGW_PROGRAM "' " + arguments;
  }

  ScratchDirectory scratch_;
  std::filesystem::path folder_ = scratch_.path();
};

inline bool has(const std::string& text, const std::string& part) {
  INFO(text);
  return text.find(part) != std::string::npos;
}

}  // namespace bgw::test
