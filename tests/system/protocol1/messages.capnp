# Protocol 1 as it was released, kept so that tests can speak as programs of then did. Never change it.
@0x9bb15fd705f18a7a;

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("hone::protocol1");

const protocolVersion :UInt32 = 1;

struct Message {
  union {
    # either way
    error @0 :Text;                 # why the last message was not understood
    # peer -> scheduler
    hello @1 :Hello;
    state @2 :WorkerState;
    built @3 :Built;
    roundDone @4 :RoundDone;
    fetch @5 :Fetch;
    measured @6 :Measured;
    submit @7 :JobRequest;
    follow @8 :JobId;
    stop @9 :JobId;
    query @10 :Query;
    # scheduler -> peer
    welcome @11 :Welcome;
    refuse @12 :Text;
    want @13 :Want;
    blob @14 :Blob;                 # bytes in the next frame
    committed @15 :Committed;
    accepted @16 :JobId;
    jobEvent @17 :JobEvent;
    records @18 :List(Record);
    # client -> scheduler, and its answer
    listJobs @19 :JobId;            # 0: all
    jobs @20 :List(JobSummary);     # with tasks only if one was asked for
    listBoards @21 :Void;
    boards @22 :List(BoardSummary);
  }
}

enum Role { tuner @0; runner @1; client @2; }

struct Hello {
  role @0 :Role;
  protocolMin @1 :UInt32;
  protocolMax @2 :UInt32;
  build @3 :Text;
  name @4 :Text;
  board @5 :Text;                   # runners: canonical text of codegen/base Board
  capacity @6 :UInt32;              # leases it can hold at once
  labels @7 :List(Text);            # "key=value", as given on the worker's command line
}

struct Welcome {
  protocol @0 :UInt32;
  worker @1 :UInt64;
  heartbeatMs @2 :UInt32;
  leaseMs @3 :UInt32;
}

struct LeaseRef { id @0 :UInt64; epoch @1 :UInt64; }

struct WorkerState {
  leases @0 :List(LeaseRef);
  temperatureCelsius @1 :Float64 = -1;
  frequencyMhz @2 :Float64 = -1;
}

struct Want {
  leases @0 :List(LeaseRef);        # all that the worker should hold
  rounds @1 :List(Round);           # the work of those it does not hold yet
  measurements @2 :List(Measurement);
  stopping @3 :Bool;
}

struct Candidate {
  task @0 :Text;
  target @1 :Text;
  formulation @2 :Text;
  spaceVersion @3 :UInt32;
  ports @4 :Text;
  parameters @5 :Text;
  schedule @6 :Text;
}

# Everything that the proposals of a round depend on.
struct Round {
  lease @0 :LeaseRef;
  job @1 :UInt64;
  task @2 :Text;
  target @3 :Text;
  ports @4 :Text;
  threads @5 :UInt32;
  mode @6 :Text;                    # TimingMode
  count @7 :UInt32;                 # candidates asked for
  seed @8 :UInt64;
  costModel @9 :Text;               # digest; empty: none yet. Fetched like an artifact
  top @10 :List(Record);            # best so far, best first
  seen @11 :List(Text);             # "formulation parameters" texts measured or in flight
  firstTrial @12 :UInt64;           # number of the first candidate; trial 0 comes first
}

struct Built {
  lease @0 :LeaseRef;
  candidate @1 :Candidate;
  trial @2 :UInt64;
  status @3 :Text;                  # MeasureStatus: ok, build_error, build_timeout
  message @4 :Text;
  artifact @5 :Text;                # digest; bytes in the next frame if it was built
  signature @6 :Text;
  reference @7 :Text;               # digest of the task's reference; bytes in the frame after, on the first of a round
  features @8 :List(Float32);
  featureVersion @9 :UInt32;
  buildMs @10 :Float64;
  predicted @11 :Float64;           # the cost model's score, 0 if none
}

struct RoundDone {
  lease @0 :LeaseRef;
  proposed @1 :UInt32;
  exhausted @2 :Bool;               # the search space holds nothing new
  proposeMs @3 :Float64;
}

struct Fetch { digest @0 :Text; }
struct Blob { digest @0 :Text; found @1 :Bool; }

struct Sampling {
  minSamples @0 :UInt32;
  maxSamples @1 :UInt32;
  targetSpread @2 :Float64;
  budgetMs @3 :UInt32;
  raceFactor @4 :Float64;
  bestNs @5 :Float64;               # 0: no race
}

struct Measurement {
  lease @0 :LeaseRef;
  id @1 :Text;                      # measurement id
  artifact @2 :Text;
  reference @3 :Text;
  taskKey @4 :Text;
  seed @5 :Text;                    # of the check's data
  mode @6 :Text;
  threads @7 :UInt32;
  sampling @8 :Sampling;
  uploadMs @9 :UInt32;              # deadlines
  runMs @10 :UInt32;                # starts on the board
  final @11 :Bool;
}

struct Measured {
  lease @0 :LeaseRef;
  id @1 :Text;
  status @2 :Text;
  message @3 :Text;
  samplesNs @4 :List(Float64);
  relativeL2 @5 :Float64;
  worstFactor @6 :Float64;
  referenceBeforeNs @7 :Float64 = -1;
  referenceAfterNs @8 :Float64 = -1;
  temperatureCelsius @9 :Float64 = -1;
  frequencyMhz @10 :Float64 = -1;
  uploadMs @11 :Float64;            # where the time went
  checkMs @12 :Float64;
  runMs @13 :Float64;
}

struct Committed { ids @0 :List(Text); }

struct JobTask {
  task @0 :Text;
  summary @1 :Text;
  ports @2 :Text;
  weight @3 :UInt32;                # how often the model has it
  flops @4 :Float64;
}

struct JobRequest {
  name @0 :Text;
  target @1 :Text;                  # canonical text
  boardModel @2 :Text;              # empty: any board that fits the target
  tasks @3 :List(JobTask);
  threads @4 :UInt32;
  mode @5 :Text;
  maxTrials @6 :UInt64;             # 0: no limit
  maxSeconds @7 :Float64;           # 0: no limit
  more @8 :Bool;                    # go on with tasks that were finished
  seed @9 :UInt64;
}

struct JobId { id @0 :UInt64; }

struct JobSummary {
  id @0 :UInt64;
  name @1 :Text;
  target @2 :Text;
  boardModel @3 :Text;
  tasks @4 :List(JobTask);
  maxTrials @5 :UInt64;
  maxSeconds @6 :Float64;
  state @7 :Text;                   # JobState
  reason @8 :Text;
  trials @9 :UInt64;
  seconds @10 :Float64;
  boards @11 :UInt32;
  tuners @12 :UInt32;
}

struct BoardSummary {
  name @0 :Text;
  board @1 :Text;                   # canonical text
  labels @2 :List(Text);
  jobs @3 :List(UInt64);            # whose measurements it holds
  leases @4 :UInt32;
  measured @5 :UInt64;              # results since it came
  failed @6 :UInt64;                # of those, not ok
  idleMs @7 :Int64 = -1;            # since it has nothing to do; -1: it has
  silentMs @8 :Int64;               # since it spoke
  temperatureCelsius @9 :Float64 = -1;
  frequencyMhz @10 :Float64 = -1;
}

struct TaskProgress {
  trials @0 :UInt32;                # in the log, earlier runs included
  newTrials @1 :UInt32;
  firstNs @2 :Float64;              # trial 0
  bestNs @3 :Float64;
  finished @4 :Bool;
}

struct JobEvent {
  id @0 :UInt64;
  state @1 :Text;                   # JobState
  reason @2 :Text;
  tasks @3 :List(TaskProgress);     # in the order of the request
  trials @4 :UInt64;
  measuredBefore @5 :UInt64;
  candidates @6 :UInt64;            # attempts of this run, failures included
  failed @7 :List(Failure);
  seconds @8 :Float64;
  etaSeconds @9 :Float64 = -1;
  stages @10 :Stages;               # where the time went
  boards @11 :UInt32;
  tuners @12 :UInt32;
}
struct Failure { status @0 :Text; count @1 :UInt64; example @2 :Text; }
struct Stages {
  proposeMs @0 :Float64; buildMs @1 :Float64; uploadMs @2 :Float64; checkMs @3 :Float64; runMs @4 :Float64; idleMs @5 :Float64;
}

struct Query {
  target @0 :Text;
  taskKeys @1 :List(Text);          # empty: all
  bestOnly @2 :Bool;
}

struct Record {
  candidate @0 :Candidate;
  taskKey @1 :Text;
  taskSummary @2 :Text;
  boardModel @3 :Text;
  boardId @4 :Text;
  artifact @5 :Text;
  status @6 :Text;
  message @7 :Text;
  threads @8 :UInt32;
  mode @9 :Text;
  samplesNs @10 :List(Float64);
  medianNs @11 :Float64;
  spread @12 :Float64;
  relativeL2 @13 :Float64;
  worstFactor @14 :Float64;
  final @15 :Bool;
  repetition @16 :UInt32;
  trial @17 :UInt64;
  features @18 :List(Float32);
  featureVersion @19 :UInt32;
  job @20 :Text;
  tuner @21 :Text;
  unixMs @22 :Int64;
  referenceBeforeNs @23 :Float64 = -1;
  referenceAfterNs @24 :Float64 = -1;
  temperatureCelsius @25 :Float64 = -1;
  frequencyMhz @26 :Float64 = -1;
}
