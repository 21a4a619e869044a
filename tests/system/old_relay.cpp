#include "tests/system/old_relay.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>

namespace hone::testing_system {
namespace {

constexpr uint32_t protocol = 2;
constexpr std::chrono::milliseconds turn{2};  ///< how long it listens to one side at most

}  // namespace

OldRelay::OldRelay(std::string endpoint, std::string scheduler)
    : thread_([this, endpoint = std::move(endpoint), scheduler = std::move(scheduler)] {
        work(endpoint, scheduler);
      }) {}

OldRelay::~OldRelay() {
  stop_.notify();
  thread_.join();
}

void OldRelay::make_old(wire::Message& message) {
  if (auto* hello = std::get_if<wire::Hello>(&message)) {
    hello->protocol_max = std::min(hello->protocol_max, protocol);
    if (std::exchange(hello->feature_version, 0) != 0) ++dropped_.feature_versions;
  } else if (auto* job = std::get_if<wire::JobRequest>(&message)) {
    if (job->parts.size() > 1) ++dropped_.further_targets;
    job->parts.resize(1);
  } else if (auto* status = std::get_if<wire::SchedulerStatus>(&message)) {
    status->protocol_max = protocol;
    status->acknowledged_median_us = status->acknowledged_high_us = -1;
    ++dropped_.delays;
  } else if (auto* want = std::get_if<wire::Want>(&message)) {
    for (wire::Round& round : want->rounds) {
      if (std::holds_alternative<wire::Featurise>(round.asks)) round.asks = wire::Propose();
    }
    for (wire::MeasureRequest& request : want->measurements) request.sampling.out_factor = 0;
  }
}

void OldRelay::work(const std::string& endpoint, const std::string& scheduler) {
  auto hub = Hub::bind(endpoint);
  ASSERT_TRUE(hub) << hub.error().text();
  std::map<PeerId, std::unique_ptr<Peer>> lines;  // one to the scheduler for each that came here
  const int fds[] = {stop_.fd()};
  while (hub->wait(std::chrono::steady_clock::now() + turn, fds).ready.empty()) {
    while (auto came = hub->receive()) {
      auto& [message, blobs] = came->received;
      ASSERT_TRUE(message) << message.error().text();
      auto& line = lines[came->peer];
      if (line == nullptr) {
        auto peer = Peer::connect(scheduler);
        ASSERT_TRUE(peer) << peer.error().text();
        line = std::make_unique<Peer>(std::move(*peer));
      }
      make_old(*message);
      (void)line->send(*message, blobs);
    }
    std::vector<Peer*> all;
    std::vector<PeerId> whose;
    for (const auto& [id, line] : lines) {
      whose.push_back(id);
      all.push_back(line.get());
    }
    if (all.empty()) continue;
    for (const size_t i : Peer::wait_for_any(all, std::chrono::steady_clock::now() + turn).peers)
      while (auto came = all[i]->receive()) {
        ASSERT_TRUE(came->message) << came->message.error().text();
        make_old(*came->message);
        if (!hub->send(whose[i], *came->message, came->blobs)) {  // it has left
          lines.erase(whose[i]);
          break;
        }
      }
  }
}

}  // namespace hone::testing_system
