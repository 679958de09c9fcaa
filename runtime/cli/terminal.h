#pragma once

#include <cstdio>
#include <string>
#include <string_view>

namespace bgw::cli {

/// True when a person reads this stream.
bool is_terminal(std::FILE* stream);
/// True when it may carry colour: a terminal, NO_COLOR unset or empty, TERM not "dumb".
bool colour_on(std::FILE* stream);
/// Characters in a line of the terminal; 80 when that is unknown.
std::size_t terminal_width(std::FILE* stream);

/// Writes at once. A stream that nobody reads any more (its terminal gone, its disk full) is not worth failing for: what
/// goes on behind the text goes on.
void put(std::FILE* stream, std::string_view text);

/// Gives standard input, output and error that were closed a place: else the next file opened would be written to.
void open_standard_streams();

enum class Colour { red, green, yellow, dim, bold };
/// The text, in colour where the stream may carry it.
std::string painted(std::string_view text, Colour colour, std::FILE* stream);

}  // namespace bgw::cli
