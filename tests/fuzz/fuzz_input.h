#pragma once

#include <map>
#include <string>
#include <string_view>

// What a fuzz target makes of the fuzzer's bytes. A line that begins with `#%%` or `#%p` is a comment to bgw, so any
// program is an input as it stands:
//
//   bgw 1
//   import "lib/mw.bgw" as lib
//   #%p T=250K              an override, as `-p T=250K` gives it
//   #%% lib/mw.bgw          from here on the text of an imported file
//   potential mw { ... }
namespace bgw::fuzz {

struct Input {
  std::string program;
  std::map<std::string, std::string> overrides;
  std::map<std::string, std::string> files;  // by the path after `#%%`
};

Input split_input(std::string_view bytes);

/// Ends the process with a message when a law does not hold: the fuzzer keeps the input that did it.
void must(bool holds, const char* law, std::string_view detail = {});

}  // namespace bgw::fuzz
