#include "runtime/cli/machine_findings.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>

#include "compiler/schema/value.h"
#include "runtime/cli/machine_warnings.h"
#include "runtime/cli/task_program.h"
#include "runtime/engine/machine.h"
#include "runtime/foundation/errors.h"
#include "runtime/store/temporary_file.h"

namespace bgw::cli {
namespace {

namespace fs = std::filesystem;

std::string gigabytes(double bytes) { return fmt::format("{:.1f} GB", bytes * 1e-9); }

// A number of /proc/meminfo in bytes; 0 when it is not there.
double memory_entry(const std::string& name) {
  std::ifstream file("/proc/meminfo");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(name + ":")) return std::atof(line.c_str() + name.size() + 1) * 1024;
  }
  return 0;
}

Finding cpu_finding() {
  const int usable = machine_cpus();
  const long there = ::sysconf(_SC_NPROCESSORS_ONLN);
  std::string text = fmt::format("{}", usable);
  if (there > usable) text += fmt::format(" of the {} of this machine (affinity or quota)", there);
  std::array<double, 1> load{};
  if (::getloadavg(load.data(), 1) != 1) return {"cpus", Verdict::ok, text, ""};
  text += fmt::format(", load {:.1f}", load[0]);
  constexpr double kBusy = 1.5;
  if (load[0] > kBusy * usable)
    return {"cpus", Verdict::warn, text, "others work on this machine too: wait for them, or give bgw less with --cpus"};
  return {"cpus", Verdict::ok, text, ""};
}

Finding memory_finding() {
  constexpr double kLittle = 1e9;  // bytes
  const double usable = engine::this_machine().memory;
  const double built_in = memory_entry("MemTotal");
  const double available = std::min(usable, memory_entry("MemAvailable"));
  std::string text = gigabytes(usable);
  if (usable < built_in) text += fmt::format(" of the {} of this machine (control group)", gigabytes(built_in));
  text += fmt::format(", {} available", gigabytes(available));
  if (available > 0 && available < kLittle) return {"memory", Verdict::warn, text, "end what takes it, or expect tasks to be killed"};
  return {"memory", Verdict::ok, text, ""};
}

std::optional<rlim_t> soft_limit(__rlimit_resource resource) {
  rlimit limit{};
  if (::getrlimit(resource, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return std::nullopt;
  return limit.rlim_cur;
}

void add_limits(Findings& findings) {
  constexpr rlim_t kFiles = 256;  // a run has a handful open for each task side by side
  const std::optional<rlim_t> files = soft_limit(RLIMIT_NOFILE);
  const std::string shown = files ? fmt::format("{}", *files) : "no limit";
  const bool few = files && *files < kFiles;
  findings.push_back({"open files", few ? Verdict::warn : Verdict::ok, shown, few ? fmt::format("ulimit -n {}", kFiles * 4) : ""});
  if (const auto size = soft_limit(RLIMIT_FSIZE))
    findings.push_back({"file size", Verdict::warn, fmt::format("limited to {}", gigabytes(static_cast<double>(*size))), "ulimit -f unlimited"});
  if (const auto space = soft_limit(RLIMIT_AS)) {
    findings.push_back({"address space", Verdict::warn, fmt::format("limited to {}", gigabytes(static_cast<double>(*space))),
                        "ulimit -v unlimited: libraries reserve much more than they use"});
  }
}

Finding clock_finding() {
  std::error_code error;
  const fs::path self = fs::read_symlink("/proc/self/exe", error);
  const fs::file_time_type built = fs::last_write_time(self, error);
  if (!error && built > fs::file_time_type::clock::now() + std::chrono::hours(1))
    return {"clock", Verdict::bad, "it stands before the time at which bgw was built", "set it: histories and ages of checkpoints come from it"};
  return {"clock", Verdict::ok, "sane", ""};
}

const char* value_of(const char* name) {
  const char* value = std::getenv(name);
  return value && *value ? value : nullptr;
}

// A variable that does harm whatever it holds.
struct Harmful {
  const char* name;
  const char* why;
};
constexpr std::array kHarmful = {
    Harmful{"OMP_PROC_BIND", "it ties the threads of all tasks to the same processors"},
    Harmful{"OMP_PLACES", "it ties the threads of all tasks to the same processors"},
    Harmful{"GOMP_CPU_AFFINITY", "it ties the threads of all tasks to the same processors"},
    Harmful{"KMP_AFFINITY", "it ties the threads of all tasks to the same processors"},
    Harmful{"OMP_THREAD_LIMIT", "tasks may get fewer threads than they are given"},
    Harmful{"OMP_DYNAMIC", "tasks may get fewer threads than they are given"},
    Harmful{"OMP_WAIT_POLICY", "waiting threads may take processors from other tasks"},
    Harmful{"MKL_NUM_THREADS", "products of small matrices get slower with threads of their own"},
    Harmful{"LD_PRELOAD", "every process of bgw loads it"}};

// What the answer of `bgw-task about` tells of matrix products.
Finding blas_finding(const schema::Value& about) {
  constexpr double kSlow = 4;  // 10^9 operations a second and thread: a tenth of what a tuned library does
  const std::string file = about.string_or("blas", "");
  const double rate = about.number_or("matrix_gflops", 0);
  const std::string text = fmt::format("{}, {:.1f} Gflop/s on one thread", file.empty() ? "inside LibTorch" : file, rate);
  // Debian's reference library is .../blas/libblas.so.3; tuned ones lie in folders of their own names.
  const bool is_reference = fs::path(file).parent_path().filename() == "blas";
  if (is_reference)
    return {"matrix products", Verdict::bad, text + ": the reference library, many times slower than a tuned one", "apt-get install libopenblas0-pthread"};
  if (rate < kSlow) return {"matrix products", Verdict::warn, text + ": slow", "apt-get install libopenblas0-pthread, or wait until the machine is idle"};
  return {"matrix products", Verdict::ok, text, ""};
}

Finding gpu_finding(const schema::Value& about) {
  const std::vector<std::string> gpus = engine::this_machine().gpus;
  const std::int64_t usable = about.int_or("cuda_devices", 0);
  std::string text = fmt::format("{}, {} that LibTorch can use", gpus.size(), usable);
  if (!gpus.empty()) text += fmt::format(": {}", fmt::join(gpus, ", "));
  if (usable < static_cast<std::int64_t>(gpus.size()))
    return {"gpus", Verdict::warn, text, "tasks work without them; a LibTorch with CUDA and a driver that fits it would use them"};
  return {"gpus", Verdict::ok, text, ""};
}

std::string program_in_path(const std::string& name) {
  if (name.find('/') != std::string::npos) return ::access(name.c_str(), X_OK) == 0 ? name : "";
  const char* path = std::getenv("PATH");
  std::istringstream folders(path ? path : "");
  for (std::string folder; std::getline(folders, folder, ':');) {
    const fs::path file = fs::path(folder) / name;
    if (::access(file.c_str(), X_OK) == 0) return file.string();
  }
  return "";
}

}  // namespace

Findings machine_findings() {
  Findings findings{cpu_finding(), memory_finding()};
  add_limits(findings);
  findings.push_back(clock_finding());
  return findings;
}

Findings environment_findings() {
  Findings findings;
  for (const Harmful& variable : kHarmful) {
    if (const char* value = value_of(variable.name))
      findings.push_back({"environment", Verdict::warn, fmt::format("{}={}: {}", variable.name, value, variable.why), fmt::format("unset {}", variable.name)});
  }
  if (const char* value = value_of("OMP_NUM_THREADS"))
    findings.push_back({"environment", Verdict::ok, fmt::format("OMP_NUM_THREADS={} is set; tasks get their own from bgw, --cpus says how many", value), ""});
  if (findings.empty()) findings.push_back({"environment", Verdict::ok, "no variable in the way", ""});
  return findings;
}

Findings task_program_findings() {
  constexpr unsigned kPatience = 60;  // seconds
  Findings findings;
  try {
    const fs::path program = find_task_program();
    const store::TemporaryFile answer;
    const int cpus = machine_cpus();
    const int status = run_task_program(program, {"about"}, answer.descriptor(), {{"OMP_NUM_THREADS", std::to_string(cpus)}, {"OPENBLAS_NUM_THREADS", "1"}}, kPatience);
    if (status != 0) {
      findings.push_back({"bgw-task", Verdict::bad, fmt::format("{} does not work: it ended with {}", program.string(), status),
                          "see what it says above; a library may be missing (cmake/setup.sh installs all)"});
      return findings;
    }
    const schema::Value about = schema::parse_json(answer.read());
    findings.push_back({"bgw-task", Verdict::ok, fmt::format("{}, LibTorch {}", program.string(), about.string_or("torch", "?")), ""});
    const auto threads = about.int_or("threads", 0);
    const bool few = threads < cpus;
    findings.push_back({"threads", few ? Verdict::warn : Verdict::ok, fmt::format("{} of {} asked for, by {}", threads, cpus, about.string_or("parallel", "?")),
                        few ? "unset variables of OpenMP that limit them" : ""});
    findings.push_back(blas_finding(about));
    findings.push_back(gpu_finding(about));
  } catch (const StoreError& error) {
    findings.push_back({"bgw-task", Verdict::bad, error.what(), "build it, or name it in BGW_TASK"});
  } catch (const std::runtime_error& error) {
    findings.push_back({"bgw-task", Verdict::bad, fmt::format("its answer is not understood: {}", error.what()), "bgw and bgw-task have to be of one version"});
  }
  return findings;
}

Findings gnuplot_findings() {
  const char* given = value_of("BGW_GNUPLOT");
  const std::string name = given ? given : "gnuplot";
  const std::string file = program_in_path(name);
  if (file.empty()) return {{"figures", Verdict::warn, fmt::format("there is no {}: programs with figures fail at them", name), "apt-get install gnuplot-nox"}};
  return {{"figures", Verdict::ok, file, ""}};
}

}  // namespace bgw::cli
