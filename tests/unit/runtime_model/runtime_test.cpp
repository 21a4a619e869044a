// The executor and the pool under a table written here: two operators over a small arena.
#include <gmock/gmock.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <filesystem>
#include <memory>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

extern "C" {
#include "codegen/runtime/model/abi.h"
#include "codegen/runtime/model/cpus.h"
#include "codegen/runtime/model/features.h"
#include "codegen/runtime/model/note.h"
#include "codegen/runtime/model/parts.h"
#include "codegen/runtime/model/pool.h"
#include "codegen/runtime/model/table.h"
hone_table hone_model_table;
hone_digests_note hone_model_note;
extern const unsigned char __ehdr_start[];
}

namespace {

constexpr int64_t kElements = 1000;

// y = 2 x + the value left of x, which for the first is the margin.
void add_left(void* const* buffers, int32_t, int64_t begin, int64_t end) {
  const float* x = static_cast<const float*>(buffers[0]) + 16;
  float* y = static_cast<float*>(buffers[1]);
  for (int64_t i = begin; i < end; ++i) y[i] = 2 * x[i] + x[i - 1];
}

// Phase 0: t = y + w; phase 1: z = t[n - 1 - i]: wrong unless phase 0 is over everywhere.
void add_and_reverse(void* const* buffers, int32_t phase, int64_t begin, int64_t end) {
  const float* y = static_cast<const float*>(buffers[0]);
  const float* w = static_cast<const float*>(buffers[1]);
  float* z = static_cast<float*>(buffers[2]);
  float* t = static_cast<float*>(buffers[3]);
  for (int64_t i = begin; i < end; ++i)
    if (phase == 0)
      t[i] = y[i] + w[i];
    else
      z[i] = t[kElements - 1 - i];
}

/// Writes the table into memory that outlives the test.
class TableWriter {
 public:
  template <class T>
  static void place(int64_t& field, const T* target) {
    field = reinterpret_cast<const char*>(target) - reinterpret_cast<const char*>(&field);
  }
};

struct Storage {
  hone_operator operators[2]{};
  hone_operand operands[6]{};
  hone_phase phases[3]{};
  hone_fill fill{};
  hone_boundary input{}, output{};
  alignas(64) float weights[kElements];
};
Storage storage;

void write_table(double work, int64_t inner = 0) {
  auto& t = hone_model_table;
  auto& s = storage;
  std::iota(s.weights, s.weights + kElements, 0.5f);
  t = {};
  t.magic = HONE_TABLE_MAGIC;
  constexpr int64_t kBuffer = 4096 + 64;
  t.arena_bytes = 4 * kBuffer;
  static const char description[] = "{}";
  static const char name[] = "data";
  TableWriter::place(t.description, description);
  TableWriter::place(t.weights, s.weights);
  TableWriter::place(t.operators, s.operators);
  TableWriter::place(t.inputs, &s.input);
  TableWriter::place(t.outputs, &s.output);
  t.operator_count = 2;
  t.input_count = t.output_count = 1;
  t.operand_count = 6;
  s.operands[0] = {HONE_IN_ARENA, 0};
  s.operands[1] = {HONE_IN_ARENA, kBuffer};
  s.operands[2] = {HONE_IN_ARENA, kBuffer};
  s.operands[3] = {HONE_IN_WEIGHTS, 0};
  s.operands[4] = {HONE_IN_ARENA, 2 * kBuffer};
  s.operands[5] = {HONE_IN_ARENA, 3 * kBuffer};
  for (auto& phase : s.phases) phase = {kElements, inner, work};
  auto op = [&](int i, void (*run)(void* const*, int32_t, int64_t, int64_t), int operand, int operands,
                int phase, int phases) {
    TableWriter::place(s.operators[i].run, reinterpret_cast<const char*>(run));
    TableWriter::place(s.operators[i].operands, s.operands + operand);
    TableWriter::place(s.operators[i].phases, s.phases + phase);
    s.operators[i].operand_count = operands;
    s.operators[i].phase_count = phases;
  };
  op(0, add_left, 0, 2, 0, 1);
  op(1, add_and_reverse, 2, 4, 1, 2);
  s.fill = {0, 1, 0, 1, 0, 16, 7.0f, 0};
  for (hone_boundary* b : {&s.input, &s.output}) {
    *b = {};
    TableWriter::place(b->name, name);
    b->rank = 1;
    b->shape[0] = kElements;
    b->copy = {0, 1, 0, 1, 0, kElements, 4};
  }
  s.input.copy.base = 64;  // behind the margin
  TableWriter::place(s.input.fills, &s.fill);
  s.input.fill_count = 1;
  s.output.copy.base = 2 * kBuffer;
}

class Instance {
 public:
  explicit Instance(int threads) : memory_(hone_model_memory_bytes() + 64) {
    auto address = reinterpret_cast<uintptr_t>(memory_.data());
    instance_ = hone_model_create(reinterpret_cast<void*>((address + 63) / 64 * 64), threads);
  }
  ~Instance() { hone_model_destroy(instance_); }
  Instance(const Instance&) = delete;
  hone_model_instance* get() const { return instance_; }

  std::vector<float> run(const std::vector<float>& x) const {
    std::vector<float> z(kElements, -1);
    const void* in = x.data();
    void* out = z.data();
    EXPECT_EQ(hone_model_run(instance_, &in, &out), 0);
    return z;
  }

 private:
  std::vector<char> memory_;
  hone_model_instance* instance_;
};

std::vector<float> input() {
  std::vector<float> x(kElements);
  for (int64_t i = 0; i < kElements; ++i) x[i] = static_cast<float>(i % 37) * 0.25f;
  return x;
}
std::vector<float> expected(const std::vector<float>& x) {
  std::vector<float> z(kElements);
  for (int64_t i = 0; i < kElements; ++i)
    z[kElements - 1 - i] = 2 * x[i] + (i == 0 ? 7.0f : x[i - 1]) + (static_cast<float>(i) + 0.5f);
  return z;
}

TEST(Runtime, RunsOperatorsPhasesMarginsAndCopies) {
  write_table(10);
  const Instance instance(1);
  ASSERT_NE(instance.get(), nullptr);
  EXPECT_EQ(instance.run(input()), expected(input()));
}

TEST(Runtime, GivesTheSameOnAnyNumberOfThreadsManyTimes) {
  write_table(1e9);
  for (const int threads : {2, 3, 4, 7}) {
    const Instance instance(threads);
    ASSERT_NE(instance.get(), nullptr);
    for (int i = 0; i < 200; ++i) ASSERT_EQ(instance.run(input()), expected(input())) << threads;
  }
}

TEST(Runtime, GivesTheSameWhenThreadsShareEveryRunOfIndices) {
  for (const int64_t inner : {100, 250, 10, 8, 999}) {  // the last two do not fit or divide
    write_table(1e9, inner);
    for (const int threads : {1, 2, 3, 7}) {
      const Instance instance(threads);
      ASSERT_NE(instance.get(), nullptr);
      for (int i = 0; i < 20; ++i)
        ASSERT_EQ(instance.run(input()), expected(input())) << threads << " " << inner;
    }
  }
}

TEST(Runtime, SharesRunsOfIndicesOnlyWhereThePartsComeOutAlike) {
  EXPECT_TRUE(hone_splits_inner(112, 14, 2));
  EXPECT_TRUE(hone_splits_inner(130, 13, 2));
  EXPECT_FALSE(hone_splits_inner(70, 7, 2));     // four rows and three
  EXPECT_FALSE(hone_splits_inner(40, 2, 3));     // nothing for the third
  EXPECT_FALSE(hone_splits_inner(112, 112, 2));  // one run: the whole is divided
  EXPECT_FALSE(hone_splits_inner(113, 14, 2));
  EXPECT_FALSE(hone_splits_inner(112, 0, 2));
}

TEST(Runtime, LetsInstancesRunAtTheSameTimeFromSeveralThreads) {
  write_table(1e9);
  const Instance a(3), b(2);
  ASSERT_TRUE(a.get() && b.get());
  std::atomic<int> wrong{0};
  auto many = [&](const Instance& instance) {
    for (int i = 0; i < 300; ++i) wrong += instance.run(input()) != expected(input());
  };
  std::thread first([&] { many(a); }), second([&] { many(b); });
  first.join();
  second.join();
  EXPECT_EQ(wrong, 0);
}

TEST(Runtime, StillRunsInAForkedChildWithoutTheThreads) {
  write_table(1e9);
  const Instance instance(2);
  ASSERT_NE(instance.get(), nullptr);
  EXPECT_EQ(instance.run(input()), expected(input()));
  const pid_t child = fork();
  if (child == 0) _exit(instance.run(input()) == expected(input()) ? 0 : 1);
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

TEST(Runtime, EndsItsThreadsWithTheLastInstance) {
  write_table(1e9);
  auto tasks = [] {
    int count = 0;
    char line[256];
    FILE* status = fopen("/proc/self/status", "r");
    while (fgets(line, sizeof line, status) != nullptr) sscanf(line, "Threads: %d", &count);
    fclose(status);
    return count;
  };
  const int before = tasks();
  for (int i = 0; i < 20; ++i) {
    const Instance a(4), b(2);
    EXPECT_EQ(tasks(), before + 3);
    EXPECT_EQ(a.run(input()), b.run(input()));
  }
  EXPECT_EQ(tasks(), before);
}

#if defined(__x86_64__)
TEST(Runtime, FlushesDenormalsInsideAndRestoresTheCallersState) {
  write_table(10);
  const Instance instance(1);
  const unsigned before = _mm_getcsr();
  const unsigned mine = (before & ~0x6000u) | 0x4000u;  // another rounding mode
  _mm_setcsr(mine);
  std::vector<float> x(kElements, 1e-40f);
  const std::vector<float> z = instance.run(x);
  EXPECT_EQ(_mm_getcsr() & ~0x3fu, mine & ~0x3fu);
  _mm_setcsr(before);
  EXPECT_EQ(z[0], 999.5f);
  EXPECT_EQ(z[kElements - 1], 7.5f);
}
#endif

TEST(Runtime, SaysWhatItsInputsAre) {
  write_table(10);
  hone_model_tensor tensor{};
  ASSERT_EQ(hone_model_input(0, &tensor), 0);
  EXPECT_STREQ(tensor.name, "data");
  EXPECT_EQ(tensor.rank, 1);
  EXPECT_EQ(tensor.shape[0], kElements);
  EXPECT_EQ(hone_model_input(1, &tensor), -1);
  EXPECT_EQ(hone_model_output(-1, &tensor), -1);
}

TEST(Runtime, RefusesNullPointersAndMisalignedMemory) {
  write_table(10);
  const Instance instance(1);
  const std::vector<float> x = input();
  const void* in = nullptr;
  void* out = nullptr;
  EXPECT_EQ(hone_model_run(instance.get(), &in, &out), -1);
  in = x.data();
  EXPECT_EQ(hone_model_run(instance.get(), &in, &out), -1);
  EXPECT_EQ(hone_model_run(nullptr, &in, &out), -1);
  alignas(64) static char memory[128];
  EXPECT_EQ(hone_model_create(memory + 1, 1), nullptr);
  EXPECT_EQ(hone_model_create(nullptr, 1), nullptr);
  EXPECT_EQ(hone_model_create(memory, -1), nullptr);
}

TEST(Runtime, UsesNoMoreCpusThanTheMaskAllows) {
  cpu_set_t before;
  ASSERT_EQ(sched_getaffinity(0, sizeof before, &before), 0);
  EXPECT_LE(hone_usable_cpus(), CPU_COUNT(&before));
  cpu_set_t one;
  CPU_ZERO(&one);
  for (int cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&one) == 0; ++cpu)
    if (CPU_ISSET(cpu, &before)) CPU_SET(cpu, &one);
  ASSERT_EQ(sched_setaffinity(0, sizeof one, &one), 0);
  EXPECT_EQ(hone_usable_cpus(), 1);
  ASSERT_EQ(sched_setaffinity(0, sizeof before, &before), 0);
}

TEST(Runtime, ReadsAControlGroupsQuotaInWholeCpus) {
  EXPECT_EQ(hone_quota_cpus("200000 100000\n"), 2);
  EXPECT_EQ(hone_quota_cpus("150000 100000\n"), 2);
  EXPECT_EQ(hone_quota_cpus("50000 100000\n"), 1);
  EXPECT_EQ(hone_quota_cpus("1000000 100000\n"), 10);
}

TEST(Runtime, TakesNoBoundFromAControlGroupWithoutQuotaOrWithOtherText) {
  for (const char* text :
       {"max 100000\n", "", "100000", "100000 ", "100000 0\n", "0 100000\n", "-1 100000\n", "x"})
    EXPECT_EQ(hone_quota_cpus(text), 0) << text;
}

TEST(Runtime, DividesWorkByItsCostAndNeverFinerThanItsIndices) {
  EXPECT_EQ(hone_parts(1e9, 1000, 4), 4);
  EXPECT_EQ(hone_parts(1e9, 3, 4), 3);
  EXPECT_EQ(hone_parts(1e9, 1, 4), 1);
  EXPECT_EQ(hone_parts(2.5 * HONE_WORK_PER_THREAD, 1000, 4), 2);
  EXPECT_EQ(hone_parts(0, 1000, 4), 1);
  EXPECT_EQ(hone_phase_work(10, 100, 1), 100 * HONE_WORK_PER_BYTE);
  EXPECT_EQ(hone_phase_work(1e6, 100, 2), 1e6);
}

// The threads may be moved off the caller's CPU at any time; the mask they end with is the one they began
// with.
TEST(Runtime, LeavesTheThreadsTheirAffinity) {
  write_table(1e9);
  cpu_set_t mine;
  ASSERT_EQ(sched_getaffinity(0, sizeof mine, &mine), 0);
  const Instance instance(3);
  ASSERT_NE(instance.get(), nullptr);
  for (int i = 0; i < 200; ++i) ASSERT_EQ(instance.run(input()), expected(input()));
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    cpu_set_t its;
    ASSERT_EQ(sched_getaffinity(std::stoi(task.path().filename().string()), sizeof its, &its), 0);
    EXPECT_TRUE(CPU_EQUAL(&its, &mine)) << task.path();
  }
}

TEST(Runtime, TimesEveryOperator) {
  write_table(10);
  const Instance instance(1);
  const std::vector<float> x = input();
  std::vector<float> z(kElements);
  const void* in = x.data();
  void* out = z.data();
  int64_t ns[2] = {-1, -1};
  EXPECT_EQ(hone_model_run_timed(instance.get(), &in, &out, ns), 0);
  EXPECT_GT(ns[0], 0);
  EXPECT_GT(ns[1], 0);
  EXPECT_EQ(hone_model_run_timed(instance.get(), &in, &out, nullptr), -1);
}

// --- what a model says of itself ------------------------------------------------------------------

std::string hex(const unsigned char* digest) {
  std::string text;
  for (int i = 0; i < HONE_DIGEST_BYTES; ++i) {
    text += "0123456789abcdef"[digest[i] >> 4];
    text += "0123456789abcdef"[digest[i] & 15];
  }
  return text;
}

/// The digest of so many bytes 0, 7, 14, ... modulo 251.
std::string counted_digest(size_t bytes) {
  std::vector<unsigned char> data(bytes);
  for (size_t i = 0; i < bytes; ++i) data[i] = static_cast<unsigned char>(7 * i % 251);
  unsigned char digest[HONE_DIGEST_BYTES];
  hone_range_digest(data.data(), bytes, digest);
  return hex(digest);
}

// By Python's hashlib, as digest.h says.
TEST(Digest, IsBlake2bOfItsPiecesDigests) {
  EXPECT_EQ(counted_digest(0), "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8");
  EXPECT_EQ(counted_digest(1), "fb9d7a94488e55b34e09bf0ae97ad41bac3947c02809d988264d6303ce8a351f");
  EXPECT_EQ(counted_digest(127), "4ff843b4893a051bddaa8c42defcc9b0d82cb9e1f5a4457c3c71def62add993b");
  EXPECT_EQ(counted_digest(128), "d07b550dca5b1eeadc4407142948ae3e030a6c0ecda4e98529796e419fe93ce7");
  EXPECT_EQ(counted_digest(129), "7c06e9819522f8e314ffca8b1c95cb159a99d974aeb6e96733f5cbc6ed24a6f6");
  EXPECT_EQ(counted_digest(65536), "8501c4e17ff8eee653e6bbb96f0dad3fe93b9dc13c6654a9a6785ea03dc33b93");
  EXPECT_EQ(counted_digest(65537), "c0d2e963f77d76842fce187686e43f2a0b92614ce70148ece2ca2cb353f1edad");
  EXPECT_EQ(counted_digest(262144), "48044b3e14b94903706823d71e9e098e3f84d6b16a4ce3159523408486e2e7bb");
  EXPECT_EQ(counted_digest(262145), "c95c641bedf37766a34f2e72f0ed248335e6859ffe905f878e038971cfce9c71");
  EXPECT_EQ(counted_digest(600000), "3a5ff4483f402014ed41fe0beac2696a00341e2c791d61b30d77242ab8caa63e");
}

/// Ranges over memory of this program, counted from where the linker says it begins.
struct Digests {
  std::vector<unsigned char> code = std::vector<unsigned char>(70000, 1), weights{2, 3}, data{4};
  Digests() {
    hone_digests& d = hone_model_note.digests;
    d = {};
    d.version = 1;
    add(HONE_PART_CODE, code);
    add(HONE_PART_WEIGHTS, weights);
    add(HONE_PART_DATA, data);
  }
  void add(uint32_t part, const std::vector<unsigned char>& bytes) {
    hone_digested_range& range = hone_model_note.digests.ranges[hone_model_note.digests.count++];
    range.part = part;
    range.address = static_cast<uint64_t>(bytes.data() - __ehdr_start);
    range.bytes = bytes.size();
    hone_range_digest(bytes.data(), bytes.size(), range.digest);
  }
};

TEST(Verify, NamesTheFirstPartThatChanged) {
  Digests digests;
  EXPECT_EQ(hone_model_verify(), 0);
  digests.data[0] ^= 1;  // is written once loaded
  EXPECT_EQ(hone_model_verify(), 0);
  digests.weights[1] ^= 0x80;
  EXPECT_EQ(hone_model_verify(), HONE_PART_WEIGHTS);
  digests.code.back() ^= 1;
  EXPECT_EQ(hone_model_verify(), HONE_PART_CODE);
}

TEST(Verify, SaysWhereThereAreNoDigests) {
  hone_model_note.digests = {};
  EXPECT_EQ(hone_model_verify(), -1);
  hone_model_note.digests.version = 1;
  EXPECT_EQ(hone_model_verify(), -1);
  hone_model_note.digests.count = HONE_MOST_RANGES + 1;
  EXPECT_EQ(hone_model_verify(), -1);
}

TEST(Supported, SaysWhatTheCompilerSaysOfThisProcessor) {
  const uint64_t has = hone_processor_features();
#if defined(__x86_64__)
  __builtin_cpu_init();
  EXPECT_EQ((has >> 3 & 1) != 0, __builtin_cpu_supports("sse4.2") != 0);
  EXPECT_EQ((has >> 4 & 1) != 0, __builtin_cpu_supports("popcnt") != 0);
  EXPECT_EQ((has >> 5 & 1) != 0, __builtin_cpu_supports("avx") != 0);
  EXPECT_EQ((has >> 6 & 1) != 0, __builtin_cpu_supports("avx2") != 0);
  EXPECT_EQ((has >> 7 & 1) != 0, __builtin_cpu_supports("fma") != 0);
  EXPECT_EQ((has >> 10 & 1) != 0, __builtin_cpu_supports("bmi2") != 0);
  EXPECT_EQ((has >> 13 & 1) != 0, __builtin_cpu_supports("avx512f") != 0);
  EXPECT_EQ((has >> 16 & 1) != 0, __builtin_cpu_supports("avx512vl") != 0);
  EXPECT_EQ((has >> 18 & 1) != 0, __builtin_cpu_supports("avx512vnni") != 0);
#else
  EXPECT_EQ(has & 3, 3u);
#endif
}

TEST(Supported, RefusesToBeginOnALesserProcessor) {
  write_table(10);
  hone_model_table.needs = hone_processor_features();
  EXPECT_EQ(hone_model_supported(), 1);
  EXPECT_NE(Instance(1).get(), nullptr);
  hone_model_table.needs |= 1ull << 63;
  EXPECT_EQ(hone_model_supported(), 0);
  EXPECT_EQ(Instance(1).get(), nullptr);
}

}  // namespace
