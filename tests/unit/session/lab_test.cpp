// Questions to a scheduler that runs: answered as values, without a word.
#include <gmock/gmock.h>

#include "codegen/base/temporary_folder.h"
#include "tests/unit/session/quiet.h"
#include "tuner/session/jobs.h"
#include "tuner/session/logs.h"
#include "tuner/session/processes.h"
#include "tuner/session/tune.h"

namespace hone::session {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

class Lab : public testing::Test {
 protected:
  std::string at(const std::string& name) const { return folder_.path() / name; }
  void start_scheduler() {
    auto child = Child::start({programs() / "hone-scheduler",
                               {"--listen", lab_.scheduler, "--log", at("lab.h5")},
                               {},
                               at("scheduler.txt")});
    ASSERT_TRUE(child) << child.error().text();
    scheduler_.emplace(std::move(*child));
  }

  TemporaryFolder folder_ = *TemporaryFolder::make("test");
  LabAddress lab_{"ipc://" + at("s"), "", ""};
  std::optional<Child> scheduler_;
};

TEST_F(Lab, TellsOfItselfItsBoardsAndItsJobs) {
  start_scheduler();
  Quiet quiet;
  const auto status = scheduler_status(lab_);
  ASSERT_TRUE(status) << status.error().text();
  EXPECT_EQ(status->log, at("lab.h5"));
  EXPECT_EQ(status->boards, 0u);
  EXPECT_THAT(*boards(lab_), IsEmpty());
  EXPECT_THAT(*jobs(lab_), IsEmpty());
  EXPECT_FALSE(job(lab_, 99));
  EXPECT_FALSE(resume_job(lab_, 99));
  EXPECT_FALSE(change_board(lab_, "nobody", wire::BoardAction::drain, ""));
}

TEST_F(Lab, TakesAJobThatIsFollowedUntilSomebodyInterrupts) {
  start_scheduler();
  TuneRequest request;
  request.model = tiny_model();
  request.lab = lab_;
  Quiet quiet;
  const auto plan = plan_tuning(request);
  ASSERT_TRUE(plan) << plan.error().text();
  const auto submitted = submit(*plan);
  ASSERT_TRUE(submitted) << submitted.error().text();
  const auto described = job(lab_, *submitted);
  ASSERT_TRUE(described) << described.error().text();
  EXPECT_EQ(described->name, "tiny");
  EXPECT_EQ(parts_of(*described).front().size(), plan->parts.front().size());
  StopButton button;
  button.press();
  uint64_t left = 0;
  const auto followed = follow_in_lab(
      lab_, *submitted, false,
      [&](const TuneNews& news) {
        if (const auto* goes_on = std::get_if<JobGoesOn>(&news)) left = goes_on->job;
      },
      button.interrupt());
  ASSERT_TRUE(followed) << followed.error().text();
  EXPECT_TRUE(followed->interrupted);
  EXPECT_EQ(left, *submitted);
  EXPECT_EQ(jobs(lab_)->size(), 1u) << "it is there still";
}

TEST_F(Lab, GivesItsRecordsToALogHere) {
  start_scheduler();
  Quiet quiet;
  const auto pulled = pull({lab_, 0, "", at("mine.h5")});
  ASSERT_TRUE(pulled) << pulled.error().text();
  EXPECT_EQ(pulled->records, 0u);
}

TEST_F(Lab, ThatRefusesAnAddressIsAnError) {
  Quiet quiet;
  const auto status = scheduler_status({"carrier-pigeon://roof", "", ""});
  ASSERT_FALSE(status);
  EXPECT_THAT(status.error().text(), HasSubstr("carrier-pigeon"));
}

}  // namespace
}  // namespace hone::session
