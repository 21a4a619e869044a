// Fills an artifact's buffers with generated data, and runs reference artifacts on the same data.
#include "codegen/runtime/host/host.h"
#include "codegen/runtime/host/test_data.h"

namespace hone {

Result<std::vector<GuardedBuffer>> prepare_constants(const LoadedArtifact& artifact,
                                                     const std::vector<const void*>& logical) {
  const Signature& signature = artifact.signature();
  HONE_CHECK(logical.size() == signature.constants.size());
  std::vector<GuardedBuffer> packed;
  std::vector<void*> pointers;
  for (const void* p : logical) pointers.push_back(const_cast<void*>(p));
  for (const BufferSpec& spec : signature.buffers) {
    if (spec.role != Role::constant) continue;
    HONE_TRY(GuardedBuffer buffer, GuardedBuffer::allocate(spec.bytes));
    poison(buffer.data(), buffer.size());
    pointers.push_back(buffer.data());
    packed.push_back(std::move(buffer));
  }
  artifact.prepare(pointers.data());
  return packed;
}

namespace {

Result<std::vector<GuardedBuffer>> generated_constants(const LoadedArtifact& artifact,
                                                       const std::string& seed) {
  std::vector<GuardedBuffer> plain;
  std::vector<const void*> pointers;
  for (const LogicalConstant& constant : artifact.signature().constants) {
    HONE_TRY(GuardedBuffer buffer, GuardedBuffer::allocate(plain_bytes(constant)));
    fill_constant(constant, seed, buffer.data());
    pointers.push_back(buffer.data());
    plain.push_back(std::move(buffer));
  }
  return prepare_constants(artifact, pointers);
}

}  // namespace

Result<ArtifactBuffers> make_buffers(const LoadedArtifact& artifact, const std::string& seed) {
  const Signature& signature = artifact.signature();
  HONE_TRY(std::vector<GuardedBuffer> constants, generated_constants(artifact, seed));
  ArtifactBuffers buffers;
  size_t next_constant = 0;
  for (const BufferSpec& spec : signature.buffers) {
    if (spec.role == Role::constant) {
      buffers.owned.push_back(std::move(constants[next_constant++]));
    } else {
      HONE_TRY(GuardedBuffer buffer, GuardedBuffer::allocate(spec.bytes));
      if (spec.role == Role::input) {
        std::vector<float> plain(static_cast<size_t>(element_count(spec.type.shape)));
        fill_input(spec, seed, plain, buffer.data());
      } else {
        poison(buffer.data(), buffer.size());
      }
      buffers.owned.push_back(std::move(buffer));
    }
    buffers.pointers.push_back(buffers.owned.back().data());
  }
  return buffers;
}

void poison_outputs(const Signature& signature, const ArtifactBuffers& buffers) {
  for (size_t i = 0; i < signature.buffers.size(); ++i)
    if (signature.buffers[i].role == Role::output || signature.buffers[i].role == Role::scratch)
      poison(buffers.owned[i].data(), buffers.owned[i].size());
}

Result<ReferenceOutput> run_reference(const LoadedArtifact& reference, const std::string& seed) {
  const Signature& signature = reference.signature();
  if (!signature.reference) return fail("the artifact is no reference", signature.task);
  HONE_TRY(const ArtifactBuffers buffers, make_buffers(reference, seed));
  reference.run(buffers.pointers.data());
  ReferenceOutput output;
  for (size_t i = 0; i < signature.buffers.size(); ++i) {
    const BufferSpec& spec = signature.buffers[i];
    if (spec.role != Role::output) continue;
    (spec.name.ends_with(".magnitude") ? output.magnitude : output.value) =
        unpack_double(spec, buffers.owned[i].data());
  }
  if (output.value.empty() || output.magnitude.size() != output.value.size())
    return fail("the reference has no pair of outputs y and y.magnitude", signature.task);
  return output;
}

}  // namespace hone
