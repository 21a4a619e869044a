// Loading: what is accepted computes; what ours never has is refused before the loader sees it.
#include <elf.h>
#include <gmock/gmock.h>

#include <cstring>

#include "codegen/base/generator.h"
#include "codegen/runtime/host/host.h"
#include "tests/unit/runtime_host/elf_file.h"

namespace hone {
namespace {

using testing::HasSubstr;

std::string refusal(const std::vector<std::byte>& bytes) {
  const auto artifact = LoadedArtifact::load(bytes);
  return artifact ? "" : artifact.error().text();
}

TEST(Artifact, LoadsPreparesAndRuns) {
  const auto artifact = LoadedArtifact::load(fixture("good"));
  ASSERT_TRUE(artifact) << artifact.error().text();
  const auto buffers = make_buffers(*artifact, "7");
  ASSERT_TRUE(buffers) << buffers.error().text();
  artifact->run(buffers->pointers.data());

  std::vector<float> x(6), w(30);
  generate("7/x", -1, 1, x);
  generate("7/w", -1, 1, w);
  ReferenceOutput reference;
  for (int o = 0; o < 5; ++o) {
    double sum = 0, magnitude = 0;
    for (int k = 0; k < 6; ++k) {
      sum += static_cast<double>(x[k]) * w[o * 6 + k];
      magnitude += 2 * std::abs(static_cast<double>(x[k]) * w[o * 6 + k]);
    }
    reference.value.push_back(std::max(sum, 0.0));
    reference.magnitude.push_back(magnitude);
  }
  const CheckReport report = check(artifact->signature(), *buffers, reference);
  EXPECT_TRUE(report.ok) << report.reason;
}

TEST(Artifact, IsCaughtWhenAnInputIsChangedUnderIt) {
  const auto artifact = LoadedArtifact::load(fixture("good"));
  ASSERT_TRUE(artifact);
  const auto buffers = make_buffers(*artifact, "7");
  ASSERT_TRUE(buffers);
  artifact->run(buffers->pointers.data());
  const std::vector<float> first = unpack(artifact->signature().buffers[2], buffers->owned[2].data());
  poison_outputs(artifact->signature(), *buffers);
  static_cast<float*>(buffers->pointers[0])[3] = 0;
  artifact->run(buffers->pointers.data());
  EXPECT_NE(first, unpack(artifact->signature().buffers[2], buffers->owned[2].data()));
}

TEST(Artifact, RunsInAnySplit) {
  const auto artifact = LoadedArtifact::load(fixture("good"));
  ASSERT_TRUE(artifact);
  const auto whole = make_buffers(*artifact, "7"), split = make_buffers(*artifact, "7");
  ASSERT_TRUE(whole && split);
  artifact->run(whole->pointers.data());
  artifact->run_range(split->pointers.data(), 0, 1, 2);
  artifact->run_range(split->pointers.data(), 0, 0, 1);
  EXPECT_EQ(unpack(artifact->signature().buffers[2], whole->owned[2].data()),
            unpack(artifact->signature().buffers[2], split->owned[2].data()));
}

TEST(Artifact, IsNeverMistakenForOneThatWasLoadedBefore) {
  const auto first = LoadedArtifact::load(fixture("good"));
  ASSERT_TRUE(first);
  const auto second = LoadedImage::load(fixture("no_run"));
  ASSERT_TRUE(second);
  EXPECT_EQ(second->function("hone_run"), nullptr);
}

TEST(Artifact, WithoutRunIsRefused) {
  EXPECT_THAT(refusal(fixture("no_run")), HasSubstr("lacks hone_signature or hone_run"));
}
TEST(Artifact, WithAnUndefinedSymbolIsRefusedByName) {
  EXPECT_THAT(refusal(fixture("undefined")), HasSubstr("undefined symbol 'expf'"));
}
TEST(Artifact, WithAConstructorIsRefused) {
  EXPECT_THAT(refusal(fixture("constructor")), HasSubstr("has constructors or destructors"));
}
TEST(Artifact, ThatNeedsALibraryIsRefused) {
  EXPECT_THAT(refusal(fixture("needed")), HasSubstr("needs other libraries"));
}
TEST(Artifact, ThatIsNoElfFileIsRefused) {
  EXPECT_THAT(refusal(std::vector<std::byte>(4096)), HasSubstr("does not begin as an ELF file does"));
  EXPECT_THAT(refusal({}), HasSubstr("does not begin as an ELF file does"));
}

TEST(Artifact, ForAnotherMachineIsRefusedByName) {
  std::vector<std::byte> bytes = fixture("good");
  Elf64_Ehdr header;
  std::memcpy(&header, bytes.data(), sizeof header);
  header.e_machine = header.e_machine == EM_AARCH64 ? EM_X86_64 : EM_AARCH64;
  std::memcpy(bytes.data(), &header, sizeof header);
  EXPECT_THAT(refusal(bytes), HasSubstr("the shared object is for "));
}

TEST(Artifact, CutAtAnyLengthIsRefusedOrNeverReadBeyond) {
  const std::vector<std::byte> bytes = fixture("good");
  ASSERT_FALSE(bytes.empty());
  uint64_t loaded_end = 0;  // cuts behind what is loaded lose only section headers
  Elf64_Ehdr header;
  std::memcpy(&header, bytes.data(), sizeof header);
  for (int i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr segment;
    std::memcpy(&segment, bytes.data() + header.e_phoff + i * sizeof segment, sizeof segment);
    if (segment.p_type == PT_LOAD) loaded_end = std::max(loaded_end, segment.p_offset + segment.p_filesz);
  }
  for (size_t length = 0; length < loaded_end; length += 61) {
    const std::vector<std::byte> cut(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(length));
    EXPECT_FALSE(inspect_shared_object(cut)) << length;
  }
}

TEST(Artifact, WithAnyByteOfItsHeadersChangedIsReadWithoutAFault) {
  const std::vector<std::byte> bytes = fixture("good");
  for (size_t i = 0; i < 1024 && i < bytes.size(); ++i)
    for (const int flip : {0x01, 0x80, 0xff}) {
      std::vector<std::byte> changed = bytes;
      changed[i] ^= static_cast<std::byte>(flip);
      (void)inspect_shared_object(changed);  // under asan: reads nothing outside
    }
}

TEST(Model, ThatIsMissingIsNamed) {
  const auto model = LoadedModel::load("/nonexistent/model.so", 1);
  ASSERT_FALSE(model);
  EXPECT_THAT(model.error().text(), HasSubstr("/nonexistent/model.so: cannot open the model: No such file"));
}

TEST(Model, ThatIsAnArtifactIsRefused) {
  const auto model = LoadedModel::load(std::string(FIXTURES) + "/good.so", 1);
  ASSERT_FALSE(model);
  EXPECT_THAT(model.error().text(), HasSubstr("no compiled model: it lacks hone_model functions"));
}

}  // namespace
}  // namespace hone
