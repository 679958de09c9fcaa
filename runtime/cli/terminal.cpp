#include "runtime/cli/terminal.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>

namespace bgw::cli {

bool is_terminal(std::FILE* stream) { return ::isatty(::fileno(stream)) == 1; }

bool colour_on(std::FILE* stream) {
  const char* refused = std::getenv("NO_COLOR");
  const char* term = std::getenv("TERM");
  return is_terminal(stream) && (!refused || !*refused) && (!term || std::string_view(term) != "dumb");
}

std::size_t terminal_width(std::FILE* stream) {
  struct winsize size {};
  if (::ioctl(::fileno(stream), TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return 80;
}

void put(std::FILE* stream, std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stream);
  std::fflush(stream);
}

void open_standard_streams() {
  for (int descriptor = 0; descriptor <= 2; ++descriptor) {
    // The lowest free number is given, which is the one that is missing.
    if (::fcntl(descriptor, F_GETFD) < 0) [[maybe_unused]] const int opened = ::open("/dev/null", O_RDWR);
  }
}

std::string painted(std::string_view text, Colour colour, std::FILE* stream) {
  if (!colour_on(stream)) return std::string(text);
  const char* code = "1";
  switch (colour) {
    case Colour::red: code = "31"; break;
    case Colour::green: code = "32"; break;
    case Colour::yellow: code = "33"; break;
    case Colour::dim: code = "2"; break;
    case Colour::bold: break;
  }
  return fmt::format("\033[{}m{}\033[0m", code, text);
}

}  // namespace bgw::cli
