// The child server: a small single-threaded process that forks one child per measurement and watches it.
// It is exec'ed by the runner (`hone-runner --child-server FD`), so that nothing is ever forked from a
// process with ZeroMQ's threads.
#pragma once

namespace hone {

/// Serves ChildRequests on `socket` until it is closed. Returns the exit code of the process.
int serve_children(int socket);

}  // namespace hone
