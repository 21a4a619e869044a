// How a caller ends a call that lasts.
#include "tuner/session/interrupt.h"

#include <gmock/gmock.h>
#include <poll.h>

namespace hone::session {
namespace {

bool is_readable(int fd) {
  pollfd wait = {fd, POLLIN, 0};
  return poll(&wait, 1, 0) == 1;
}

TEST(Interrupt, OfNobodyIsNeverAsked) {
  const Interrupt none;
  EXPECT_EQ(none.fd(), -1);
  EXPECT_FALSE(none.take());
}

TEST(Interrupt, EachPressOfTheButtonIsTakenOnce) {
  StopButton button;
  const Interrupt interrupt = button.interrupt();
  EXPECT_FALSE(is_readable(interrupt.fd()));
  EXPECT_FALSE(interrupt.take());
  button.press();
  button.press();
  EXPECT_TRUE(is_readable(interrupt.fd()));
  EXPECT_TRUE(interrupt.take());
  EXPECT_TRUE(is_readable(interrupt.fd())) << "the second waits";
  EXPECT_TRUE(interrupt.take());
  EXPECT_FALSE(is_readable(interrupt.fd()));
  EXPECT_FALSE(interrupt.take());
}

}  // namespace
}  // namespace hone::session
