#include "runtime/engine/task_failure.h"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <fstream>
#include <new>

#include "compiler/schema/value.h"
#include "runtime/engine/child.h"
#include "runtime/foundation/errors.h"
#include "runtime/store/durable_file.h"
#include "runtime/store/utf8.h"

namespace bgw::engine {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kLogLines = 20;
constexpr std::streamoff kLogBytes = 1 << 16;  // a log may be large; its end is what is shown

std::vector<std::string> last_lines(const fs::path& log) {
  std::ifstream text(log, std::ios::binary | std::ios::ate);
  if (!text) return {};
  const std::streamoff size = text.tellg();
  text.seekg(std::max<std::streamoff>(0, size - kLogBytes));
  std::vector<std::string> lines;
  for (std::string line; std::getline(text, line);) lines.push_back(store::valid_utf8(line));
  if (lines.size() > kLogLines) lines.erase(lines.begin(), lines.end() - kLogLines);
  return lines;
}

void read_cause(const fs::path& file, TaskFailed& failure) {
  try {
    const schema::Value written = schema::parse_json(store::read_bytes(file));
    failure.cause = written.at("cause").as_string();
    failure.message = written.at("message").as_string();
  } catch (const std::exception&) {
    failure.cause = "crash";
    failure.message = "the task process failed without saying why";
  }
}

}  // namespace

TaskFailed failure_of(const ProcessEnd& end, const fs::path& work) {
  TaskFailed failure;
  failure.log = work / "log.txt";
  failure.last_log_lines = last_lines(failure.log);
  if (end.signal != 0) {
    failure.cause = end.signal == SIGKILL ? "killed" : "crash";
    failure.message = fmt::format("the task process was ended by signal {} ({})", end.signal, strsignal(end.signal));
  } else if (end.code == kTaskNoDisk) {
    failure.cause = "disk";
    failure.message = "disk full: not even the cause could be written";
  } else if (end.code == kTaskFailed) {
    read_cause(work / "failure.json", failure);
  } else {
    failure.cause = "crash";
    failure.message = fmt::format("the task process ended with exit code {} and no result", end.code);
  }
  return failure;
}

TaskFailed failure_now() {
  const auto failure = [](const char* cause, const std::string& message) {
    TaskFailed made;
    made.cause = cause;
    made.message = message;
    return made;
  };
  try {
    throw;
  } catch (const InputError& error) {
    return failure("bad_input", error.what());
  } catch (const NumericalError& error) {
    return failure("nan", error.what());
  } catch (const NotStarted& error) {
    return failure("crash", error.what());
  } catch (const StoreError& error) {
    return failure("disk", error.what());
  } catch (const std::bad_alloc&) {
    return failure("oom", "out of memory");
  } catch (const std::exception& error) {
    return failure("crash", error.what());
  }
}

}  // namespace bgw::engine
