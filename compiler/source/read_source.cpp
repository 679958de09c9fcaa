#include "compiler/source/read_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

namespace bgw::source {
namespace {

constexpr std::size_t kLargestProgram = 64U << 20;

/// Length of the UTF-8 sequence that starts with this byte; 0 for a byte that starts none.
std::size_t sequence_length(unsigned char lead) {
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead < 0xE0) return 2;
  if (lead >= 0xE0 && lead < 0xF0) return 3;
  if (lead >= 0xF0 && lead < 0xF5) return 4;
  return 0;
}

/// Overlong forms, surrogates and code points above U+10FFFF show in the second byte.
bool second_byte_fits(unsigned char lead, unsigned char second) {
  if (lead == 0xE0) return second >= 0xA0;
  if (lead == 0xED) return second < 0xA0;
  if (lead == 0xF0) return second >= 0x90;
  if (lead == 0xF4) return second < 0x90;
  return true;
}

/// At most `most` bytes: a device or a pipe may have no end.
std::string first_bytes(std::istream& stream, std::size_t most) {
  constexpr std::size_t kStep = 1U << 16;
  std::string bytes;
  while (stream && bytes.size() < most) {
    const std::size_t size = bytes.size();
    const std::size_t step = std::min(kStep, most - size);
    bytes.resize(size + step);
    stream.read(bytes.data() + size, static_cast<std::streamsize>(step));
    bytes.resize(size + static_cast<std::size_t>(stream.gcount()));
  }
  return bytes;
}

/// Up to one byte more than a program may have.
std::optional<std::string> bytes_of(const std::string& path, std::string& problem) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) {
    problem = fmt::format("cannot read {}: it is a directory", path);
    return std::nullopt;
  }
  std::ifstream stream(path, std::ios::binary);
  std::string bytes;
  if (stream) bytes = first_bytes(stream, kLargestProgram + 1);
  if (stream.bad() || !stream.is_open()) {
    problem = fmt::format("cannot read {}: {}", path, std::strerror(errno));
    return std::nullopt;
  }
  return bytes;
}

}  // namespace

std::string valid_utf8(std::string_view text) {
  std::string valid;
  while (const std::optional<std::size_t> bad = first_invalid_utf8(text)) {
    valid += text.substr(0, *bad);
    valid += "\xEF\xBF\xBD";
    text.remove_prefix(*bad + 1);
  }
  valid += text;
  return valid;
}

std::optional<std::size_t> first_invalid_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const std::size_t length = sequence_length(lead);
    if (length == 0 || i + length > text.size()) return i;
    for (std::size_t k = 1; k < length; ++k) {
      const auto byte = static_cast<unsigned char>(text[i + k]);
      if ((byte & 0xC0) != 0x80 || (k == 1 && !second_byte_fits(lead, byte))) return i;
    }
    i += length;
  }
  return std::nullopt;
}

std::optional<std::string> checked_source(std::string text, const std::string& path, ReadFailure& failure) {
  if (text.size() > kLargestProgram) {
    failure = {false, fmt::format("{} is no program: it is larger than the limit of {} MiB", path, kLargestProgram >> 20)};
    return std::nullopt;
  }
  const std::size_t mark = text.starts_with("\xEF\xBB\xBF") ? 3 : 0;
  text.erase(0, mark);
  const std::size_t nul = text.find('\0');
  const auto invalid = first_invalid_utf8(text);
  if (nul != std::string::npos || invalid) {
    const std::size_t offset = std::min(nul, invalid.value_or(std::string::npos));
    failure = {false, fmt::format("{} is no text: byte {} is 0x{:02x}; a program is a UTF-8 text file", path, mark + offset,
                                  static_cast<unsigned char>(text[offset]))};
    return std::nullopt;
  }
  return text;
}

std::optional<std::string> read_source(const std::string& path, ReadFailure& failure) {
  auto bytes = bytes_of(path, failure.message);
  failure.unreadable = !bytes;
  if (!bytes) return std::nullopt;
  return checked_source(*std::move(bytes), path, failure);
}

std::optional<std::string> read_named_file(const std::string& path, std::string& problem) {
  auto bytes = bytes_of(path, problem);
  if (!bytes || bytes->size() <= kLargestProgram) return bytes;
  problem = fmt::format("{} is larger than the limit of {} MiB", path, kLargestProgram >> 20);
  return std::nullopt;
}

std::string path_seen_from(const std::string& file, const std::string& path) {
  return (std::filesystem::path(file).parent_path() / path).lexically_normal().generic_string();
}

}  // namespace bgw::source
