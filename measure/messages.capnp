# What measure/messages.md says, as a schema. Fields are only ever added; those of a later protocol say so.
@0xc6a2f8b1d4e93075;

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("hone::schema");

const protocolVersion :UInt32 = 3;

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
    # protocol 2. runner -> scheduler
    health @23 :HealthReport;
    # client -> scheduler, and its answer
    board @24 :BoardRequest;        # answered by boards with that one
    resume @25 :JobId;              # answered by accepted
    pullLog @26 :PullLog;
    logChunk @27 :LogChunk;
    askStatus @28 :Void;
    status @29 :SchedulerStatus;
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
  # protocol 2
  instance @8 :UInt64;              # drawn at the start of the process, so that a restart is told from a reconnect; 0: not said
  canCheck @9 :Bool;                # runners: answers Want.check with a HealthReport
  os @10 :Text;                     # runners: "Debian GNU/Linux 12"
  emulated @11 :Bool;               # runners: the board is emulated (qemu-user); its model says so too
  sandbox @12 :Text;                # runners: empty: whole; else what is missing
  maxFrequencyMhz @13 :Float64 = -1;
  featureVersion @14 :UInt32;       # tuners: of the features that they say; 0: works none out again
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
  # protocol 2
  check @4 :UInt64;                 # not 0: a health check is wanted before anything else; this is its number
  checkMs @5 :UInt32;               # its deadline on the board
  boardState @6 :Text;              # how the scheduler sees this board (BoardState), for people at the board
  boardReason @7 :Text;
}

# What a board found out about itself: the answer to Want.check, or (check 0) unasked when something is wrong.
struct HealthReport {
  check @0 :UInt64;
  ok @1 :Bool;                      # the known kernel ran in a child and gave the known answer
  message @2 :Text;                 # why not
  referenceNs @3 :Float64 = -1;     # median time of the reference kernel: the scheduler compares it with earlier ones
  temperatureCelsius @4 :Float64 = -1;
  frequencyMhz @5 :Float64 = -1;
  freeMemoryBytes @6 :Int64 = -1;
  freeDiskBytes @7 :Int64 = -1;
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
  rebuild @13 :List(Candidate);     # protocol 2. Not empty: build exactly these again, propose nothing
  hints @14 :List(Text);            # best points of like tasks, nearest first: proposed early, fitted to the space
  seenVersions @15 :List(UInt32);   # space version of each of `seen`; 0 or missing: the present one
  featurise @16 :List(Candidate);   # not empty: say the features of exactly these, propose and build nothing
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
  outFactor @6 :Float64;            # 0: never stopped for being slower
}

struct Measurement {
  lease @0 :LeaseRef;
  id @1 :Text;                      # measurement id
  artifact @2 :Text;
  reference @3 :Text;
  taskKey @4 :Text;
  seed @5 :Text;                    # what the check is for (search, finals): runners draw the seeds of its data themselves
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
  uploadMs @11 :Float64;            # where the board's time went: waiting for these bytes alone
  checkMs @12 :Float64;
  runMs @13 :Float64;
  more @14 :List(Quantity);         # columns that came later
}
# A column of a log by its name: see for_each_column in measure/record.h. Names that a program does not know say nothing to it.
struct Quantity { name @0 :Text; value @1 :Float64; }

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
  # protocol 2
  priority @10 :UInt32 = 10;        # 1 to 100: its share of its user's board time
  user @11 :Text;                   # with keys the scheduler puts the key's name here
  token @12 :Text;                  # drawn by the client: a second submission with it is the same job. Empty: none
  require @13 :List(Text);          # "key=value" labels that a board must have
  limitSeconds @14 :Float64;        # the job fails if it has not ended by then, waiting included; 0: no limit
  targetMs @15 :Float64;            # the search ends once the tasks' times add up to less, and finals agree; 0: no target
  # protocol 3
  also @16 :List(JobPart);          # further targets of the same job; a scheduler of protocol 2 may not see them
}
# The same model for another target, whose layouts make other tasks of it.
struct JobPart {
  target @0 :Text;                  # canonical text
  tasks @1 :List(JobTask);
  mode @2 :Text;
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
  # protocol 2
  user @13 :Text;
  priority @14 :UInt32;
  require @15 :List(Text);
  createdUnixMs @16 :Int64;
  boardMs @17 :Float64;             # time on boards that it was given
  limitSeconds @18 :Float64;
  also @19 :List(JobPart);          # only if one job was asked for
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
  # protocol 2
  state @11 :Text;                  # BoardState: Good, Unknown, Bad, Maintenance, Retired
  reason @12 :Text;
  stateMs @13 :Int64;               # since it is in this state
  retryMs @14 :Int64 = -1;          # until the next health check; -1: none is planned
  faults @15 :UInt32;               # in a row, without a passed check between
  connected @16 :Bool;
  draining @17 :Bool;               # it finishes what it holds and then goes into Maintenance
  os @18 :Text;
  emulated @19 :Bool;
  sandbox @20 :Text;
  referenceNs @21 :Float64 = -1;    # of the last passed health check
  freeMemoryBytes @22 :Int64 = -1;
  freeDiskBytes @23 :Int64 = -1;
  maxFrequencyMhz @24 :Float64 = -1;
  history @25 :List(BoardChange);   # newest last
  boundId @26 :Text;                # Board.id that alone may come under this name; empty: the next that comes
}
struct BoardChange { unixMs @0 :Int64; state @1 :Text; reason @2 :Text; }

enum BoardAction { show @0; drain @1; resume @2; retire @3; release @4; }
struct BoardRequest {
  name @0 :Text;
  action @1 :BoardAction;
  reason @2 :Text;                  # for people
}

# Asks for durable records in the order of the log, from the `after`-th on.
struct PullLog {
  job @0 :UInt64;                   # only the conditions and tasks of this job; 0: all
  after @1 :UInt64;
  target @2 :Text;                  # only of this target; empty: all
}
struct LogChunk {
  records @0 :List(Record);
  next @1 :UInt64;                  # ask with this as `after`
  total @2 :UInt64;                 # durable records in the log now; next = total: that was all
}

struct SchedulerStatus {
  build @0 :Text;
  protocolMin @1 :UInt32;
  protocolMax @2 :UInt32;
  log @3 :Text;
  records @4 :UInt64;
  durable @5 :UInt64;               # of them, safe on the disk
  trouble @6 :Text;                 # why nothing is acknowledged at present (disk full); empty: all is well
  upMs @7 :Int64;
  boards @8 :UInt32;                # connected
  tuners @9 :UInt32;
  clients @10 :UInt32;
  refused @11 :UInt64;              # at the door
  malformed @12 :UInt64;
  lostWorkers @13 :UInt64;
  # protocol 3; from when a result is taken from the socket until its acknowledgement is given to it, of the newest
  acknowledgedMedianUs @14 :Int64 = -1;   # -1: none yet, or unknown
  acknowledgedHighUs @15 :Int64 = -1;     # 99 of 100 took no longer
  connections @16 :UInt32;          # open now, those that have not said hello too
  crowded @17 :UInt64;              # of `refused`: one connection too many, or one that said nothing for too long
  greedy @18 :UInt64;               # cut off, since they took more than they may
  removed @19 :UInt64;              # came with a key that was removed from the list
  conflicts @20 :Text;              # reference artifacts that tuners disagree on: how many, the last; empty: none
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
  tasks @3 :List(TaskProgress);     # in the order of the request, on the first model of boards
  trials @4 :UInt64;
  measuredBefore @5 :UInt64;
  candidates @6 :UInt64;            # attempts of this run, failures included
  failed @7 :List(Failure);
  seconds @8 :Float64;
  etaSeconds @9 :Float64 = -1;
  stages @10 :Stages;               # where the time went
  boards @11 :UInt32;
  tuners @12 :UInt32;
  trouble @13 :Text;                # protocol 2: why nothing goes on at present (the log cannot be written)
  lanes @14 :List(JobLane);         # one for each target and model of boards
}
# How a job stands on one model of boards with one of its targets.
struct JobLane {
  part @0 :UInt32;                  # 0: the request's own target and tasks, i: its also[i - 1]
  boardModel @1 :Text;
  boards @2 :UInt32;                # now
  tasks @3 :List(TaskProgress);     # in the order of that part
  reason @4 :Text;                  # why its search is over; empty: it is not
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
  more @27 :List(Quantity);         # columns that came later
}
