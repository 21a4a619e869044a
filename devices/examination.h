// One measurement as the child server makes it: what the artifact says it is, its child, what the child claims, and
// what the server finds when it looks for itself.
#pragma once

#include <list>
#include <optional>
#include <span>
#include <string>

#include "codegen/oracle/oracle.h"
#include "devices/batch.h"
#include "devices/child.h"
#include "devices/references.h"
#include "devices/secrets.h"
#include "measure/measurement.h"

namespace hone {

class Examination {
 public:
  /// `runner`: the socket that closes when nobody waits for results any more; this process ends then.
  explicit Examination(int runner);
  bool good() const { return bells_.good() && arena_.data() != nullptr && shared_.data() != nullptr; }
  ChildEnvironment& environment() { return environment_; }

  /// A known kernel in a child; measures how long a handshake takes.
  void check(const ChildRequest& request, ServerReply& reply);
  void measure(const ChildRequest& request, std::span<const std::byte> artifact,
               std::span<const std::byte> reference, ServerReply& reply);

 private:
  /// A signature that is of the request's task, and that task's oracle. Errors: it is of another one.
  struct Subject {
    Signature signature;
    const Oracle* oracle = nullptr;
  };
  Result<Subject> subject_of(const ChildRequest& request, std::span<const std::byte> artifact);
  Result<const Oracle*> oracle_of(const Digest& task_key, const std::string& text);
  /// A workspace in the arena, or, if that is too small, in pages of its own; work() is large enough for it then.
  /// nullptr: there was no memory.
  std::byte* memory_for(const Workspace& workspace);
  /// Memory of this process alone to work in: what is freed and taken anew costs a fault a page, and what a child
  /// has too a copy.
  std::span<float> work() const;
  std::span<std::byte> unused(const Workspace& workspace) const;
  const References::Reference* reference_of(const ChildRequest& request, const Oracle& oracle,
                                            const std::string& seed, std::span<const std::byte> reference,
                                            ServerReply& reply);
  /// Starts a child and waits until it rang or failed; a child that rang stands still.
  std::optional<ChildProcess> run(int64_t deadline_ms, ServerReply& reply, const std::function<void()>& body);
  /// What the child wrote and how long it takes, once it has made its claims and stands still.
  void look(const ChildRequest& request, const Subject& subject, Workspace& workspace, const std::string& seed,
            ReferenceView expected, ChildProcess& child, ServerReply& reply);
  ChildReport& report() const { return *reinterpret_cast<ChildReport*>(shared_.data()); }
  ChildOrders& orders() const { return *reinterpret_cast<ChildOrders*>(&report() + 1); }

  int runner_;
  Bells bells_;
  ChildEnvironment environment_;
  Pages shared_;  ///< report and orders of one child after the other
  Pages arena_;
  std::optional<Pages> large_;
  Pages work_;
  Seeds seeds_;
  References references_;
  struct KnownTask {
    Digest key;
    Oracle oracle;
  };
  std::list<KnownTask> tasks_;  ///< most recently used first
  double handshake_ns_ = 0;
  int64_t deadline_ns_ = 0;  ///< of the child that runs
};

}  // namespace hone
