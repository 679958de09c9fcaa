#include "runtime/engine/wakeups.h"

#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>

#include "runtime/foundation/errors.h"

namespace bgw::engine {
namespace {

constexpr long kTickNanoseconds = 200'000'000;

store::Descriptor checked(int descriptor) {
  if (descriptor < 0) throw StoreError(fmt::format("the system refuses what the dispatcher needs: {}", std::strerror(errno)));
  return store::Descriptor(descriptor);
}

store::Descriptor make_clock() {
  store::Descriptor clock = checked(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  const itimerspec interval{{0, kTickNanoseconds}, {0, kTickNanoseconds}};
  ::timerfd_settime(clock.get(), 0, &interval, nullptr);
  return clock;
}

void drain(int descriptor) {
  std::uint64_t count = 0;
  [[maybe_unused]] const ssize_t got = ::read(descriptor, &count, sizeof(count));
}

}  // namespace

sigset_t stop_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction action {};
    ::sigaction(signal, nullptr, &action);
    if (action.sa_handler != SIG_IGN) sigaddset(&signals, signal);
  }
  return signals;
}

Wakeups::Wakeups() {
  const sigset_t signals = stop_signals();
  epoll_ = checked(::epoll_create1(EPOLL_CLOEXEC));
  signals_ = checked(::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
  bell_ = checked(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  clock_ = make_clock();
  for (const int descriptor : {signals_.get(), bell_.get(), clock_.get()}) watch(descriptor);
}

void Wakeups::watch(int child) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = child;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, child, &event) != 0) checked(-1);
}

void Wakeups::forget(int child) { ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, child, nullptr); }

Wakeups::Event Wakeups::event_of(int descriptor) {
  if (descriptor == signals_.get()) return {Kind::signal, -1};
  if (descriptor != bell_.get() && descriptor != clock_.get()) return {Kind::child, descriptor};
  drain(descriptor);
  return {descriptor == bell_.get() ? Kind::bell : Kind::tick, -1};
}

std::vector<Wakeups::Event> Wakeups::wait() {
  epoll_event events[16];
  const int count = ::epoll_wait(epoll_.get(), events, 16, -1);
  if (count < 0 && errno != EINTR) checked(-1);
  std::vector<Event> happened;
  for (int i = 0; i < count; ++i) happened.push_back(event_of(events[i].data.fd));
  return happened;
}

void Wakeups::ring() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(bell_.get(), &one, sizeof(one));
}

std::optional<int> Wakeups::next_signal() {
  signalfd_siginfo info{};
  if (::read(signals_.get(), &info, sizeof(info)) != static_cast<ssize_t>(sizeof(info))) return std::nullopt;
  return static_cast<int>(info.ssi_signo);
}

}  // namespace bgw::engine
