#pragma once

#include <cstdio>
#include <memory>

#include "runtime/engine/observer.h"

namespace bgw::cli {

/// Nothing but failures and notices.
std::unique_ptr<engine::Observer> quiet_display();
/// One line an event, for logs and pipes.
std::unique_ptr<engine::Observer> plain_display();
/// The same, with a line a running task beneath that is rewritten in place: phase, step, numbers, time left.
std::unique_ptr<engine::Observer> terminal_display();
/// One JSON object a line on stdout: {"schema": 1, "event": "task_started", "task": …}.
std::unique_ptr<engine::Observer> json_display();

/// What `stream` deserves.
std::unique_ptr<engine::Observer> choose_display(bool quiet, bool json, std::FILE* stream);

}  // namespace bgw::cli
