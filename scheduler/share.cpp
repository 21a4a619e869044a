// Virtual times, as in weighted fair queueing: each is moved on by what was used, divided by its weight.
#include "scheduler/share.h"

#include <algorithm>

namespace hone::scheduler {

size_t FairShare::pick(const std::vector<Claim>& claims) {
  const auto catch_up = [this](double& time, double floor) { time = std::max(time, floor - credit_); };
  const Claim* first = &claims.front();
  for (const Claim& claim : claims) {
    catch_up(users_[claim.user], floor_);
    catch_up(jobs_[claim.job], job_floors_[claim.user]);
    const double time = users_[claim.user], best = users_[first->user];
    if (time < best || (claim.user == first->user && jobs_[claim.job] < jobs_[first->job])) first = &claim;
  }
  floor_ = std::max(floor_, users_[first->user]);
  double& job_floor = job_floors_[first->user];
  job_floor = std::max(job_floor, jobs_[first->job]);
  return static_cast<size_t>(first - claims.data());
}

void FairShare::charge(const Claim& claim, double amount) {
  users_[claim.user] += amount;
  jobs_[claim.job] += amount / std::max(1u, claim.priority);
}

}  // namespace hone::scheduler
