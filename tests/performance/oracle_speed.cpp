// What one element of the interpreter of task texts takes, with generated data.
// usage: oracle_speed
#include <fmt/format.h>

#include <algorithm>
#include <ctime>

#include "codegen/graph/task.h"
#include "codegen/oracle/oracle.h"

namespace {

struct Sample {
  const char* name;
  const char* graph;
};
constexpr Sample kSamples[] = {
    {"conv 3x3, 256 channels",
     "%x = input f32[1x256x14x14]\n%w = constant f32[256x256x3x3]\n%b = constant f32[256]\n"
     "%0 = conv %x %w %b {pads=[1,1,1,1]}\n%1 = relu %0\noutput %1\n"},
    {"conv 1x1, 2048 channels",
     "%x = input f32[1x2048x7x7]\n%w = constant f32[512x2048x1x1]\n%0 = conv %x %w\noutput %0\n"},
    {"conv 7x7, 3 channels",
     "%x = input f32[1x3x224x224]\n%w = constant f32[64x3x7x7]\n%0 = conv %x %w {strides=[2,2] "
     "pads=[3,3,3,3]}\noutput %0\n"},
    {"depthwise 3x3",
     "%x = input f32[1x96x56x56]\n%w = constant f32[96x1x3x3]\n%0 = conv %x %w {pads=[1,1,1,1] "
     "groups=96}\noutput %0\n"},
    {"pre-activated 1x1, 512 channels",
     "%x = input f32[1x512x28x28]\n%s = constant f32[512x1x1]\n%t = constant f32[512x1x1]\n%w = constant "
     "f32[128x512x1x1]\n%0 = mul %x %s\n%1 = add %0 %t\n%2 = relu %1\n%3 = conv %2 %w\noutput %3\n"},
    {"dense, 25088 inputs",
     "%x = input f32[1x25088]\n%w = constant f32[4096x25088]\n%0 = dense %x %w "
     "{transpose_b=1}\noutput %0\n"},
    {"softmax of 1000", "%x = input f32[1x1000]\n%0 = softmax %x {axis=1}\noutput %0\n"},
    {"global average of 7x7", "%x = input f32[1x1280x7x7]\n%0 = global_average_pool %x\noutput %0\n"},
};

/// Of this thread: others may use the machine.
double seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

}  // namespace

int main() {
  using namespace hone;
  fmt::print("{:34}{:>12}{:>14}{:>18}\n", "task", "cost", "us/element", "ns/operation");
  for (const Sample& sample : kSamples) {
    auto graph = parse_graph(sample.graph);
    const Oracle oracle = Oracle::create(make_task(std::move(graph.value())).text).value();
    const Oracle::Source source = test_data(oracle, "speed");
    double best = 1e9, sum = 0;
    for (int round = 0; round < 7; ++round) {
      const double begin = seconds();
      int64_t done = 0;
      for (; seconds() - begin < 0.05; ++done)
        sum += oracle.element((done * 7919) % oracle.elements(), source)->value;
      best = std::min(best, (seconds() - begin) / static_cast<double>(done));
    }
    fmt::print("{:34}{:12.0f}{:14.2f}{:18.2f}{}\n", sample.name, oracle.cost(), best * 1e6,
               best * 1e9 / oracle.cost(), sum == 0.5 ? " " : "");
  }
}
