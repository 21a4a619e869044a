#include "devices/simulated_rack.h"

#include <algorithm>

namespace hone {
namespace {

TimePoint now() { return std::chrono::steady_clock::now(); }

struct Place {
  Place(const RunnerOptions& options, const SimulationScript& script, uint64_t number, Peer connection)
      : board(options, script, number, now()), peer(std::move(connection)) {}
  SimulatedBoard board;
  Peer peer;
  bool cut_off = false;  ///< no new connection could be made: it is tried again
};
constexpr std::chrono::milliseconds try_again{100};

/// Everything that lies there and everything that is due.
Status serve(Place& place) {
  while (auto received = place.peer.receive())
    HONE_RETURN_IF_ERROR(place.board.receive(std::move(*received), now()));
  HONE_TRY(const std::vector<wire::Message> out, place.board.step(now()));
  // Without a file left for it now, as after any connection that is cut, it is out of reach for a moment.
  if (place.board.take_reconnect() || place.cut_off) place.cut_off = !place.peer.reconnect();
  for (const wire::Message& message : out) (void)place.peer.send(message);
  return {};
}

}  // namespace

Result<SimulationCounts> run_simulated_boards(const RunnerOptions& options, const SimulationScript& script,
                                              uint64_t count, int stop_fd) {
  RunnerOptions each = options;
  if (each.name.empty() && !each.transport.keys) each.name = "boards";
  HONE_TRY(each.transport.shared, SharedTransport::create(count));
  std::vector<std::unique_ptr<Place>> places;
  std::vector<Peer*> peers;
  std::vector<TimePoint> due;
  for (uint64_t number = 1; number <= count; ++number) {
    HONE_TRY(Peer peer, Peer::connect(each.scheduler, each.transport));
    peers.push_back(
        &places.emplace_back(std::make_unique<Place>(each, script, number, std::move(peer)))->peer);
    due.push_back(now());
  }
  const int fds[] = {stop_fd};
  std::vector<bool> ready(count);
  for (bool running = true; running;) {
    const Peer::WaitedForMany waited =
        Peer::wait_for_any(peers, *std::min_element(due.begin(), due.end()), fds);
    if (!waited.ready.empty()) break;
    std::fill(ready.begin(), ready.end(), false);
    for (const size_t i : waited.peers) ready[i] = true;
    const TimePoint time = now();
    running = false;
    for (size_t i = 0; i < places.size(); ++i) {
      if (ready[i] || due[i] <= time) {
        HONE_RETURN_IF_ERROR(serve(*places[i]));
        due[i] = places[i]->board.next_event();
        if (places[i]->cut_off) due[i] = std::min(due[i], time + try_again);
      }
      running = running || !places[i]->board.gone();
    }
  }
  SimulationCounts counts;
  for (const auto& place : places) counts.add(place->board.counts());
  return counts;
}

}  // namespace hone
