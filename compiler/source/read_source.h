#pragma once

#include <functional>
#include <optional>
#include <string>

#include "compiler/source/diagnostic.h"

namespace bgw::source {

/// Why a file could not become a program.
struct ReadFailure {
  bool unreadable = false;  // the file system's fault (exit code 2); otherwise the content's (exit code 3)
  std::string message;      // one line with the path
};

/// Reads a program: UTF-8 text of at most 64 MiB. A byte order mark is dropped.
/// @return nullopt when the file cannot be read or is no text; `failure` then says why
std::optional<std::string> read_source(const std::string& path, ReadFailure& failure);

/// What read_source does with the bytes it read: the same checks, the same messages.
std::optional<std::string> checked_source(std::string bytes, const std::string& path, ReadFailure& failure);

/// The bytes of a file that a program names; nullopt when it cannot be read, `problem` then says why.
using FileReader = std::function<std::optional<std::string>(const std::string& path, std::string& problem)>;

/// From the disk, at most 64 MiB.
std::optional<std::string> read_named_file(const std::string& path, std::string& problem);

/// Paths in a program are seen from the file they stand in.
std::string path_seen_from(const std::string& file, const std::string& path);

/// The text with every byte that is no part of UTF-8 replaced by U+FFFD: file names, words of a command line and lines
/// of other libraries may hold any bytes, JSON may not.
std::string valid_utf8(std::string_view text);

/// Offset of the first byte that is not UTF-8, or nullopt.
std::optional<std::size_t> first_invalid_utf8(std::string_view text);

}  // namespace bgw::source
