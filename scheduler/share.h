// Whose turn it is: users share alike, the jobs of one user by their priorities. What was idle for long has
// no claim on what others used meanwhile.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace hone::scheduler {

/// A job that wants something now.
struct Claim {
  std::string user;
  uint64_t job = 0;
  uint32_t priority = 1;
};

class FairShare {
 public:
  /// `credit`: how far behind the others a share may be and still catch up, in the unit of charge().
  explicit FairShare(double credit) : credit_(credit) {}
  /// Index of the claim whose turn it is: of the user who used least, the job that used least for its
  /// priority. `claims` is not empty.
  size_t pick(const std::vector<Claim>& claims);
  /// What the claim used, or (negative) gives back.
  void charge(const Claim& claim, double amount);
  void forget_job(uint64_t job) { jobs_.erase(job); }

 private:
  double credit_;
  double floor_ = 0;                          ///< of users
  std::map<std::string, double> job_floors_;  ///< of one user's jobs
  std::map<std::string, double> users_;
  std::map<uint64_t, double> jobs_;
};

}  // namespace hone::scheduler
